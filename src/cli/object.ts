import { Command } from 'commander'
import { type Method, Refusal, type Reply } from './client.js'
import { type ObjectDocument, readObjects } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { placeProblems } from './messages.js'
import { objectStatus } from './object-status.js'
import { openSession, type Session } from './session.js'
import { column } from './table.js'

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
interface Writing {
  readonly verb: 'create' | 'update' | 'apply'
  readonly description: string
  readonly example: string
  readonly method: Method
  readonly path: (document: ObjectDocument) => string
  readonly query: string
}

const CREATE: Writing = {
  verb: 'create',
  description: 'create objects from YAML',
  example: 'egctl object create -f pipeline.yaml',
  method: 'POST',
  path: () => '/objects',
  query: '',
}

const UPDATE: Writing = {
  verb: 'update',
  description: 'replace existing objects by YAML',
  example: 'egctl object update -f pipeline.yaml',
  method: 'PUT',
  path: ({ name }) => pathOf(name),
  query: '',
}

const APPLY: Writing = {
  verb: 'apply',
  description: 'create objects, or replace those that exist',
  example: 'egctl object apply -f server.yaml -f pipelines.yaml --dry-run',
  method: 'PUT',
  path: ({ name }) => pathOf(name),
  query: 'apply',
}

const pathOf = (name: string): string => `/objects/${encodeURIComponent(name)}`

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value]

function write(io: CliIo, writing: Writing): Command {
  return new Command(writing.verb)
    .description(writing.description)
    .option('-f, --file <path>', 'YAML file, again for more; "-" or none reads stdin', collect)
    .option('--dry-run', 'check on the server, change nothing')
    .addHelpText(
      'after',
      `\nA file may hold several objects, parted by "---". When one is refused, none is written.\n\nExample:\n  ${writing.example}`,
    )
    .action(async (options: { file?: string[]; dryRun?: boolean }, command: Command) => {
      const session = openSession(io, command)
      const documents = await readObjects(io, options.file ?? [], writing.verb !== 'create')
      // A single one is checked by sending it.
      const isTrial = options.dryRun === true
      if (isTrial || documents.length > 1) await checkAll(session, writing, documents, !isTrial)
      if (!isTrial) await sendAll(session, writing, documents)
      else for (const document of documents) session.note(`${labelOf(document)} is valid`)
    })
}

/** Sends all as a trial; throws with every problem of every document. */
async function checkAll(
  session: Session,
  writing: Writing,
  documents: readonly ObjectDocument[],
  isQuiet: boolean,
): Promise<void> {
  const refused: { document: ObjectDocument; refusal: Refusal }[] = []
  for (const document of documents) {
    try {
      await send(session, writing, document, { isDryRun: true, isQuiet })
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      refused.push({ document, refusal: thrown })
    }
  }
  const [first, ...more] = refused
  if (first === undefined) return
  if (documents.length === 1) throw placed(first.refusal, first.document)
  const lines = [first, ...more].flatMap(({ document, refusal }) => problemLines(refusal, document))
  const total = `${refused.length} of ${documents.length} objects refused, nothing was changed`
  throw new CliError(`${total}\n${lines.join('\n')}`)
}

async function sendAll(
  session: Session,
  writing: Writing,
  documents: readonly ObjectDocument[],
): Promise<void> {
  for (const [done, document] of documents.entries()) {
    let reply: Reply
    try {
      reply = await send(session, writing, document, { isDryRun: false, isQuiet: false })
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown
      const error = thrown instanceof Refusal ? placed(thrown, document) : thrown
      if (documents.length === 1) throw error
      const before = `${done} of ${documents.length} objects had been written before ${document.name}`
      throw new CliError(`${error.message}\n${before}`, { cause: thrown })
    }
    const verb = reply.status === 201 ? 'created' : 'updated'
    session.note(`${labelOf(document)} ${verb} at version ${reply.version}`)
  }
}

function send(
  session: Session,
  writing: Writing,
  document: ObjectDocument,
  { isDryRun, isQuiet }: { isDryRun: boolean; isQuiet: boolean },
): Promise<Reply> {
  const query = [writing.query, isDryRun ? 'dry-run' : ''].filter((each) => each !== '').join('&')
  const path = `${writing.path(document)}${query === '' ? '' : `?${query}`}`
  return session.client.request(writing.method, path, { as: 'json', body: document.text, isQuiet })
}

const labelOf = ({ kind, name }: ObjectDocument): string => `${kind}/${name}`

/** The refusal of a single document: status and text, or a head and one line for each place. */
function placed(refusal: Refusal, document: ObjectDocument): CliError {
  const { lines, hasPlaces } = placeProblems(refusal.text, document.file, document.line)
  if (!hasPlaces) return refusal
  const head = `${refusal.status}: ${document.file} refused, nothing was changed`
  return new CliError([head, ...lines].join('\n'), { cause: refusal })
}

function problemLines(refusal: Refusal, document: ObjectDocument): readonly string[] {
  const { lines, hasPlaces } = placeProblems(refusal.text, document.file, document.line)
  if (hasPlaces) return lines
  return [`${document.file}:${document.line}:1: ${document.name}: ${lines.join(' ')}`]
}
