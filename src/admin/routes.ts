import type { IncomingHttpHeaders } from 'node:http'
import type { Dialect } from '../spec/document.js'
import type { ApiEntry, Format, Handler } from './call.js'
import { wantsJson } from './headers.js'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface Route {
  readonly method: Method
  /** Below the prefix; `{name}` takes one segment. */
  readonly path: string
  readonly handle: Handler
  /** What it belongs to, as v2 groups them; `admin` unless said otherwise. */
  readonly group?: string
}

/** Routes that speak one dialect; several stand over the same objects. */
export interface Api {
  readonly prefix: string
  readonly dialect: Dialect
  /** Content type of YAML. */
  readonly yamlType: string
  /** What is answered when nobody asks for either format. */
  readonly isJson: boolean
  readonly routes: readonly Route[]
}

export type Found =
  | {
      readonly type: 'route'
      readonly api: Api
      readonly route: Route
      readonly params: Readonly<Record<string, string>>
    }
  | { readonly type: 'wrong-method'; readonly allowed: readonly string[] }
  | { readonly type: 'nothing' }
  /** The path is not proper percent-encoding. */
  | { readonly type: 'malformed' }

/**
 * Finds the route of `method` (HEAD counts as GET) and `path` (without query). Slashes at the end
 * do not count.
 */
export function findRoute(apis: readonly Api[], method: string, path: string): Found {
  const segments: string[] = []
  for (const raw of path.replace(/\/+$/, '').split('/')) {
    const segment = decoded(raw)
    if (segment === null) return { type: 'malformed' }
    segments.push(segment)
  }
  const wanted = method === 'HEAD' ? 'GET' : method
  const allowed = new Set<string>()
  for (const api of apis) {
    for (const route of api.routes) {
      const params = match(api.prefix + route.path, segments)
      if (params === null) continue
      if (route.method === wanted) return { type: 'route', api, route, params }
      allowed.add(route.method)
      if (route.method === 'GET') allowed.add('HEAD')
    }
  }
  return allowed.size > 0
    ? { type: 'wrong-method', allowed: [...allowed].sort() }
    : { type: 'nothing' }
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}

function match(template: string, segments: readonly string[]): Record<string, string> | null {
  const parts = template.split('/')
  if (parts.length !== segments.length) return null
  const params: Record<string, string> = {}
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] as string
    if (!part.startsWith('{')) {
      if (part !== segment) return null
    } else if (segment === '') return null
    else params[part.slice(1, -1)] = segment
  }
  return params
}

export function apiListOf(api: Api): readonly ApiEntry[] {
  return api.routes.map(({ path, method, group = 'admin' }) => ({
    path: api.prefix + path,
    method,
    group,
  }))
}

/** In which format a request of this path is answered, whether there is such a path or not. */
export function formatOf(apis: readonly Api[], url: string, headers: IncomingHttpHeaders): Format {
  const api = apis.find(({ prefix }) => url.startsWith(prefix)) ?? (apis[0] as Api)
  return { isJson: wantsJson(headers, api.isJson), yamlType: api.yamlType }
}
