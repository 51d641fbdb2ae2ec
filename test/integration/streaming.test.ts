/**
 * Bodies of any size and framing, both ways, and the memory that they cost.
 *
 * `BODY_MB=2048` is the long version of the memory tests.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto'
import http from 'node:http'
import { expect, it } from 'vitest'
import { httpServer, pipeline, proxy } from './support/documents.js'
import { ask, keptAlive } from './support/http.js'
import { freePort } from './support/ports.js'
import { residentBytes } from './support/program.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const BODY_MB = Number(process.env['BODY_MB'] ?? 256)
const MB = 1024 * 1024
const GROWTH_BYTES_MAX = 32 * MB

const world = openWorld()
const gateway = await world.gateway()

async function serverFor(url: string): Promise<number> {
  const port = await freePort()
  await gateway.create(pipeline(`p${port}`, proxy(url)))
  await gateway.create(httpServer(`s${port}`, port, `p${port}`))
  return port
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

it('bodies of every size and framing pass unchanged, both ways at once', async () => {
  const backEnd = await world.backEnd((request, response) => {
    // What comes in goes out again as it comes, in the framing that the client asks for.
    const length = request.headers['x-length']
    if (length !== undefined) response.setHeader('Content-Length', String(length))
    request.pipe(response)
  })
  const port = await serverFor(backEnd.url)
  const sizes = [0, 1, 2, 1_023, 16_384, 65_535, 65_536, 65_537, 300_000, 3_000_000]
  const agents = Array.from({ length: 4 }, () => keptAlive())
  const rounds = sizes.flatMap((size) =>
    [true, false].flatMap((isSized) =>
      [true, false].map((isAnswerSized) => ({ size, isSized, isAnswerSized })),
    ),
  )
  const echo = async (
    agent: http.Agent,
    { size, isSized, isAnswerSized }: (typeof rounds)[number],
  ) => {
    const body = randomBytes(size)
    const answer = await ask({
      port,
      method: 'POST',
      agent,
      body,
      headers: {
        ...(isSized ? { 'content-length': size } : { 'transfer-encoding': 'chunked' }),
        ...(isAnswerSized ? { 'x-length': String(size) } : {}),
      },
    })
    const what = `${size} bytes, ${isSized ? 'sized' : 'chunked'}, answer ${isAnswerSized ? 'sized' : 'chunked'}`
    expect({ what, status: answer.status, md5: md5(answer.body) }).toEqual({
      what,
      status: 200,
      md5: md5(body),
    })
  }
  await Promise.all(
    agents.map(async (agent) => {
      for (const round of rounds) await echo(agent, round)
    }),
  )
  for (const agent of agents) agent.destroy()
})

it('Expect: 100-continue is answered before the body is sent', async () => {
  const backEnd = await world.backEnd((request, response) => {
    request.pipe(response)
  })
  const port = await serverFor(backEnd.url)
  const client = await world.client(port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
  expect((await client.answer()).status).toBe(100)
  client.send('hello')
  const answer = await client.answer()
  expect({ status: answer.status, text: answer.body.toString() }).toEqual({
    status: 200,
    text: 'hello',
  })
})

it('each piece of an answer is passed on when it comes', async () => {
  const pieces = ['one', 'two', 'three']
  let sayMore: (() => void) | null = null
  const backEnd = await world.backEnd((request, response) => {
    request.resume()
    let at = 0
    sayMore = () => {
      if (at < pieces.length) response.write(pieces[at])
      else response.end()
      at += 1
    }
    sayMore()
  })
  const port = await serverFor(backEnd.url)
  const client = await world.client(port)
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  for (const piece of pieces) {
    await until(`the piece ${piece}`, 2_000, () => client.text.includes(piece))
    ;(sayMore as (() => void) | null)?.()
  }
  expect((await client.answer()).body.toString()).toBe('onetwothree')
})

/** The most that the server's resident memory grows above where it is, while `work` runs. */
async function growthDuring(work: () => Promise<void>): Promise<number> {
  const pid = gateway.childPid()
  const before = residentBytes(pid)
  let most = before
  const watching = setInterval(() => {
    most = Math.max(most, residentBytes(pid))
  }, 20)
  try {
    await work()
  } finally {
    clearInterval(watching)
  }
  return most - before
}

