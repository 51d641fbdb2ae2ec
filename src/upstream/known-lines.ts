import type { FieldName } from './field-names.js'

/** Heads with more are not learned, so that what is kept for a back end stays small. */
const LINES_MAX = 32
const BYTES_MAX = 2_048
/** A head that differs is learned when this many in a row did: some differ every time. */
const MISSES_MAX = 4

/** Where the lines of a head lie, noted while it is read: {@link MARKS} numbers a line. */
export const MARKS = 4
const START = 0
const VALUE_START = 1
const VALUE_END = 2
const END = 3

/**
 * The field lines of an answer to compare the next one with. Back ends repeat most lines to the
 * byte, in the same order; a line that equals the one in its place has been checked and converted
 * before. One for all connections to a server.
 */
export class KnownLines {
  readonly #bytes = new Uint8Array(BYTES_MAX)
  readonly #marks = new Int32Array(MARKS * LINES_MAX)
  readonly #names: FieldName[] = []
  readonly #values: string[] = []
  #count = 0
  #misses = 0

  /** Length of line `index` with its CR LF when that is what lies at `from`, else 0. */
  lengthAt(index: number, b: Uint8Array, from: number, end: number): number {
    if (index >= this.#count) return 0
    const start = this.#marks[MARKS * index + START] as number
    const length = (this.#marks[MARKS * index + END] as number) - start
    if (from + length > end) return 0
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) if (bytes[start + i] !== b[from + i]) return 0
    return length
  }

  name(index: number): FieldName {
    return this.#names[index] as FieldName
  }

  value(index: number): string {
    return this.#values[index] as string
  }

  /** Where the value lies, from the beginning of the line. */
  valueStart(index: number): number {
    const at = MARKS * index
    return (this.#marks[at + VALUE_START] as number) - (this.#marks[at + START] as number)
  }

  valueEnd(index: number): number {
    const at = MARKS * index
    return (this.#marks[at + VALUE_END] as number) - (this.#marks[at + START] as number)
  }

  /** Every line of a head was known. */
  hit(): void {
    this.#misses = 0
  }

  /**
   * A head in `b` had other lines: `count` of them, where `marks` says. `fields` has the index of
   * each one's value in `headers`, -1 where it has none.
   */
  missed(
    b: Uint8Array,
    marks: Int32Array,
    count: number,
    names: readonly FieldName[],
    fields: Int32Array,
    headers: readonly string[],
  ): void {
    this.#misses += 1
    if (this.#count > 0 && this.#misses < MISSES_MAX) return
    const first = marks[START] as number
    const bytes = (marks[MARKS * (count - 1) + END] as number) - first
    if (count > LINES_MAX || bytes > BYTES_MAX) return
    this.#misses = 0
    this.#bytes.set(b.subarray(first, first + bytes))
    for (let i = 0; i < MARKS * count; i++) this.#marks[i] = (marks[i] as number) - first
    for (let i = 0; i < count; i++) {
      this.#names[i] = names[i] as FieldName
      this.#values[i] = headers[fields[i] as number] ?? ''
    }
    this.#count = count
  }
}
