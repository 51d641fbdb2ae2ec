import { Command } from 'commander'
import type { CliIo } from './io.js'
import { openSession } from './session.js'

/** `egctl health`: exit code 0 and nothing printed when the server is well. */
export function health(io: CliIo): Command {
  return new Command('health')
    .description('check that the server answers; exit code 0 when it does')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(io, command)
      await session.send('GET', '/healthz')
      session.note('healthy')
    })
}
