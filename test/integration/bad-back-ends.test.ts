/** Back ends that fail in every way: the code of the failure table, no hang, no leak, no crash. */
import { expect, it } from 'vitest'
import type { Incoming, RawBackEnd } from './support/back-end.js'
import { httpServer, pipeline, proxy } from './support/documents.js'
import { ask, keptAlive } from './support/http.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const gateway = await world.gateway()

async function serverFor(url: string): Promise<number> {
  const port = await freePort()
  await gateway.create(pipeline(`p${port}`, proxy(url)))
  await gateway.create(httpServer(`s${port}`, port, `p${port}`))
  return port
}

/** What the client sees: a status with the whole body, or an answer that visibly breaks off. */
type Seen = `${number} ${string}` | 'cut off'
type Script = (incoming: Incoming, piece: Buffer) => void

const say =
  (text: string): Script =>
  ({ socket }) =>
    void socket.write(text, 'latin1')
const sayAndEnd =
  (text: string): Script =>
  ({ socket }) =>
    void socket.end(text, 'latin1')
const sayAndReset =
  (text: string): Script =>
  ({ socket }) =>
    void socket.write(text, 'latin1', () => setTimeout(() => socket.resetAndDestroy(), 50))

const OK = 'HTTP/1.1 200 OK\r\n'
const CLOSED = '503 the back end closed the connection'
const INVALID = '503 the back end gave no valid answer'

