import { Command } from 'commander'
import { showData, showDataKinds } from './custom-data.js'
import { CliError, type CliIo } from './io.js'
import { type Asked, ageOf, readObjectsOf, resourceOf, type ShownObject } from './resources.js'
import { openSession, type Session } from './session.js'
import { type Column, column, table } from './table.js'

interface GetOptions {
  readonly namespace?: string
  readonly allNamespaces?: boolean
}

export const NAMESPACE_OPTIONS = [
  ['--namespace <name>', 'look there; objects made by people are in "default"'],
  ['--all-namespaces', 'look everywhere'],
] as const

/** `egctl get …`: objects and members in tables. */
export function get(io: CliIo): Command {
  return new Command('get')
    .description('list objects or members')
    .argument('<resource>', 'all, member or a kind: see egctl api-resources')
    .argument('[name...]', 'only these; of customdata the kind, then ids')
    .option(...NAMESPACE_OPTIONS[0])
    .option(...NAMESPACE_OPTIONS[1])
    .addHelpText(
      'after',
      '\nExamples:\n  egctl get all\n  egctl get httpserver demo -o yaml\n  egctl get hs -o wide\n  egctl get member',
    )
    .action(async (word: string, names: string[], options: GetOptions, command: Command) => {
      const session = openSession(io, command, 'table')
      const asked = await resourceOf(session, word)
      if (asked.type === 'member') await showMembers(io, session, names)
      else if (asked.type === 'data-kind') await showDataKinds(io, session, names)
      else if (asked.type === 'data') await showData(session, names)
      else await showObjects(io, session, asked, names, options)
    })
}

/** The query for the namespace options. */
export function namespaceQuery({ namespace, allNamespaces }: GetOptions): string {
  if (namespace !== undefined && allNamespaces === true) {
    throw new CliError('--namespace and --all-namespaces exclude each other')
  }
  if (allNamespaces === true) return 'all-namespaces=true'
  return namespace === undefined ? '' : `namespace=${encodeURIComponent(namespace)}`
}

async function showObjects(
  io: CliIo,
  session: Session,
  asked: Asked,
  names: readonly string[],
  options: GetOptions,
): Promise<void> {
  const query = namespaceQuery(options)
  if (options.allNamespaces === true && names.length > 0) {
    throw new CliError('--all-namespaces takes no names')
  }
  const found: unknown = await readObjectsOf(session, asked, names, query)
  const isOne = names.length === 1
  if (session.output === 'yaml' || session.output === 'json') {
    await session.print(isOne ? (found as unknown[])[0] : found)
    return
  }
  const byNamespace = (options.allNamespaces === true ? found : { '': found }) as Record<
    string,
    ShownObject[]
  >
  const statuses = session.output === 'wide' ? await readStatuses(session) : new Map()
  const nowMs = Date.now()
  const rows = Object.entries(byNamespace).flatMap(([namespace, objects]) =>
    objects.map((object) => ({
      ...object,
      namespace,
      age: ageOf(object.createdAt, nowMs),
      dialect: object.version.split('/').at(-1),
      state: statuses.get(object.name) ?? '',
    })),
  )
  io.out(table(columnsOf(session, options), rows))
}

function columnsOf(session: Session, options: GetOptions): Column[] {
  return [
    column('NAME', 'name'),
    ...(options.allNamespaces === true ? [column('NAMESPACE', 'namespace')] : []),
    column('KIND', 'kind'),
    column('AGE', 'age'),
    ...(session.output === 'wide' ? [column('DIALECT', 'dialect'), column('STATE', 'state')] : []),
  ]
}

/** Object → what its status says in short, where members differ all of it. */
async function readStatuses(session: Session): Promise<Map<string, string>> {
  const statuses = (await session.read('/status/objects')) as Record<string, unknown>
  const states = new Map<string, Set<string>>()
  for (const [key, value] of Object.entries(statuses)) {
    const name = key.split('/')[1] ?? ''
    const whole = (value ?? {}) as { status?: Record<string, unknown> }
    const status = whole.status ?? (whole as Record<string, unknown>)
    const health = String(status['health'] ?? '')
    const state = String(status['state'] ?? '')
    const text = [state, health].filter((each) => each !== '').join(': ') || 'ready'
    states.set(name, (states.get(name) ?? new Set()).add(text))
  }
  return new Map([...states].map(([name, texts]) => [name, [...texts].join('; ')]))
}

interface Member {
  readonly options: Readonly<Record<string, unknown>>
  readonly lastHeartbeatTime: string
  readonly etcd: { readonly startTime: string; readonly state: string } | null
}

export async function readMembers(
  session: Session,
  names: readonly string[],
): Promise<readonly Member[]> {
  const members = (await session.read('/status/members')) as Member[]
  for (const name of names) {
    if (!members.some(({ options }) => options['Name'] === name)) {
      throw new CliError(`there is no member "${name}"`)
    }
  }
  return names.length === 0
    ? members
    : members.filter(({ options }) => names.includes(String(options['Name'])))
}

async function showMembers(io: CliIo, session: Session, names: readonly string[]): Promise<void> {
  const members = await readMembers(session, names)
  if (session.output === 'yaml' || session.output === 'json') {
    await session.print(names.length === 1 ? members[0] : members)
    return
  }
  const nowMs = Date.now()
  const rows = members.map(({ options, lastHeartbeatTime, etcd }) => ({
    name: options['Name'],
    role: options['ClusterRole'],
    age: ageOf(etcd?.startTime, nowMs),
    state: etcd?.state,
    api: options['APIAddr'],
    heartbeat: `${ageOf(lastHeartbeatTime, nowMs)} ago`,
  }))
  const columns = ['name', 'role', 'age', 'state', 'api', 'heartbeat'].map((key) =>
    column(key === 'api' ? 'API-ADDR' : key.toUpperCase(), key),
  )
  io.out(table(columns, rows))
}
