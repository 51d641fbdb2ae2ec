/**
 * `npm run bench -- path`: what our own code costs an exchange, without any system call. Steadier
 * than anything that goes through the kernel: changes of a few hundredths of a microsecond show.
 */
import { performance } from 'node:perf_hooks'
import type { UwsRequest } from '../../src/listener/uws.js'
import { sleep } from './children.js'
import { DEFAULT_TARGET } from './loadgen.js'
import { mockFilter, PIPELINE, pipelineObject, proxyFilter, serverObject } from './peers/objects.js'
import { PLAIN_SITE } from './site.js'
import {
  ANSWER_BYTES,
  answeredCount,
  BACK_END_PORT,
  BATCH,
  build,
  fakeRequest,
  type PathBench,
  turn,
} from './stand-ins.js'

const ROUNDS = 200
const EXCHANGES_PER_ROUND = 4_000

/** What wrk sends. */
const PLAIN = ['GET', DEFAULT_TARGET, 'host', '127.0.0.1:10080']
/** About what a browser sends. */
const BROWSER = [
  ...PLAIN,
  ...['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9'],
  ...['accept-encoding', 'gzip, deflate, br', 'accept-language', 'en-US,en;q=0.5'],
  ...['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/118.0'],
  ...['cookie', 'session=0123456789abcdef; theme=dark', 'referer', 'http://example.com/some/page'],
]

export interface PathCost {
  readonly request: string
  /** Of the quietest rounds (first decile), and of the middle one. */
  readonly lowNanos: number
  readonly medianNanos: number
  /** Garbage made. */
  readonly bytes: number
}

/** Costs of the requests of wrk and of a browser; `mocked`: answered without a back end. */
export async function measurePath(mocked: boolean): Promise<PathCost[]> {
  const site = { ...PLAIN_SITE, backEnds: [BACK_END_PORT] }
  const filter = mocked ? mockFilter(ANSWER_BYTES) : proxyFilter('v1', site)
  const route = { pathPrefix: DEFAULT_TARGET, backend: PIPELINE }
  const bench = await build([
    pipelineObject('v1', PIPELINE, [filter]),
    serverObject('v1', 10_080, [route], site),
  ])
  const costs: PathCost[] = []
  for (const [request, fields] of [
    ['wrk', PLAIN],
    ['browser', BROWSER],
  ] as const) {
    costs.push({ request, ...(await cost(bench, fakeRequest(fields))) })
  }
  return costs
}

async function cost(bench: PathBench, request: UwsRequest): Promise<Omit<PathCost, 'request'>> {
  const next = (): UwsRequest => request
  // Until the sockets are connected and the code is optimised.
  for (let i = 0; i < 100; i++) {
    for (let k = 0; k < 50; k++) turn(bench, next)
    await sleep(i < 5 ? 5 : 0)
  }
  const nanos: number[] = []
  const bytes: number[] = []
  const before = answeredCount()
  for (let round = 0; round < ROUNDS; round++) {
    const heapBefore = process.memoryUsage().heapUsed
    const startedMs = performance.now()
    for (let k = 0; k < EXCHANGES_PER_ROUND / BATCH; k++) turn(bench, next)
    nanos.push(((performance.now() - startedMs) * 1e6) / EXCHANGES_PER_ROUND)
    bytes.push((process.memoryUsage().heapUsed - heapBefore) / EXCHANGES_PER_ROUND)
    if (round % 10 === 0) await sleep(1)
  }
  const answered = answeredCount() - before
  if (answered !== ROUNDS * EXCHANGES_PER_ROUND) throw new Error(`${answered} exchanges ended`)
  nanos.sort((a, b) => a - b)
  // Rounds with a collection in them show less, or nothing.
  const clean = bytes.filter((each) => each > 0).sort((a, b) => a - b)
  return {
    lowNanos: nanos[ROUNDS / 10] as number,
    medianNanos: nanos[ROUNDS / 2] as number,
    bytes: clean[clean.length >> 1] ?? 0,
  }
}
