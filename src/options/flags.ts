import { suggest } from '../lib/suggest.js'
import { OPTIONS, type OptionKey, type OptionRow, ROWS } from './table.js'

/** Texts given for each option, in order, and what could not be understood. */
export interface Flags {
  readonly texts: ReadonlyMap<OptionKey, readonly string[]>
  readonly problems: readonly string[]
}

const NAMES = ROWS.filter(([, row]) => row.onCommandLine)
const BY_NAME = new Map<string, OptionKey>(
  NAMES.flatMap(([key, row]) =>
    [row.name, ...(row.alias === null ? [] : [row.alias])].map((n) => [n, key]),
  ),
)
const BY_SHORT = new Map<string, OptionKey>(
  NAMES.flatMap(([key, row]) => (row.short === null ? [] : [[row.short, key]])),
)

const isSwitch = (key: OptionKey): boolean =>
  (OPTIONS[key] as OptionRow<unknown>).type.placeholder === ''

/**
 * Reads GNU-style flags: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-cv`, repeated
 * flags; `--` ends them. A switch takes a value only behind `=`. Values are not checked here.
 */
export function readFlags(argv: readonly string[]): Flags {
  const texts = new Map<OptionKey, string[]>()
  const problems: string[] = []
  const add = (key: OptionKey, value: string): void => {
    const had = texts.get(key)
    if (had === undefined) texts.set(key, [value])
    else had.push(value)
  }
  let at = 0
  /** The value of a flag that must have one: the next word, unless it is missing. */
  const take = (key: OptionKey, written: string): void => {
    const value = argv[at]
    if (value === undefined) problems.push(`${written}: needs a value`)
    else {
      at += 1
      add(key, value)
    }
  }
  while (at < argv.length) {
    const word = argv[at++] as string
    if (word === '--') {
      for (const rest of argv.slice(at)) problems.push(unexpected(rest))
      break
    }
    if (word.startsWith('--')) readLong(word)
    else if (word.startsWith('-') && word !== '-') readShorts(word)
    else problems.push(unexpected(word))
  }
  return { texts, problems }

  function readLong(word: string): void {
    const equals = word.indexOf('=')
    const name = word.slice(2, equals < 0 ? undefined : equals)
    const key = BY_NAME.get(name)
    if (key === undefined) {
      problems.push(unknownFlag(name))
      // Most likely its value; a second complaint about it would only distract.
      if (equals < 0 && argv[at] !== undefined && !argv[at]?.startsWith('-')) at += 1
    } else if (equals >= 0) add(key, word.slice(equals + 1))
    else if (isSwitch(key)) add(key, 'true')
    else take(key, `--${name}`)
  }

  function readShorts(word: string): void {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] as string
      const key = BY_SHORT.get(letter)
      if (key === undefined) {
        problems.push(
          BY_NAME.has(word.slice(1).replace(/=.*/s, ''))
            ? `${word}: long flags have two dashes: -${word}`
            : `-${letter}: unknown flag; --help lists all`,
        )
        return
      }
      const rest = word.slice(i + 1)
      if (isSwitch(key) && !rest.startsWith('=')) {
        add(key, 'true')
        continue
      }
      if (rest === '') take(key, `-${letter}`)
      else add(key, rest.replace(/^=/, ''))
      return
    }
  }
}

function unexpected(word: string): string {
  const hint = /^(true|false)$/i.test(word) ? `; a switch is written --flag=${word}` : ''
  return `unexpected argument ${JSON.stringify(word)}${hint}`
}

function unknownFlag(name: string): string {
  const fileOnly = ROWS.find(([, row]) => row.name === name)
  if (fileOnly !== undefined) return `--${name}: may stand in the config file only`
  const near = suggest(name, [...BY_NAME.keys()])
  return `--${name}: unknown flag${near === null ? '; --help lists all' : `, did you mean --${near}?`}`
}
