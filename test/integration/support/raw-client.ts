import { connect, type Socket } from 'node:net'
import { until, within } from './wait.js'

/** How the other side ended a connection. */
export type End = 'fin' | 'reset'

/** A head and body cut out of the bytes of a connection. */
export interface RawAnswer {
  readonly status: number
  readonly statusLine: string
  /** Names in lower case, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  get(name: string): string | null
}

/** A TCP client that sends bytes as they are; text is Latin-1. */
export class RawClient {
  received: Buffer = Buffer.alloc(0)
  end: End | null = null
  readonly socket: Socket
  readonly closed: Promise<End>

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise((resolve) => {
      const done = (end: End): void => {
        if (this.end !== null) return
        this.end = end
        resolve(end)
      }
      socket.on('end', () => done('fin'))
      socket.on('error', () => done('reset'))
      socket.on('close', () => done('fin'))
    })
    socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data])
    })
  }

  /** `localAddress` may be any of 127.0.0.0/8. */
  static async connect(port: number, localAddress = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true })
    const client = new RawClient(socket)
    const up = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    await within(`connection to port ${port}`, 5_000, up)
    return client
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  /** The next answer; what follows it stays in `received`. */
  async answer(withinMs = 15_000, toHead = false): Promise<RawAnswer> {
    return await until('an answer', withinMs, () => {
      const found = parseAnswer(this.received, toHead, this.end !== null)
      if (found !== null) {
        this.received = this.received.subarray(found.length)
        return found.answer
      }
      if (this.end === null) return undefined
      return Promise.reject(new Error(`connection ended (${this.end}) after ${this.text}`))
    })
  }

  /** How the other side closes, which must be within the time. */
  closing(withinMs: number): Promise<End> {
    return within('the end of a connection', withinMs, this.closed)
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Ends the connection with a reset instead of the usual goodbye. */
  reset(): void {
    this.socket.resetAndDestroy()
  }
}

/** One round over a connection of its own: what came back, and how it ended. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array,
  withinMs: number,
): Promise<{ readonly text: string; readonly end: End | 'open' }> {
  const client = await RawClient.connect(port)
  client.send(bytes)
  const end = await Promise.race([
    client.closed,
    new Promise<'open'>((resolve) => setTimeout(() => resolve('open'), withinMs).unref()),
  ])
  client.destroy()
  return { text: client.text, end }
}

/** The first answer in `bytes` when it is complete. */
export function parseAnswer(
  bytes: Buffer,
  toHead: boolean,
  isEnded: boolean,
): { readonly answer: RawAnswer; readonly length: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const fields = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  const get = (name: string): string | null => fields.find(([field]) => field === name)?.[1] ?? null
  const status = Number(statusLine.split(' ')[1])
  const start = headEnd + 4
  const body = cutBody(bytes, start, {
    isBodiless: toHead || status === 204 || status === 304 || status < 200,
    length: get('content-length'),
    isChunked: get('transfer-encoding') === 'chunked',
    isEnded,
  })
  if (body === null) return null
  return { answer: { status, statusLine, fields, body: body.bytes, get }, length: body.end }
}

interface Framing {
  readonly isBodiless: boolean
  readonly length: string | null
  readonly isChunked: boolean
  readonly isEnded: boolean
}

function cutBody(
  bytes: Buffer,
  start: number,
  { isBodiless, length, isChunked, isEnded }: Framing,
): { readonly bytes: Buffer; readonly end: number } | null {
  if (isBodiless) return { bytes: Buffer.alloc(0), end: start }
  if (length !== null) {
    const end = start + Number(length)
    return bytes.length < end ? null : { bytes: bytes.subarray(start, end), end }
  }
  if (!isChunked) return isEnded ? { bytes: bytes.subarray(start), end: bytes.length } : null
  const parts: Buffer[] = []
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (bytes.length < next) return null
    if (size === 0) return { bytes: Buffer.concat(parts), end: next }
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = next
  }
}
