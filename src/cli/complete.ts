import type { Command } from 'commander'
import type { Api } from './client.js'
import { CliError, type CliIo } from './io.js'
import { bareProgram, FAMILIES, valuedFlags } from './program.js'
import { DATA, DATA_KIND, MEMBER } from './resources.js'
import { clientOf } from './session.js'
import type { TargetOptions } from './target.js'
import { commandNamed, namesOf, nextWord } from './words.js'

/** Commands of `object` whose argument is the name of an object. */
const TAKES_OBJECT: ReadonlySet<string> = new Set(['get', 'delete'])
/** Commands that take a resource and names of such. */
const TAKES_RESOURCE: ReadonlySet<string> = new Set(['get', 'describe', 'delete', 'edit'])

/**
 * What may stand in place of the last of `words`, which may be empty: commands, flags, formats,
 * names of objects and members. Nothing when a file is expected or nothing is known, so that the
 * shell offers files. Never rejects: a shell has no use for errors while somebody types.
 */
export async function complete(words: readonly string[], io: CliIo): Promise<readonly string[]> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  try {
    const candidates = await candidatesFor(before, current, io)
    return candidates.filter((each) => each.startsWith(current))
  } catch {
    return []
  }
}

async function candidatesFor(
  before: readonly string[],
  current: string,
  io: CliIo,
): Promise<readonly string[]> {
  const program = bareProgram(io)
  const last = before.at(-1) ?? ''
  if (last === '-o' || last === '--output') return ['yaml', 'json', 'table', 'wide']
  const found = await commandOf(before, program, io)
  const valued = valuedFlags(program, ...(found === null ? [] : [found.command]))
  if (valued.has(last)) return []
  if (current.startsWith('-')) {
    return [program, ...(found === null ? [] : [found.command])]
      .flatMap(({ options }) => options.map(({ long }) => long ?? ''))
      .concat('--help')
  }
  if (found === null) return FAMILIES.map(({ name }) => name)
  const { command, path, words } = found
  if (command.commands.length > 0) return command.commands.map((each) => each.name())
  if (path.length === 1 && TAKES_RESOURCE.has(command.name())) {
    const [resource] = words
    if (resource === undefined) return await resourceWords(before, io)
    return await namesOfResource(resource, before, io)
  }
  if (path[0] === 'object' && TAKES_OBJECT.has(command.name()))
    return namesAt('/objects', before, io)
  if (path.join(' ') === 'member purge') return namesAt('/status/members', before, io)
  return []
}

async function commandOf(
  before: readonly string[],
  program: Command,
  io: CliIo,
): Promise<{
  readonly command: Command
  readonly path: readonly string[]
  /** What stands behind the command, without flags. */
  readonly words: readonly string[]
} | null> {
  let at = nextWord(before, 0, valuedFlags(program))
  if (at < 0) return null
  const family = commandNamed(before[at] as string, FAMILIES, 'egctl')
  let command = (await family.load())(io)
  const path = [family.name]
  while (command.commands.length > 0) {
    at = nextWord(before, at + 1, valuedFlags(program, command))
    if (at < 0) return { command, path, words: [] }
    const { name } = commandNamed(before[at] as string, command.commands.map(namesOf), family.name)
    command = command.commands.find((each) => each.name() === name) as Command
    path.push(name)
  }
  const words: string[] = []
  const valued = valuedFlags(program, command)
  for (let next = nextWord(before, at + 1, valued); next >= 0; ) {
    words.push(before[next] as string)
    next = nextWord(before, next + 1, valued)
  }
  return { command, path, words }
}

/** What may stand behind `egctl get`. */
async function resourceWords(before: readonly string[], io: CliIo): Promise<readonly string[]> {
  const resources = await listAt('/object-api-resources', 'v2', before, io)
  const others = ['all', MEMBER.name, DATA_KIND.name, DATA.name]
  return [...others, ...resources.map(({ Name }) => String(Name))]
}

async function namesOfResource(
  resource: string,
  before: readonly string[],
  io: CliIo,
): Promise<readonly string[]> {
  if (MEMBERS.has(resource)) return namesAt('/status/members', before, io)
  if (DATA_WORDS.has(resource)) {
    return (await listAt('/customdatakinds', 'v2', before, io)).map(({ name }) => String(name))
  }
  const query = resource === 'all' ? '' : `?kind=${encodeURIComponent(resource)}`
  const objects = await listAt(`/objects${query}`, 'v2', before, io)
  return objects.map(({ name }) => String(name))
}

/** Both begin with the name of a kind. */
const DATA_WORDS: ReadonlySet<string> = new Set(
  [DATA, DATA_KIND].flatMap(({ name, aliases }) => [name, ...aliases]),
)
const MEMBERS: ReadonlySet<string> = new Set([MEMBER.name, ...MEMBER.aliases])

/** Names that the server knows, of objects or of members. */
async function namesAt(
  path: string,
  before: readonly string[],
  io: CliIo,
): Promise<readonly string[]> {
  const items = await listAt(path, 'v1', before, io)
  return items.map(({ name, options }) =>
    String(name ?? (options as { name?: unknown } | undefined)?.name ?? ''),
  )
}

async function listAt(
  path: string,
  api: Api,
  before: readonly string[],
  io: CliIo,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const at = before.indexOf('--server')
  const server = at < 0 ? undefined : before[at + 1]
  const options: TargetOptions = server === undefined ? {} : { server }
  const client = clientOf(io, options, () => {})
  const { body } = await client.request('GET', path, { api, as: 'json' })
  const items: unknown = JSON.parse(body)
  if (!Array.isArray(items)) throw new CliError('expected a list')
  return items
}
