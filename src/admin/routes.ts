import type { ApiEntry, Handler } from './call.js'
import { createObject, deleteObject, getObject, listObjects, updateObject } from './objects.js'
import {
  about,
  filterDescription,
  filterResults,
  filterSchema,
  getObjectStatus,
  health,
  listApis,
  listFilterKinds,
  listMembers,
  listObjectKinds,
  listObjectStatus,
  purgeMember,
} from './reads.js'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

interface Route {
  readonly method: Method
  /** Below the prefix; `{name}` takes one segment. */
  readonly path: string
  readonly handle: Handler
}

/** Routes that speak one dialect; more than one may stand over the same objects. */
export interface Dialect {
  readonly prefix: string
  readonly routes: readonly Route[]
}

const FILTERS = '/metadata/objects/httppipeline/filters'

export const V1: Dialect = {
  prefix: '/apis/v1',
  routes: [
    { method: 'GET', path: '', handle: listApis },
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'GET', path: '/about', handle: about },
    { method: 'GET', path: '/status/members', handle: listMembers },
    { method: 'DELETE', path: '/status/members/{member}', handle: purgeMember },
    { method: 'GET', path: '/object-kinds', handle: listObjectKinds },
    { method: 'POST', path: '/objects', handle: createObject },
    { method: 'GET', path: '/objects', handle: listObjects },
    { method: 'GET', path: '/objects/{name}', handle: getObject },
    { method: 'PUT', path: '/objects/{name}', handle: updateObject },
    { method: 'DELETE', path: '/objects/{name}', handle: deleteObject },
    { method: 'GET', path: '/status/objects', handle: listObjectStatus },
    { method: 'GET', path: '/status/objects/{name}', handle: getObjectStatus },
    { method: 'GET', path: FILTERS, handle: listFilterKinds },
    { method: 'GET', path: `${FILTERS}/{kind}/description`, handle: filterDescription },
    { method: 'GET', path: `${FILTERS}/{kind}/schema`, handle: filterSchema },
    { method: 'GET', path: `${FILTERS}/{kind}/results`, handle: filterResults },
  ],
}

export type Found =
  | {
      readonly type: 'route'
      readonly dialect: Dialect
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
export function findRoute(dialects: readonly Dialect[], method: string, path: string): Found {
  const segments: string[] = []
  for (const raw of path.replace(/\/+$/, '').split('/')) {
    const segment = decoded(raw)
    if (segment === null) return { type: 'malformed' }
    segments.push(segment)
  }
  const wanted = method === 'HEAD' ? 'GET' : method
  const allowed = new Set<string>()
  for (const dialect of dialects) {
    for (const route of dialect.routes) {
      const params = match(dialect.prefix + route.path, segments)
      if (params === null) continue
      if (route.method === wanted) return { type: 'route', dialect, route, params }
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

export function apiListOf(dialect: Dialect): readonly ApiEntry[] {
  return dialect.routes.map(({ path, method }) => ({ path: dialect.prefix + path, method }))
}