/** Writes so many bytes as fast as they are taken. */
async function pour(to: NodeJS.WritableStream, bytes: number): Promise<void> {
  const piece = Buffer.alloc(256 * 1024, 'x')
  for (let left = bytes; left > 0; left -= piece.length) {
    if (!to.write(left < piece.length ? piece.subarray(0, left) : piece)) {
      await new Promise<void>((resolve, reject) => {
        const gone = (): void => reject(new Error('the reader is gone'))
        to.once('close', gone)
        to.once('drain', () => {
          to.off('close', gone)
          resolve()
        })
      })
    }
  }
  to.end()
}

/** Reads to the end, with a short rest after each megabyte. */
async function sip(from: NodeJS.ReadableStream & AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0
  let rested = 0
  for await (const piece of from) {
    bytes += piece.length
    if (bytes - rested < MB) continue
    rested = bytes
    await sleep(2)
  }
  return bytes
}

it.each(['with a length', 'in chunks'])(
  `${BODY_MB} MB to a slow reader: %s`,
  async (how) => {
    const backEnd = await world.backEnd((request, response) => {
      request.resume()
      const bytes = Number(request.headers['x-bytes'])
      if (how === 'with a length') response.setHeader('Content-Length', bytes)
      pour(response, bytes).catch(() => response.destroy())
    })
    const port = await serverFor(backEnd.url)
    const download = async (bytes: number): Promise<void> => {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        const options = { host: '127.0.0.1', port, headers: { 'x-bytes': bytes }, agent: false }
        http.get(options, resolve).on('error', reject)
      })
      expect(await sip(response)).toBe(bytes)
    }
    await download(32 * MB) // both sides have their buffers now
    const growth = await growthDuring(() => download(BODY_MB * MB))
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX)
  },
  600_000,
)

it('readers that do not read at all hold the back end up, not the memory', async () => {
  const backEnd = await world.backEnd((request, response) => {
    request.resume()
    pour(response, 64 * MB).catch(() => response.destroy())
  })
  const port = await serverFor(backEnd.url)
  const growth = await growthDuring(async () => {
    const clients = await Promise.all(Array.from({ length: 16 }, () => world.client(port)))
    for (const client of clients) {
      client.socket.pause()
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    }
    await until('the requests', 5_000, () => backEnd.requests === clients.length)
    await sleep(2_000)
    for (const client of clients) client.destroy()
  })
  expect(growth).toBeLessThan(GROWTH_BYTES_MAX)
})

it.each(['with a length', 'in chunks'])(
  `${BODY_MB} MB to a slow back end: %s`,
  async (how) => {
    const backEnd = await world.backEnd((request, response) => {
      sip(request).then(
        (bytes) => response.end(String(bytes)),
        () => response.destroy(),
      )
    })
    const port = await serverFor(backEnd.url)
    const upload = async (bytes: number): Promise<void> => {
      const text = await new Promise<string>((resolve, reject) => {
        const headers = how === 'with a length' ? { 'content-length': bytes } : {}
        const options = { host: '127.0.0.1', port, method: 'POST', headers, agent: false }
        const request = http.request(options, async (response) => {
          let body = ''
          for await (const piece of response) body += String(piece)
          resolve(body)
        })
        request.on('error', reject)
        pour(request, bytes).catch(reject)
      })
      expect(text).toBe(String(bytes))
    }
    await upload(32 * MB)
    const growth = await growthDuring(() => upload(BODY_MB * MB))
    expect(growth).toBeLessThan(GROWTH_BYTES_MAX)
  },
  600_000,
)

it('a hash of 64 MB that went through both ways', async () => {
  const backEnd = await world.backEnd((request, response) => {
    request.pipe(response)
  })
  const port = await serverFor(backEnd.url)
  const sent = createHash('md5')
  const got = createHash('md5')
  await new Promise<void>((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method: 'POST', agent: false })
    request.on('error', reject)
    request.on('response', (response) => {
      response.on('data', (piece: Buffer) => got.update(piece))
      response.on('end', resolve)
      response.on('error', reject)
    })
    pourRandom(request, sent, 64).catch(reject)
  })
  expect(got.digest('hex')).toBe(sent.digest('hex'))
})

async function pourRandom(to: NodeJS.WritableStream, hash: Hash, megabytes: number): Promise<void> {
  for (let i = 0; i < megabytes; i++) {
    const piece = randomBytes(MB)
    hash.update(piece)
    if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve))
  }
  to.end()
}
