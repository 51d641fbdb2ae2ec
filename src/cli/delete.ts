import { Command } from 'commander'
import { deleteData, deleteDataKinds } from './custom-data.js'
import { readObjects } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { readObjectsOf, resourceOf, type ShownObject } from './resources.js'
import { openSession, type Session } from './session.js'
import { collect, pathOf } from './write-objects.js'

interface DeleteOptions {
  readonly all?: boolean
  readonly file?: string[]
}

/** `egctl delete …`: objects by kind and name, by file, or all of a kind; members. */
export function remove(io: CliIo): Command {
  return new Command('delete')
    .description('delete objects, purge members')
    .argument('[resource]', 'all, member or a kind: see egctl api-resources')
    .argument('[name...]', 'which of them')
    .option('--all', 'all of that kind')
    .option('-f, --file <path>', 'the objects of this file; "-" reads stdin', collect)
    .addHelpText(
      'after',
      '\nExamples:\n  egctl delete httpserver demo\n  egctl delete pipeline --all\n  egctl delete -f all.yaml\n  egctl delete member eg-2',
    )
    .action(
      async (
        word: string | undefined,
        names: string[],
        options: DeleteOptions,
        command: Command,
      ) => {
        const session = openSession(io, command)
        if (options.file !== undefined) await deleteFiles(io, session, options.file, word)
        else if (word === undefined) throw new CliError('expected a resource, or -f with a file')
        else await deleteNamed(io, session, word, names, options.all === true)
      },
    )
}

async function deleteNamed(
  io: CliIo,
  session: Session,
  word: string,
  names: readonly string[],
  isAll: boolean,
): Promise<void> {
  const asked = await resourceOf(session, word)
  if (asked.type === 'data') return await deleteData(io, session, names, isAll)
  if (isAll === names.length > 0) throw new CliError('expected names, or --all')
  if (asked.type === 'data-kind') return await deleteDataKinds(io, session, names, isAll)
  if (asked.type === 'member') {
    if (isAll) throw new CliError('members are purged by name')
    for (const name of names) {
      await session.send('DELETE', `/status/members/${encodeURIComponent(name)}`, 'v2')
      io.out(`delete member ${name} successfully\n`)
    }
    return
  }
  if (asked.type === 'all' && !isAll) throw new CliError('"all" needs --all')
  // Reading first tells of what is not there, or of another kind, before anything is gone.
  await deleteObjects(io, session, await readObjectsOf(session, asked, isAll ? [] : names))
}

async function deleteFiles(
  io: CliIo,
  session: Session,
  files: readonly string[],
  word: string | undefined,
): Promise<void> {
  if (word !== undefined) throw new CliError('-f takes no resource')
  const documents = await readObjects(io, files, true)
  const names = documents.map(({ name }) => name)
  await deleteObjects(io, session, await readObjectsOf(session, { type: 'all' }, names))
}

async function deleteObjects(
  io: CliIo,
  session: Session,
  objects: readonly ShownObject[],
): Promise<void> {
  for (const { name, kind } of objects) {
    await session.send('DELETE', pathOf(name), 'v2')
    io.out(`delete ${kind} ${name} successfully\n`)
  }
}
