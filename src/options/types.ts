import { parseDuration } from '../lib/duration.js'

/** What reading one value gives: the value and how `--print-config` shows it, or what was wanted. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T; readonly shown: unknown }
  | { readonly ok: false; readonly expected: string }

/** How one type of option is read from each source. Pure; never throws. */
export interface OptionType<T> {
  /** What `--help` prints behind the flag; empty for a switch, which needs no value. */
  readonly placeholder: string
  /** From flags, in the order given (at least one), or from a variable (exactly one). */
  fromText(texts: readonly string[]): Reading<T>
  /** From the config file; never null, which means "not set" there. */
  fromYaml(value: unknown): Reading<T>
}

export interface HostPort {
  /** Without brackets; empty for all addresses. */
  readonly host: string
  /** 0..65535; 0 lets the system choose. */
  readonly port: number
}

const ok = <T>(value: T, shown: unknown = value): Reading<T> => ({ ok: true, value, shown })
const no = (expected: string): Reading<never> => ({ ok: false, expected })
const last = (texts: readonly string[]): string => texts[texts.length - 1] ?? ''
const splitList = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** A scalar as YAML may have typed it: `name: 42` means the name "42". */
function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return null
}

/** Everything that is written as one piece of text and read by `read`. */
function scalar<T>(placeholder: string, read: (text: string) => Reading<T>): OptionType<T> {
  return {
    placeholder,
    fromText: (texts) => read(last(texts)),
    fromYaml: (value) => {
      const text = scalarText(value)
      return text === null
        ? no(`one value, not a ${Array.isArray(value) ? 'list' : 'map'}`)
        : read(text)
    },
  }
}

export const text = (placeholder: string): OptionType<string> => scalar(placeholder, (t) => ok(t))

export function choice<const C extends string>(choices: readonly C[]): OptionType<C> {
  return scalar(choices.join('|'), (t) => {
    const found = choices.find((each) => each === t.toLowerCase())
    return found === undefined ? no(`one of ${choices.join(', ')}`) : ok(found)
  })
}

/** A choice whose values have another name each, as those of another version. */
export function choiceWithNames<const C extends string>(
  names: Readonly<Record<string, C>>,
): OptionType<C> {
  const values = [...new Set(Object.values(names))]
  return scalar(values.join('|'), (t) => {
    const found = Object.hasOwn(names, t.toLowerCase()) ? names[t.toLowerCase()] : undefined
    return found === undefined ? no(`one of ${Object.keys(names).join(', ')}`) : ok(found)
  })
}

export function integer(min: number, max: number): OptionType<number> {
  return scalar('N', (t) => {
    const value = /^\d{1,9}$/.test(t) ? Number(t) : -1
    return value >= min && value <= max ? ok(value) : no(`a whole number in ${min}..${max}`)
  })
}

/** Milliseconds; written like Go's durations. */
export function duration(minMs: number, maxMs: number): OptionType<number> {
  return scalar('DURATION', (t) => {
    const ms = parseDuration(t)
    return ms !== null && ms >= minMs && ms <= maxMs
      ? ok(ms, t)
      : no(`a duration in ${minMs / 1000}s..${maxMs / 1000}s such as 10s or 1m30s`)
  })
}

export const hostPort: OptionType<HostPort> = scalar('HOST:PORT', (t) => {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^[\]:\s/]*)):(\d{1,5})$/.exec(t)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    return no('host:port such as localhost:2381 or [::1]:2381')
  }
  return ok({ host: match[1] ?? match[2] ?? '', port }, t)
})

export const flag: OptionType<boolean> = {
  ...scalar<boolean>('', (t) => {
    if (/^(1|t|true)$/i.test(t)) return ok(true)
    return /^(0|f|false)$/i.test(t) ? ok(false) : no('true or false')
  }),
  fromYaml: (value) => (typeof value === 'boolean' ? ok(value) : no('true or false')),
}

function urls(items: readonly string[]): Reading<readonly string[]> {
  const bad = items.find((item) => !isUrl(item))
  return bad === undefined
    ? ok(Object.freeze([...items]))
    : no(`URLs such as http://localhost:2380, not ${JSON.stringify(bad)}`)
}

function isUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s/]/i.test(value)) return false
  return URL.canParse(value)
}

export const urlList: OptionType<readonly string[]> = {
  placeholder: 'URL,...',
  fromText: (texts) => urls(texts.flatMap(splitList)),
  fromYaml: (value) => {
    if (typeof value === 'string') return urls(splitList(value))
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      return no('a list of URLs')
    }
    return urls(value)
  },
}

