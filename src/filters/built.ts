import { randomBytes } from 'node:crypto'
import { isFieldName, isFieldValue, toLatin1 } from '../http/headers.js'
import { parseYaml } from '../spec/yaml.js'
import { NOT_SIMPLE, readSimpleYaml } from './simple-yaml.js'

/** Something that a template made is not what it should be: the message says what. */
export class BuildError extends Error {
  override readonly name = 'BuildError'
}

type Fields = ReadonlyMap<string, unknown>

/** What a template gave, as YAML; the first document, null when there is none. */
export function readYaml(text: string): unknown {
  const simple = readSimpleYaml(text)
  if (simple !== NOT_SIMPLE) return simple
  const parsed = parseYaml(text)
  if (!parsed.ok) {
    const { line, column } = parsed.position
    throw new BuildError(`the result is ${parsed.message} (line ${line}, column ${column})`)
  }
  return parsed.documents[0]?.value ?? null
}

/** A mapping with its keys in lower case: Easegress does not mind how they are written. */
export function readFields(value: unknown, what: string): Fields {
  if (value === null) return new Map()
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new BuildError(`${what}: expected a mapping`)
  }
  return new Map(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each]))
}

/** Text, or a number or boolean as text; '' when it is not there. */
export function readText(value: unknown, what: string): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new BuildError(`${what}: expected text`)
}

/** Names and values as they go into headers: lower case, Latin-1. */
export type HeaderList = readonly (readonly [name: string, value: string])[]

/** Header names with a list of values each, or with one. */
export function readHeaders(value: unknown, what: string): HeaderList {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new BuildError(`${what}: expected a mapping`)
  }
  return Object.entries(value).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((each) => readHeader(name, each, what)),
  )
}

function readHeader(name: string, value: unknown, what: string): readonly [string, string] {
  const text = toLatin1(readText(value, `${what}/${name}`).trim())
  if (!isFieldName(name)) throw new BuildError(`${what}: ${JSON.stringify(name)} is no name`)
  if (!isFieldValue(text)) throw new BuildError(`${what}/${name}: not a value that can be sent`)
  return [name.toLowerCase(), text]
}

/** Where a request goes, in the parts that it keeps. */
export interface Target {
  /** '' when the URL names none. */
  readonly host: string
  readonly rawPath: string
  readonly query: string
}

const URL_PARTS = /^(?:[a-z][a-z0-9+.-]*:)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/is
const NOT_IN_URL = /[^\x21-\x7e]+/g

/** Parts of a URL, or of a path alone. */
export function readTarget(url: string): Target {
  const found = URL_PARTS.exec(url === '' ? '/' : url)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (found === null || /[\x00-\x1f\x7f]/.test(url)) throw new BuildError('url: not a URL')
  const [, authority = '', path = '', query = ''] = found
  if (/%(?![0-9a-f]{2})/i.test(path)) throw new BuildError('url: invalid percent-encoding')
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (!/^[\x21-\x7e]*$/.test(host)) throw new BuildError('url: not a host')
  const encoded = encoded7(path)
  return {
    host,
    rawPath: encoded.startsWith('/') ? encoded : `/${encoded}`,
    query: encoded7(query),
  }
}

function encoded7(text: string): string {
  return text.replace(NOT_IN_URL, (run) => encodeURIComponent(Buffer.from(run).toString()))
}

interface FormPart {
  readonly name: string
  readonly value: string
  readonly fileName: string
}

/** Form data: name to `{value, fileName}`. */
export function readForm(value: unknown): readonly FormPart[] {
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new BuildError('formData: expected a mapping')
  }
  return Object.entries(value).map(([name, part]) => {
    const fields = readFields(part, `formData/${name}`)
    return {
      name,
      value: readText(fields.get('value'), `formData/${name}/value`),
      fileName: readText(fields.get('filename'), `formData/${name}/fileName`),
    }
  })
}

const QUOTED: Readonly<Record<string, string>> = { '"': '%22', '\r': '%0D', '\n': '%0A' }

/** As the HTML standard writes names in `multipart/form-data`. */
function quoted(text: string): string {
  return text.replace(/["\r\n]/g, (sign) => QUOTED[sign] as string)
}

/** The body of a form, and its content type (RFC 7578). */
export function writeForm(parts: readonly FormPart[]): { body: Buffer; contentType: string } {
  const boundary = randomBytes(24).toString('hex')
  let text = ''
  for (const { name, value, fileName } of parts) {
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"`
    if (fileName !== '') {
      text += `; filename="${quoted(fileName)}"\r\nContent-Type: application/octet-stream`
    }
    text += `\r\n\r\n${value}\r\n`
  }
  const contentType = `multipart/form-data; boundary=${boundary}`
  return { body: Buffer.from(`${text}--${boundary}--\r\n`), contentType }
}
