import { Command } from 'commander'
import type { CliIo } from './io.js'
import { openSession } from './session.js'
import { type Column, column } from './table.js'

const option = (head: string, name: string): Column => ({
  head,
  of: ({ options }) => (options as Record<string, unknown> | undefined)?.[name],
})

const COLUMNS: readonly Column[] = [
  option('NAME', 'name'),
  option('ROLE', 'cluster-role'),
  { head: 'STATE', of: ({ etcd }) => (etcd as { state?: unknown } | null)?.state },
  option('API-ADDR', 'api-addr'),
  column('HEARTBEAT', 'lastHeartbeatTime'),
]

/** `egctl member …`: the members of the cluster. */
export function member(io: CliIo): Command {
  return new Command('member')
    .description('list and purge members of the cluster')
    .addCommand(list(io))
    .addCommand(purge(io))
}

function list(io: CliIo): Command {
  return new Command('list')
    .description('list all members with their options and state')
    .action(async (_options: unknown, command: Command) => {
      await openSession(io, command).show('/status/members', COLUMNS, (value) => value as unknown[])
    })
}

function purge(io: CliIo): Command {
  return new Command('purge')
    .description('remove a member from the cluster for good')
    .argument('<name>', 'name of the member')
    .addHelpText('after', '\nStop the member first; one that still runs is told to leave.')
    .action(async (name: string, _options: unknown, command: Command) => {
      const session = openSession(io, command)
      await session.send('DELETE', `/status/members/${encodeURIComponent(name)}`)
      session.note(`member ${name} purged`)
    })
}
