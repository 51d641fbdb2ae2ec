import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { residentBytesOf } from './accounting.js'
import { sleep } from './children.js'
import { PATH } from './scenarios.js'
import type { Subject } from './subjects.js'
import { runWrk } from './wrk.js'

const MEGABYTE = 1_048_576
/** The collector gets so long to settle before memory is read. */
const REST_MS = 2_000

export interface GrowthOptions {
  readonly wrk: string
  readonly subject: Subject
  readonly folder: string
  readonly connections: number
  /** Memory is read after so many requests, and again after so many in all. */
  readonly from: number
  readonly to: number
  say(text: string): void
}

/** Growth of resident memory over requests, in bytes. */
export async function growthOverRequests(options: GrowthOptions): Promise<number> {
  const { from, to, say } = options
  let total = 0
  const ask = async (until: number): Promise<number> => {
    while (total < until) {
      total += await slice(options)
      const megabytes = residentBytesOf(options.subject.child.pid) / MEGABYTE
      say(`${total} requests: ${megabytes.toFixed(1)} MB resident`)
    }
    await sleep(REST_MS)
    return residentBytesOf(options.subject.child.pid)
  }
  const before = await ask(from)
  return (await ask(to)) - before
}

/** A few seconds of load; wrk takes a time, not a number of requests. */
async function slice({ wrk, subject, folder, connections }: GrowthOptions): Promise<number> {
  const url = `http://127.0.0.1:${subject.port}${PATH}`
  const load = await runWrk({ program: wrk, url, connections, seconds: 5, bodyBytes: 0, folder })
  if (load.errors > 0 || load.requests === 0) throw new Error(`${load.errors} errors under load`)
  return load.requests
}

const CHUNK = Buffer.alloc(262_144, 'x')
const BIG = `${PATH}?big`

export interface BigBackEnd {
  readonly port: number
  close(): void
}

/** Answers with a body of `bytes` as fast as it is taken, but only when asked for the big one. */
export function startBigBackEnd(bytes: number): Promise<BigBackEnd> {
  const server = createServer((request, response) => {
    response.setHeader('content-length', request.url === BIG ? bytes : CHUNK.length)
    if (request.url === BIG) pour(response, bytes)
    else response.end(CHUNK)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      const close = (): void => {
        server.close()
        server.closeAllConnections()
      }
      resolve({ port, close })
    })
  })
}

function pour(response: ServerResponse, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      const piece = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
      left -= piece.length
      if (!response.write(piece)) {
        response.once('drain', more)
        return
      }
    }
    response.end()
  }
  more()
}

export interface SlowReadOptions {
  readonly subject: Subject
  readonly bytes: number
  /** The reader takes about so many bytes a second, after having read nothing for a while. */
  readonly bytesPerSecond: number
  say(text: string): void
}

const STALL_MS = 3_000
const TICK_MS = 10

/**
 * Reads one large answer slowly and gives the most that resident memory grew meanwhile, in bytes.
 * Fails when the body is not complete.
 */
export async function growthForSlowReader(options: SlowReadOptions): Promise<number> {
  const { subject, bytes, bytesPerSecond, say } = options
  const { pid } = subject.child
  const before = residentBytesOf(pid)
  let most = before
  let seen = 0
  let ended = false
  const socket = connect(subject.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
  })
  socket.write(`GET ${BIG} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n`)
  socket.pause()
  socket.on('data', (data: Buffer) => {
    seen += data.length
  })
  const startedMs = Date.now() + STALL_MS
  let toldMs = 0
  while (!ended && seen < bytes) {
    await sleep(TICK_MS)
    const now = Date.now()
    most = Math.max(most, residentBytesOf(pid))
    if (seen < ((now - startedMs) * bytesPerSecond) / 1000) socket.resume()
    else socket.pause()
    if (now - toldMs < 5_000) continue
    toldMs = now
    const megabytes = (most - before) / MEGABYTE
    say(`${Math.round(seen / MEGABYTE)} MB read, resident at most +${megabytes.toFixed(1)} MB`)
  }
  socket.destroy()
  if (seen < bytes) throw new Error(`the body ended after ${seen} of ${bytes} bytes`)
  return most - before
}
