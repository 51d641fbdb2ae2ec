import * as http from 'node:http'
import * as https from 'node:https'
import { CliError } from './io.js'
import { describeTarget, type Target, type TlsSource } from './target.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** Which of the two APIs of the server. */
export type Api = 'v1' | 'v2'

/** An answer with a status of 2xx. */
export interface Reply {
  readonly status: number
  readonly body: string
  /** Of the configuration, from `X-Config-Version`; null when the server did not say. */
  readonly version: string | null
  /** Of the one object that was read, for `If-Match`; null otherwise. */
  readonly etag: string | null
}

export interface Sent {
  /** Default v1. */
  readonly api?: Api
  /** `json` or `yaml`; what the body of the answer is to be. */
  readonly as: 'json' | 'yaml'
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Keep warnings of the server to oneself. */
  readonly isQuiet?: boolean
}

/** The server's own refusal. */
export class Refusal extends CliError {
  override readonly name = 'Refusal'
  readonly status: number
  /** Without the status; may have several lines. */
  readonly text: string

  constructor(status: number, text: string) {
    super(`${status}: ${text}`)
    this.status = status
    this.text = text
  }
}

const PREFIXES: Readonly<Record<Api, string>> = { v1: '/apis/v1', v2: '/apis/v2' }
/** The server answers within its own time-outs, which are shorter. */
const TIMEOUT_MS = 60_000

interface Raw {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** Of `X-Easegress-Warning`, one each: joined by commas they could not be told apart. */
  readonly warnings: readonly string[]
  readonly body: string
}

interface Reached {
  readonly target: Target
  readonly agent: http.Agent
}

/** Talks to one server. `warn` hears what the server wants a person to know. */
export class AdminClient {
  readonly #find: () => Promise<Target>
  readonly #warn: (text: string) => void
  readonly #wait: string | null
  #reached: Promise<Reached> | null = null

  /** `find` is called once, with the first request. `wait`: of writes, see `?wait` of the API. */
  constructor(
    find: () => Promise<Target>,
    warn: (text: string) => void,
    wait: string | null = null,
  ) {
    this.#find = find
    this.#warn = warn
    this.#wait = wait
  }

  /** `path` stands below the prefix of the API. Rejects with a {@link CliError}. */
  async request(method: Method, path: string, sent: Sent): Promise<Reply> {
    const raw = await this.#send(method, path, sent, null)
    if (raw.status < 200 || raw.status > 299) throw await refusalOf(raw)
    if (sent.isQuiet !== true) this.#tellWarnings(raw)
    const { 'x-config-version': version, etag } = raw.headers
    return {
      status: raw.status,
      body: raw.body,
      version: typeof version === 'string' ? version : null,
      etag: etag ?? null,
    }
  }

  /** Hands on what a GET gives as it comes, until the server ends it. */
  async stream(path: string, sent: Sent, taken: (text: string) => void): Promise<void> {
    const raw = await this.#send('GET', path, sent, taken)
    if (raw.status < 200 || raw.status > 299) throw await refusalOf(raw)
  }

