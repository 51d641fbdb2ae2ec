import { expect, it } from 'vitest'
import { judge } from '../bars.js'
import type { Bench } from '../bench.js'
import { type Side, SideError } from '../rounds.js'
import type { Sample, Series } from '../sample.js'
import { addedLatencyBar } from './added-latency.js'
import { SCENARIOS } from './all.js'
import { bigBodyBars } from './big-body.js'
import { changesBar } from './changes.js'
import { changesRow } from './changes-beside.js'
import { openFilesAdvice, perConnection } from './idle-connections.js'
import { idleBars } from './idle-node.js'
import { connectionBars, goodputBound, offerBar } from './overload.js'
import { overloadRow } from './overload-beside.js'
import { bareRegexps, requestsFor, routesOf } from './routes.js'
import { withoutFailing } from './scenario.js'
import { costBar } from './table.js'
import { imbalance, workerBars } from './workers.js'

const ROUNDS = 9

/** Rounds that are all alike. */
function series(name: string, figures: { cpuMicros?: number; p99?: number; rps?: number }): Series {
  const { cpuMicros = 10, p99 = 1, rps = 1000 } = figures
  const latency = { p50: p99 / 2, p90: p99, p99, p999: p99, max: p99 }
  const sample: Sample = {
    requests: rps,
    ok: rps,
    seconds: 1,
    cpuSeconds: (cpuMicros * rps) / 1e6,
    userSeconds: 0,
    residentBytes: 0,
    bytesIn: rps,
    bytesOut: 0,
    statuses: {},
    latency,
    serviceP99Ms: p99,
    histogram: '',
    disturbed: false,
  }
  return { name, rounds: Array.from({ length: ROUNDS }, () => sample) }
}

it('a peer that answers wrongly is left out, and the others begin anew', async () => {
  const bench = { peers: [{ name: 'envoy' }, { name: 'nginx' }] } as unknown as Bench
  const all = ['nginx', 'envoy', 'easegress-ts'].map((name) => ({ name }) as unknown as Side)
  const tried: string[] = []
  const { sides, notes, measured } = await withoutFailing(bench, all, (left) => {
    tried.push(left.map(({ name }) => name).join(' '))
    if (left.length === 3) throw new SideError('envoy', 'nothing was answered')
    return Promise.resolve(left.length)
  })
  expect(tried).toEqual(['nginx envoy easegress-ts', 'nginx easegress-ts'])
  expect(sides.map(({ name }) => name)).toEqual(['nginx', 'easegress-ts'])
  expect(notes).toEqual(['left out: envoy: nothing was answered'])
  expect(measured).toBe(2)
})

it.each([
  ['our own', new SideError('easegress-ts', 'one byte too few')],
  ['the bench itself', new Error('no loadgen')],
])('a failure of %s ends the scenario', async (_whose, error) => {
  const bench = { peers: [{ name: 'nginx' }] } as unknown as Bench
  await expect(withoutFailing(bench, [], () => Promise.reject(error))).rejects.toBe(error)
})

it('what is kept under overload is told beside the own peak', () => {
  const peak = series('x', { rps: 2000 })
  const crowded = series('256', { rps: 1900, p99: 7 })
  const row = overloadRow('nginx', [peak, crowded, series('2', { rps: 100, p99: 900 })])
  expect(row).toEqual(['nginx', '2000', '1900 (0.95)', '7.00', '100 (0.05)', '900'])
})

it('every scenario has a name of its own', () => {
  const names = SCENARIOS.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})

it.each([
  [11.5, 'met'],
  [11.6, 'not met'],
] as const)('CPU a request of %d µs beside 10 µs: %s', (cpuMicros, want) => {
  const all = [series('nginx', { cpuMicros: 10 }), series('easegress-ts', { cpuMicros })]
  const [bar] = costBar('x', all, 'nginx', { atMost: 1.15 })
  expect(bar).toMatchObject({ rounds: ROUNDS, unit: '× nginx' })
  expect(judge(bar as NonNullable<typeof bar>)).toBe(want)
})

it('without the peer nothing is judged', () => {
  expect(costBar('x', [series('easegress-ts', {})], 'caddy', { atMost: 1 })).toEqual([])
  expect(addedLatencyBar(series('easegress-ts', {}), undefined, series('direct', {}))).toBeNull()
})

it('what is added is above what the back end takes itself', () => {
  const bar = addedLatencyBar(
    series('easegress-ts', { p99: 3 }),
    series('nginx', { p99: 2 }),
    series('direct', { p99: 1 }),
  )
  expect(bar?.figure.median).toBe(2)
})

it('changes are judged by the ratio of p99', () => {
  const bar = changesBar(series('changing', { p99: 1.3 }), series('quiet', { p99: 1 }))
  expect(judge(bar)).toBe('met')
})

