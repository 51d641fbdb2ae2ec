import { suggest } from '../lib/suggest.js'
import { Refusal } from './client.js'
import { CliError } from './io.js'
import type { Session } from './session.js'

/** A kind of objects as the server names it for command lines. */
export interface Resource {
  /** The kind in lower case. */
  readonly name: string
  readonly kind: string
  readonly aliases: readonly string[]
  readonly category: string
}

/** What a resource word on a command line means. */
export type Asked =
  | { readonly type: 'all' }
  | { readonly type: 'member' }
  | { readonly type: 'data-kind' }
  | { readonly type: 'data' }
  | { readonly type: 'kind'; readonly resource: Resource }

/** Not kinds of objects, but managed by the same verbs. */
export const MEMBER = { name: 'member', aliases: ['members', 'm', 'mem'] } as const
export const DATA_KIND = { name: 'customdatakind', aliases: ['customdatakinds', 'cdk'] } as const
export const DATA = { name: 'customdata', aliases: ['customdatas', 'cd'] } as const

const isNamed = (
  { name, aliases }: { readonly name: string; readonly aliases: readonly string[] },
  word: string,
): boolean => name === word || aliases.includes(word)

export async function readResources(session: Session): Promise<readonly Resource[]> {
  const list = (await session.read('/object-api-resources')) as {
    Category: string
    Kind: string
    Name: string
    Aliases: string[] | null
  }[]
  return list.map(({ Category, Kind, Name, Aliases }) => ({
    name: Name,
    kind: Kind,
    aliases: Aliases ?? [],
    category: Category,
  }))
}

/** Names, kinds and aliases, in any case; throws {@link CliError} for others. */
export async function resourceOf(session: Session, word: string): Promise<Asked> {
  const folded = word.toLowerCase()
  if (folded === 'all') return { type: 'all' }
  if (isNamed(MEMBER, folded)) return { type: 'member' }
  if (isNamed(DATA_KIND, folded)) return { type: 'data-kind' }
  if (isNamed(DATA, folded)) return { type: 'data' }
  const resources = await readResources(session)
  const resource = resources.find((each) => isNamed(each, folded))
  if (resource !== undefined) return { type: 'kind', resource }
  const known = resources.map(({ name }) => name)
  const near = suggest(folded, [...known, MEMBER.name, DATA_KIND.name, DATA.name])
  const hint = near === null ? '; egctl api-resources lists all' : `, did you mean "${near}"?`
  throw new CliError(`unknown resource "${word}"${hint}`)
}

/** An object as v2 shows it. */
export interface ShownObject extends Readonly<Record<string, unknown>> {
  readonly name: string
  readonly kind: string
  readonly version: string
  readonly createdAt: string
}

/** The objects of `asked`: all of them, or those of `names`, which must be of that kind. */
export async function readObjectsOf(
  session: Session,
  asked: Asked,
  names: readonly string[],
  query = '',
): Promise<readonly ShownObject[]> {
  const kind = asked.type === 'kind' ? asked.resource.kind : null
  if (names.length === 0) {
    const params = [kind === null ? '' : `kind=${encodeURIComponent(kind)}`, query]
    const list = params.filter((param) => param !== '').join('&')
    const path = list === '' ? '/objects' : `/objects?${list}`
    return (await session.read(path)) as ShownObject[]
  }
  const objects: ShownObject[] = []
  for (const name of names) {
    const params = query === '' ? '' : `?${query}`
    const path = `/objects/${encodeURIComponent(name)}${params}`
    const object = await session.read(path).catch((error: unknown) => {
      if (names.length === 1 || !(error instanceof Refusal)) throw error
      throw new Refusal(error.status, `${name}: ${error.text}`) // which of them
    })
    objects.push(expectKind(object as ShownObject, kind))
  }
  return objects
}

/** Throws {@link CliError} when the object is of another kind than the command line says. */
export function expectKind(object: ShownObject, kind: string | null): ShownObject {
  if (kind === null || object.kind === kind) return object
  throw new CliError(`${object.name} is no ${kind}, but a ${object.kind}`)
}

/** `3d4h`, `5m`, `12s`: how long ago `time` was. */
export function ageOf(time: unknown, nowMs: number): string {
  const ms = nowMs - Date.parse(String(time))
  if (!Number.isFinite(ms)) return ''
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days >= 10) return `${days}d`
  if (days > 0) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (hours > 0) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  return minutes > 0 ? `${minutes}m` : `${seconds}s`
}
