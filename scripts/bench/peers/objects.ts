/** The objects that make a gateway do what a site asks, in the two dialects of Easegress. */
import { readFileSync } from 'node:fs'
import {
  bodyOf,
  type Changing,
  fieldsSet,
  MOCK_HEADERS,
  type PathRoute,
  type Site,
} from '../site.js'

/** An object as it is sent to the admin API, as JSON, which is YAML too. */
export interface GatewayObject {
  readonly name: string
  readonly kind: string
  readonly [field: string]: unknown
}

export type Dialect = 'v1' | 'v2'

export interface Route extends PathRoute {
  readonly backend: string
}

const CONNECTIONS_MAX = 20_000
/** Changes that differ. */
const DIFFERENT = 64

export const PIPELINE = 'pipeline-demo'
const SERVER = 'server-demo'

export function pipelineObject(
  dialect: Dialect,
  name: string,
  filters: readonly Readonly<Record<string, unknown>>[],
): GatewayObject {
  const named = filters.map((filter, i) => ({ name: `filter-${i + 1}`, ...filter }))
  const flow = named.map(({ name: filter }) => ({ filter }))
  return { name, kind: dialect === 'v1' ? 'HTTPPipeline' : 'Pipeline', flow, filters: named }
}

export function serverObject(
  dialect: Dialect,
  port: number,
  routes: readonly Route[],
  site: Site,
): GatewayObject {
  return {
    name: SERVER,
    kind: 'HTTPServer',
    port,
    keepAlive: true,
    maxConnections: CONNECTIONS_MAX,
    ...(dialect === 'v2' && site.bigBodies ? { clientMaxBodySize: -1 } : {}),
    ...(site.tls === null
      ? { https: false }
      : {
          https: true,
          certBase64: readFileSync(site.tls.cert).toString('base64'),
          keyBase64: readFileSync(site.tls.key).toString('base64'),
        }),
    rules: [{ paths: routes }],
  }
}

/** A filter that hands requests on to the back ends of `site`, in turn. */
export function proxyFilter(dialect: Dialect, site: Site): Readonly<Record<string, unknown>> {
  const servers = site.backEnds.map((port) => ({ url: `http://127.0.0.1:${port}` }))
  const pool = { servers, loadBalance: { policy: 'roundRobin' } }
  if (dialect === 'v1') return { kind: 'Proxy', mainPool: pool }
  return { kind: 'Proxy', pools: [pool], ...(site.bigBodies ? { serverMaxBodySize: -1 } : {}) }
}

/** A filter that answers with `bytes` bytes. */
export function mockFilter(bytes: number): Readonly<Record<string, unknown>> {
  return { kind: 'Mock', rules: [{ code: 200, headers: MOCK_HEADERS, body: bodyOf(bytes) }] }
}

/** A filter for each field that is set, then the one that answers or proxies. */
export function filtersFor(dialect: Dialect, site: Site): Readonly<Record<string, unknown>>[] {
  const setters = fieldsSet(site).map(([name, value]) => ({
    kind: 'RequestAdaptor',
    header: { set: { [name]: value } },
  }))
  return [
    ...setters,
    site.mockBytes === null ? proxyFilter(dialect, site) : mockFilter(site.mockBytes),
  ]
}

/** What `site` asks for, behind one route. */
export function objectsFor(dialect: Dialect, site: Site, port: number): GatewayObject[] {
  return [
    pipelineObject(dialect, PIPELINE, filtersFor(dialect, site)),
    serverObject(dialect, port, [{ pathPrefix: '/', backend: PIPELINE }], site),
  ]
}

/** The pipeline that carries all traffic is replaced, with another one each time. */
export function changingOf(dialect: Dialect, site: Site, adminPort: number): Changing {
  const requests = Array.from({ length: DIFFERENT }, (_, i) => {
    const header = { set: { 'X-Bench-Change': String(i) } }
    const filters = [{ kind: 'RequestAdaptor', header }, ...filtersFor(dialect, site)]
    return {
      path: `/apis/${dialect}/objects/${PIPELINE}`,
      method: 'PUT',
      body: JSON.stringify(pipelineObject(dialect, PIPELINE, filters)),
      expect: { status: '200' },
    }
  })
  return { port: adminPort, requests }
}
