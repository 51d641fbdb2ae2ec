import { Command } from 'commander'
import { httpProxy } from './create-http-proxy.js'
import { isCustomData, writeData } from './custom-data.js'
import { readObjects } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { openSession } from './session.js'
import { CREATE, collect, pathOf, told, type Writing, writeObjects } from './write-objects.js'

interface WriteOptions {
  readonly file?: string[]
  readonly dryRun?: boolean
}

/** `egctl create …`: objects in the dialect of v2, or a proxy from a line. */
export function create(io: CliIo): Command {
  return writing(io, new Command('create').description('create objects from files'), 'create')
    .addCommand(httpProxy(io))
    .addHelpText(
      'after',
      "\nExamples:\n  egctl create -f all.yaml\n  egctl create httpproxy demo --port 10080 --rule '/api/*=http://127.0.0.1:9095'",
    )
}

/** `egctl apply -f …`. */
export function apply(io: CliIo): Command {
  const command = new Command('apply').description('create objects, or replace those that exist')
  return writing(io, command, 'apply').addHelpText(
    'after',
    '\nExample:\n  egctl apply -f all.yaml --dry-run',
  )
}

function writing(io: CliIo, command: Command, verb: 'create' | 'apply'): Command {
  return command
    .option('-f, --file <path>', 'YAML or JSON, again for more; "-" reads stdin', collect)
    .option('--dry-run', 'check on the server, change nothing')
    .addHelpText(
      'after',
      '\nA file may hold several objects, parted by "---". When one is refused, none is written.',
    )
    .action(async (options: WriteOptions, self: Command) => {
      if (options.file === undefined) throw new CliError('-f: expected a file, or - for stdin')
      const session = openSession(io, self)
      const documents = await readObjects(io, options.file, verb === 'apply')
      const how = verb === 'apply' ? APPLY : CREATE
      const objects = documents.filter((document) => !isCustomData(document))
      const data = documents.filter(isCustomData)
      if (data.length > 0 && options.dryRun === true) {
        throw new CliError('--dry-run: custom data cannot be tried')
      }
      // First, since objects may want it.
      await writeData(io, session, data, verb)
      await writeObjects(session, { ...how, done: told(io) }, objects, options.dryRun === true)
    })
}

const APPLY: Omit<Writing, 'done'> = {
  api: 'v2',
  method: 'PUT',
  path: ({ name }) => pathOf(name),
  query: 'apply',
}
