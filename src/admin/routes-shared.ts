import { createObject, deleteObject, updateObject } from './objects.js'
import {
  about,
  filterDescription,
  filterResults,
  filterSchema,
  health,
  listFilterKinds,
  listObjectKinds,
  purgeMember,
} from './reads.js'
import type { Route } from './routes.js'

/*
 * What both dialects ask alike, in pieces: the lists of both, which clients read, keep their order.
 */

export const ABOUT_NODE: readonly Route[] = [
  { method: 'GET', path: '/healthz', handle: health },
  { method: 'GET', path: '/about', handle: about },
]

export const PURGE_AND_KINDS: readonly Route[] = [
  { method: 'DELETE', path: '/status/members/{member}', handle: purgeMember },
  { method: 'GET', path: '/object-kinds', handle: listObjectKinds },
]

export const CREATE: Route = { method: 'POST', path: '/objects', handle: createObject }

export const CHANGE: readonly Route[] = [
  { method: 'PUT', path: '/objects/{name}', handle: updateObject },
  { method: 'DELETE', path: '/objects/{name}', handle: deleteObject },
]

/** `pipelineKind`: the object kind that filters belong to. */
export function filterRoutes(pipelineKind: string): readonly Route[] {
  const filters = `/metadata/objects/${pipelineKind}/filters`
  return [
    { method: 'GET', path: filters, handle: listFilterKinds },
    { method: 'GET', path: `${filters}/{kind}/description`, handle: filterDescription },
    { method: 'GET', path: `${filters}/{kind}/schema`, handle: filterSchema },
    { method: 'GET', path: `${filters}/{kind}/results`, handle: filterResults },
  ]
}