  async #reach(): Promise<Reached> {
    const target = await this.#find()
    const agent = target.tls === null ? new http.Agent({ keepAlive: true }) : httpsAgent(target)
    return { target, agent }
  }

  #waiting(path: string): string {
    if (this.#wait === null) return path
    return `${path}${path.includes('?') ? '&' : '?'}wait=${this.#wait}`
  }

  async #send(
    method: Method,
    path: string,
    sent: Sent,
    taken: ((text: string) => void) | null,
  ): Promise<Raw> {
    this.#reached ??= this.#reach()
    const { target, agent } = await this.#reached
    const { host, port, tls, credentials } = target
    const options: http.RequestOptions = {
      host,
      port,
      method,
      path: PREFIXES[sent.api ?? 'v1'] + (method === 'GET' ? path : this.#waiting(path)),
      agent,
      headers: {
        Accept: sent.as === 'json' ? 'application/json' : 'text/vnd.yaml',
        ...(sent.body === undefined ? {} : { 'Content-Length': Buffer.byteLength(sent.body) }),
        ...(credentials === null ? {} : { Authorization: basic(credentials) }),
        ...sent.headers,
      },
      timeout: taken === null ? TIMEOUT_MS : 0,
    }
    return new Promise((resolve, reject) => {
      const request = (tls === null ? http : https).request(options, (response) => {
        const chunks: Buffer[] = []
        const decoder = new TextDecoder()
        const isWanted = taken !== null && response.statusCode === 200
        response.on('data', (chunk: Buffer) => {
          if (isWanted) taken(decoder.decode(chunk, { stream: true }))
          else chunks.push(chunk)
        })
        response.on('error', (error) => reject(failureOf(target, error)))
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8')
          const { statusCode: status = 0, headers, headersDistinct } = response
          const warnings = (headersDistinct['x-easegress-warning'] ?? []).map(utf8)
          resolve({ status, headers, warnings, body })
        })
      })
      request.on('timeout', () => request.destroy(new Error('no answer')))
      request.on('error', (error) => reject(failureOf(target, error)))
      request.end(sent.body)
    })
  }

  #tellWarnings({ headers, warnings }: Raw): void {
    for (const warning of warnings) this.#warn(warning)
    if (headers['x-config-applied'] === 'partial') {
      const lagging = utf8(String(headers['x-config-lagging'] ?? 'some workers'))
      this.#warn(`saved, but not in effect yet on ${lagging}`)
    }
    const stale = headers['x-easegress-stale']
    if (stale !== undefined) {
      this.#warn(`the server has lost touch with its cluster: this is ${String(stale)} s old`)
    }
  }
}

function failureOf(target: Target, error: NodeJS.ErrnoException): CliError {
  const where = describeTarget(target)
  const code = error.code ?? ''
  if (code === 'ECONNREFUSED') {
    return new CliError(`no server at ${where}: is easegress-server running?`, { cause: error })
  }
  const reason =
    REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? (error.message || code || 'unknown')
  return new CliError(`cannot talk to the server at ${where}: ${reason}`, { cause: error })
}

const REASONS: readonly [pattern: RegExp, words: string][] = [
  [/^(ENOTFOUND|EAI_AGAIN)$/, 'unknown host'],
  [/^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/, 'it cannot be reached'],
  [/^(ECONNRESET|EPIPE)$/, 'it closed the connection (does it speak TLS? then use https://)'],
  [/^HPE_/, 'it does not speak HTTP (does it speak TLS? then use https://)'],
  [/^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)$/, 'it does not speak TLS (try http://)'],
  [
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_)/,
    'its certificate is not trusted (see --ca-file)',
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate is for another name'],
]

/** Headers arrive byte by byte as characters; ours are UTF-8. */
const utf8 = (header: string): string => Buffer.from(header, 'latin1').toString('utf8')

const basic = ({ user, password }: { user: string; password: string }): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

function httpsAgent({ tls }: Target): https.Agent {
  return new https.Agent({
    keepAlive: true,
    rejectUnauthorized: tls?.isVerified ?? true,
    ...pem('ca', tls?.ca),
    ...pem('cert', tls?.cert),
    ...pem('key', tls?.key),
  })
}

const pem = (key: string, source: TlsSource | undefined): Record<string, Buffer> =>
  source === undefined ? {} : { [key]: source.read() }

/** The body of an error is a map of code and message, in JSON or YAML; anything else is shown raw. */
async function refusalOf({ status, headers, body }: Raw): Promise<Refusal> {
  let value: unknown = null
  if (headers['content-type']?.includes('json') === true) value = parseJson(body)
  else {
    const { parseYaml } = await import('../spec/yaml.js')
    const parsed = parseYaml(body)
    if (parsed.ok) value = parsed.documents[0]?.value
  }
  const message =
    typeof value === 'object' && value !== null && 'message' in value ? value.message : null
  const text = typeof message === 'string' ? message : body
  return new Refusal(
    status,
    text.trim() === '' ? (http.STATUS_CODES[status] ?? '') : text.trimEnd(),
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
