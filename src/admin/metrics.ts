import type { StoredObject } from '../protocol/coordinator.js'
import { ask, stamped } from './asking.js'
import type { Handler } from './call.js'

/** What Prometheus takes: its text format, version 0.0.4. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>

/** Numbers of a statistics block as gauges, beside the totals that are counters. */
const GAUGES: readonly string[] = [
  ...['m1', 'm5', 'm15', 'm1Err', 'm5Err', 'm15Err'],
  ...['m1ErrPercent', 'm5ErrPercent', 'm15ErrPercent'],
  ...['min', 'max', 'mean', 'p25', 'p50', 'p75', 'p95', 'p98', 'p99', 'p999'],
  ...['reqSize', 'respSize'],
]

/** The statistics of this node; compat/control-plane.md §8. */
export const readMetrics: Handler = async (call) => {
  call.query.expectOnly()
  const { member, clusterName, clusterRole } = call.around.node
  const [statuses, objects, own] = await Promise.all([
    ask(call, { type: 'list-object-status' }),
    ask(call, { type: 'list-objects' }),
    ask(call, { type: 'list-node-metrics' }),
  ])
  const metrics = new Metrics({ clusterName, clusterRole, instanceName: member })
  for (const object of objects.value) {
    const status = statuses.value[object.name]?.[member]
    if (status === undefined) continue
    if (object.kind === 'HTTPServer') addServer(metrics, object, status)
    else addPools(metrics, object, status)
    addFailures(metrics, object, status)
  }
  for (const { name, type, labels, value } of own) metrics.add(name, type, labels, value)
  return stamped(statuses, { type: 'text', contentType: CONTENT_TYPE, text: metrics.text() })
}

type Status = Readonly<Record<string, unknown>>

function addServer(metrics: Metrics, { name, kind }: StoredObject, status: Status): void {
  const labels = { httpServerName: name, kind }
  const block = mapping(status['status'])
  metrics.add('httpserver_health', 'gauge', labels, status['state'] === 'running' ? 1 : 0)
  metrics.add('httpserver_total_requests', 'counter', labels, block['count'])
  metrics.add('httpserver_total_responses', 'counter', labels, block['count'])
  metrics.add('httpserver_total_error_requests', 'counter', labels, block['errCount'])
  for (const key of GAUGES) metrics.add(`httpserver_${snake(key)}`, 'gauge', labels, block[key])
  for (const [code, count] of Object.entries(mapping(block['codes']))) {
    metrics.add('httpserver_status_codes', 'counter', { ...labels, code }, count)
  }
}

/** The pools of the proxies of a pipeline, by whatever names their statuses have them. */
function addPools(metrics: Metrics, { name, kind }: StoredObject, status: Status): void {
  for (const [filter, own] of Object.entries(mapping(status['filters']))) {
    for (const [pool, found] of Object.entries(mapping(own))) {
      const pools = Array.isArray(found) ? found : [found]
      for (const [index, each] of pools.entries()) {
        const stat = mapping(mapping(each)['stat'])
        const short = pool.replace(/Pools?$/, '') + (Array.isArray(found) ? `#${index}` : '')
        const labels = { proxyName: `proxy#${filter}#${short}`, kind, pipeline: name }
        metrics.add('proxy_total_connections', 'counter', labels, stat['count'])
        metrics.add('proxy_total_error_connections', 'counter', labels, stat['errCount'])
        for (const key of GAUGES) metrics.add(`proxy_${snake(key)}`, 'gauge', labels, stat[key])
      }
    }
  }
}

/** Exchanges that filters threw for; those of a GlobalFilter are with its parts. */
function addFailures(metrics: Metrics, { name, kind }: StoredObject, status: Status): void {
  const of = (pipeline: string, value: unknown): void =>
    metrics.add('pipeline_total_failures', 'counter', { pipeline, kind }, value)
  of(name, status['failures'])
  for (const part of ['beforePipeline', 'afterPipeline']) {
    of(`${name}/${part}`, mapping(status[part])['failures'])
  }
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMapping ? (value as Record<string, unknown>) : {}
}

/** `m1ErrPercent` → `m1_err_percent`. */
const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

class Metrics {
  readonly #common: Labels
  readonly #lines = new Map<string, string[]>()

  constructor(common: Labels) {
    this.#common = common
  }

  /** What is no number is not there. */
  add(name: string, type: 'counter' | 'gauge', labels: Labels, value: unknown): void {
    if (typeof value !== 'number') return
    const lines = this.#lines.get(name) ?? [`# TYPE ${name} ${type}`]
    this.#lines.set(name, lines)
    const text = Object.entries({ ...this.#common, ...labels })
      .map(([label, each]) => `${label}="${escaped(each)}"`)
      .join(',')
    lines.push(`${name}{${text}} ${value}`)
  }

  text(): string {
    return [...this.#lines.values()].map((lines) => `${lines.join('\n')}\n`).join('')
  }
}

const escaped = (value: string): string =>
  value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