type TextMap = Readonly<Record<string, string>>

function mapFromYaml(value: unknown, what: string): Reading<TextMap> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return no(what)
  const entries: [string, string][] = []
  for (const [key, each] of Object.entries(value)) {
    const asText = scalarText(each)
    if (asText === null || key === '') return no(what)
    entries.push([key, asText])
  }
  return ok(Object.freeze(Object.fromEntries(entries)))
}

/** `k=v,k=v` in flags; a JSON object in the environment, as in v1, or `k=v` too. */
export const textMap: OptionType<TextMap> = {
  placeholder: 'KEY=VALUE,...',
  fromText: (texts) => {
    const what = 'key=value pairs, separated by commas'
    const only = last(texts)
    if (texts.length === 1 && only.trimStart().startsWith('{')) return mapFromJson(only)
    const entries: [string, string][] = []
    for (const pair of texts.flatMap(splitList)) {
      const at = pair.indexOf('=')
      if (at < 1) return no(`${what}, not ${JSON.stringify(pair)}`)
      entries.push([pair.slice(0, at), pair.slice(at + 1)])
    }
    return ok(Object.freeze(Object.fromEntries(entries)))
  },
  fromYaml: (value) => mapFromYaml(value, 'a map of names to values'),
}

/** Members by name with their peer URLs; in the file a map, or a list of maps of one entry. */
export const memberMap: OptionType<TextMap> = {
  placeholder: 'NAME=URL,...',
  fromText: (texts) => {
    const names = texts.flatMap(splitList).map((pair) => pair.split('=', 1)[0])
    if (new Set(names).size < names.length) return no(MEMBERS)
    return members(textMap.fromText(texts))
  },
  fromYaml: (value) => {
    if (!Array.isArray(value)) return members(mapFromYaml(value, MEMBERS))
    const maps = value.map((each) => mapFromYaml(each, MEMBERS))
    const entries = maps.flatMap((each) => (each.ok ? Object.entries(each.value) : []))
    const isWhole = maps.every((each) => each.ok)
    const isTwice = new Set(entries.map(([name]) => name)).size < entries.length
    if (!isWhole || isTwice) return no(MEMBERS)
    return members(ok(Object.freeze(Object.fromEntries(entries))))
  },
}

const MEMBERS = 'names of members, each once, with their peer URLs'

function members(reading: Reading<TextMap>): Reading<TextMap> {
  if (!reading.ok) return no(MEMBERS)
  const bad = Object.entries(reading.value).find(([, url]) => !isUrl(url))
  return bad === undefined ? reading : no(`${MEMBERS}; ${JSON.stringify(bad[1])} is no URL`)
}

function mapFromJson(json: string): Reading<TextMap> {
  const what = 'a JSON object of strings or key=value pairs'
  try {
    return mapFromYaml(JSON.parse(json), what)
  } catch {
    return no(what)
  }
}

const MASK = '***'

/** One secret, never shown. */
export const secret: OptionType<string> = {
  placeholder: 'SECRET',
  fromText: () => no('a text in the config file'),
  fromYaml: (value) => {
    const what = 'a text of at least 16 characters'
    if (typeof value !== 'string') return no(what)
    if (value === MASK) return no(`${what}, not the mask that --print-config puts in its place`)
    if (value === '') return ok('')
    return value.length < SECRET_LENGTH_MIN ? no(what) : ok(value, MASK)
  },
}

/** Short enough to type, too long to be guessed over the wire. */
const SECRET_LENGTH_MIN = 16

/** User names and passwords: never shown, and not to be typed where other users can read them. */
export const secretMap: OptionType<TextMap> = {
  placeholder: '',
  fromText: () => no('a map of user names to passwords in the config file'),
  fromYaml: (value) => {
    const reading = mapFromYaml(value, 'a map of user names to passwords')
    if (!reading.ok) return reading
    const users = Object.entries(reading.value)
    if (users.some(([user, password]) => user.includes(':') || password === '')) {
      return no('user names without ":" and passwords that are not empty')
    }
    if (users.some(([, password]) => password === MASK)) {
      return no(`passwords, not the mask ${MASK} that --print-config puts in their place`)
    }
    return ok(reading.value, Object.fromEntries(users.map(([user]) => [user, MASK])))
  },
}
