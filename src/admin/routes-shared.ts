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

/** What both dialects ask alike; `pipelineKind` is the object kind that filters belong to. */
export function sharedRoutes(pipelineKind: string): readonly Route[] {
  const filters = `/metadata/objects/${pipelineKind}/filters`
  return [
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'GET', path: '/about', handle: about },
    { method: 'DELETE', path: '/status/members/{member}', handle: purgeMember },
    { method: 'GET', path: '/object-kinds', handle: listObjectKinds },
    { method: 'POST', path: '/objects', handle: createObject },
    { method: 'PUT', path: '/objects/{name}', handle: updateObject },
    { method: 'DELETE', path: '/objects/{name}', handle: deleteObject },
    { method: 'GET', path: filters, handle: listFilterKinds },
    { method: 'GET', path: `${filters}/{kind}/description`, handle: filterDescription },
    { method: 'GET', path: `${filters}/{kind}/schema`, handle: filterSchema },
    { method: 'GET', path: `${filters}/{kind}/results`, handle: filterResults },
  ]
}
