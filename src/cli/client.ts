import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { CliError } from './io.js'
import { describeTarget, type Target } from './target.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** An answer with a status of 2xx. */
export interface Reply {
  readonly status: number
  readonly body: string
  /** Of the configuration, from `X-Config-Version`; null when the server did not say. */
  readonly version: string | null
}

export interface Sent {
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

const PREFIX = '/apis/v1'
/** The server answers within its own time-outs, which are shorter. */
const TIMEOUT_MS = 60_000

interface Raw {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** Of `X-Easegress-Warning`, one each: joined by commas they could not be told apart. */
  readonly warnings: readonly string[]
  readonly body: string
}

/** Talks to one server. `warn` hears what the server wants a person to know. */
export class AdminClient {
  readonly #target: Target
  readonly #warn: (text: string) => void
  readonly #agent: http.Agent

  constructor(target: Target, warn: (text: string) => void) {
    this.#target = target
    this.#warn = warn
    this.#agent = target.tls === null ? new http.Agent({ keepAlive: true }) : httpsAgent(target)
  }

  /** `path` stands below `/apis/v1`. Rejects with a {@link CliError}. */
  async request(method: Method, path: string, sent: Sent): Promise<Reply> {
    const raw = await this.#send(method, path, sent)
    if (raw.status < 200 || raw.status > 299) throw await refusalOf(raw)
    if (sent.isQuiet !== true) this.#tellWarnings(raw)
    const version = raw.headers['x-config-version']
    return {
      status: raw.status,
      body: raw.body,
      version: typeof version === 'string' ? version : null,
    }
  }

  #send(method: Method, path: string, sent: Sent): Promise<Raw> {
    const { host, port, tls, credentials } = this.#target
    const options: http.RequestOptions = {
      host,
      port,
      method,
      path: PREFIX + path,
      agent: this.#agent,
      headers: {
        Accept: sent.as === 'json' ? 'application/json' : 'text/vnd.yaml',
        ...(sent.body === undefined ? {} : { 'Content-Length': Buffer.byteLength(sent.body) }),
        ...(credentials === null ? {} : { Authorization: basic(credentials) }),
        ...sent.headers,
      },
      timeout: TIMEOUT_MS,
    }
    return new Promise((resolve, reject) => {
      const request = (tls === null ? http : https).request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error) => reject(this.#failure(error)))
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8')
          const { statusCode: status = 0, headers, headersDistinct } = response
          const warnings = (headersDistinct['x-easegress-warning'] ?? []).map(utf8)
          resolve({ status, headers, warnings, body })
        })
      })
      request.on('timeout', () => request.destroy(new Error('no answer')))
      request.on('error', (error) => reject(this.#failure(error)))
      request.end(sent.body)
    })
  }

  #failure(error: NodeJS.ErrnoException): CliError {
    const where = describeTarget(this.#target)
    const code = error.code ?? ''
    if (code === 'ECONNREFUSED') {
      return new CliError(`no server at ${where}: is easegress-server running?`, { cause: error })
    }
    const reason =
      REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? (error.message || code || 'unknown')
    return new CliError(`cannot talk to the server at ${where}: ${reason}`, { cause: error })
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
    ...pem('ca', '--ca-file', tls?.caFile),
    ...pem('cert', '--cert-file', tls?.certFile),
    ...pem('key', '--key-file', tls?.keyFile),
  })
}

function pem(key: string, flag: string, path: string | undefined): Record<string, Buffer> {
  if (path === undefined) return {}
  try {
    return { [key]: readFileSync(path) }
  } catch (thrown) {
    throw new CliError(`${flag}: cannot read ${path}`, { cause: thrown })
  }
}

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