/** What each back end does with a request, and what the client sees (by its beginning). */
const HEADS: readonly (readonly [what: string, script: Script, seen: Seen])[] = [
  ['closes at once', ({ socket }) => void socket.end(), CLOSED],
  ['resets at once', ({ socket }) => void socket.resetAndDestroy(), CLOSED],
  ['half a status line, then the end', sayAndEnd('HTTP/1.1 20'), CLOSED],
  ['half a head, then the end', sayAndEnd(`${OK}Content-Le`), CLOSED],
  ['half a head, then a reset', sayAndReset(`${OK}Content-Le`), CLOSED],
  ['something else than HTTP', say('hello\r\n\r\n'), INVALID],
  ['a TLS alert', say('\x15\x03\x01\x00\x02\x02\x16'), INVALID],
  ['HTTP/2.0', say('HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'), INVALID],
  ['a status of two digits', say('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'), INVALID],
  ['a status of four digits', say('HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'), INVALID],
  ['a status of letters', say('HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n'), INVALID],
  [
    '101, which nobody asked for',
    say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    INVALID,
  ],
  ['two lengths', say(`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`), INVALID],
  ['two equal lengths', say(`${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`), INVALID],
  ['a length that is no number', say(`${OK}Content-Length: 0x1\r\n\r\na`), INVALID],
  ['a negative length', say(`${OK}Content-Length: -1\r\n\r\na`), INVALID],
  [
    'a length beyond all numbers',
    say(`${OK}Content-Length: 99999999999999999999\r\n\r\na`),
    INVALID,
  ],
  [
    'length and chunks',
    say(`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
    INVALID,
  ],
  [
    'an unknown transfer coding',
    say(`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
    INVALID,
  ],
  ['a folded line', say(`${OK}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['NUL in a value', say(`${OK}X: a\x00b\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['CR alone in a value', say(`${OK}X: a\rb\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['a space before the colon', say(`${OK}X : a\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['no name', say(`${OK}: a\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['no colon', say(`${OK}X\r\nContent-Length: 0\r\n\r\n`), INVALID],
  ['a head of 2 MB', say(`${OK}X: ${'a'.repeat(2_000_000)}\r\n\r\n`), INVALID],
  [
    'a head that never ends',
    ({ socket }) => {
      const more = setInterval(() => socket.write(`X: ${'a'.repeat(10_000)}\r\n`), 1)
      socket.write(OK)
      socket.on('close', () => clearInterval(more))
    },
    INVALID,
  ],
  ['ten thousand fields', say(`${OK}${'X: a\r\n'.repeat(10_000)}\r\n`), INVALID],
  [
    'interim answers without end',
    ({ socket }) => {
      const more = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), 1)
      socket.on('close', () => clearInterval(more))
    },
    INVALID,
  ],
]

const BODIES: readonly (readonly [what: string, script: Script, seen: Seen])[] = [
  [
    'less body than declared, then the end',
    sayAndEnd(`${OK}Content-Length: 10\r\n\r\nabc`),
    'cut off',
  ],
  [
    'less body than declared, then a reset',
    sayAndReset(`${OK}Content-Length: 10\r\n\r\nabc`),
    'cut off',
  ],
  [
    'chunks without the last one',
    sayAndEnd(`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`),
    'cut off',
  ],
  ['half a chunk', sayAndEnd(`${OK}Transfer-Encoding: chunked\r\n\r\n8\r\nabc`), 'cut off'],
  [
    'a chunk size that is no number',
    say(`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n`),
    'cut off',
  ],
  [
    'a chunk longer than its size',
    say(`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`),
    'cut off',
  ],
  [
    'a chunk size beyond all numbers',
    say(`${OK}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc`),
    '502 ',
  ],
  [
    'more body than declared',
    say(`${OK}Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`),
    '200 abc',
  ],
  [
    'a second answer after chunks',
    say(
      `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n${OK}Content-Length: 4\r\n\r\nevil`,
    ),
    '200 abc',
  ],
  ['a body with 204', say('HTTP/1.1 204 No Content\r\n\r\nevil'), '204 '],
  ['a body with 304', say('HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil'), '304 '],
]

const FINE: readonly (readonly [what: string, script: Script, seen: Seen])[] = [
  ['a body that ends with the connection', sayAndEnd(`${OK}\r\nabc`), '200 abc'],
  ['HTTP/1.0', sayAndEnd('HTTP/1.0 200 OK\r\n\r\nabc'), '200 abc'],
  ['no reason', say('HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc'), '200 abc'],
  ['an unknown status', say('HTTP/1.1 599 Odd\r\nContent-Length: 3\r\n\r\nabc'), '599 abc'],
  [
    'interim answers before the final one',
    say(
      `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 3\r\n\r\nabc`,
    ),
    '200 abc',
  ],
  [
    'chunks with extensions and trailers',
    say(`${OK}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n`),
    '200 abc',
  ],
  [
    'byte by byte',
    ({ socket }) => {
      const text = `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
      let at = 0
      const next = setInterval(() => {
        socket.write(text.slice(at, at + 1))
        at += 1
        if (at === text.length) clearInterval(next)
      }, 5)
    },
    '200 abc',
  ],
]

async function seenBy(port: number): Promise<string> {
  try {
    const { status, text } = await ask({ port })
    return `${status} ${text}`
  } catch (thrown) {
    return /cut off|hang up|ECONNRESET/.test(String(thrown)) ? 'cut off' : String(thrown)
  }
}

it.each([
  ['before an answer', HEADS],
  ['in the body', BODIES],
  ['odd and fine', FINE],
] as const)('back ends that are wrong: %s', async (_where, rows) => {
  const child = gateway.childPid()
  const through: { readonly backEnd: RawBackEnd; readonly port: number }[] = []
  for (const [, script] of rows) {
    // Only the first piece of a request is answered.
    const backEnd = await world.rawBackEnd((incoming, piece) => {
      if (incoming.received.length === piece.length) script(incoming, piece)
    })
    through.push({ backEnd, port: await serverFor(backEnd.url) })
  }
  const seen = await Promise.all(
    rows.map(async ([what, , wanted], i) => {
      const got = await seenBy(through[i]?.port ?? 0)
      return `${what}: ${got.slice(0, wanted.length)}`
    }),
  )
  expect(seen).toEqual(rows.map(([what, , wanted]) => `${what}: ${wanted}`))
  // No connection in doubt is kept; those that are fine may be.
  const keptMax = rows === FINE ? 1 : 0
  for (const [i, [what]] of rows.entries()) {
    const backEnd = through[i]?.backEnd
    await until(`closed connections: ${what}`, 5_000, () => (backEnd?.openCount ?? 0) <= keptMax)
  }
  expect(gateway.childPid()).toBe(child)
  expect(gateway.log).not.toContain('"level":"error"')
})

it('a back end that nobody listens on, and one without an address', async () => {
  const refused = await seenBy(await serverFor(`http://127.0.0.1:${await freePort()}`))
  expect(refused).toMatch(/^503 the back end cannot be reached: pool p\d+\/proxy\/mainPool\n$/)
  const unknown = await seenBy(await serverFor('http://nowhere.invalid:80'))
  expect(unknown).toMatch(/^503 the back end cannot be reached: pool /)
})

it('a connection that the back end closed while it was idle costs no request', async () => {
  const backEnd = await world.rawBackEnd(({ socket }, piece) => {
    if (!piece.includes('\r\n\r\n')) return
    socket.write(`${OK}Content-Length: 2\r\n\r\nok`)
    // Without a word, at about the time of the next request.
    setTimeout(() => socket.destroy(), 5)
  })
  const port = await serverFor(backEnd.url)
  const agent = keptAlive()
  for (let i = 0; i < 100; i++) {
    expect((await ask({ port, agent })).text).toBe('ok')
    await sleep(i % 10)
  }
  agent.destroy()
})

it('an early refusal of an upload reaches the client', async () => {
  const backEnd = await world.rawBackEnd((incoming, piece) => {
    if (incoming.received.length !== piece.length) return
    incoming.socket.write(
      'HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig',
    )
    incoming.socket.pause()
  })
  const port = await serverFor(backEnd.url)
  const client = await world.client(port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n')
  const upload = setInterval(() => client.send(Buffer.alloc(100_000)), 5)
  try {
    expect((await client.answer()).status).toBe(413)
    await client.closing(15_000)
  } finally {
    clearInterval(upload)
  }
  for (const { socket } of backEnd.connections) socket.resume()
  await until('the end at the back end', 5_000, () => backEnd.openCount === 0)
})

it('HEAD, 204 and 304 keep their framing, and the connection goes on', async () => {
  const backEnd = await world.rawBackEnd(({ socket }, piece) => {
    const text = piece.toString('latin1')
    if (text.startsWith('HEAD /length')) socket.write(`${OK}Content-Length: 1234\r\n\r\n`)
    else if (text.startsWith('HEAD /chunked'))
      socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n`)
    else if (text.includes('/204')) socket.write('HTTP/1.1 204 No Content\r\nX: y\r\n\r\n')
    else if (text.includes('/304'))
      socket.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "e"\r\n\r\n')
    else socket.write(`${OK}Content-Length: 4\r\n\r\nbody`)
  })
  const port = await serverFor(backEnd.url)
  const client = await world.client(port)
  const request = async (line: string) => {
    client.send(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`)
    return await client.answer(5_000, line.startsWith('HEAD'))
  }
  const head = await request('HEAD /length')
  expect({ status: head.status, length: head.get('content-length') }).toEqual({
    status: 200,
    length: '1234',
  })
  const chunked = await request('HEAD /chunked')
  expect({ status: chunked.status, body: chunked.body.length }).toEqual({ status: 200, body: 0 })
  const none = await request('GET /204')
  expect({ status: none.status, x: none.get('x'), length: none.get('content-length') }).toEqual({
    status: 204,
    x: 'y',
    length: null,
  })
  const same = await request('GET /304')
  expect({ status: same.status, tag: same.get('etag') }).toEqual({ status: 304, tag: '"e"' })
  const last = await request('GET /')
  expect(last.body.toString()).toBe('body')
  // One connection on either side for all five.
  expect(backEnd.connections.length).toBe(1)
  expect(client.received.length).toBe(0)
})
