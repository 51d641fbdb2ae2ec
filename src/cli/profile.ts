import { Command } from 'commander'
import type { CliIo } from './io.js'
import { openSession } from './session.js'
import { column } from './table.js'

/** `egctl profile …`: profiles of every thread of the node. */
export function profile(io: CliIo): Command {
  return new Command('profile')
    .description('profile the node')
    .addCommand(
      new Command('info')
        .description('show where profiles are being written')
        .action(async (_options: unknown, command: Command) => {
          const columns = [column('CPU', 'cpuPath'), column('MEMORY', 'memoryPath')]
          const session = openSession(io, command)
          await session.show('/profile', columns, (value) => [value], 'v2')
        }),
    )
    .addCommand(
      new Command('start')
        .description('begin a profile; each thread adds its name to the path')
        .addCommand(start(io, 'cpu'))
        .addCommand(start(io, 'memory')),
    )
    .addCommand(
      new Command('stop')
        .description('end and write the profiles')
        .action(async (_options: unknown, command: Command) => {
          await openSession(io, command).send('POST', '/profile/stop', 'v2')
        }),
    )
}

function start(io: CliIo, what: 'cpu' | 'memory'): Command {
  return new Command(what)
    .description(`begin a profile of ${what === 'cpu' ? 'what takes time' : 'what takes memory'}`)
    .argument('<path>', 'of the file, on the node')
    .action(async (path: string, _options: unknown, command: Command) => {
      const { client } = openSession(io, command)
      const body = JSON.stringify({ path })
      await client.request('POST', `/profile/start/${what}`, { api: 'v2', as: 'json', body })
    })
}
