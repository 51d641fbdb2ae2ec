/**
 * `npm run bench -- path --scenario routes` (or `pipelines`): what a large table costs an exchange
 * beside a small one, in our own code alone. Both run in turn in one process. Between batches memory
 * is read that fills the caches, untimed, as the kernel and uWebSockets.js fill them in a server:
 * without that, a thousand routes lie in the caches and cost nothing.
 */
import { performance } from 'node:perf_hooks'
import type { UwsRequest } from '../../src/listener/uws.js'
import { sleep } from './children.js'
import { objectsOf, requestsFor, type Variant } from './scenarios/routes.js'
import { PLAIN_SITE } from './site.js'
import { BACK_END_PORT, BATCH, build, type PathBench, turn } from './stand-ins.js'

const ROUNDS = 60
const TURNS_PER_ROUND = 200
/** More than a core's second cache. */
const SWEPT_BYTES = 2 * 1_048_576
const CACHE_LINE_BYTES = 64
/** No divisor of a table's size. */
const STRIDE = 7919

export interface TableCost {
  readonly name: string
  /** Median of rounds, with caches emptied before each batch, and with them left alone. */
  readonly coldNanos: number
  readonly warmNanos: number
}

interface Side {
  readonly name: string
  readonly bench: PathBench
  readonly next: () => UwsRequest
  readonly cold: number[]
  readonly warm: number[]
}

/** Costs of the tables of one scenario, in its order. */
export async function measureTables(variants: readonly Variant[]): Promise<TableCost[]> {
  const sides: Side[] = []
  for (const variant of variants) sides.push(await sideOf(variant))
  for (let i = 0; i < 100; i++) {
    for (const { bench, next } of sides) for (let k = 0; k < 100; k++) turn(bench, next)
    await sleep(i < 5 ? 5 : 0)
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.cold.push(nanosOf(side, true))
      side.warm.push(nanosOf(side, false))
    }
    await sleep(1)
  }
  return sides.map(({ name, cold, warm }) => ({
    name,
    coldNanos: middle(cold),
    warmNanos: middle(warm),
  }))
}

async function sideOf(variant: Variant): Promise<Side> {
  const site = { ...PLAIN_SITE, backEnds: [BACK_END_PORT] }
  const bench = await build(objectsOf(variant, site, 10_080))
  const asked = requestsFor(variant.asked)
  const paths = asked.map((_, i) => asked[(i * STRIDE) % asked.length]?.path ?? '/')
  const next = requestsFrom(paths)
  return { name: variant.name, bench, next, cold: [], warm: [] }
}

/**
 * Gives a request for each of `paths`, again and again. One object and one buffer that is read from
 * beginning to end: a server has what it just received at hand, whatever it is.
 */
function requestsFrom(paths: readonly string[]): () => UwsRequest {
  const shared = ['GET', 'host', '127.0.0.1:10080']
  const bytes = Buffer.from(shared.join('') + paths.join(''), 'latin1')
  const ends: number[] = []
  for (const text of [...shared, ...paths]) ends.push((ends.at(-1) ?? 0) + text.length)
  const text = (i: number): string => bytes.toString('latin1', ends[i - 1] ?? 0, ends[i])
  let at = 0
  const request: UwsRequest = {
    getCaseSensitiveMethod: () => text(0),
    getUrl: () => text(shared.length + at),
    getQuery: () => '',
    getHeader: () => '',
    forEach: (callback) => callback(text(1), text(2)),
  }
  return () => {
    at = (at + 1) % paths.length
    return request
  }
}

// Written to, as memory that never was is one page for all.
const swept = new Uint8Array(SWEPT_BYTES).fill(1)
let sum = 0

/** Nanoseconds of an exchange. */
function nanosOf({ bench, next }: Side, isCold: boolean): number {
  let ms = 0
  for (let k = 0; k < TURNS_PER_ROUND; k++) {
    if (isCold) for (let i = 0; i < SWEPT_BYTES; i += CACHE_LINE_BYTES) sum += swept[i] as number
    const startedMs = performance.now()
    turn(bench, next)
    ms += performance.now() - startedMs
  }
  if (isCold && sum === 0) throw new Error('nothing was swept')
  return (ms * 1e6) / (TURNS_PER_ROUND * BATCH)
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)] as number
}
