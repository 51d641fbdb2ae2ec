import type { Command } from 'commander'
import { AdminClient, type Method, type Reply } from './client.js'
import { CliError, type CliIo, printable } from './io.js'
import { warningPrefix } from './messages.js'
import { type Column, table } from './table.js'
import { type TargetOptions, targetOf } from './target.js'

const OUTPUTS = ['yaml', 'json', 'table'] as const
type Output = (typeof OUTPUTS)[number]

interface GlobalOptions extends TargetOptions {
  readonly output: string
  readonly verbose?: boolean
}

/** What a command works with once its options are known. */
export interface Session {
  readonly client: AdminClient
  readonly output: Output
  /** Tells of success what plain output leaves unsaid. */
  note(text: string): void
  /**
   * Prints what a GET gives: as the server wrote it, or with `-o table` the rows that `rowsOf`
   * makes of it.
   */
  show(
    path: string,
    columns: readonly Column[],
    rowsOf: (value: unknown) => unknown[],
  ): Promise<void>
  /** A request whose answer has no body. */
  send(method: Method, path: string): Promise<Reply>
}

/** Throws {@link CliError} for options that make no sense. */
export function openSession(io: CliIo, command: Command): Session {
  const options = command.optsWithGlobals<GlobalOptions>()
  const output = OUTPUTS.find((each) => each === options.output)
  if (output === undefined) {
    throw new CliError(`unsupported output format: ${options.output} (${OUTPUTS.join(', ')})`)
  }
  const warn = (text: string): void => io.err(`${warningPrefix(io)}${printable(text)}`)
  const client = new AdminClient(targetOf(options, io.env), warn)
  const isTalkative = options.verbose === true || output === 'table'
  return {
    client,
    output,
    note: (text) => {
      if (isTalkative) io.out(`${text}\n`)
    },
    async show(path, columns, rowsOf) {
      const { body } = await client.request('GET', path, {
        as: output === 'yaml' ? 'yaml' : 'json',
      })
      if (body === '') return
      if (output === 'yaml') io.out(body.endsWith('\n') ? body : `${body}\n`)
      else if (output === 'json') io.out(`${JSON.stringify(JSON.parse(body), null, 2)}\n`)
      else io.out(table(columns, rowsOf(JSON.parse(body))))
    },
    send: (method, path) => client.request(method, path, { as: 'json' }),
  }
}
