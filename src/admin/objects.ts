import { randomUUID } from 'node:crypto'
import { GatewayError } from '../lib/errors.js'
import type { PutMode, StoredObject, WriteResult } from '../protocol/coordinator.js'
import { ask, askToWrite, stamped } from './asking.js'
import { type Answer, type Call, EMPTY, type Handler } from './call.js'
import { headerText } from './headers.js'
import { parseStored, sortKeys, YAML_TYPE } from './yaml.js'

const WARNINGS_MAX = 20

export const listObjects: Handler = async (call) => {
  call.query.expectOnly()
  const result = await ask(call, { type: 'list-objects' })
  const objects = [...result.value].sort(byName)
  return stamped(result, { type: 'list', items: specsOf(objects) })
}

const byName = (a: StoredObject, b: StoredObject): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

/** The specs as they were written, not as we decoded them: v1 adds no defaults. */
function* specsOf(objects: readonly StoredObject[]): Generator<unknown> {
  for (const object of objects) yield sortKeys(parseStored(object.name, object.text))
}

/** `ETag` is the version of this object's last write, for `If-Match`. */
export const getObject: Handler = async (call) => {
  call.query.expectOnly()
  const result = await ask(call, { type: 'get-object', name: nameOf(call) })
  const { name, text, version } = result.value
  return stamped(
    result,
    call.format.isJson
      ? { type: 'value', value: parseStored(name, text) }
      : { type: 'text', contentType: YAML_TYPE, text },
    { ETag: `"${version}"` },
  )
}

export const createObject: Handler = async (call) => {
  call.query.expectOnly('dry-run')
  if (call.request.headers['if-match'] !== undefined) {
    throw new GatewayError('REQUEST_INVALID', 'If-Match: a create expects that nothing is there')
  }
  return put(call, 'create', null)
}

/** With `?apply` the object is created when it is not there. */
export const updateObject: Handler = async (call) => {
  call.query.expectOnly('dry-run', 'apply')
  return put(call, call.query.isSet('apply') ? 'apply' : 'update', nameOf(call))
}

async function put(call: Call, mode: PutMode, name: string | null): Promise<Answer> {
  const dryRun = call.query.isSet('dry-run')
  const ifMatch = ifMatchOf(call)
  const requestId = requestIdOf(call)
  const text = await call.readText()
  const result = await askToWrite(call, {
    type: 'put-object',
    mode,
    name,
    text,
    dialect: call.dialect,
    ifMatch,
    dryRun,
    requestId,
  })
  const isNew = result.created && !dryRun
  const headers = {
    ...writeHeaders(result),
    ...(isNew ? { Location: locationOf(call, result) } : {}),
  }
  return { status: isNew ? 201 : 200, body: EMPTY, headers, version: result.version }
}

const locationOf = (call: Call, { name }: WriteResult): string =>
  `${call.prefix}/objects/${encodeURIComponent(name)}`

export const deleteObject: Handler = async (call) => {
  call.query.expectOnly()
  const result = await askToWrite(call, {
    type: 'delete-object',
    name: nameOf(call),
    ifMatch: ifMatchOf(call),
    requestId: requestIdOf(call),
  })
  return { status: 200, body: EMPTY, headers: writeHeaders(result), version: result.version }
}

export function writeHeaders(result: WriteResult): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = {}
  if (result.lagging.length > 0) {
    headers['X-Config-Applied'] = 'partial'
    headers['X-Config-Lagging'] = headerText(result.lagging.join(', '))
  }
  const { warnings } = result
  if (warnings.length > 0) {
    const shown = warnings.slice(0, WARNINGS_MAX)
    if (warnings.length > shown.length) shown.push(`and ${warnings.length - shown.length} more`)
    headers['X-Easegress-Warning'] = shown.map(headerText)
  }
  return headers
}

function nameOf(call: Call): string {
  return call.params['name'] as string
}

/** Null for "any". RFC 9110 §13.1.1, but one strong tag only: an object has one version. */
function ifMatchOf(call: Call): number | null {
  const header = call.request.headers['if-match']
  if (header === undefined || header.trim() === '*') return null
  const match = /^\s*(?:"(\d{1,15})"|(\d{1,15}))\s*$/.exec(header)
  if (match === null) {
    throw new GatewayError('REQUEST_INVALID', 'If-Match: expected one version, such as "12", or *')
  }
  return Number(match[1] ?? match[2])
}

/** A client that repeats a write whose answer was lost sends the same id again. */
export function requestIdOf(call: Call): string {
  const header = call.request.headers['x-request-id']
  if (header === undefined) return randomUUID()
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(header)) {
    throw new GatewayError(
      'REQUEST_INVALID',
      'X-Request-Id: expected 1 to 128 visible ASCII characters',
    )
  }
  return header
}
