/**
 * 32-bit words in memory that all workers of the node share. Zero when new. They outlive
 * generations and workers: equal keys give the same words.
 */
export interface NodeWords {
  readonly words: Int32Array
  /**
   * Index of the first of the words that belong to the key, a multiple of 16: {@link
   * WORDS_PER_SLOT} words, or as many as an {@link AreaKey} asks for.
   */
  readonly base: number
}

/** A key whose words are more than {@link WORDS_PER_SLOT}. */
export interface AreaKey {
  readonly key: string
  /** Size, at most 4 MiB; equal keys have equal sizes. */
  readonly bytes: number
}

export const WORDS_PER_SLOT = 16

/**
 * Custom data of the cluster under one prefix, as this worker has it: changes arrive some
 * milliseconds after they are committed. Keys are what follows the prefix.
 */
export interface CustomDataView {
  /** JSON text; undefined where there is nothing. */
  get(key: string): string | undefined
  /** All there is, in no order; for what looks items up by something else than their key. */
  entries(): Iterable<readonly [key: string, json: string]>
  /** Changes with every change: what was made of the data may be kept as long as it stays. */
  readonly version: number
}

/** One worker's statistics of one thing (a server, a pool); plain stores, read from elsewhere. */
export interface StatsRow {
  /**
   * Counts one finished exchange. `status` 100..599; `durationMs` may have a fraction; sizes in
   * bytes.
   */
  record(status: number, durationMs: number, bytesIn: number, bytesOut: number): void
}
