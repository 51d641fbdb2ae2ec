import { compileRegexp } from '../../lib/regexp.js'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.js'
import type { Logger } from '../../telemetry/log.js'
import type { ServerOptions, UpstreamClient, UpstreamServer } from '../../upstream/contract.js'
import { Fetch, type FetchOutcome } from '../../upstream/fetch.js'
import type { HealthTable } from '../../upstream/health.js'
import { OriginCache } from '../../upstream/origin-cache.js'
import type { Redirects } from '../../upstream/redirect.js'
import type { ServerUrl } from '../../upstream/server-url.js'
import type { HealthCheckSpec } from './pool-spec-v2.js'

/** Of an answer's body that is looked at. */
const BODY_BYTES_MAX = 1024 * 1024
const INTERVAL_MS_MIN = 100
const DEFAULT_INTERVAL_MS = 60_000
const DEFAULT_TIMEOUT_MS = 3_000
/** In a row, as Go's HTTP client has it. */
const REDIRECTS_MAX = 10

export interface HealthSurroundings {
  readonly client: UpstreamClient
  readonly timers: TimerWheel
  nodeMs(): number
  readonly log: Logger
  /** As log lines call the pool. */
  readonly title: string
}

interface Checked {
  readonly url: ServerUrl
  readonly server: UpstreamServer
  fetch: Fetch | null
}

/**
 * Asks the servers of a pool, again and again, whether they are well, and writes down in the table
 * what came of it. In every worker; the table decides who asks.
 */
export class HealthChecks {
  readonly #spec: HealthCheckSpec
  readonly #table: HealthTable
  readonly #around: HealthSurroundings
  readonly #servers: readonly Checked[]
  readonly #redirects: Redirects
  readonly #passes: (outcome: FetchOutcome) => boolean
  readonly #headers: readonly string[]
  readonly #host: string
  readonly #intervalMs: number
  readonly #timer: WheelTimer

  constructor(
    spec: HealthCheckSpec,
    urls: readonly ServerUrl[],
    tls: ServerOptions['tls'],
    table: HealthTable,
    around: HealthSurroundings,
  ) {
    this.#spec = spec
    this.#table = table
    this.#around = around
    this.#intervalMs = Math.max(INTERVAL_MS_MIN, spec.interval || DEFAULT_INTERVAL_MS)
    this.#passes = passing(spec)
    const headers = Object.entries(spec.headers).map(
      ([name, value]) => [name.toLowerCase(), value] as const,
    )
    this.#host = headers.find(([name]) => name === 'host')?.[1] ?? ''
    const authorization =
      spec.username === ''
        ? []
        : [
            'authorization',
            `Basic ${Buffer.from(`${spec.username}:${spec.password}`).toString('base64')}`,
          ]
    this.#headers = [...headers.filter(([name]) => name !== 'host').flat(), ...authorization]
    // A connection of its own for each check: one that is kept says nothing of new ones.
    const options = { tls, keepAliveMs: 1, connectionsMax: 2 }
    this.#redirects = { max: REDIRECTS_MAX, origins: new OriginCache(around.client, options) }
    this.#servers = urls.map((url) => {
      const port = spec.port === 0 ? url.port : spec.port
      return { url, server: around.client.acquire({ ...url, port }, options), fetch: null }
    })
    this.#timer = new WheelTimer<unknown>(this, tick)
  }

  start(): void {
    this.round()
  }

  close(): void {
    this.#around.timers.stop(this.#timer)
    for (const checked of this.#servers) {
      checked.fetch?.cancel()
      checked.server.release()
    }
    this.#redirects.origins.close()
  }

  /** Called by the timer. */
  round(): void {
    this.#around.timers.start(this.#timer, this.#intervalMs)
    if (!this.#table.lead(this.#around.nodeMs(), this.#intervalMs)) return
    for (const index of this.#servers.keys()) this.#check(index)
  }

  #check(index: number): void {
    const checked = this.#servers[index] as Checked
    if (checked.fetch !== null) return // still waiting for the last one
    const { uri, path, method, body, timeout } = this.#spec
    const target = uri || path || checked.url.pathPrefix || '/'
    const { client, timers } = this.#around
    const request = {
      method: method ?? 'GET',
      target: target.startsWith('/') ? target : `/${target}`,
      host: this.#host,
      headers: this.#headers,
      body: body === '' ? null : Buffer.from(body),
      redirects: this.#redirects,
    }
    const limits = { timeoutMs: timeout || DEFAULT_TIMEOUT_MS, bytesMax: BODY_BYTES_MAX }
    checked.fetch = new Fetch(client, checked.server, timers, request, limits, (outcome) => {
      checked.fetch = null
      this.#record(index, outcome)
    })
    checked.fetch.start()
  }

  #record(index: number, outcome: FetchOutcome): void {
    const passed = outcome.failure === '' && this.#passes(outcome)
    if (!this.#table.record(index, passed)) return
    const { log, title } = this.#around
    const { host, port } = (this.#servers[index] as Checked).url
    const fields = { pool: title, server: `${host}:${port}`, status: outcome.status }
    if (passed) log.info('back end is well again', fields)
    else log.warn('back end is not well', { ...fields, reason: outcome.failure })
  }
}

const tick = (checks: unknown): void => (checks as HealthChecks).round()

/** Whether an answer is one of a server that is well. */
function passing({ match }: HealthCheckSpec): (outcome: FetchOutcome) => boolean {
  const ranges =
    match === undefined || match.statusCodes.length === 0 ? [[200, 399]] : match.statusCodes
  const headers = (match?.headers ?? []).map(({ name, value, type }) => {
    const regexp = type === 'regexp' ? compileRegexp(value) : null
    const test = (text: string): boolean => (regexp === null ? text === value : regexp.test(text))
    return { name: name.toLowerCase(), test }
  })
  const body = match?.body
  const regexp = body?.type === 'regexp' ? compileRegexp(body.value) : null
  return (outcome) => {
    const { status } = outcome
    if (!ranges.some(([low = 0, high = 0]) => status >= low && status <= high)) return false
    for (const { name, test } of headers) {
      const at = outcome.headers.findIndex((each, i) => i % 2 === 0 && each === name)
      if (!test(at < 0 ? '' : (outcome.headers[at + 1] as string))) return false
    }
    if (body === undefined) return true
    const text = outcome.body.toString('utf8')
    return regexp === null ? text.includes(body.value) : regexp.test(text)
  }
}
