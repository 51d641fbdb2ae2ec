import { suggest } from '../lib/suggest.js'
import { parseYaml } from '../spec/yaml.js'
import { FOREIGN, OPTIONS, type OptionKey, type OptionRow, ROWS } from './table.js'
import type { Reading } from './types.js'

/** One setting as a source gives it: unread, with the words that name the place in a problem. */
export interface Setting {
  readonly where: string
  readonly read: (row: OptionRow<unknown>) => Reading<unknown>
  /** As written, for the message; null where it is secret or too large to repeat. */
  readonly written: string | null
}

export interface Source {
  readonly settings: ReadonlyMap<OptionKey, Setting>
  readonly problems: readonly string[]
  /** Worth a line on stderr, no reason to stop. */
  readonly notices: readonly string[]
}

export type Env = Readonly<Record<string, string | undefined>>

const FILE_BYTES_MAX = 1_048_576
const ENV_PREFIX = 'EG_'

const envName = (name: string): string => ENV_PREFIX + name.toUpperCase().replaceAll('-', '_')

const onEnvironment = ROWS.filter(([, row]) => row.onCommandLine && !isActionOnly(row.name))
function isActionOnly(name: string): boolean {
  return name === 'help' || name === 'version'
}

/**
 * `EG_` and the name of the flag in capitals, `-` as `_`. Empty variables count as unset. Unknown
 * ones are only mentioned, and only when close to one of ours: an orchestrator may have set them.
 */
export function readEnv(env: Env): Source {
  const settings = new Map<OptionKey, Setting>()
  const notices: string[] = []
  const known = new Map<string, OptionKey>()
  for (const [key, row] of onEnvironment) {
    known.set(envName(row.name), key)
    if (row.alias !== null) known.set(envName(row.alias), key)
  }
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(ENV_PREFIX) || text === undefined || text === '') continue
    const key = known.get(variable)
    if (key !== undefined) {
      settings.set(key, {
        where: variable,
        written: text,
        read: (row) => row.type.fromText([text]),
      })
      continue
    }
    const near = suggest(variable, [...known.keys()])
    if (near !== null) notices.push(`${variable}: not an option; did you mean ${near}?`)
  }
  return { settings, problems: [], notices }
}

/** Flags as settings. */
export function flagSettings(
  texts: ReadonlyMap<OptionKey, readonly string[]>,
): ReadonlyMap<OptionKey, Setting> {
  const settings = new Map<OptionKey, Setting>()
  for (const [key, given] of texts) {
    settings.set(key, {
      where: `--${OPTIONS[key].name}`,
      written: given.join(','),
      read: (row) => row.type.fromText(given),
    })
  }
  return settings
}

const inFile = new Map<string, OptionKey>(
  ROWS.filter(([, row]) => row.inFile).flatMap(([key, row]) =>
    [row.name, ...(row.alias === null ? [] : [row.alias])].map((name) => [name, key] as const),
  ),
)

/** The config file `path`. `readFile` gives its text or throws as `node:fs` does. */
export function readConfigFile(path: string, readFile: (path: string) => string): Source {
  const settings = new Map<OptionKey, Setting>()
  const problems: string[] = []
  const notices: string[] = []
  const source: Source = { settings, problems, notices }
  let text: string
  try {
    text = readFile(path)
  } catch (thrown) {
    problems.push(`config file ${path}: ${reasonOf(thrown)}`)
    return source
  }
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    problems.push(`config file ${path}: larger than ${FILE_BYTES_MAX} bytes`)
    return source
  }
  const parsed = parseYaml(text)
  if (!parsed.ok) {
    const { line, column } = parsed.position
    problems.push(`${path}:${line}:${column}: ${parsed.message}`)
    return source
  }
  const [document, ...more] = parsed.documents
  if (document === undefined) return source
  const { value: options } = document
  if (
    more.length > 0 ||
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options)
  ) {
    problems.push(`config file ${path}: expected one document, a map of options like "name: eg-1"`)
    return source
  }
  const entries = Object.entries(options).flatMap(([name, value]) => entriesOf(name, value))
  const positions = document.locate(entries.map(({ path: at }) => ({ path: at, isKey: true })))
  for (const [i, { path: at, value }] of entries.entries()) {
    const { line, column } = positions[i] ?? { line: 1, column: 1 }
    const name = at.at(-1) as string
    const where = `${path}:${line}:${column}: ${name}`
    const key = inFile.get(name)
    if (key === undefined) {
      refuseOrExcuse(name, value, where, problems, notices)
      continue
    }
    if (value === null) continue
    if (settings.has(key)) problems.push(`${where}: the same option as ${OPTIONS[key].name}`)
    settings.set(key, {
      where,
      written: typeof value === 'object' || !OPTIONS[key].onCommandLine ? null : String(value),
      read: (row) => row.type.fromYaml(value),
    })
  }
  return source
}

/** An option, or all of the block of v2, whose keys are names of options here. */
function entriesOf(name: string, value: unknown): { path: readonly string[]; value: unknown }[] {
  const isBlock = name === 'cluster' && typeof value === 'object' && value !== null
  if (!isBlock || Array.isArray(value)) return [{ path: [name], value }]
  return Object.entries(value).map(([key, each]) => ({ path: [name, key], value: each }))
}

/** Whatever they are set to, they change nothing here. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'std-log-level',
  'state-flag',
  'max-call-send-msg-size',
])

function refuseOrExcuse(
  name: string,
  value: unknown,
  where: string,
  problems: string[],
  notices: string[],
): void {
  const foreign = Object.hasOwn(FOREIGN, name) ? FOREIGN[name] : undefined
  if (foreign !== undefined) {
    if (WITHOUT_EFFECT.has(name) || isNothing(value)) notices.push(`${where}: ignored: ${foreign}`)
    else problems.push(`${where}: ${foreign}`)
    return
  }
  const row = ROWS.find(([, each]) => each.name === name)
  if (row !== undefined) {
    problems.push(`${where}: is a flag only: --${name}`)
    return
  }
  const near = suggest(name, [...inFile.keys()])
  problems.push(`${where}: unknown option${near === null ? '' : `, did you mean ${near}?`}`)
}

function isNothing(value: unknown): boolean {
  if (value === null || value === false || value === '' || value === 0) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'is a directory, not a file',
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const code = 'code' in thrown ? String(thrown.code) : ''
  return REASONS[code] ?? thrown.message
}
