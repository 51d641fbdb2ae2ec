import type { AnyObjectKind, StatusView } from '../objects/contract.js'
import type { TopPath } from '../protocol/worker.js'
import { httpStat, StatsRates } from '../shared/rates.js'
import type { StatsReader } from '../shared/stats-blocks.js'

const TOP_PATHS = 10

/** Rates of every statistics row, kept up to date every five seconds. */
export class RateBook {
  readonly #reader: StatsReader
  readonly #rates = new Map<string, StatsRates>()
  /** Keys that no worker wrote at the last tick. */
  #unwritten = new Set<string>()

  constructor(reader: StatsReader) {
    this.#reader = reader
  }

  /**
   * `isSettled`: every worker runs the newest configuration, so that a key which none of them
   * writes, at two ticks in a row, belongs to nothing any more and is forgotten.
   */
  tick(isSettled: boolean): void {
    const unwritten = new Set(isSettled ? this.#reader.unwritten() : [])
    for (const key of unwritten) if (this.#unwritten.has(key)) this.#reader.forget(key)
    this.#unwritten = unwritten
    const keys = this.#reader.keys()
    for (const key of this.#rates.keys()) if (!keys.has(key)) this.#rates.delete(key)
    for (const key of keys) this.#of(key).tick(this.#reader.read(key))
  }

  /** The v1 statistics block of `key`. */
  block(key: string): Readonly<Record<string, unknown>> {
    return { ...httpStat(this.#reader.read(key), this.#of(key)) }
  }

  /** How often `key` was counted. */
  count(key: string): number {
    return this.#reader.read(key).count
  }

  #of(key: string): StatsRates {
    let rates = this.#rates.get(key)
    if (rates === undefined) {
      rates = new StatsRates()
      this.#rates.set(key, rates)
    }
    return rates
  }
}

/** Adds up what each worker counted by path; the most asked first. */
export function mergeTopPaths(perWorker: readonly (readonly TopPath[])[]): StatusView['topPaths'] {
  const sums = new Map<string, TopPath>()
  for (const each of perWorker.flat()) {
    const sum = sums.get(each.path)
    sums.set(
      each.path,
      sum === undefined
        ? each
        : {
            path: each.path,
            count: sum.count + each.count,
            errors: sum.errors + each.errors,
            totalMs: sum.totalMs + each.totalMs,
            minMs: Math.min(sum.minMs, each.minMs),
            maxMs: Math.max(sum.maxMs, each.maxMs),
            bytesIn: sum.bytesIn + each.bytesIn,
            bytesOut: sum.bytesOut + each.bytesOut,
          },
    )
  }
  return [...sums.values()]
    .sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1))
    .slice(0, TOP_PATHS)
    .map((path) => ({
      path: path.path,
      status: {
        count: path.count,
        errCount: path.errors,
        min: Math.floor(path.minMs),
        max: Math.floor(path.maxMs),
        mean: path.count === 0 ? 0 : Math.floor(path.totalMs / path.count),
        reqSize: path.bytesIn,
        respSize: path.bytesOut,
      },
    }))
}

/** The status of one object on this member, keys in the order of the alphabet as v1 prints them. */
export function objectStatus(
  kind: AnyObjectKind,
  name: string,
  spec: unknown,
  view: StatusView,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const status = {
    health: view.failure,
    ...kind.status(spec, name, view),
    timestamp: Math.floor(nowMs / 1000),
  }
  return Object.fromEntries(Object.entries(status).sort(([a], [b]) => (a < b ? -1 : 1)))
}
