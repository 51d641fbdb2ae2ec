import { Command } from 'commander'
import type { CliIo } from './io.js'
import { openSession } from './session.js'
import { column } from './table.js'

/** `egctl api …`: the admin API itself. */
export function api(io: CliIo): Command {
  return new Command('api').description('show the admin API').addCommand(
    new Command('list')
      .description('list the paths and methods of the admin API')
      .action(async (_options: unknown, command: Command) => {
        await openSession(io, command).show(
          '',
          [column('METHOD', 'method'), column('PATH', 'path')],
          (value) => value as unknown[],
        )
      }),
  )
}
