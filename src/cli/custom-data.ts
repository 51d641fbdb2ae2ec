import { parseYaml } from '../spec/yaml.js'
import { Refusal, type Reply } from './client.js'
import type { ObjectDocument } from './documents.js'
import { CliError, type CliIo } from './io.js'
import type { Session } from './session.js'
import { column, table } from './table.js'

/** Documents of files that are no objects: kinds of custom data, and changes of their items. */
const KINDS: ReadonlySet<string> = new Set(['CustomDataKind', 'CustomData'])

export const isCustomData = ({ kind }: { readonly kind: string }): boolean => KINDS.has(kind)

const kindPath = (name: string): string => `/customdatakinds/${encodeURIComponent(name)}`
const itemsPath = (kind: string): string => `/customdata/${encodeURIComponent(kind)}`
const itemPath = (kind: string, id: string): string =>
  `${itemsPath(kind)}/${encodeURIComponent(id)}`

/** Kinds of custom data in a table, or as they are. */
export async function showDataKinds(
  io: CliIo,
  session: Session,
  names: readonly string[],
): Promise<void> {
  const all = (await session.read('/customdatakinds')) as Record<string, unknown>[]
  for (const name of names) {
    if (!all.some((kind) => kind['name'] === name)) {
      throw new CliError(`there is no custom data kind "${name}"`)
    }
  }
  const kinds = names.length === 0 ? all : all.filter(({ name }) => names.includes(String(name)))
  if (session.output === 'yaml' || session.output === 'json') {
    await session.print(names.length === 1 ? kinds[0] : kinds)
    return
  }
  const rows = kinds.map((kind) => ({ ...kind, schema: 'jsonSchema' in kind ? 'yes' : 'no' }))
  const columns = [
    column('NAME', 'name'),
    column('ID-FIELD', 'idField'),
    column('JSON-SCHEMA', 'schema'),
    column('DATA-NUM', 'len'),
  ]
  io.out(table(columns, rows))
}

/** The items of a kind, or those of `ids`; there is no table that would fit all. */
export async function showData(session: Session, [kind, ...ids]: readonly string[]): Promise<void> {
  if (kind === undefined) throw new CliError('expected the kind of the custom data')
  const [first, ...more] = ids
  if (first === undefined) await session.print(await session.read(itemsPath(kind)))
  else if (more.length === 0) await session.print(await session.read(itemPath(kind, first)))
  else {
    const items: unknown[] = []
    for (const id of ids) items.push(await session.read(itemPath(kind, id)))
    await session.print(items)
  }
}

export async function deleteDataKinds(
  io: CliIo,
  session: Session,
  names: readonly string[],
  isAll: boolean,
): Promise<void> {
  if (isAll) await session.send('DELETE', '/customdatakinds', 'v2')
  for (const name of names) {
    await session.send('DELETE', kindPath(name), 'v2')
    io.out(`delete CustomDataKind ${name} successfully\n`)
  }
}

export async function deleteData(
  io: CliIo,
  session: Session,
  [kind, ...ids]: readonly string[],
  isAll: boolean,
): Promise<void> {
  if (kind === undefined) throw new CliError('expected the kind of the custom data')
  if (isAll === ids.length > 0) throw new CliError('expected ids, or --all')
  if (isAll) {
    await session.send('DELETE', `${itemsPath(kind)}/items`, 'v2')
    io.out(`delete CustomData ${kind} successfully\n`)
  }
  for (const id of ids) {
    await session.send('DELETE', itemPath(kind, id), 'v2')
    io.out(`delete CustomData ${kind} ${id} successfully\n`)
  }
}

/** Writes the kinds and items of files, in their order; stops at the first that is refused. */
export async function writeData(
  io: CliIo,
  session: Session,
  documents: readonly ObjectDocument[],
  verb: 'create' | 'apply',
): Promise<void> {
  for (const document of documents) {
    const { kind, name, file, line } = document
    try {
      const isNew =
        kind === 'CustomData' ? await change(session, document) : await put(session, document, verb)
      io.out(`${isNew ? 'create' : 'update'} ${kind} ${name} successfully\n`)
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown
      const message = `${verb} ${kind} ${name} failed, ${thrown.message}\nit is at ${file}:${line}`
      throw new CliError(message, { cause: thrown })
    }
  }
}

function fieldsOf({ text }: ObjectDocument): Record<string, unknown> {
  const parsed = parseYaml(text)
  const value = parsed.ok ? parsed.documents[0]?.value : null
  return { ...(value as Record<string, unknown>) }
}

/** True when the kind is new. */
async function put(
  session: Session,
  document: ObjectDocument,
  verb: 'create' | 'apply',
): Promise<boolean> {
  const { kind: _, ...fields } = fieldsOf(document)
  const body = JSON.stringify(fields)
  const send = (method: 'POST' | 'PUT'): Promise<Reply> =>
    session.client.request(method, '/customdatakinds', { api: 'v2', as: 'json', body })
  if (verb === 'apply' && (await exists(session, document.name))) {
    await send('PUT')
    return false
  }
  await send('POST')
  return true
}

async function exists(session: Session, name: string): Promise<boolean> {
  try {
    await session.read(kindPath(name))
    return true
  } catch (thrown) {
    if (thrown instanceof Refusal && thrown.status === 404) return false
    throw thrown
  }
}

/** A change of items: what goes, and what comes. */
async function change(session: Session, document: ObjectDocument): Promise<boolean> {
  const body = JSON.stringify(fieldsOf(document))
  const path = `${itemsPath(document.name)}/items`
  await session.client.request('POST', path, { api: 'v2', as: 'json', body })
  return false
}
