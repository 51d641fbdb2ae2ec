import { randomBytes } from 'node:crypto'
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { FakeClient, FakeResponseBody } from '../../http/fake-client.fixture.js'
import { turns, until } from '../../upstream/scripted-server.fixture.js'
import { problemsOf } from '../harness.fixture.js'
import { withScripted, withServers } from './backends.fixture.js'
import { Compression } from './compression.js'

type Fields = readonly (readonly [name: string, value: string])[]

/** What of a gzip stream has come, read as far as it goes. */
const soFar = (chunks: readonly Buffer[]): string =>
  gunzipSync(Buffer.concat(chunks), { finishFlush: constants.Z_SYNC_FLUSH }).toString()

const BODY = 'a body that is worth it. '.repeat(10)

interface Case {
  readonly status?: number
  readonly accept?: string
  readonly request?: Fields
  readonly answer?: Fields
  readonly body?: string
  /** Announced; -1 without a length. */
  readonly length?: number
}

/** The fields of an answer to a client that likes gzip, unless the case says otherwise. */
async function answerTo(each: Case): Promise<FakeClient> {
  const client = new FakeClient({
    headers: [['accept-encoding', each.accept ?? 'gzip'], ...(each.request ?? [])],
  })
  const { response } = client.ex
  const body = each.body ?? BODY
  response.status = each.status ?? 200
  for (const [name, value] of each.answer ?? []) response.headers.add(name, value)
  const length = each.length ?? body.length
  if (length >= 0) response.headers.add('content-length', String(length))
  if (length !== 0) response.source = new FakeResponseBody(body, length)
  new Compression(100).apply(client.ex)
  client.send(client.ex)
  await until('the answer', () => client.ending !== 'open')
  return client
}

it.each<[name: string, each: Case]>([
  ['a known length', {}],
  ['an unknown length', { length: -1 }],
  ['an unknown length, although short', { length: -1, body: 'short' }],
  ['just the least length', { body: 'x'.repeat(100) }],
  ['a long body', { body: BODY.repeat(1000) }],
  ['a long body of unknown length', { body: BODY.repeat(1000), length: -1 }],
  ['an error', { status: 500 }],
  ['other directives', { answer: [['cache-control', 'public, no-transformers, max-age=1']] }],
])('compresses %s', async (_name, each) => {
  for (const [accept, unpack] of [
    ['gzip', gunzipSync],
    ['br, gzip', brotliDecompressSync],
  ] as const) {
    const client = await answerTo({ ...each, accept })
    expect(unpack(Buffer.concat(client.chunks)).toString()).toBe(each.body ?? BODY)
    expect(client.header('content-encoding')).toBe(accept === 'gzip' ? 'gzip' : 'br')
    expect(client.header('content-length')).toBeNull()
    expect(client.header('vary')).toBe('Accept-Encoding')
  }
})

it.each<[name: string, each: Case]>([
  ['a body below the least length', { body: 'x'.repeat(99) }],
  ['no body', { length: 0 }],
  ['204', { status: 204, length: 0 }],
  ['304', { status: 304, length: 0 }],
  ['a part', { status: 206, answer: [['content-range', 'bytes 0-249/1000']] }],
  ['what is coded already', { answer: [['content-encoding', 'gzip']] }],
  ['what is coded in another way', { answer: [['content-encoding', 'zstd']] }],
  ['no-transform', { answer: [['cache-control', 'max-age=1, No-Transform']] }],
  ['no-transform of the client', { request: [['cache-control', 'no-transform']] }],
])('leaves alone: %s', async (_name, each) => {
  const client = await answerTo(each)
  expect(client.header('content-encoding')).toBe(
    each.answer?.find(([name]) => name === 'content-encoding')?.[1] ?? null,
  )
  expect(client.header('vary')).toBeNull()
  expect(client.text).toBe(each.length === 0 ? '' : (each.body ?? BODY))
})

it('says that it depends, also to those who do not want it', async () => {
  const client = await answerTo({ accept: 'identity' })
  expect(client.headers).toEqual(['content-length', '250', 'vary', 'Accept-Encoding'])
  expect(client.text).toBe(BODY)
})

it.each<[vary: string[], want: string[]]>([
  [[], ['Accept-Encoding']],
  [['Origin'], ['Origin', 'Accept-Encoding']],
  [['origin, accept-encoding'], ['origin, accept-encoding']],
  [['*'], ['*']],
])('Vary %j becomes %j', async (vary, want) => {
  const client = await answerTo({ answer: vary.map((value) => ['vary', value] as const) })
  expect(client.headers.filter((_, i) => client.headers[i - 1] === 'vary')).toEqual(want)
})

it.each<[tag: string, want: string]>([
  ['"abc"', 'W/"abc"'],
  ['W/"abc"', 'W/"abc"'],
])('the tag %s becomes %s', async (tag, want) => {
  expect((await answerTo({ answer: [['etag', tag]] })).header('etag')).toBe(want)
  expect((await answerTo({ answer: [['etag', tag]], accept: '' })).header('etag')).toBe(tag)
})

it('fields about bytes that do not go out are left out', async () => {
  const names = ['content-md5', 'content-digest', 'digest', 'accept-ranges']
  const answer = names.map((name) => [name, 'x'] as const)
  const client = await answerTo({ answer })
  expect(client.headers).toEqual(['vary', 'Accept-Encoding', 'content-encoding', 'gzip'])
})

