import { Command } from 'commander'
import type { CliIo } from './io.js'
import { DATA, DATA_KIND, MEMBER, readResources } from './resources.js'
import { openSession } from './session.js'
import { column, table } from './table.js'

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

interface Entry {
  readonly path: string
  readonly method: string
}

/** `egctl apis`: the paths of both APIs. */
export function apis(io: CliIo): Command {
  return new Command('apis')
    .description('list the paths of both admin APIs')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(io, command, 'table')
      const groups = (await session.read('')) as { Group: string; Entries: Entry[] }[]
      const v1 = await session.client.request('GET', '', { as: 'json' })
      const rows = [
        ...(JSON.parse(v1.body) as Entry[]).map((entry) => ({ ...entry, group: 'admin' })),
        ...groups.flatMap(({ Group: group, Entries }) =>
          Entries.map((entry) => ({ ...entry, group })),
        ),
      ]
        .map((row) => ({ ...row, version: row.path.split('/')[2] ?? '' }))
        .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
      if (session.output === 'yaml' || session.output === 'json') await session.print(rows)
      else {
        const keys = ['path', 'method', 'version', 'group']
        const columns = keys.map((key) => column(key.toUpperCase(), key))
        io.out(table(columns, rows))
      }
    })
}

const DATA_ACTIONS = 'create,apply,delete,get,describe'

/** `egctl api-resources`: what `get`, `describe`, `delete` and `edit` know. */
export function apiResources(io: CliIo): Command {
  return new Command('api-resources')
    .description('list the kinds that get, describe, delete and edit know')
    .action(async (_options: unknown, command: Command) => {
      const session = openSession(io, command, 'table')
      const resources = (await readResources(session)).map((resource) => ({
        ...resource,
        action: 'create,apply,delete,get,describe,edit',
      }))
      const member = { ...MEMBER, category: '', kind: 'Member', action: 'delete,get,describe' }
      const data = [
        { ...DATA_KIND, category: '', kind: 'CustomDataKind', action: DATA_ACTIONS },
        { ...DATA, category: '', kind: 'CustomData', action: DATA_ACTIONS },
      ]
      const rows = [...resources, ...data, member].map((row) => ({
        ...row,
        aliases: row.aliases.join(','),
      }))
      if (session.output === 'yaml' || session.output === 'json') await session.print(rows)
      else {
        const keys = ['name', 'aliases', 'category', 'kind', 'action']
        const columns = keys.map((key) => column(key.toUpperCase(), key))
        io.out(table(columns, rows))
      }
    })
}
