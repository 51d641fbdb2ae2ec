import { Command } from 'commander'
import { VERSION } from '../version.js'
import type { CliIo } from './io.js'
import { errorPrefix } from './messages.js'
import { DEFAULT_SERVER } from './target.js'
import type { Named } from './words.js'

/** A first word and the file behind it, loaded only when it is used. */
export interface Family extends Named {
  readonly summary: string
  readonly load: () => Promise<(io: CliIo) => Command>
}

export const FAMILIES: readonly Family[] = [
  {
    name: 'object',
    aliases: ['o', 'obj'],
    summary: 'create, change and show objects',
    load: async () => (await import('./object.js')).object,
  },
  {
    name: 'member',
    aliases: [],
    summary: 'list and purge members of the cluster',
    load: async () => (await import('./member.js')).member,
  },
  {
    name: 'health',
    aliases: [],
    summary: 'check that the server answers',
    load: async () => (await import('./health.js')).health,
  },
  {
    name: 'api',
    aliases: [],
    summary: 'show the admin API',
    load: async () => (await import('./api.js')).api,
  },
  {
    name: 'completion',
    aliases: [],
    summary: 'print a script that completes egctl commands',
    load: async () => (await import('./completion.js')).completion,
  },
]

const EXAMPLES = `
Examples:
  egctl member list
  egctl object create -f server.yaml
  echo 'kind: HTTPServer ...' | egctl object create
  egctl object list -o table
  egctl object apply -f all.yaml --dry-run
  egctl --server 10.0.0.1:2381 health

A command may be shortened as long as it stays clear: "egctl mem li".
Where the server is may also stand in EGCTL_SERVER, and a user in EGCTL_USER and EGCTL_PASSWORD.`

/** The program without commands: options that all of them have. */
export function bareProgram(io: CliIo): Command {
  return new Command('egctl')
    .description('Command line of Easegress.')
    .option('--server <host:port>', `server to talk to (default: ${DEFAULT_SERVER})`)
    .option('-o, --output <format>', 'yaml, json or table', 'yaml')
    .option('--verbose', 'say more of what was done')
    .option('--ca-file <path>', 'trust certificates signed by these authorities (PEM)')
    .option('--cert-file <path>', 'certificate to show to the server (PEM)')
    .option('--key-file <path>', 'its private key (PEM)')
    .option('--insecure-skip-verify', 'do not check the certificate of the server')
    .version(VERSION, '-V, --version', 'print the version')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput(outputTo(io))
}

export function outputTo(io: CliIo) {
  return {
    writeOut: (text: string) => io.out(text),
    writeErr: (text: string) => io.err(text.trimEnd()),
    outputError: (text: string, write: (text: string) => void) =>
      write(`${errorPrefix(io)}${text.replace(/^error: /, '').trimEnd()}`),
  }
}

/** Flags of `command` whose value is the next word. */
export function valuedFlags(...commands: readonly Command[]): ReadonlySet<string> {
  const options = commands.flatMap((command) => command.options)
  return new Set(
    options
      .filter(({ required, optional }) => required || optional)
      .flatMap(({ short, long }) => [short, long])
      .filter((flag): flag is string => typeof flag === 'string'),
  )
}
