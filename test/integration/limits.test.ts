/** Limits that hold for the node, whatever the number of its workers. */
import { renameSync, writeFileSync } from 'node:fs'
import type http from 'node:http'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline, proxy } from './support/documents.js'
import type { Document, Gateway } from './support/gateway.js'
import { type Answer, ask, keptAlive } from './support/http.js'
import { listenerCount } from './support/kernel.js'
import { freePort } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const EVERYWHERE = [{ url: { prefix: '/' }, policyRef: 'p' }]

const rateLimiter = (policy: Readonly<Record<string, unknown>>) => ({
  name: 'limiter',
  kind: 'RateLimiter',
  policies: [{ name: 'p', timeoutDuration: '0s', ...policy }],
  urls: EVERYWHERE,
})

interface Setting {
  readonly gateway: Gateway
  readonly port: number
}

async function setting(document: Document, options: object): Promise<Setting> {
  const gateway = await world.gateway(options)
  const port = await freePort()
  await gateway.create(document)
  await gateway.create(httpServer('s', port, document.name))
  return { gateway, port }
}

/** Statuses of `times` requests, each over a connection of its own: any worker may get it. */
async function statuses(port: number, times: number): Promise<number[]> {
  const seen: number[] = []
  for (let i = 0; i < times; i++) seen.push((await ask({ port })).status)
  return seen
}

const HUNDRED = { limitForPeriod: 100, limitRefreshPeriod: '1s' }
/** `LIMIT_LOAD_MS=20000` shows it for longer. */
const LOAD_MS = Number(process.env['LIMIT_LOAD_MS'] ?? 2_500)
const CONNECTIONS = 16

/** How many of the requests that kept connections send without a pause are let through. */
async function passed(port: number, forMs: number): Promise<{ passed: number; seconds: number }> {
  const startedMs = performance.now()
  const one = async (agent: http.Agent): Promise<number> => {
    let count = 0
    while (performance.now() - startedMs < forMs) {
      const { status } = await ask({ port, agent })
      if (status === 200) count += 1
      else expect(status).toBe(429)
    }
    agent.destroy()
    return count
  }
  const counts = await Promise.all(Array.from({ length: CONNECTIONS }, () => one(keptAlive())))
  const seconds = (performance.now() - startedMs) / 1_000
  return { passed: counts.reduce((sum, each) => sum + each, 0), seconds }
}

it.each([1, 2, 4])('100 requests a second are 100 on %d workers', async (workers) => {
  const document = pipeline('p', rateLimiter(HUNDRED), mock(200, 'through'))
  const { gateway, port } = await setting(document, { workers })
  const load = await passed(port, LOAD_MS)
  expect(Math.abs(load.passed - 100 * load.seconds)).toBeLessThanOrEqual(100)
  await gateway.stop()
})

it('permits given out outlast updates and the death of every worker', async () => {
  const home = world.dir()
  const faultFile = join(home, 'fault')
  const document = pipeline(
    'p',
    rateLimiter({ limitForPeriod: 6, limitRefreshPeriod: '1h' }),
    mock(200, 'through'),
  )
  const { gateway, port } = await setting(document, {
    home,
    env: { EASEGRESS_FAULT_FILE: faultFile },
  })
  expect(await statuses(port, 3)).toEqual([200, 200, 200])
  await gateway.update({
    ...document,
    filters: [rateLimiter({ limitForPeriod: 6, limitRefreshPeriod: '1h' }), mock(200, 'changed')],
  })
  expect(await statuses(port, 2)).toEqual([200, 200])
  for (const worker of [0, 1]) {
    writeFileSync(`${faultFile}.new`, `worker ${worker} throw\n`)
    renameSync(`${faultFile}.new`, faultFile)
    await until(`the end of worker ${worker}`, 10_000, () => listenerCount(port) === 1, 1)
    await until(`another worker ${worker}`, 10_000, () => listenerCount(port) === 2)
  }
  expect(await statuses(port, 4)).toEqual([200, 429, 429, 429])
  await gateway.stop()
})

it('failures seen by any worker open the circuit of all', async () => {
  let status = 500
  const backEnd = await world.backEnd((_request, response) => {
    response.statusCode = status
    response.end()
  })
  const breaker = {
    name: 'breaker',
    kind: 'CircuitBreaker',
    policies: [
      {
        name: 'p',
        slidingWindowSize: 10,
        failureStatusCodes: [500],
        permittedNumberOfCallsInHalfOpenState: 2,
        waitDurationInOpenState: '300ms',
      },
    ],
    urls: EVERYWHERE,
  }
  const document = pipeline('p', breaker, proxy(backEnd.url))
  const { gateway, port } = await setting(document, { workers: 2 })
  expect(await statuses(port, 10)).toEqual(Array(10).fill(500))
  expect(await statuses(port, 8)).toEqual(Array(8).fill(503))
  expect(backEnd.requests).toBe(10)
  status = 200
  await until('the circuit to close', 5_000, async () => (await ask({ port })).status === 200)
  expect(await statuses(port, 8)).toEqual(Array(8).fill(200))
  await gateway.stop()
})

it('a time limit answers in time and gives up the call to the back end', async () => {
  const backEnd = await world.rawBackEnd()
  const limiter = {
    name: 'limiter',
    kind: 'TimeLimiter',
    defaultTimeoutDuration: '200ms',
    urls: [{ url: { prefix: '/' } }],
  }
  const { gateway, port } = await setting(pipeline('p', limiter, proxy(backEnd.url)), {})
  const startedMs = performance.now()
  const answer: Answer = await ask({ port })
  const tookMs = performance.now() - startedMs
  expect([answer.status, answer.headers['x-eg-time-limiter']]).toEqual([408, 'timed-out'])
  expect(tookMs).toBeGreaterThanOrEqual(199)
  expect(tookMs).toBeLessThan(5_000)
  await until('the call to be given up', 5_000, () => backEnd.openCount === 0)
  await gateway.stop()
})
