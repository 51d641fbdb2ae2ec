/** Clients that are slow, stall, or go away: those who move on are waited for, the others cut off. */
import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { httpServer, pipeline, proxy } from './support/documents.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const gateway = await world.gateway()

/** A server in front of one back end. */
async function serverFor(url: string): Promise<number> {
  const port = await freePort()
  await gateway.create(pipeline(`p${port}`, proxy(url)))
  await gateway.create(httpServer(`s${port}`, port, `p${port}`))
  return port
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

it.concurrent('a head that comes byte by byte is cut off within 12 s', async () => {
  const port = await serverFor('http://127.0.0.1:1')
  const client = await world.client(port)
  const beganMs = performance.now()
  const head = 'GET / HTTP/1.1\r\nHost: a\r\nX: '
  client.send(head)
  const dripping = setInterval(() => client.send('x'), 1_000)
  try {
    await client.closing(20_000)
  } finally {
    clearInterval(dripping)
  }
  expect(performance.now() - beganMs).toBeLessThan(13_000)
  expect(client.text).toBe('')
}, 40_000)

it.concurrent('a connection without a request is closed within 12 s', async () => {
  const port = await serverFor('http://127.0.0.1:1')
  const client = await world.client(port)
  const beganMs = performance.now()
  await client.closing(20_000)
  expect(performance.now() - beganMs).toBeLessThan(13_000)
}, 40_000)

it.concurrent.each([
  ['with a length', (bytes: Buffer) => bytes, (total: number) => `Content-Length: ${total}`, ''],
  [
    'in chunks',
    (bytes: Buffer) =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
    () => 'Transfer-Encoding: chunked',
    '0\r\n\r\n',
  ],
] as const)(
  'an upload of 1 KB a second for 16 s arrives whole: %s',
  async (_how, frame, field, last) => {
    const seen = { body: Buffer.alloc(0) }
    const backEnd = await world.backEnd((request, response) => {
      request.on('data', (piece: Buffer) => {
        seen.body = Buffer.concat([seen.body, piece])
      })
      request.on('end', () => response.end('thanks'))
    })
    const port = await serverFor(backEnd.url)
    const body = randomBytes(16 * 1024)
    const client = await world.client(port)
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${field(body.length)}\r\n\r\n`)
    for (let at = 0; at < body.length; at += 1024) {
      client.send(frame(body.subarray(at, at + 1024)))
      await sleep(1_000)
      // Nothing is held back on the way.
      expect(seen.body.length).toBeGreaterThanOrEqual(at)
    }
    client.send(last)
    const answer = await client.answer()
    expect({ status: answer.status, text: answer.body.toString() }).toEqual({
      status: 200,
      text: 'thanks',
    })
    expect(md5(seen.body)).toBe(md5(body))
  },
  40_000,
)

it.concurrent.each(['with a length', 'in chunks'])(
  'a reader that stalls for 15 s and goes on gets everything: %s',
  async (how) => {
    const body = randomBytes(24 * 1024 * 1024)
    const backEnd = await world.backEnd((request, response) => {
      request.resume()
      if (how === 'with a length') response.setHeader('Content-Length', body.length)
      response.write(body)
      response.end()
    })
    const port = await serverFor(backEnd.url)
    const client = await world.client(port)
    client.socket.pause()
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await sleep(15_000)
    const pieces: Buffer[] = []
    // The answer is too large for the client that keeps all in one buffer.
    client.socket.removeAllListeners('data')
    client.socket.on('data', (piece: Buffer) => pieces.push(piece))
    client.socket.resume()
    const enough = body.length + (how === 'in chunks' ? 100 : 0)
    await until(
      'all of it',
      20_000,
      () => pieces.reduce((sum, each) => sum + each.length, 0) >= enough,
      100,
    )
    await until('the end', 5_000, () => {
      const text = pieces.at(-1)?.subarray(-5).toString() ?? ''
      return how === 'with a length' || text === '0\r\n\r\n'
    })
    const all = Buffer.concat(pieces)
    const content = all.subarray(all.indexOf('\r\n\r\n') + 4)
    expect(md5(how === 'with a length' ? content : dechunk(content))).toBe(md5(body))
  },
  60_000,
)

function dechunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

it.concurrent('a back end that takes 15 s to answer is waited for', async () => {
  const backEnd = await world.backEnd((request, response) => {
    request.resume()
    setTimeout(() => response.end('late'), 15_000)
  })
  const port = await serverFor(backEnd.url)
  const [get, post] = await Promise.all([
    ask({ port, timeoutMs: 30_000 }),
    ask({ port, timeoutMs: 30_000, method: 'POST', body: 'x'.repeat(100_000) }),
  ])
  expect(get).toMatchObject({ status: 200, text: 'late' })
  expect(post).toMatchObject({ status: 200, text: 'late' })
}, 40_000)

it.concurrent('a client that goes away, at every stage, leaves nothing behind', async () => {
  const release: (() => void)[] = []
  const backEnd = await world.backEnd((request, response) => {
    request.on('error', () => {})
    response.on('error', () => {})
    if (request.url === '/silent') return
    request.resume()
    if (request.url === '/stream') {
      response.write('x'.repeat(100_000))
      const more = setInterval(() => response.write('y'.repeat(10_000)), 50)
      response.on('close', () => clearInterval(more))
      return
    }
    if (request.url === '/head') {
      response.writeHead(200, { 'Content-Length': 10 })
      response.flushHeaders()
      return
    }
    release.push(() => response.end('ok'))
  })
  const port = await serverFor(backEnd.url)
  let connections = 0
  backEnd.server.on('connection', (socket) => {
    connections += 1
    socket.on('close', () => {
      connections -= 1
    })
  })
  const stages: readonly (readonly [bytes: string, untilReached: (requests: number) => boolean])[] =
    [
      ['', () => true],
      ['GET /sil', () => true],
      ['GET /silent HTTP/1.1\r\nHost: a\r\n', () => true],
      ['GET /silent HTTP/1.1\r\nHost: a\r\n\r\n', (requests) => requests > 0],
      [
        'POST /silent HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc',
        (requests) => requests > 0,
      ],
      [
        'POST /silent HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
        (requests) => requests > 0,
      ],
      ['GET /head HTTP/1.1\r\nHost: a\r\n\r\n', (requests) => requests > 0],
      ['GET /stream HTTP/1.1\r\nHost: a\r\n\r\n', (requests) => requests > 0],
    ]
  for (const how of ['destroy', 'reset'] as const) {
    for (const [bytes, reached] of stages) {
      const before = backEnd.requests
      const clients = await Promise.all(Array.from({ length: 4 }, () => world.client(port)))
      for (const client of clients) client.send(bytes)
      await until(`the stage of ${JSON.stringify(bytes)}`, 5_000, () =>
        reached(backEnd.requests - before),
      )
      await sleep(50)
      for (const client of clients) client[how]()
      await until(
        `the end of connections after ${JSON.stringify(bytes)}`,
        5_000,
        () => connections === 0,
      )
    }
  }
  // A worker that was hurt would show it now.
  const answer = ask({ port, path: '/later' })
  await until('the request', 5_000, () => release.length === 1)
  release[0]?.()
  expect(await answer).toMatchObject({ status: 200, text: 'ok' })
  expect(gateway.log).not.toContain('"level":"error"')
}, 60_000)
