import { expect, it } from 'vitest'
import { buildNativeBench, load, startOrigin } from './native.js'

const missing = buildNativeBench()
const test = it.skipIf(missing !== undefined)

const MS = 1e6

test('an open loop sees a stall of 500 ms in every request that was due, a closed loop in a few', async () => {
  const origin = await startOrigin('--threads', '2')
  const stall = (mark: string) => `${origin.url}/bytes/64?stall=500ms&at=300&_run=${mark}`
  const open = await load('-c', '16', '--rate', '1000', '-d', '2s', stall('open'))
  // Half a second of two was spent in the stall: a quarter of the requests were due in it, and they
  // waited for 0..500 ms, evenly. So 5 % waited longer than 400 ms, 1 % longer than 480 ms.
  expect(open.ok).toBe(2000)
  expect(open.errors.total).toBe(0)
  expect(open.latency.max).toBeGreaterThan(490 * MS)
  expect(open.latency.p99).toBeGreaterThan(440 * MS)
  expect(open.latency.p95).toBeGreaterThan(360 * MS)
  expect(open.latency.p75).toBeLessThan(200 * MS)
  expect(open.latency.p99).toBeLessThan(1000 * MS)
  // What a tool reports that only times from sending: sixteen requests of 2000 were under way.
  expect(open.serviceTime.p99).toBeLessThan(200 * MS)
  expect(open.serviceTime.max).toBeGreaterThan(490 * MS)

  const closed = await load('-c', '1', '-n', '2000', stall('closed'))
  expect(closed.latency.max).toBeGreaterThan(490 * MS)
  expect(closed.latency.p99).toBeLessThan(200 * MS)
  await origin.stop()
})

test.each<[name: string, args: string[]]>([
  ['constant arrivals', []],
  ['random arrivals', ['--arrivals', 'poisson']],
])('the rate is kept with %s', async (_name, args) => {
  const origin = await startOrigin()
  const report = await load('-c', '16', '--rate', '2000', '-d', '1s', ...args, origin.url)
  expect(report.errors.total).toBe(0)
  const off = Math.abs(report.requests - 2000)
  // Constant: exact. Poisson: standard deviation 45, the seed is fixed.
  expect(off).toBeLessThanOrEqual(args.length === 0 ? 0 : 180)
  await origin.stop()
})

test('within a tick, requests leave together, and their waiting counts', async () => {
  const origin = await startOrigin()
  const report = await load('-c', '64', '--rate', '2k', '--tick', '20ms', '-d', '1s', origin.url)
  expect(report).toMatchObject({ requests: 2000, ok: 2000 })
  // Due evenly over 20 ms, sent at their end: one waits for up to 20 ms, ten on the average.
  expect(report.latency.max).toBeGreaterThan(19 * MS)
  expect(report.latency.p75).toBeGreaterThan(10 * MS)
  await origin.stop()
})

test('a rate beyond what the server gives shows as latency, then as timeouts, and the run ends', async () => {
  const origin = await startOrigin('--delay', '10ms')
  // Two connections at 10 ms each give 200 a second; 1000 are due.
  const args = ['-c', '2', '--rate', '1000', '-d', '500ms', '--timeout', '200ms']
  const report = await load(...args, origin.url)
  expect(report.requests).toBe(500)
  expect(report.errors.timeout).toBe(report.errors.total)
  expect(report.errors.timeout).toBeGreaterThan(250)
  expect(report.latency.max).toBeGreaterThan(100 * MS)
  expect(report.latency.max).toBeLessThanOrEqual(200.2 * MS)
  expect(report.elapsedSeconds).toBeLessThan(1.5)
  await origin.stop()
})

test('idle connections ask once each per interval, evenly', async () => {
  const origin = await startOrigin()
  const report = await load('-c', '400', '--idle-every', '500ms', '-d', '1s', origin.url)
  expect(report).toMatchObject({ requests: 800, ok: 800, connections: { opened: 400 } })
  const { ports } = (await (await fetch(`${origin.url}/stats`)).json()) as {
    ports: { connections: number; requests: number }[]
  }
  expect(ports).toMatchObject([{ connections: 401, requests: 801 }])
  await origin.stop()
})
