import { Command } from 'commander'
import { CliError, type CliIo } from './io.js'
import { openSession } from './session.js'

interface LogOptions {
  readonly tail: string
  readonly follow?: boolean
}

/** `egctl logs …`: the log of the node that is asked. */
export function logs(io: CliIo): Command {
  return new Command('logs')
    .description('show the log of the node, or change its level')
    .option('--tail <lines>', 'so many lines from the end; -1 for all', '500')
    .option('-f, --follow', 'go on with what comes')
    .action(async ({ tail, follow }: LogOptions, command: Command) => {
      if (!/^(-1|\d+)$/.test(tail)) {
        throw new CliError(`--tail: expected a number of lines, or -1 for all, got ${tail}`)
      }
      const { client } = openSession(io, command)
      const path = `/logs?tail=${tail}${follow === true ? '&follow' : ''}`
      await client.stream(path, { api: 'v2', as: 'json' }, (text) => io.out(text))
    })
    .addCommand(
      new Command('get-level')
        .description('show the level of the log')
        .action(async (_options: unknown, command: Command) => {
          const { client } = openSession(io, command)
          const { body } = await client.request('GET', '/logs/level', { api: 'v2', as: 'json' })
          io.out(body)
        }),
    )
    .addCommand(
      new Command('set-level')
        .description('change the level of the log: info or debug')
        .argument('<level>', 'info or debug')
        .action(async (level: string, _options: unknown, command: Command) => {
          const session = openSession(io, command)
          await session.send('PUT', `/logs/level/${encodeURIComponent(level)}`, 'v2')
          io.out(`Set log level to ${level}\n`)
        }),
    )
}

/** `egctl metrics`: statistics as Prometheus reads them. */
export function metrics(io: CliIo): Command {
  return new Command('metrics')
    .description('print the statistics of the node for Prometheus')
    .action(async (_options: unknown, command: Command) => {
      const { client } = openSession(io, command)
      const { body } = await client.request('GET', '/metrics', { api: 'v2', as: 'json' })
      io.out(body)
    })
}
