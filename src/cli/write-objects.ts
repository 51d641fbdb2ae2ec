import type { Api, Method } from './client.js'
import { Refusal, type Reply } from './client.js'
import type { ObjectDocument } from './documents.js'
import { CliError, type CliIo } from './io.js'
import { placeProblems } from './messages.js'
import type { Session } from './session.js'

/** How commands that write differ. */
export interface Writing {
  readonly api: Api
  readonly method: Method
  readonly path: (document: ObjectDocument) => string
  readonly query: string
  /** Tells of one document that was written. */
  readonly done: (document: ObjectDocument, reply: Reply) => void
}

/** Creates objects, over the API of v2. */
export const CREATE: Omit<Writing, 'done'> = {
  api: 'v2',
  method: 'POST',
  path: () => '/objects',
  query: '',
}

/** Tells of a write in the words of v2. */
export function told(io: CliIo): Writing['done'] {
  return ({ kind, name }, reply) => {
    io.out(`${reply.status === 201 ? 'create' : 'update'} ${kind} ${name} successfully\n`)
  }
}

/** For options that may come again. */
export const collect = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
]

export const pathOf = (name: string): string => `/objects/${encodeURIComponent(name)}`

/**
 * Checks all documents, and only when none is refused writes them. With `isTrial` nothing is
 * written. A single one is checked by sending it.
 */
export async function writeObjects(
  session: Session,
  writing: Writing,
  documents: readonly ObjectDocument[],
  isTrial: boolean,
): Promise<void> {
  if (isTrial || documents.length > 1) await checkAll(session, writing, documents, !isTrial)
  if (!isTrial) await sendAll(session, writing, documents)
  else for (const document of documents) session.note(`${labelOf(document)} is valid`)
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
    writing.done(document, reply)
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
  const { api, method } = writing
  return session.client.request(method, path, { api, as: 'json', body: document.text, isQuiet })
}

export const labelOf = ({ kind, name }: ObjectDocument): string => `${kind}/${name}`

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
