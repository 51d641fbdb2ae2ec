import { parseYaml, splitYaml } from '../spec/yaml.js'
import { CliError, type CliIo } from './io.js'

/** A part of a file between two `---`. */
export interface Part {
  readonly file: string
  /** Line of the file at which `text` begins, from 1. */
  readonly line: number
  /** Exactly as written, comments included. */
  readonly text: string
}

/** One object as it stands in a file. */
export interface ObjectDocument extends Part {
  /** Empty when there is none, for the server to complain about along with all else. */
  readonly name: string
  readonly kind: string
}

/**
 * The objects of all files in order, `-` for stdin, which is also read when no file is named.
 * Throws one {@link CliError} with a line for each problem: no YAML, a name twice, no name where one is
 * needed to send it.
 */
export async function readObjects(
  io: CliIo,
  files: readonly string[],
  needsName: boolean,
): Promise<readonly ObjectDocument[]> {
  const objects: ObjectDocument[] = []
  const problems: string[] = []
  for (const path of files.length === 0 ? ['-'] : files) {
    const file = path === '-' ? 'stdin' : path
    const found = objectsOf(await readText(io, path), file, needsName, problems)
    objects.push(...found)
  }
  const places = new Map<string, ObjectDocument>()
  for (const object of objects) {
    if (object.name === '') continue
    const key = KINDS_WITH_OWN_NAMES.has(object.kind)
      ? `${object.kind}/${object.name}`
      : object.name
    const first = places.get(key)
    if (first === undefined) places.set(key, object)
    else {
      const there = `${first.file}:${first.line}`
      problems.push(`${object.file}:${object.line}:1: name: ${object.name} is already at ${there}`)
    }
  }
  if (problems.length > 0) throw new CliError(`invalid spec\n${problems.join('\n')}`)
  return objects
}

/** All other kinds share their names: objects have one name in the whole cluster. */
const KINDS_WITH_OWN_NAMES: ReadonlySet<string> = new Set(['CustomDataKind', 'CustomData'])

/** The documents of all files in order, `-` for stdin; whatever they hold. */
export async function readParts(io: CliIo, files: readonly string[]): Promise<readonly Part[]> {
  const parts: Part[] = []
  for (const path of files) {
    const file = path === '-' ? 'stdin' : path
    for (const part of splitYaml(withoutMark(await readText(io, path)))) {
      parts.push({ file, ...withoutMarker(part) })
    }
  }
  return parts
}

async function readText(io: CliIo, path: string): Promise<string> {
  if (path !== '-') {
    try {
      return await io.readFile(path)
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null
      const reason =
        code === 'ENOENT'
          ? 'no such file'
          : code === 'EISDIR'
            ? 'is a directory'
            : thrown instanceof Error
              ? thrown.message
              : String(thrown)
      throw new CliError(`${path}: ${reason}`, { cause: thrown })
    }
  }
  if (io.stdinIsTty) io.err('reading objects from the keyboard; end with Ctrl-D')
  return io.readStdin()
}

function objectsOf(
  text: string,
  file: string,
  needsName: boolean,
  problems: string[],
): ObjectDocument[] {
  const objects: ObjectDocument[] = []
  const parts = splitYaml(withoutMark(text))
  if (parts.length === 0) problems.push(`${file}:1:1: expected an object, but there is nothing`)
  for (const part of parts) {
    const { text: own, line } = withoutMarker(part)
    const parsed = parseYaml(own)
    if (!parsed.ok) {
      const { position } = parsed
      problems.push(`${file}:${line + position.line - 1}:${position.column}: ${parsed.message}`)
      continue
    }
    const value = parsed.documents[0]?.value
    const fields = (typeof value === 'object' && value !== null ? value : {}) as {
      name?: unknown
      kind?: unknown
    }
    const name = typeof fields.name === 'string' ? fields.name : ''
    if (name === '' && needsName) {
      problems.push(`${file}:${line}:1: name: expected the name of the object`)
      continue
    }
    objects.push({ file, line, text: own, name, kind: String(fields.kind ?? '') })
  }
  return objects
}

const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '')

/** A `---` line parts documents; what is stored need not begin with it. */
function withoutMarker({ text, line }: { text: string; line: number }): {
  text: string
  line: number
} {
  const marker = /^---[ \t]*\r?\n/.exec(text)
  return marker === null ? { text, line } : { text: text.slice(marker[0].length), line: line + 1 }
}
