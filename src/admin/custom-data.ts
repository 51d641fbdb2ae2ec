import { GatewayError } from '../lib/errors.js'
import type { CustomDataOp, DataAnswer, DataItem, DataKind } from '../protocol/custom-data.js'
import { decode } from '../spec/decode.js'
import { anything, boolean, list, object, string, urlName } from '../spec/schema.js'
import { parseYaml } from '../spec/yaml.js'
import { askToWrite } from './asking.js'
import { type Answer, type Body, type Call, EMPTY, type Handler } from './call.js'
import { requestIdOf } from './objects.js'

const kindFields = object({
  name: urlName({ doc: 'What the kind is called.' }),
  idField: string({ doc: 'Field of an item that holds its id.', min: 1, default: 'name' }),
  jsonSchema: anything({ doc: 'What items have to be like.', default: null }),
})

const changeFields = object({
  name: string({ doc: 'Taken for files of egctl; the address names the kind.', default: '' }),
  kind: string({ doc: 'The same.', default: '' }),
  rebuild: boolean({ doc: 'Items that are not in `list` go.', default: false }),
  delete: list(string({ doc: 'An id.' }), { doc: 'Items to delete.', default: [] }),
  list: list(anything({ doc: 'An item.' }), { doc: 'Items to create or replace.', default: [] }),
})

async function run(call: Call, what: CustomDataOp): Promise<DataAnswer> {
  call.query.expectOnly()
  return askToWrite(call, { type: 'custom-data', what, requestId: requestIdOf(call) })
}

/** The answer to a read, marked when it may be old. */
function shown({ staleSeconds }: DataAnswer, body: Body): Answer {
  if (staleSeconds === null) return { status: 200, body, version: null }
  const headers = { 'X-Easegress-Stale': String(Math.ceil(staleSeconds)) }
  return { status: 200, body, headers, version: null }
}

const done: Answer = { status: 200, body: EMPTY, version: null }

const shownKind = ({ jsonSchema, ...kind }: DataKind): object =>
  jsonSchema === null ? kind : { ...kind, jsonSchema }

export const listDataKinds: Handler = async (call) => {
  const answer = await run(call, { op: 'list-kinds' })
  const kinds = answer.value as readonly DataKind[]
  return shown(answer, { type: 'value', value: kinds.map(shownKind) })
}

export const getDataKind: Handler = async (call) => {
  const answer = await run(call, { op: 'get-kind', name: param(call, 'name') })
  return shown(answer, { type: 'value', value: shownKind(answer.value as DataKind) })
}

export const createDataKind: Handler = (call) => putKind(call, 'create')
export const updateDataKind: Handler = (call) => putKind(call, 'update')

async function putKind(call: Call, mode: 'create' | 'update'): Promise<Answer> {
  const decoded = decode(kindFields, await read(call))
  if (!decoded.ok) throw refusal(decoded.problems)
  const { name, idField, jsonSchema } = decoded.value
  await run(call, { op: 'put-kind', mode, kind: { name, idField, jsonSchema } })
  return mode === 'create' ? created(call, `customdatakinds/${name}`) : done
}

export const deleteDataKind: Handler = async (call) => {
  await run(call, { op: 'delete-kind', name: param(call, 'name') })
  return done
}

export const deleteDataKinds: Handler = async (call) => {
  await run(call, { op: 'delete-kind', name: null })
  return done
}

export const listDataItems: Handler = async (call) => {
  const answer = await run(call, { op: 'list-items', kind: param(call, 'kind') })
  return shown(answer, { type: 'list', items: answer.value as DataItem[] })
}

export const getDataItem: Handler = async (call) => {
  const what = { op: 'get-item', kind: param(call, 'kind'), id: param(call, 'id') } as const
  const answer = await run(call, what)
  return shown(answer, { type: 'value', value: answer.value })
}

export const createDataItem: Handler = (call) => putItem(call, 'create')
export const updateDataItem: Handler = (call) => putItem(call, 'update')

async function putItem(call: Call, mode: 'create' | 'update'): Promise<Answer> {
  const kind = param(call, 'kind')
  const item = itemOf(await read(call), 'item')
  const { value: id } = await run(call, { op: 'put-item', mode, kind, item })
  return mode === 'create' ? created(call, `customdata/${kind}/${id}`) : done
}

export const deleteDataItem: Handler = async (call) => {
  await run(call, { op: 'delete-item', kind: param(call, 'kind'), id: param(call, 'id') })
  return done
}

export const deleteDataItems: Handler = async (call) => {
  await run(call, { op: 'delete-item', kind: param(call, 'kind'), id: null })
  return done
}

/** Creates, replaces and deletes items of a kind in one transaction. */
export const changeDataItems: Handler = async (call) => {
  const decoded = decode(changeFields, await read(call))
  if (!decoded.ok) throw refusal(decoded.problems)
  const { rebuild, delete: deletes, list: items } = decoded.value
  const puts = items.map((item, index) => itemOf(item, `list/${index}`))
  await run(call, { op: 'change-items', kind: param(call, 'kind'), rebuild, deletes, puts })
  return done
}

const param = (call: Call, name: string): string => call.params[name] as string

function created(call: Call, path: string): Answer {
  const location = `${call.prefix}/${path.split('/').map(encodeURIComponent).join('/')}`
  return { status: 201, body: EMPTY, headers: { Location: location }, version: null }
}

/** The body, in JSON or YAML. */
async function read(call: Call): Promise<unknown> {
  const parsed = parseYaml(await call.readText())
  if (!parsed.ok) throw new GatewayError('SPEC_INVALID', parsed.message)
  const [document, second] = parsed.documents
  if (document === undefined || second !== undefined) {
    throw new GatewayError('SPEC_INVALID', 'expected one document in JSON or YAML')
  }
  return document.value
}

function itemOf(value: unknown, where: string): DataItem {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as DataItem
  throw new GatewayError('SPEC_INVALID', `${where}: expected an item: a mapping`)
}

function refusal(
  problems: readonly { readonly path: readonly (string | number)[]; readonly message: string }[],
): GatewayError {
  const lines = problems.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('/')}: ${message}`,
  )
  return new GatewayError('SPEC_INVALID', lines.join('\n'))
}
