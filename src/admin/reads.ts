import { GatewayError } from '../lib/errors.js'
import { suggest } from '../lib/suggest.js'
import type { MemberStatus } from '../protocol/coordinator.js'
import { toYaml } from '../spec/yaml.js'
import { ask, stamped } from './asking.js'
import { type Answer, type Call, EMPTY, type Handler } from './call.js'
import type { FilterKindInfo } from './catalogue.js'

const TEXT_TYPE = 'text/plain; charset=utf-8'

export const listApis: Handler = async (call) =>
  value(
    call,
    call.apiList.map(({ path, method }) => ({ path, method })),
  )

/** The same, as v2 groups it; the capitals are its own. */
export const listApiGroups: Handler = async (call) => {
  const groups = new Map<string, { path: string; method: string }[]>()
  for (const { group, path, method } of call.apiList) {
    groups.set(group, [...(groups.get(group) ?? []), { path, method }])
  }
  const names = [...groups.keys()].sort()
  return value(
    call,
    names.map((Group) => ({ Group, Entries: groups.get(Group) })),
  )
}

/** Healthy means that the coordinator answers; without quorum it still does. */
export const health: Handler = async (call) => {
  call.query.expectOnly()
  return stamped(await ask(call, { type: 'get-config-version' }), EMPTY)
}

const ABOUT = `Easegress in TypeScript: free software under the Apache License 2.0.
Its configuration store keeps to the terms of etcd (https://etcd.io): terms, revisions and leases; no code of it is inside.
`

export const about: Handler = async (call) => text(call, ABOUT)

export const listMembers: Handler = async (call) => {
  call.query.expectOnly()
  const result = await ask(call, { type: 'list-members' })
  const members = [...result.value].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  // The keys in the order of v1, whatever order they were sent in.
  const value = members.map(({ options, lastHeartbeatTime, etcd, clockOffsetMs }) => ({
    options,
    lastHeartbeatTime,
    etcd: etcd && { id: etcd.id, startTime: etcd.startTime, state: etcd.state },
    ...(clockOffsetMs === undefined ? {} : { clockOffsetMs }),
  }))
  return stamped(result, { type: 'value', value })
}

const nameOf = (member: MemberStatus): string => String(member.options['name'])

export const purgeMember: Handler = async (call) => {
  call.query.expectOnly()
  const name = call.params['member'] as string
  return stamped(await ask(call, { type: 'purge-member', name }), EMPTY)
}

export const listObjectStatus: Handler = async (call) => {
  call.query.expectOnly()
  const result = await ask(call, { type: 'list-object-status' })
  return stamped(result, { type: 'map', entries: Object.entries(result.value) })
}

/** As YAML each member's status is a text that holds YAML, which is what v1 gives. */
export const getObjectStatus: Handler = async (call) => {
  call.query.expectOnly()
  const name = call.params['name'] as string
  const result = await ask(call, { type: 'get-object-status', name })
  const texts = Object.entries(result.value).map(([member, status]) => [member, toYaml(status)])
  const value = call.format.isJson ? result.value : Object.fromEntries(texts)
  return stamped(result, { type: 'value', value })
}

export const listObjectKinds: Handler = async (call) =>
  value(call, [...call.around.catalogue.objectKinds()].sort())

export const listFilterKinds: Handler = async (call) =>
  value(call, [...call.around.catalogue.filterKinds(call.dialect)].sort())

export const filterDescription: Handler = async (call) =>
  text(call, `${filterKind(call).description}\n`)

export const filterSchema: Handler = async (call) => value(call, filterKind(call).schema)

export const filterResults: Handler = async (call) => value(call, filterKind(call).results)

function filterKind(call: Call): FilterKindInfo {
  const { catalogue } = call.around
  const kind = call.params['kind'] as string
  const info = catalogue.filterKind(kind, call.dialect)
  if (info !== null) return info
  const near = suggest(kind, catalogue.filterKinds(call.dialect))
  const hint = near === null ? '' : `, did you mean ${near}?`
  throw new GatewayError('ROUTE_NOT_FOUND', `kind ${kind} not found${hint}`)
}

/** The answer to a read that needs nobody's help. */
export function value(call: Call, data: unknown): Answer {
  call.query.expectOnly()
  return { status: 200, body: { type: 'value', value: data }, version: null }
}

export function text(call: Call, content: string): Answer {
  call.query.expectOnly()
  return {
    status: 200,
    body: { type: 'text', contentType: TEXT_TYPE, text: content },
    version: null,
  }
}
