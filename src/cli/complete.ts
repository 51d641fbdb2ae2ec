import type { Command } from 'commander'
import { AdminClient } from './client.js'
import { CliError, type CliIo } from './io.js'
import { bareProgram, FAMILIES, valuedFlags } from './program.js'
import { type TargetOptions, targetOf } from './target.js'
import { commandNamed, namesOf, nextWord } from './words.js'

/** Commands whose argument is the name of an object. */
const TAKES_OBJECT: ReadonlySet<string> = new Set(['get', 'delete'])

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
  if (last === '-o' || last === '--output') return ['yaml', 'json', 'table']
  const found = await commandOf(before, program, io)
  const valued = valuedFlags(program, ...(found === null ? [] : [found.command]))
  if (valued.has(last)) return []
  if (current.startsWith('-')) {
    return [program, ...(found === null ? [] : [found.command])]
      .flatMap(({ options }) => options.map(({ long }) => long ?? ''))
      .concat('--help')
  }
  if (found === null) return FAMILIES.map(({ name }) => name)
  const { command, path } = found
  if (command.commands.length > 0) return command.commands.map((each) => each.name())
  if (path[0] === 'object' && TAKES_OBJECT.has(command.name()))
    return namesAt('/objects', before, io)
  if (path.join(' ') === 'member purge') return namesAt('/status/members', before, io)
  return []
}

async function commandOf(
  before: readonly string[],
  program: Command,
  io: CliIo,
): Promise<{ command: Command; path: readonly string[] } | null> {
  const valued = valuedFlags(program)
  let at = nextWord(before, 0, valued)
  if (at < 0) return null
  const family = commandNamed(before[at] as string, FAMILIES, 'egctl')
  let command = (await family.load())(io)
  const path = [family.name]
  while (command.commands.length > 0) {
    at = nextWord(before, at + 1, valued)
    if (at < 0) break
    const { name } = commandNamed(before[at] as string, command.commands.map(namesOf), family.name)
    command = command.commands.find((each) => each.name() === name) as Command
    path.push(name)
  }
  return { command, path }
}

/** Names that the server knows, of objects or of members. */
async function namesAt(
  path: string,
  before: readonly string[],
  io: CliIo,
): Promise<readonly string[]> {
  const at = before.indexOf('--server')
  const server = at < 0 ? undefined : before[at + 1]
  const options: TargetOptions = server === undefined ? {} : { server }
  const client = new AdminClient(targetOf(options, io.env), () => {})
  const { body } = await client.request('GET', path, { as: 'json' })
  const items: unknown = JSON.parse(body)
  if (!Array.isArray(items)) throw new CliError('expected a list')
  return items.map((item) => String(item?.name ?? item?.options?.name ?? ''))
}
