import { setImmediate as nextTurn } from 'node:timers/promises'
import { GatewayError } from '../lib/errors.js'
import { suggest } from '../lib/suggest.js'
import type { StoredObject } from '../protocol/coordinator.js'
import { toYaml } from '../spec/yaml.js'
import { ask, askToWrite, stamped } from './asking.js'
import { type Call, EMPTY, type Handler } from './call.js'
import type { Catalogue, ObjectKindInfo } from './catalogue.js'
import { DEFAULT_NAMESPACE, shownV2, templateV2 } from './object-v2.js'
import { requestIdOf, writeHeaders } from './objects.js'
import { text, value } from './reads.js'
import { YAML_TYPE_V2 } from './yaml.js'

/**
 * Objects of a namespace, those of one kind with `kind`. With `all-namespaces` by namespace. Only
 * `default` has any: other namespaces belong to controllers, of which there are none.
 */
export const listObjectsV2: Handler = async (call) => {
  call.query.expectOnly('namespace', 'all-namespaces', 'kind')
  const isAll = call.query.isSet('all-namespaces')
  const isHere = isDefaultNamespace(call)
  if (isAll && call.query.get('namespace') !== null) {
    throw new GatewayError('REQUEST_INVALID', "can't use namespace and all-namespaces together")
  }
  const { catalogue } = call.around
  const kind = kindAsked(call)
  const result = await ask(call, { type: 'list-objects' })
  const objects = result.value
    .filter((object) => kind === null || object.kind === kind.kind)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  if (isAll) {
    const shown = await inSlices(shownAll(catalogue, objects))
    return stamped(result, { type: 'value', value: { [DEFAULT_NAMESPACE]: shown } })
  }
  return stamped(result, { type: 'list', items: shownAll(catalogue, isHere ? objects : []) })
}

/** Longest time objects are read before sockets get a turn. */
const SLICE_MS = 4

async function inSlices<T>(items: Iterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  let endMs = performance.now() + SLICE_MS
  for (const item of items) {
    all.push(item)
    if (performance.now() < endMs) continue
    await nextTurn()
    endMs = performance.now() + SLICE_MS
  }
  return all
}

function* shownAll(
  catalogue: Catalogue,
  objects: readonly StoredObject[],
): Generator<Record<string, unknown>> {
  for (const object of objects) yield shownV2(catalogue, object)
}

export const getObjectV2: Handler = async (call) => {
  call.query.expectOnly('namespace')
  const name = call.params['name'] as string
  if (!isDefaultNamespace(call)) throw notFound(name)
  const result = await ask(call, { type: 'get-object', name })
  const shown = shownV2(call.around.catalogue, result.value)
  return stamped(result, { type: 'value', value: shown }, { ETag: `"${result.value.version}"` })
}

export const deleteAllObjects: Handler = async (call) => {
  call.query.expectOnly('all')
  if (!call.query.isSet('all')) {
    throw new GatewayError('REQUEST_INVALID', 'to delete every object, say ?all=true')
  }
  const requestId = requestIdOf(call)
  const result = await askToWrite(call, { type: 'delete-all-objects', requestId })
  return { status: 200, body: EMPTY, headers: writeHeaders(result), version: result.version }
}

/** A document to fill in. */
export const objectTemplate: Handler = async (call) => {
  call.query.expectOnly()
  const { kind } = kindNamed(call, call.params['kind'] as string)
  const template = templateV2(call.around.catalogue, kind, call.params['name'] as string)
  return {
    status: 200,
    body: { type: 'text', contentType: YAML_TYPE_V2, text: toYaml(template) },
    version: null,
  }
}

/** Names by which kinds go on command lines. */
export const listApiResources: Handler = async (call) => {
  const { catalogue } = call.around
  const resources = [...catalogue.objectKinds()].sort().map((kind) => {
    const info = catalogue.objectKind(kind) as ObjectKindInfo
    const { category, aliases } = info
    return { Category: category, Kind: kind, Name: kind.toLowerCase(), Aliases: aliases }
  })
  return value(call, resources)
}

export const objectDescription: Handler = async (call) => {
  const { description } = kindNamed(call, call.params['kind'] as string)
  return text(call, `${description}\n`)
}

/** JSON Schema of documents of a kind. */
export const objectSchema: Handler = async (call) => {
  const { kind } = kindNamed(call, call.params['kind'] as string)
  return value(call, call.around.catalogue.objectSchema(kind, 'v2'))
}

/** By name, alias or the name in lower case; throws ROUTE_NOT_FOUND. */
function kindNamed({ around: { catalogue } }: Call, word: string): ObjectKindInfo {
  const kinds = catalogue.objectKinds()
  const folded = word.toLowerCase()
  for (const kind of kinds) {
    const info = catalogue.objectKind(kind) as ObjectKindInfo
    if (kind.toLowerCase() === folded || info.aliases.includes(folded)) return info
  }
  const near = suggest(word, kinds)
  const hint = near === null ? '' : `, did you mean ${near}?`
  throw new GatewayError('ROUTE_NOT_FOUND', `kind ${word} not found${hint}`)
}

function kindAsked(call: Call): ObjectKindInfo | null {
  const word = call.query.get('kind')
  return word === null ? null : kindNamed(call, word)
}

/** No namespace is the default one. */
export function isDefaultNamespace({ query }: Call): boolean {
  return (query.get('namespace') || DEFAULT_NAMESPACE) === DEFAULT_NAMESPACE
}

export const notFound = (name: string): GatewayError =>
  new GatewayError('OBJECT_NOT_FOUND', 'not found', { name })
