import { Command } from 'commander'
import { showData, showDataKinds } from './custom-data.js'
import { NAMESPACE_OPTIONS, namespaceQuery, readMembers } from './get.js'
import { type CliIo, printable } from './io.js'
import { readObjectsOf, resourceOf, type ShownObject } from './resources.js'
import { openSession, type Session } from './session.js'

/** Longest text of a value without `--verbose`. */
const VALUE_MAX = 50

/** What comes first, under a heading of its own. */
const BLOCKS: readonly (readonly [field: string, heading: string])[] = [
  ['flow', 'Flow'],
  ['filters', 'Filters'],
  ['rules', 'Rules'],
]

interface DescribeOptions {
  readonly namespace?: string
}

/** `egctl describe …`: objects in full, with what they do on each member. */
export function describe(io: CliIo): Command {
  return new Command('describe')
    .description('show objects or members with their status')
    .argument('<resource>', 'all, member or a kind: see egctl api-resources')
    .argument('[name...]', 'only these')
    .option(...NAMESPACE_OPTIONS[0])
    .addHelpText(
      'after',
      '\nLong values are cut unless -v is given.\n\nExample:\n  egctl describe httpserver demo',
    )
    .action(async (word: string, names: string[], options: DescribeOptions, command: Command) => {
      const session = openSession(io, command, 'table')
      const asked = await resourceOf(session, word)
      if (asked.type === 'data-kind') return await showDataKinds(io, session, names)
      if (asked.type === 'data') return await showData(session, names)
      const described =
        asked.type === 'member'
          ? (await readMembers(session, names)).map(({ options: { Name, ...own }, ...state }) => ({
              Name,
              ...state,
              options: own,
            }))
          : await describeAll(
              session,
              await readObjectsOf(session, asked, names, namespaceQuery(options)),
            )
      if (session.output === 'yaml' || session.output === 'json') await session.print(described)
      else io.out(await textOf(described, session.isVerbose))
    })
}

async function describeAll(
  session: Session,
  objects: readonly ShownObject[],
): Promise<Record<string, unknown>[]> {
  const described: Record<string, unknown>[] = []
  for (const { name, kind, version, ...fields } of objects) {
    const shown: Record<string, unknown> = { Name: name, Kind: kind, Version: version }
    for (const [field, heading] of BLOCKS) {
      if (fields[field] !== undefined) shown[heading] = fields[field]
    }
    for (const [field, value] of Object.entries(fields)) {
      if (!BLOCKS.some(([each]) => each === field)) shown[field] = value
    }
    const path = `/status/objects/${encodeURIComponent(name)}`
    const statuses = (await session.read(path)) as Record<string, { status?: unknown }>
    shown['AllStatus'] = Object.entries(statuses).map(([key, value]) => ({
      node: key.split('/').slice(2).join('/'),
      ...(value.status === undefined ? value : (value.status as object)),
    }))
    described.push(shown)
  }
  return described
}

async function textOf(described: readonly object[], isVerbose: boolean): Promise<string> {
  const { toYaml } = await import('../spec/yaml.js')
  if (described.length === 0) return 'nothing found\n'
  return described
    .map((each) =>
      Object.entries(isVerbose ? each : (cut(each) as object))
        .map(([key, value]) => {
          const isBlock = typeof value === 'object' && value !== null
          return `${isBlock ? '\n' : ''}${toYaml({ [key]: value })}`
        })
        .join(''),
    )
    .map((text) => printable(text))
    .join('\n---\n\n')
}

function cut(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.length <= VALUE_MAX ? value : `${value.slice(0, VALUE_MAX)}…`
  }
  if (Array.isArray(value)) return value.map(cut)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, cut(each)]))
}
