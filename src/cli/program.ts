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
    name: 'create',
    aliases: [],
    summary: 'create objects from files, or a proxy from a line',
    load: async () => (await import('./create.js')).create,
  },
  {
    name: 'apply',
    aliases: [],
    summary: 'create objects, or replace those that exist',
    load: async () => (await import('./create.js')).apply,
  },
  {
    name: 'get',
    aliases: [],
    summary: 'list objects or members',
    load: async () => (await import('./get.js')).get,
  },
  {
    name: 'describe',
    aliases: [],
    summary: 'show objects or members with their status',
    load: async () => (await import('./describe.js')).describe,
  },
  {
    name: 'delete',
    aliases: [],
    summary: 'delete objects, purge members',
    load: async () => (await import('./delete.js')).remove,
  },
  {
    name: 'edit',
    aliases: [],
    summary: 'change an object in an editor',
    load: async () => (await import('./edit.js')).edit,
  },
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
    name: 'explain',
    aliases: [],
    summary: 'say what would become of a request, without sending it',
    load: async () => (await import('./explain.js')).explain,
  },
  {
    name: 'logs',
    aliases: [],
    summary: 'show the log of the node',
    load: async () => (await import('./logs.js')).logs,
  },
  {
    name: 'metrics',
    aliases: [],
    summary: 'print statistics for Prometheus',
    load: async () => (await import('./logs.js')).metrics,
  },
  {
    name: 'profile',
    aliases: [],
    summary: 'profile the node',
    load: async () => (await import('./profile.js')).profile,
  },
  {
    name: 'apis',
    aliases: [],
    summary: 'list the paths of both admin APIs',
    load: async () => (await import('./api.js')).apis,
  },
  {
    name: 'api-resources',
    aliases: [],
    summary: 'list the kinds that get, describe, delete and edit know',
    load: async () => (await import('./api.js')).apiResources,
  },
  {
    name: 'config',
    aliases: [],
    summary: 'show and choose the servers of ~/.egctlrc',
    load: async () => (await import('./config.js')).config,
  },
  {
    name: 'bench',
    aliases: [],
    summary: 'measure this gateway beside others',
    load: async () => (await import('./bench.js')).bench,
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
  egctl apply -f all.yaml --dry-run
  egctl create httpproxy demo --port 10080 --rule '/api/*=http://127.0.0.1:9095'
  egctl get all -o wide
  egctl describe httpserver demo
  egctl member list
  egctl object create -f server.yaml
  echo 'kind: HTTPServer ...' | egctl object create
  egctl object list -o table
  egctl --server 10.0.0.1:2381 health

A command may be shortened as long as it stays clear: "egctl mem li".
Where the server is may also stand in EGCTL_SERVER or ~/.egctlrc, and a user in EGCTL_USER and
EGCTL_PASSWORD.`

/** The program without commands: options that all of them have. */
export function bareProgram(io: CliIo): Command {
  return new Command('egctl')
    .description('Command line of Easegress.')
    .option('--server <host:port>', `server to talk to (default: ${DEFAULT_SERVER})`)
    .option('-o, --output <format>', 'table, wide, yaml or json (default: as the command sees fit)')
    .option('-v, --verbose', 'say more of what was done')
    .option('--wait <node|cluster>', 'until who runs a change: this node, or every live member')
    .option('--ca-file <path>', 'trust certificates signed by these authorities (PEM)')
    .option('--cert-file <path>', 'certificate to show to the server (PEM)')
    .option('--key-file <path>', 'its private key (PEM)')
    .option('--force-tls', 'talk HTTPS to a server given without https://')
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
