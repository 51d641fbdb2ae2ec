import type { Command } from 'commander'
import { suggest } from '../lib/suggest.js'
import { CliError } from './io.js'

/** A command that may be named, with its other names. */
export interface Named {
  readonly name: string
  readonly aliases: readonly string[]
}

export const namesOf = (command: Command): Named => ({
  name: command.name(),
  aliases: command.aliases(),
})

/**
 * The one of `commands` that `word` names: by name, by alias, or as the beginning of the names of
 * one of them only. Throws a {@link CliError} when it is none or several.
 */
export function commandNamed<C extends Named>(
  word: string,
  commands: readonly C[],
  parent: string,
): C {
  const all = (command: C): readonly string[] => [command.name, ...command.aliases]
  const exact = commands.find((command) => all(command).includes(word))
  if (exact !== undefined) return exact
  const begun = commands.filter((command) => all(command).some((name) => name.startsWith(word)))
  const [only, ...others] = begun
  if (only !== undefined && others.length === 0) return only
  if (only !== undefined) {
    const names = begun.map(({ name }) => name).join(', ')
    throw new CliError(`ambiguous command "${word}" for "${parent}": ${names}`)
  }
  const near = suggest(
    word,
    commands.map(({ name }) => name),
  )
  const hint = near === null ? `; see ${parent} --help` : `, did you mean "${near}"?`
  throw new CliError(`unknown command "${word}" for "${parent}"${hint}`)
}

/** Index of the next word in `argv` from `from` that is no flag and no value of one; -1 if none. */
export function nextWord(
  argv: readonly string[],
  from: number,
  valued: ReadonlySet<string>,
): number {
  for (let at = from; at < argv.length; at++) {
    const word = argv[at] as string
    if (word === '--') return -1
    if (!word.startsWith('-') || word === '-') return at
    if (valued.has(word)) at += 1
  }
  return -1
}
