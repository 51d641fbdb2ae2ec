import type { IncomingMessage, ServerResponse } from 'node:http'
import { expect, it } from 'vitest'
import { FakeBody, type FakeClient } from '../../http/fake-client.fixture.js'
import { Prng } from '../../lib/prng.js'
import { turns } from '../../upstream/scripted-server.fixture.js'
import { proxyV2Over, withServers } from './backends.fixture.js'

/*
 * Back ends that do anything, clients that send bodies in pieces and go away, retries, a circuit, time
 * limits and redirections at once. Whatever happens: every client that stays gets one answer, which is
 * one of those that there can be, and nothing is left behind (the harness sees to that).
 */

const SEED = 0xc4a07
const CLIENTS = 150

/** What a back end does with a request; the last few letters of its path say. */
function behave(prng: Prng, request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  const answer = (status: number): void => {
    response.statusCode = status
    response.end(`${status}`)
  }
  switch (prng.below(9)) {
    case 0:
      return void answer(500) // at once, whatever of the body is still to come
    case 1:
      return void socket.destroy()
    case 2:
      return // never answers
    case 3:
      response.writeHead(302, { location: prng.chance(80) ? '/again' : 'ftp://nowhere' })
      return void response.end()
    case 4:
      response.writeHead(200, { 'content-length': '1000' })
      response.write('begun')
      setImmediate(() => socket.destroy())
      return
    case 5:
      return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: nonsense\r\n\r\n')
    case 6:
      request.resume()
      request.on('end', () => answer(503))
      return
    default:
      request.resume()
      request.on('end', () => answer(200))
  }
}

it('nothing is lost and nothing is left', async () => {
  const prng = new Prng(SEED)
  let isCalm = false
  const pipeline = (ports: number[]): string =>
    proxyV2Over(ports, {
      pipeline: `resilience:
- {name: again, kind: Retry, maxAttempts: 3, waitDuration: 20ms, randomizationFactor: 0.5, backOffPolicy: exponential}
- {name: guard, kind: CircuitBreaker, slidingWindowSize: 10, minimumNumberOfCalls: 10, failureRateThreshold: 40, permittedNumberOfCallsInHalfOpenState: 1, waitDurationInOpenState: 60ms}`,
      pool: 'retryPolicy: again\ncircuitBreakerPolicy: guard\ntimeout: 300ms\nloadBalance: {stickySession: {mode: DurationBased}}',
      proxy: 'maxRedirection: 2\ncompression: {}',
    })
  await withServers(
    3,
    (request, response) => {
      if (isCalm) response.end('calm')
      else behave(prng, request, response)
    },
    pipeline,
    async (harness) => {
      const clients: FakeClient[] = []
      const bodies: { readonly body: FakeBody; left: number }[] = []
      const step = async (): Promise<void> => {
        await turns(3)
        harness.pass(10)
        for (const each of bodies) {
          if (each.left === 0 || each.body.isPaused || !prng.chance(50)) continue
          each.left -= 1
          each.body.push('x'.repeat(50))
          if (each.left === 0) each.body.end()
        }
      }
      for (let i = 0; i < CLIENTS; i++) {
        const pieces = prng.below(4)
        const isStream = prng.chance(40)
        const body = isStream ? new FakeBody(prng.chance(50) ? 50 * pieces : -1) : 'whole'
        const bounded = prng.chance(50)
        const client = harness.start(
          { method: prng.pick(['POST', 'PUT']), path: `/${i}`, body },
          ({ ex }) => {
            if (bounded) ex.requestBodyMax = 10_000
          },
        )
        if (body instanceof FakeBody) {
          if (pieces === 0) body.end()
          else bodies.push({ body, left: pieces })
        }
        clients.push(client)
        if (prng.chance(25)) clients[clients.length - 1 - prng.below(3)]?.abort()
        await step()
      }
      for (let i = 0; i < 2_000 && clients.some(({ ending }) => ending === 'open'); i++) {
        await step()
      }
      const endings = new Set(clients.map(({ ending }) => ending))
      expect([...endings].filter((each) => each === 'open' || each === 'cut')).toEqual([])
      for (const { sends, ending } of clients) if (ending !== 'gone') expect(sends).toBe(1)
      const statuses = new Set(clients.filter(({ sends }) => sends > 0).map(({ status }) => status))
      for (const status of statuses) expect([200, 408, 500, 503]).toContain(status)
      expect(statuses.has(200)).toBe(true)
      // Once the back ends are well, so is the circuit, soon: no permit of it is lost.
      isCalm = true
      harness.pass(1_000)
      let calm = 0
      for (let i = 0; i < 20; i++) {
        const client = harness.start()
        while (client.ending === 'open') await step()
        calm += client.status === 200 ? 1 : 0
      }
      expect(calm).toBeGreaterThanOrEqual(18)
    },
    'v2',
  )
})