it('changes of others are told with the answers that went wrong', () => {
  const quiet = series('without', { p99: 0.5 })
  const [sample] = quiet.rounds as [Sample]
  const changing = { name: 'with', rounds: [{ ...sample, requests: sample.ok + 7 }] }
  const row = changesRow('nginx', { rate: 500, series: [quiet, changing] })
  expect(row).toEqual(['nginx', '500', '0.50', '0.50', '1.00', '0, 7'])
})

it('big bodies: rate beside nginx, and memory', () => {
  const growth = { median: 1, low: 0, high: 33 }
  const bars = bigBodyBars('up', series('a', { rps: 800 }), series('nginx', { rps: 1000 }), growth)
  expect(bars.map(judge)).toEqual(['met', 'not met'])
  expect(bigBodyBars('up', series('a', {}), undefined, null)).toEqual([])
})

it('of twenty routes nine are exact, nine prefixes, two regular expressions', () => {
  const routes = routesOf(10_000).map(({ route }) => route)
  const count = (field: 'path' | 'pathPrefix' | 'pathRegexp'): number =>
    routes.filter((route) => route[field] !== undefined).length
  expect([count('path'), count('pathPrefix'), count('pathRegexp')]).toEqual([4500, 4500, 1000])
})

it.each([10, 1000])('of %d routes each is reached by its own path and no other', (count) => {
  const known = routesOf(count)
  for (const [i, { path }] of known.entries()) {
    const first = known.findIndex(
      ({ route }) =>
        route.path === path ||
        (route.pathPrefix !== undefined && path.startsWith(route.pathPrefix)) ||
        (route.pathRegexp !== undefined && new RegExp(route.pathRegexp).test(path)),
    )
    expect(first, path).toBe(i)
  }
})

it('regular expressions without a literal are asked by paths that match only one', () => {
  const known = bareRegexps(100)
  for (const { route, path } of known) {
    const matching = known.filter((each) => new RegExp(each.route.pathRegexp ?? '').test(path))
    expect(matching.map((each) => each.route)).toEqual([route])
    expect(route.pathRegexp).toMatch(/^\[/)
  }
})

it('asks for routes of all places in a large table', () => {
  const routes = routesOf(10_000)
  const asked = requestsFor(routes)
  expect(asked).toHaveLength(1000)
  const places = asked.map(({ path }) => routes.findIndex((route) => route.path === path))
  expect(new Set(places).size).toBe(1000)
  for (let kind = 0; kind < 20; kind++) {
    expect(places.filter((place) => place % 20 === kind)).toHaveLength(50)
  }
  for (let tenth = 0; tenth < 10; tenth++) {
    const there = places.filter((place) => Math.floor(place / 1000) === tenth)
    expect(there.length).toBeGreaterThan(95)
  }
  expect(requestsFor(routes.slice(0, 10))).toHaveLength(10)
})

it.each<[counts: number[], workers: number, want: number]>([
  [[32, 32], 2, 1],
  [[48, 16], 2, 1.5],
  [[64], 4, 4], // three workers have none
  [[], 2, Number.NaN],
])('of %j connections on %d workers the fullest has %d times the mean', (counts, workers, want) => {
  expect(imbalance(counts, workers)).toBe(want)
})

it('workers are compared with one', () => {
  const balance = { median: 1.1, low: 1, high: 1.4 }
  const all = [10, 10.5, 10.6].map((cpuMicros, i) => series(`w${i}`, { cpuMicros }))
  const bars = workerBars(all, [balance, { ...balance, high: 1.35 }])
  expect(bars.map(judge)).toEqual(['met', 'not met', 'not met', 'met'])
})

it.each([
  ['all is served when there is room', 10_000, 10_000],
  ['nothing is refused at the peak', 50_000, 50_000],
  ['refusing costs', 60_000, 40_000],
  ['refusing takes all', 100_000, 0],
  ['never below nothing', 200_000, 0],
])('goodput bound: %s', (_name, offered, want) => {
  expect(goodputBound(offered, 1, 20, 10)).toBeCloseTo(want)
})

it('overload is judged by goodput', () => {
  const peak = series('64', { rps: 1000 })
  const bars = connectionBars(peak, series('256', { rps: 899, p99: 20 }))
  expect(bars.map(judge)).toEqual(['not met', 'met'])
  expect(judge(offerBar(2, 1000, series('2 × peak', { rps: 900 })))).toBe('met')
})

it('a low limit on open files comes with what to do', () => {
  expect(openFilesAdvice(1024)).toMatch(/ulimit -n \d+/)
  expect(openFilesAdvice(20_000)).toBeNull()
  expect(openFilesAdvice(Number.POSITIVE_INFINITY)).toBeNull()
})

it('memory of a connection is what was added over all of them', () => {
  const { median } = perConnection([100 * 2 ** 20 + 10_000 * 2048], 100 * 2 ** 20)
  expect(median).toBe(2)
})

it('an idle node is judged by its worst reading', () => {
  expect(idleBars([0.005, 0.02], [240, 249]).map(judge)).toEqual(['met', 'not met'])
})
