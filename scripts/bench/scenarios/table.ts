/** The scenarios in which every peer does the same work. */
import type { Bar } from '../bars.js'
import { varyingRequests, writeMix } from '../mixes.js'
import { OUR_NAME } from '../peers/gateway.js'
import { cpuMicros, figuresOf, type Series } from '../sample.js'
import { pairedRatio } from '../statistics.js'
import { type ComparedScenario, compared } from './compared.js'
import type { Scenario } from './scenario.js'

const SMALL_BYTES = 64
const SMALL = `bytes=${SMALL_BYTES}`
const MEGABYTE = 1_048_576
const VARIETIES = 500

type Bound = Pick<Bar, 'atMost' | 'goal'>

/** Our CPU time a request over a peer's; nothing when one of them is not there. */
export function costBar(
  name: string,
  series: readonly Series[],
  peer: string,
  bound: Bound,
): Bar[] {
  const ours = series.find((each) => each.name === OUR_NAME)
  const base = series.find((each) => each.name === peer)
  if (ours === undefined || base === undefined) return []
  const figure = pairedRatio(figuresOf(ours, cpuMicros), figuresOf(base, cpuMicros))
  const rounds = ours.rounds.length
  return [{ name, figure, interval: '95 %', unit: `× ${peer}`, rounds, ...bound }]
}

const COMPARED: readonly ComparedScenario[] = [
  {
    name: 'proxy',
    title: 'GET, proxied, 64-byte answer',
    backEnds: [SMALL],
    load: { expectBytes: SMALL_BYTES },
    answerBytes: SMALL_BYTES,
    bars: (series) => [
      ...costBar('proxied 64 B: CPU a request', series, 'nginx', { atMost: 1.15, goal: 1 }),
      ...costBar('proxied 64 B: CPU a request', series, 'caddy', { atMost: 0.35 }),
    ],
  },
  {
    name: 'mock',
    title: 'GET, answered with 64 bytes without a back end',
    backEnds: [SMALL],
    site: { mockBytes: SMALL_BYTES },
    load: { expectBytes: SMALL_BYTES },
    answerBytes: SMALL_BYTES,
    bars: (series) => costBar('mocked: CPU an answer', series, 'nginx', { atMost: 1.25, goal: 1 }),
  },
  {
    name: 'mock-pipelined',
    title: 'the same, sixteen requests at a time on each connection',
    backEnds: [SMALL],
    site: { mockBytes: SMALL_BYTES },
    load: { expectBytes: SMALL_BYTES, pipeline: 16 },
    answerBytes: SMALL_BYTES,
    rates: [],
    bars: (series) =>
      costBar('mocked, 16 pipelined: CPU an answer', series, 'nginx', { atMost: 1 }),
  },
  {
    name: '10k',
    title: 'GET, proxied, 10 KB answer',
    backEnds: ['bytes=10k'],
    load: { expectBytes: 10_240 },
    answerBytes: 10_240,
  },
  {
    name: '1m',
    title: 'GET, proxied, 1 MB answer',
    backEnds: ['bytes=1m'],
    site: { bigBodies: true },
    load: { expectBytes: MEGABYTE, connections: 16 },
    answerBytes: MEGABYTE,
  },
  {
    name: 'post1k',
    title: 'POST of 1 KB, proxied, 64-byte answer',
    backEnds: [SMALL],
    load: { expectBytes: SMALL_BYTES, bodyBytes: 1024 },
    answerBytes: SMALL_BYTES,
  },
  {
    name: 'varied',
    title: `GET, proxied, ${VARIETIES} requests with fields of their own, in random order`,
    backEnds: [SMALL],
    load: { expectBytes: SMALL_BYTES },
    prepare: ({ place }) => ({ mix: writeMix(place.household, varyingRequests(VARIETIES)) }),
    answerBytes: SMALL_BYTES,
  },
  {
    name: 'tls',
    title: 'GET over TLS, proxied in clear text, 64-byte answer',
    backEnds: [SMALL],
    overTls: true,
    load: { expectBytes: SMALL_BYTES },
    answerBytes: SMALL_BYTES,
  },
  {
    name: 'ten-filters',
    title: 'GET, proxied, nine fields set on the way: a pipeline of ten filters',
    backEnds: [SMALL],
    site: { fieldsSet: 9 },
    load: { expectBytes: SMALL_BYTES },
    answerBytes: SMALL_BYTES,
  },
  {
    name: 'churn',
    title: 'GET, proxied, a new connection for each request',
    backEnds: [SMALL],
    load: { expectBytes: SMALL_BYTES, requestsPerConnection: 1 },
    answerBytes: SMALL_BYTES,
  },
  {
    name: 'slow-back-end',
    title: 'GET, proxied, one back end in three answers after 50 ms',
    backEnds: [SMALL, SMALL, `${SMALL}&delay=50ms`],
    load: { expectBytes: SMALL_BYTES, connections: 256 },
    answerBytes: SMALL_BYTES,
    openOnly: true,
    rates: [1500],
    notes: ['a third of the requests takes 50 ms; p50 shows whether the others wait for them'],
  },
]

export const COMPARED_SCENARIOS: readonly Scenario[] = COMPARED.map(compared)

export type { ComparedScenario }

/** Undefined for a name that there is not. */
export const comparedNamed = (name: string): ComparedScenario | undefined =>
  COMPARED.find((scenario) => scenario.name === name)