it('only so many bodies are compressed as they stream, further ones are sent as they are', async () => {
  const compression = new Compression(0, 2)
  const clients = Array.from({ length: 3 }, () => {
    const client = new FakeClient()
    const source = new FakeResponseBody(null)
    client.ex.response.source = source
    compression.apply(client.ex)
    return { client, source }
  })
  expect(compression.streams).toBe(2)
  for (const { client } of clients) client.send(client.ex)
  expect(clients.map(({ client }) => client.header('content-encoding'))).toEqual([
    'gzip',
    'gzip',
    null,
  ])
  clients[0]?.source.push('text')
  clients[0]?.source.end()
  clients[1]?.client.abort()
  clients[2]?.source.end()
  await until('memory to be given back', () => compression.streams === 0)
  expect(clients[1]?.source.cancels).toBe(1)
  expect(soFar(clients[0]?.client.chunks ?? [])).toBe('text')
})

it('a body that nobody opened gives its place back', () => {
  const compression = new Compression(0)
  const { ex } = new FakeClient()
  const source = new FakeResponseBody(null)
  ex.response.source = source
  compression.apply(ex)
  ex.response.discard()
  ex.response.discard()
  expect([compression.streams, source.cancels]).toEqual([0, 1])
})

// -- in a Proxy ----------------------------------------------------------------------------------

const over =
  (minLength = 0) =>
  ([port]: readonly number[]): string =>
    `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${port}"}]}
  compression: {minLength: ${minLength}}
`
const GZIP = { headers: [['accept-encoding', 'gzip']] } as const

it('what comes in bits goes on in bits', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start(GZIP)
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
      for (const text of ['one', 'onetwo', 'onetwothree']) {
        const bit = text.slice(soFar(client.chunks.length === 0 ? [EMPTY] : client.chunks).length)
        peer.send(`${bit.length.toString(16)}\r\n${bit}\r\n`)
        await until(text, () => client.chunks.length > 0 && soFar(client.chunks) === text)
      }
      peer.send('0\r\n\r\n')
      await until('the end', () => client.ending === 'complete')
      expect(gunzipSync(Buffer.concat(client.chunks)).toString()).toBe('onetwothree')
    },
    (port) => over()([port]),
  ))

/** A gzip stream of nothing. */
const EMPTY = Buffer.from('1f8b080000000000000303000000000000000000', 'hex')

it('a slow client slows the back end down, and all arrives', () => {
  const block = randomBytes(100_000)
  const blocks = 200
  let written = 0
  return withServers(
    1,
    (_request, response) => {
      const more = (): void => {
        while (written < blocks) {
          written += 1
          if (!response.write(block)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    },
    over(),
    async (harness) => {
      const client = harness.start(GZIP, (made) => {
        made.chunksAtOnce = 1
      })
      await until('the first chunk', () => client.chunks.length > 0)
      for (let before = -1; before !== written; ) {
        before = written
        await turns(300)
      }
      expect(written).toBeLessThan(blocks)
      while (client.ending === 'open') {
        client.resume()
        await turns(1)
      }
      const body = gunzipSync(Buffer.concat(client.chunks))
      expect([client.ending, body.byteLength]).toEqual(['complete', blocks * block.byteLength])
      expect(body.subarray(-block.byteLength).equals(block)).toBe(true)
    },
  )
})

it.each<[name: string, head: string]>([
  ['streamed', 'content-length: 1000000'],
  ['small', 'content-length: 1000'],
  ['live', 'transfer-encoding: chunked'],
])('a client that goes closes the connection of a body that is %s', (_name, head) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start(GZIP)
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\n12345\r\n`)
      await until('the head', () => client.sends === 1)
      client.abort()
      if (head.endsWith('1000')) peer.send('x'.repeat(990))
      await until('the connection', () => harness.upstream.stats.busy === 0)
      expect(harness.statuses('proxy/mainPool')).toEqual([200])
    },
    (port) => over()([port]),
  ),
)

it.each<[name: string, head: string]>([
  ['streamed', 'content-length: 1000000'],
  ['small', 'content-length: 1000'],
  ['live', 'transfer-encoding: chunked'],
])('a back end that breaks off breaks a body that is %s', (_name, head) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start(GZIP)
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\n12345\r\n`)
      await turns()
      peer.socket.end()
      await until('the end', () => client.ending !== 'open')
      expect(client.ending).toBe('broken')
    },
    (port) => over()([port]),
  ),
)

it('an answer to HEAD is left alone', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start({ ...GZIP, method: 'HEAD' })
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
      expect(client.headers).toEqual(['content-length', '5000'])
    },
    (port) => over()([port]),
  ))

const MAIN = 'mainPool: {servers: [{url: "http://a"}]}'

it.each<[fields: string, problem: string]>([
  ['compression: {}', 'compression/minLength: is required'],
  ['compression: {minLength: -1}', 'minLength: expected a whole number in 0..4294967295'],
  ['compression: {minLength: 4294967296}', 'minLength: expected a whole number in 0..4294967295'],
  ['compression: {minLength: "1"}', 'write 1 without quotes'],
  ['compression: gzip', 'compression: expected a mapping'],
  ['compression: {minLen: 1}', 'did you mean "minLength"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Proxy', `${MAIN}\n${fields}`)).toContain(problem)
})
