/**
 * Start-up options of the server. `readOptions` is pure but for the reader it is handed; the caller
 * prints what it gives: notices and problems on stderr, the rest on stdout.
 */
import { hostname } from 'node:os'
import { toYaml } from '../spec/yaml.js'
import { checkOptions } from './check.js'
import { type ClusterSetup, clusterSetup, isSelfJoin, urlsOfInitialCluster } from './cluster.js'
import { readFlags } from './flags.js'
import { helpText } from './help.js'
import { type Env, flagSettings, readConfigFile, readEnv, type Setting } from './sources.js'
import { OPTIONS, type OptionKey, type OptionRow, ROWS, type ServerOptions } from './table.js'

export type { ClusterSetup } from './cluster.js'
export type { ServerOptions } from './table.js'

/** Effective options with the form they are shown in. */
export interface Effective {
  readonly options: ServerOptions
  /** What `--print-config` prints: every option of the config file, in order, passwords masked. */
  readonly config: Readonly<Record<string, unknown>>
  /** The options of v1.0.0 alone, in its order: what a member shows of itself. */
  readonly memberOptions: Readonly<Record<string, unknown>>
  readonly cluster: ClusterSetup
}

export type OptionsOutcome =
  | ({ readonly type: 'run'; readonly notices: readonly string[] } & Effective)
  | { readonly type: 'help'; readonly text: string }
  | { readonly type: 'version' }
  /** One sentence each; the process prints all of them on stderr and exits with 1. */
  | { readonly type: 'refused'; readonly problems: readonly string[] }

/**
 * Effective options out of flags (first), `EG_*` variables, config file and defaults (last).
 * `argv` has no program name. `readFile` gives a file's text or throws as `node:fs` does; `host`
 * is the name of this machine, for members without a name.
 */
export function readOptions(
  argv: readonly string[],
  env: Env,
  readFile: (path: string) => string,
  host: string = hostname(),
): OptionsOutcome {
  const flags = readFlags(argv)
  const fromFlags = flagSettings(flags.texts)
  if (isOn(fromFlags, 'help')) return { type: 'help', text: helpText() }
  if (isOn(fromFlags, 'version')) return { type: 'version' }

  const problems = [...flags.problems]
  const fromEnv = readEnv(env)
  const notices = [...fromEnv.notices]
  const sources = [fromFlags, fromEnv.settings]
  const path = readRow('configFile', sources, problems).value as string
  if (path !== '') {
    const file = readConfigFile(path, readFile)
    problems.push(...file.problems)
    notices.push(...file.notices)
    sources.push(file.settings)
  }

  const values: Partial<Record<OptionKey, unknown>> = {}
  const shown: Partial<Record<OptionKey, unknown>> = {}
  for (const [key] of ROWS) {
    const read = readRow(key, sources, key === 'configFile' ? [] : problems)
    values[key] = read.value
    shown[key] = read.shown
  }
  // Every key of ROWS has been set, each by the type of its own row.
  const given = values as ServerOptions
  const name =
    given.name === '' ? `${host}-${String(shown.apiAddr)}`.replaceAll(/[,:=]/g, '-') : given.name
  const isSet = (key: OptionKey): boolean => sources.some((source) => source.has(key))
  const named = { ...given, name }
  const read = { ...named, ...urlsOfInitialCluster(named, isSet) }
  const joinUrls = isSelfJoin(read) ? [] : read.clusterJoinUrls
  if (joinUrls.length < read.clusterJoinUrls.length) {
    notices.push(
      'cluster-join-urls: the first is our own peer URL, so this member starts the cluster',
    )
  }
  const options: ServerOptions = Object.freeze({ ...read, clusterJoinUrls: joinUrls })
  const { clusterListenPeerUrls, clusterInitialAdvertisePeerUrls } = options
  Object.assign(shown, { name, clusterJoinUrls: joinUrls })
  Object.assign(shown, { clusterListenPeerUrls, clusterInitialAdvertisePeerUrls })

  const where = (key: OptionKey): string =>
    sources.find((source) => source.has(key))?.get(key)?.where ?? OPTIONS[key].name
  problems.push(...checkOptions(options, where))
  if (problems.length > 0) return { type: 'refused', problems }
  return {
    type: 'run',
    notices,
    options,
    config: show(shown, (row) => row.inFile),
    memberOptions: show(shown, (row) => row.isV1),
    cluster: clusterSetup(options, read.clusterJoinUrls, isSet),
  }
}

/** The effective options as YAML, as the config file would have them. */
export function printConfig({ config }: Effective): string {
  return toYaml(config)
}

type Settings = ReadonlyMap<OptionKey, Setting>

function isOn(settings: Settings, key: OptionKey): boolean {
  const setting = settings.get(key)
  if (setting === undefined) return false
  const reading = setting.read(OPTIONS[key])
  return reading.ok && reading.value === true
}

/** The first source that has it, or the default; a value that cannot be read is a problem. */
function readRow(
  key: OptionKey,
  sources: readonly Settings[],
  problems: string[],
): { readonly value: unknown; readonly shown: unknown } {
  const row: OptionRow<unknown> = OPTIONS[key]
  const setting = sources.find((source) => source.has(key))?.get(key)
  if (setting !== undefined) {
    const reading = setting.read(row)
    if (reading.ok) return reading
    const got = setting.written === null ? '' : `, got ${JSON.stringify(setting.written)}`
    problems.push(`${setting.where}: expected ${reading.expected}${got}`)
  }
  const fallback = row.type.fromYaml(row.default)
  if (!fallback.ok) throw new TypeError(`default of ${row.name}: expected ${fallback.expected}`)
  return fallback
}

function show(
  shown: Partial<Record<OptionKey, unknown>>,
  wanted: (row: OptionRow<unknown>) => boolean,
): Readonly<Record<string, unknown>> {
  const entries = ROWS.filter(([, row]) => wanted(row)).map(([key, row]) => [row.name, shown[key]])
  return Object.freeze(Object.fromEntries(entries))
}
