import { Command } from 'commander'
import type { CliIo } from './io.js'
import { openSession } from './session.js'
import { column } from './table.js'

type Status = Readonly<Record<string, unknown>>
type ByMember = Readonly<Record<string, Status>>

const COLUMNS = [
  column('OBJECT', 'object'),
  column('MEMBER', 'member'),
  column('STATE', 'state'),
  column('STATUS', 'status'),
]

/** `egctl object status …`: what objects do on each member. */
export function objectStatus(io: CliIo): Command {
  return new Command('status')
    .alias('stat')
    .description('show what objects do')
    .addCommand(get(io))
    .addCommand(list(io))
}

function get(io: CliIo): Command {
  return new Command('get')
    .description('show the status of one object on every member')
    .argument('<name>', 'name of the object')
    .action(async (name: string, _options: unknown, command: Command) => {
      const path = `/status/objects/${encodeURIComponent(name)}`
      await openSession(io, command).show(path, COLUMNS, (value) => rows(name, value as ByMember))
    })
}

function list(io: CliIo): Command {
  return new Command('list')
    .description('show the status of all objects')
    .action(async (_options: unknown, command: Command) => {
      await openSession(io, command).show('/status/objects', COLUMNS, (value) =>
        Object.entries(value as Record<string, ByMember>).flatMap(([name, byMember]) =>
          rows(name, byMember),
        ),
      )
    })
}

/** HTTPServers have their state inside `status`, others beside it. */
function rows(object: string, byMember: ByMember): unknown[] {
  return Object.entries(byMember).map(([member, status]) => {
    const inner = (status['status'] ?? {}) as Status
    return { object, member, state: status['state'] ?? inner['state'], status }
  })
}
