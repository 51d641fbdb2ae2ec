import { connect } from 'node:net'
import { residentBytesOf } from './accounting.js'
import type { Bench } from './bench.js'
import { sleep } from './children.js'
import { load, type Side } from './rounds.js'

const MEGABYTE = 1_048_576
/** The collector gets so long to settle before memory is read. */
const REST_MS = 2_000
const SLICE_SECONDS = 5

/** Growth of resident memory in bytes, from the first `from` requests to the first `to`. */
export async function growthOverRequests(
  bench: Bench,
  side: Side,
  from: number,
  to: number,
): Promise<number> {
  const { pid } = side.subject.child
  let total = 0
  const ask = async (until: number): Promise<number> => {
    while (total < until) {
      total += (await load(bench, side, SLICE_SECONDS)).requests
      const megabytes = residentBytesOf(pid) / MEGABYTE
      bench.progress.say(`${total} requests: ${megabytes.toFixed(1)} MB resident`)
    }
    await sleep(REST_MS)
    return residentBytesOf(pid)
  }
  const before = await ask(from)
  return (await ask(to)) - before
}

export interface SlowReadOptions {
  readonly subject: Side['subject']
  readonly bytes: number
  /** The reader takes about so many bytes a second, after having read nothing for a while. */
  readonly bytesPerSecond: number
  say(text: string): void
}

const STALL_MS = 3_000
const TICK_MS = 10
const TELL_MS = 5_000

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
  socket.write(`GET /bytes/${bytes} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n`)
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
    if (now - toldMs < TELL_MS) continue
    toldMs = now
    const megabytes = (most - before) / MEGABYTE
    say(`${Math.round(seen / MEGABYTE)} MB read, resident at most +${megabytes.toFixed(1)} MB`)
  }
  socket.destroy()
  if (seen < bytes) throw new Error(`the body ended after ${seen} of ${bytes} bytes`)
  return most - before
}
