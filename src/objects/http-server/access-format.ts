import type { Exchange } from '../../http/exchange.js'
import { ACCESS_VARIABLES, type AccessVariable, IN_BRACES } from './access-format-spec.js'

/** The format of Easegress (compat/traffic-v2.md §3.5). */
const DEFAULT_FORMAT =
  '[{{Time}}] [{{RemoteAddr}} {{RealIP}} {{Method}} {{URI}} {{Proto}} {{StatusCode}}] ' +
  '[{{Duration}} rx:{{ReqSize}}B tx:{{RespSize}}B] [{{Tags}}]'

const URI_LENGTH_MAX = 512

/** What is known of an exchange when its line is written. */
interface Finished {
  readonly ex: Exchange
  readonly status: number
  readonly durationMs: number
}

type Read = (finished: Finished) => string

const READERS: Readonly<Record<AccessVariable, Read>> = {
  Time: ({ durationMs }) => new Date(Date.now() - durationMs).toISOString(),
  RemoteAddr: ({ ex }) => addressText(ex.peer),
  RealIP: ({ ex }) => addressText(ex.realIp),
  Method: ({ ex }) => ex.request.method,
  URI: ({ ex }) => uriText(ex),
  Proto: () => 'HTTP/1.1',
  StatusCode: ({ status }) => String(status),
  Duration: ({ durationMs }) => `${durationMs.toFixed(3)}ms`,
  ReqSize: ({ ex }) => String(ex.request.headBytes + ex.bodyBytesIn),
  RespSize: ({ ex }) => String(ex.bodyBytesOut),
  ReqHeaders: ({ ex }) => headersText(ex.request.headers.flat),
  RespHeaders: ({ ex }) => headersText(ex.response.headers.flat),
  Tags: ({ ex }) => (ex.engine === null ? '' : `pipeline: ${ex.engine.name}`),
}

/** A line of the access log, compiled. */
export class AccessFormat {
  readonly #parts: readonly (string | Read)[]

  /** An empty one is the default. */
  constructor(format: string) {
    const text = format === '' ? DEFAULT_FORMAT : format
    const parts: (string | Read)[] = []
    let at = 0
    for (const match of text.matchAll(IN_BRACES)) {
      const name = match[1] as AccessVariable
      if (!ACCESS_VARIABLES.includes(name)) continue // the check refused it
      if (match.index > at) parts.push(text.slice(at, match.index))
      parts.push(READERS[name])
      at = match.index + match[0].length
    }
    if (at < text.length) parts.push(text.slice(at))
    this.#parts = parts
  }

  /** Without its newline; nothing that a client sent can begin another line. */
  line(ex: Exchange, status: number, durationMs: number): string {
    const finished = { ex, status, durationMs }
    let line = ''
    for (const part of this.#parts) line += typeof part === 'string' ? part : part(finished)
    return line.replace(CONTROLS, ' ')
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get into a line
const CONTROLS = /[\x00-\x1f\x7f]/g

const ADDRESS = /^[0-9A-Fa-f.:]{2,45}$/

/** X-Real-Ip is the client's own word: only what looks like an address gets into the log. */
const addressText = (address: string): string => (ADDRESS.test(address) ? address : '-')

function uriText({ request }: Exchange): string {
  const uri = request.query === '' ? request.rawPath : `${request.rawPath}?${request.query}`
  return uri.length > URI_LENGTH_MAX ? `${uri.slice(0, URI_LENGTH_MAX)}...` : uri
}

function headersText(flat: readonly string[]): string {
  const values = new Map<string, string[]>()
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    values.set(name, [...(values.get(name) ?? []), flat[i + 1] as string])
  }
  return [...values].map(([name, all]) => `${name}: [${all.join(' ')}]`).join(', ')
}
