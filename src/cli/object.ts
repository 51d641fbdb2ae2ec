import { Command } from 'commander'
import type { Reply } from './client.js'
import { type ObjectDocument, readObjects } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { lint } from './lint.js'
import { objectStatus } from './object-status.js'
import { openSession } from './session.js'
import { column } from './table.js'
import { collect, labelOf, pathOf, type Writing, writeObjects } from './write-objects.js'

const COLUMNS = [column('NAME', 'name'), column('KIND', 'kind')]

/** `egctl object …`: the objects of the gateway. */
export function object(io: CliIo): Command {
  return new Command('object')
    .aliases(['o', 'obj'])
    .description('create, change and show objects')
    .addCommand(kinds(io))
    .addCommand(list(io))
    .addCommand(get(io))
    .addCommand(write(io, CREATE))
    .addCommand(write(io, UPDATE))
    .addCommand(write(io, APPLY))
    .addCommand(remove(io))
    .addCommand(lint(io))
    .addCommand(objectStatus(io))
}

function kinds(io: CliIo): Command {
  return new Command('kinds')
    .description('list the kinds of objects that the server knows')
    .action(async (_options: unknown, command: Command) => {
      const kindColumn = { head: 'KIND', of: (row: Record<string, unknown>) => row['kind'] }
      await openSession(io, command).show('/object-kinds', [kindColumn], (value) =>
        (value as string[]).map((kind) => ({ kind })),
      )
    })
}

function list(io: CliIo): Command {
  return new Command('list')
    .description('list all objects')
    .action(async (_options: unknown, command: Command) => {
      await openSession(io, command).show('/objects', COLUMNS, (value) => value as unknown[])
    })
}

function get(io: CliIo): Command {
  return new Command('get')
    .description('show one object as it was written')
    .argument('<name>', 'name of the object')
    .action(async (name: string, _options: unknown, command: Command) => {
      await openSession(io, command).show(pathOf(name), COLUMNS, (value) => [value])
    })
}

function remove(io: CliIo): Command {
  return new Command('delete')
    .description('delete objects by name')
    .argument('<name...>', 'names of the objects')
    .action(async (names: string[], _options: unknown, command: Command) => {
      const session = openSession(io, command)
      for (const [done, name] of names.entries()) {
        try {
          const { version } = await session.send('DELETE', pathOf(name))
          session.note(`${name} deleted at version ${version}`)
        } catch (thrown) {
          if (!(thrown instanceof CliError) || names.length === 1) throw thrown
          const kept = `deleted before: ${done === 0 ? 'none' : names.slice(0, done).join(', ')}`
          throw new CliError(`${name}: ${thrown.message}\n${kept}`, { cause: thrown })
        }
      }
    })
}

/** How the three commands that write differ. */
interface Verb extends Omit<Writing, 'done' | 'api'> {
  readonly verb: 'create' | 'update' | 'apply'
  readonly description: string
  readonly example: string
}

const CREATE: Verb = {
  verb: 'create',
  description: 'create objects from YAML',
  example: 'egctl object create -f pipeline.yaml',
  method: 'POST',
  path: () => '/objects',
  query: '',
}

const UPDATE: Verb = {
  verb: 'update',
  description: 'replace existing objects by YAML',
  example: 'egctl object update -f pipeline.yaml',
  method: 'PUT',
  path: ({ name }) => pathOf(name),
  query: '',
}

const APPLY: Verb = {
  verb: 'apply',
  description: 'create objects, or replace those that exist',
  example: 'egctl object apply -f server.yaml -f pipelines.yaml --dry-run',
  method: 'PUT',
  path: ({ name }) => pathOf(name),
  query: 'apply',
}

function write(io: CliIo, verb: Verb): Command {
  return new Command(verb.verb)
    .description(verb.description)
    .option('-f, --file <path>', 'YAML file, again for more; "-" or none reads stdin', collect)
    .option('--dry-run', 'check on the server, change nothing')
    .addHelpText(
      'after',
      `\nA file may hold several objects, parted by "---". When one is refused, none is written.\n\nExample:\n  ${verb.example}`,
    )
    .action(async (options: { file?: string[]; dryRun?: boolean }, command: Command) => {
      const session = openSession(io, command)
      const documents = await readObjects(io, options.file ?? [], verb.verb !== 'create')
      const done = (document: ObjectDocument, reply: Reply): void => {
        const outcome = reply.status === 201 ? 'created' : 'updated'
        session.note(`${labelOf(document)} ${outcome} at version ${reply.version}`)
      }
      const writing: Writing = { ...verb, api: 'v1', done }
      await writeObjects(session, writing, documents, options.dryRun === true)
    })
}
