/** Clients that speak no proper HTTP/1.1: nothing of what they say goes on to a back end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { RawBackEnd } from './support/back-end.js'
import { BROKEN_BODIES, CLIENT_INPUT, PASSED } from './support/client-input.js'
import { httpServer, pipeline, proxy } from './support/documents.js'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { ROOT } from './support/paths.js'
import { freePorts } from './support/ports.js'
import { exchange, RawClient } from './support/raw-client.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()

let shared: Promise<Gateway> | null = null
const gateway = (): Promise<Gateway> => {
  shared ??= world.gateway()
  return shared
}

interface Door {
  readonly port: number
  readonly backEnd: RawBackEnd
}

/** Answers each complete head at once. */
const answering = (
  incoming: { received: Buffer; socket: { write(text: string): void } },
  piece: Buffer,
): void => {
  if (piece.includes('\r\n\r\n'))
    incoming.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
}

/** Servers, each with a back end of its own, so that what one got came from one client. */
async function doors(
  count: number,
  script: Parameters<RawBackEnd['script']>[0] = answering,
): Promise<Door[]> {
  const made: Door[] = []
  for (const port of await freePorts(count)) {
    const backEnd = await world.rawBackEnd(script)
    await (await gateway()).create(pipeline(`p${port}`, proxy(backEnd.url)))
    await (await gateway()).create(httpServer(`s${port}`, port, `p${port}`))
    made.push({ port, backEnd })
  }
  return made
}

it('what is refused is never forwarded, and answered or closed within 12 s', async () => {
  const rows = Object.entries(CLIENT_INPUT).flatMap(([group, inputs]) =>
    inputs.map((input) => ({ ...input, group })),
  )
  const through = await doors(rows.length)
  const seen = await Promise.all(
    rows.map(async ({ group, what, bytes }, i) => {
      const { port, backEnd } = through[i] as Door
      const { text, end } = await exchange(port, bytes, 13_000)
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]
      const outcome = end === 'open' ? 'left open' : (status ?? 'closed')
      return { group, what, outcome, forwarded: backEnd.received.toString('latin1') }
    }),
  )
  expect(seen).toEqual(
    rows.map(({ group, what, outcome }) => ({ group, what, outcome, forwarded: '' })),
  )
  // After all of it the servers still serve.
  for (const { port } of through.slice(0, 3)) expect((await ask({ port })).text).toBe('hi')
})

it('what is odd and fine goes on byte for byte', async () => {
  const through = await doors(PASSED.length)
  const seen = await Promise.all(
    PASSED.map(async ({ what, bytes }, i) => {
      const { port, backEnd } = through[i] as Door
      const client = await world.client(port)
      client.send(bytes)
      let answer = await client.answer()
      if (answer.status === 100) answer = await client.answer()
      const own = `host: 127.0.0.1:${backEnd.port}\r\n`
      const forwarded = backEnd.received.toString('latin1').replace(own, 'host: <own>\r\n')
      return { what, status: answer.status, forwarded }
    }),
  )
  expect(seen).toEqual(PASSED.map(({ what, forwarded }) => ({ what, status: 200, forwarded })))
})

it.each(BROKEN_BODIES)(
  'a body that breaks off never ends at the back end: $what',
  async ({ body }) => {
    const [door] = (await doors(1, () => {})) as [Door]
    const client = await world.client(door.port)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await until('the first chunk', 5_000, () => door.backEnd.received.includes('3\r\nabc\r\n'))
    client.send(body)
    await client.closing(13_000)
    await until('the end at the back end', 5_000, () => door.backEnd.openCount === 0)
    const received = door.backEnd.received.toString('latin1')
    expect(received.slice(received.indexOf('\r\n\r\n') + 4)).toBe('3\r\nabc\r\n')
  },
)

it('a second request is not smuggled behind one that is refused', async () => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
  const firsts = [
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n`,
  ]
  const through = await doors(firsts.length)
  await Promise.all(
    firsts.map(async (first, i) => {
      const { port, backEnd } = through[i] as Door
      const { text, end } = await exchange(port, first + smuggled, 13_000)
      expect(text).toMatch(/^(HTTP\/1\.1 400 .*)?$/s)
      expect(text.split('HTTP/1.1 ').length, text).toBeLessThanOrEqual(2)
      expect(end).not.toBe('open')
      expect(backEnd.received.toString()).toBe('')
    }),
  )
})

it('a request may arrive in any two pieces, but for a cut in its request line', async () => {
  const request = 'POST /p?q HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\nhello'
  const lineEnd = request.indexOf('\r\n') + 2
  const [{ port }] = (await doors(1)) as [Door]
  const statusOf = async (cut: number): Promise<number> => {
    const client = await RawClient.connect(port)
    client.send(request.slice(0, cut))
    await sleep(200)
    client.send(request.slice(cut))
    const { status } = await client.answer()
    client.destroy()
    return status
  }
  const cuts = Array.from({ length: request.length - 1 }, (_, i) => i + 1)
  const statuses = await Promise.all(cuts.map(statusOf))
  // uWebSockets.js takes a request line that has not all arrived for one of another version: a
  // known limit (docs/client-input.md), which a later build of it does not have.
  for (const [i, cut] of cuts.entries()) {
    const right = cut < lineEnd ? [200, 505] : [200]
    expect(right, `in two pieces after byte ${cut}`).toContain(statuses[i])
  }
})

it('a request that comes before the answer to the one before it ends the connection', async () => {
  const [{ port, backEnd }] = (await doors(1, () => {})) as [Door]
  const client = await world.client(port)
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('the first request', 5_000, () => backEnd.received.includes('/first'))
  client.send('GET /second HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.closing(5_000)
  expect(client.text).toBe('')
  await until('the end at the back end', 5_000, () => backEnd.openCount === 0)
  expect(backEnd.received.includes('/second')).toBe(false)
})

it('a body that ends before its length is cut off at the back end', async () => {
  const [{ port, backEnd }] = (await doors(1, () => {})) as [Door]
  const client = await world.client(port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  await until('what there is', 5_000, () => backEnd.received.includes('\r\n\r\nabc'))
  client.socket.end()
  await until('the end at the back end', 5_000, () => backEnd.openCount === 0)
})

it('a head of 30 KB may arrive in pieces', async () => {
  const [{ port, backEnd }] = (await doors(1)) as [Door]
  const client = await world.client(port)
  const value = 'v'.repeat(30_000)
  client.send('GET / HTTP/1.1\r\nHost: a\r\n')
  for (let i = 0; i < 6; i++) {
    await sleep(10)
    client.send(`${i === 0 ? 'X: ' : ''}${value.slice(i * 5_000, (i + 1) * 5_000)}`)
  }
  client.send('\r\n\r\n')
  expect((await client.answer()).status).toBe(200)
  expect(backEnd.received.includes(`x: ${value}\r\n`)).toBe(true)
})

it('docs/client-input.md has every row, with what was seen', () => {
  const page = readFileSync(join(ROOT, 'docs/client-input.md'), 'utf8')
  const rows = Object.entries(CLIENT_INPUT).flatMap(([group, inputs]) => [
    `## ${group}`,
    ...inputs.map(({ what, outcome }) => `| ${what} | ${outcome} |`),
  ])
  const passed = PASSED.map(({ what }) => `- ${what}`)
  expect([...rows, ...passed].filter((line) => !page.includes(`${line}\n`))).toEqual([])
})
