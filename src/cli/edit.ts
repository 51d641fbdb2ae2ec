import { Command } from 'commander'
import { parseYaml } from '../spec/yaml.js'
import { type Api, Refusal } from './client.js'
import { CliError, type CliIo } from './io.js'
import { placeProblems } from './messages.js'
import { expectKind, resourceOf, type ShownObject } from './resources.js'
import { openSession } from './session.js'
import { pathOf } from './write-objects.js'

/** `egctl edit …`: the text of an object in an editor, sent back when it was changed. */
export function edit(io: CliIo): Command {
  return new Command('edit')
    .description('change an object in an editor')
    .argument('<resource>', 'a kind: see egctl api-resources')
    .argument('<name>', 'name of the object')
    .addHelpText(
      'after',
      '\nThe editor is EGCTL_EDITOR, or vi. Comments and order are kept. What others change meanwhile is\nnot overwritten.',
    )
    .action(async (word: string, name: string, _options: unknown, command: Command) => {
      const session = openSession(io, command)
      const asked = await resourceOf(session, word)
      if (asked.type !== 'kind') throw new CliError(`${word} cannot be edited`)
      const { kind } = asked.resource
      const shown = expectKind((await session.read(pathOf(name))) as ShownObject, kind)
      // v1 keeps the text as it was sent, whatever its dialect.
      const { body: before, etag } = await session.client.request('GET', pathOf(name), {
        as: 'yaml',
      })
      const edited = await io.edit(before, fileNameOf(kind, name))
      if (edited.text === before) {
        io.out(`nothing changed; temp file in ${edited.path}\n`)
        return
      }
      const api: Api = shown.version.endsWith('/v1') ? 'v1' : 'v2'
      try {
        expectSame(edited.text, name, kind)
        const headers = etag === null ? {} : { 'If-Match': etag }
        const sent = { api, as: 'json', body: edited.text, headers } as const
        await session.client.request('PUT', pathOf(name), sent)
      } catch (thrown) {
        throw kept(thrown, edited.path)
      }
      await edited.discard()
      io.out(`update ${kind} ${name} successfully\n`)
    })
}

/** Throws {@link CliError} when name or kind are others now. */
function expectSame(text: string, name: string, kind: string): void {
  const parsed = parseYaml(text)
  if (!parsed.ok) return // the server says what is wrong, with its place
  const value = (parsed.documents[0]?.value ?? {}) as { name?: unknown; kind?: unknown }
  if (value.name !== name) throw new CliError(`name: cannot be changed, it is ${name}`)
  if (value.kind !== kind) throw new CliError(`kind: cannot be changed, it is ${kind}`)
}

/** The failure, and where the work of the editor is. */
function kept(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof CliError)) return thrown
  const lines = thrown instanceof Refusal ? placed(thrown, path) : [thrown.message]
  return new CliError([...lines, `the text is in ${path}`].join('\n'), { cause: thrown })
}

function placed({ status, text, message }: Refusal, path: string): readonly string[] {
  const { lines, hasPlaces } = placeProblems(text, path, 1)
  return hasPlaces ? [`${status}: refused, nothing was changed`, ...lines] : [message]
}

/** As v2 calls it: kind, name, day and time. */
function fileNameOf(kind: string, name: string): string {
  const [day = '', time = ''] = new Date().toISOString().split('T')
  return `${kind}-${name}-${day}-${time.slice(0, 5).replace(':', '')}.yaml`
}
