import type { Command } from 'commander'
import { AdminClient, type Api, type Method, type Reply } from './client.js'
import { readConfig } from './config-file.js'
import { CliError, type CliIo, printable } from './io.js'
import { warningPrefix } from './messages.js'
import { type Column, table } from './table.js'
import { type TargetOptions, targetOf } from './target.js'

const OUTPUTS = ['yaml', 'json', 'table', 'wide'] as const
export type Output = (typeof OUTPUTS)[number]

/** Whose workers must run a change before a command that makes one ends. */
const WAITS: readonly string[] = ['node', 'cluster']

interface GlobalOptions extends TargetOptions {
  readonly output?: string
  readonly verbose?: boolean
  readonly wait?: string
}

/** What a command works with once its options are known. */
export interface Session {
  readonly client: AdminClient
  readonly output: Output
  readonly isVerbose: boolean
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
    api?: Api,
  ): Promise<void>
  /** What a GET of the API of v2 gives. */
  read(path: string): Promise<unknown>
  /** Prints a value in a format that is no table. */
  print(value: unknown): Promise<void>
  /** A request whose answer has no body. */
  send(method: Method, path: string, api?: Api): Promise<Reply>
}

/** A client of the server that `options` name; looked for with the first request. */
export function clientOf(
  io: CliIo,
  options: TargetOptions,
  warn: (text: string) => void,
  wait: string | null = null,
): AdminClient {
  const find = async (): Promise<ReturnType<typeof targetOf>> =>
    targetOf(options, io.env, await readConfig(io))
  return new AdminClient(find, warn, wait)
}

/** `usual`: the format without `-o`. Throws {@link CliError} for options that make no sense. */
export function openSession(io: CliIo, command: Command, usual: Output = 'yaml'): Session {
  const options = command.optsWithGlobals<GlobalOptions>()
  const wanted = options.output ?? 'default'
  const output = wanted === 'default' ? usual : OUTPUTS.find((each) => each === wanted)
  if (output === undefined) {
    throw new CliError(`unsupported output format: ${wanted} (${OUTPUTS.join(', ')})`)
  }
  const warn = (text: string): void => io.err(`${warningPrefix(io)}${printable(text)}`)
  const { wait = null } = options
  if (wait !== null && !WAITS.includes(wait)) {
    throw new CliError(`--wait: expected ${WAITS.join(' or ')}, got ${wait}`)
  }
  const client = clientOf(io, options, warn, wait)
  const isVerbose = options.verbose === true
  const isTalkative = isVerbose || options.output === 'table'
  return {
    client,
    output,
    isVerbose,
    note: (text) => {
      if (isTalkative) io.out(`${text}\n`)
    },
    async show(path, columns, rowsOf, api = 'v1') {
      const { body } = await client.request('GET', path, {
        api,
        as: output === 'yaml' ? 'yaml' : 'json',
      })
      if (body === '') return
      if (output === 'yaml') io.out(body.endsWith('\n') ? body : `${body}\n`)
      else if (output === 'json') io.out(`${JSON.stringify(JSON.parse(body), null, 2)}\n`)
      else io.out(table(columns, rowsOf(JSON.parse(body))))
    },
    async read(path) {
      const { body } = await client.request('GET', path, { api: 'v2', as: 'json' })
      return JSON.parse(body)
    },
    async print(value) {
      if (output === 'json') io.out(`${JSON.stringify(value, null, 2)}\n`)
      else {
        const { toYaml } = await import('../spec/yaml.js')
        io.out(toYaml(value))
      }
    },
    send: (method, path, api = 'v1') => client.request(method, path, { api, as: 'json' }),
  }
}
