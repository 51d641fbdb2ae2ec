import type { StatusByMember, StoredObject } from '../protocol/coordinator.js'
import { ask, stamped } from './asking.js'
import type { Handler } from './call.js'
import type { Catalogue } from './catalogue.js'
import { DEFAULT_NAMESPACE, shownV2 } from './object-v2.js'
import { isDefaultNamespace, notFound } from './objects-v2.js'

/** Where v2 keeps the status of servers and pipelines; controllers have theirs in `default`. */
const TRAFFIC_NAMESPACE = `eg-traffic-${DEFAULT_NAMESPACE}`

/** `<namespace>/<object>/<member>` → status. */
export const listStatusV2: Handler = async (call) => {
  call.query.expectOnly()
  const [statuses, objects] = await Promise.all([
    ask(call, { type: 'list-object-status' }),
    ask(call, { type: 'list-objects' }),
  ])
  const { catalogue } = call.around
  const places = objects.value
    .flatMap((object) => placesOf(catalogue, object, statuses.value[object.name] ?? {}))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  return stamped(statuses, { type: 'map', entries: shownAll(catalogue, places) })
}

/** One at a time: specs are read from texts, which takes a while where there are many. */
function* shownAll(
  catalogue: Catalogue,
  places: readonly Place[],
): Generator<readonly [key: string, status: unknown]> {
  for (const place of places) yield [place.key, shown(catalogue, place)]
}

/** The same for one object. */
export const getStatusV2: Handler = async (call) => {
  call.query.expectOnly('namespace')
  const name = call.params['name'] as string
  if (!isDefaultNamespace(call)) throw notFound(name)
  const [status, object] = await Promise.all([
    ask(call, { type: 'get-object-status', name }),
    ask(call, { type: 'get-object', name }),
  ])
  const { catalogue } = call.around
  const places = placesOf(catalogue, object.value, status.value)
  const value = Object.fromEntries(shownAll(catalogue, places))
  return stamped(status, { type: 'value', value })
}

type Status = Readonly<Record<string, unknown>>

/** The status of an object on a member, and where v2 has it. */
interface Place {
  readonly key: string
  readonly isTraffic: boolean
  readonly object: StoredObject
  readonly status: Status
}

function placesOf(
  catalogue: Catalogue,
  object: StoredObject,
  byMember: StatusByMember,
): readonly Place[] {
  const isTraffic = catalogue.objectKind(object.kind)?.category !== 'BusinessController'
  const namespace = isTraffic ? TRAFFIC_NAMESPACE : DEFAULT_NAMESPACE
  return Object.entries(byMember).map(([member, status]) => {
    const key = `${namespace}/${object.name}/${member}`
    return { key, isTraffic, object, status }
  })
}

function shown(catalogue: Catalogue, { isTraffic, object, status }: Place): unknown {
  const { timestamp, ...own } = flattened(object.name, status)
  return isTraffic
    ? { spec: shownV2(catalogue, object), status: own, timestamp }
    : { ...own, timestamp }
}

/** v2 has the statistics of a server beside its state, where v1 has them inside `status`. */
function flattened(name: string, status: Status): Status {
  const { status: statistics, topN, ...own } = status
  if (typeof statistics !== 'object' || statistics === null) return status
  const paths = Array.isArray(topN) ? topN.map(flattenedPath) : []
  return { name, ...own, ...statistics, topN: paths }
}

function flattenedPath(entry: { readonly path?: unknown; readonly status?: object }): unknown {
  return { path: entry.path, ...entry.status }
}
