import { Command, CommanderError, type Option } from 'commander'
import { CliError, type CliIo, printable } from './io.js'
import { errorPrefix } from './messages.js'
import { bareProgram, FAMILIES, outputTo, valuedFlags } from './program.js'
import { commandNamed, namesOf, nextWord } from './words.js'

/**
 * Runs `egctl` with `argv` (without program name) and gives the exit code: 0, or 1 after any
 * failure, which has been told on stderr.
 */
export async function egctl(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    if (argv[0] === '__complete') {
      const { complete } = await import('./complete.js')
      for (const word of await complete(argv.slice(argv[1] === '--' ? 2 : 1), io))
        io.out(`${word}\n`)
      return 0
    }
    const { program, words } = await prepare(argv, io)
    await program.parseAsync(words, { from: 'user' })
    return 0
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode // it has been told already
    const message = thrown instanceof CliError ? thrown.message : bugReport(thrown)
    const [head = '', ...rest] = message.split('\n')
    io.err(`${errorPrefix(io)}${printable(head)}`)
    for (const line of rest) io.err(printable(line))
    return 1
  }
}

function bugReport(thrown: unknown): string {
  const reason = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  return `egctl has a bug: ${reason}`
}

/**
 * The program with the one family that `argv` names, and `argv` with its commands spelled out. A
 * group of commands without a command shows its help, as in v1.
 */
async function prepare(
  argv: readonly string[],
  io: CliIo,
): Promise<{ program: Command; words: string[] }> {
  const program = bareProgram(io)
  const words = [...argv]
  const valued = valuedFlags(program)
  let at = nextWord(words, 0, valued)
  if (at < 0) {
    for (const { name, aliases, summary } of FAMILIES) {
      program.addCommand(new Command(name).aliases([...aliases]).description(summary))
    }
    if (!words.some((word) => ['-V', '--version'].includes(word))) words.push('--help')
    return { program, words }
  }
  const family = commandNamed(words[at] as string, FAMILIES, 'egctl')
  words[at] = family.name
  let command = (await family.load())(io)
  program.addCommand(command)
  let title = `egctl ${family.name}`
  inherit(command, io)
  while (command.commands.length > 0) {
    at = nextWord(words, at + 1, valuedFlags(program, command))
    if (at < 0) {
      if (runsAlone(command) && words.length > 1) break
      if (!words.includes('--help') && !words.includes('-h')) words.push('--help')
      break
    }
    const { name } = commandNamed(words[at] as string, command.commands.map(namesOf), title)
    words[at] = name
    title += ` ${name}`
    command = command.commands.find((each) => each.name() === name) as Command
  }
  hideOptions(program, command)
  return { program, words }
}

/** An option of a command stands in front of the one of the program that has its name. */
function hideOptions(program: Command, command: Command): void {
  const own = new Set(command.options.map(({ long }) => long))
  const options = program.options as Option[]
  options.splice(0, options.length, ...options.filter(({ long }) => !own.has(long)))
}

/** A command with options of its own does something without one of its commands. */
export function runsAlone(command: Command): boolean {
  return command.options.length > 0
}

/** What commander hands down only to commands that it makes itself. */
function inherit(command: Command, io: CliIo): void {
  command.exitOverride().configureOutput(outputTo(io)).helpCommand(false)
  command.configureHelp({ showGlobalOptions: true })
  command.showHelpAfterError(`Run "${pathOf(command)} --help" for usage.`)
  for (const each of command.commands) inherit(each, io)
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}
