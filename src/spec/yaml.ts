import {
  CORE_SCHEMA,
  constructFromEvents,
  dump,
  type Event,
  mergeTag,
  parseEvents,
  YAMLException,
} from 'js-yaml'
import type { Path } from './node.js'
import { Lines, locate, type Position } from './position.js'

export interface YamlOptions {
  /** Largest text in bytes of UTF-8. Default 4 MiB. */
  readonly bytesMax?: number
  /** Deepest nesting of collections. Default 100. */
  readonly depthMax?: number
  /** Most aliases (`*name`) in one document. Default 100. */
  readonly aliasesMax?: number
}

export const YAML_BYTES_MAX = 4 * 1024 * 1024
const YAML_DEPTH_MAX = 100
const ALIASES_MAX = 100

export interface YamlDocument {
  /**
   * Mappings, lists, text, numbers, booleans and null. What an alias names is shared, so a walk
   * over the value has to be bounded: see `prune.ts`.
   */
  readonly value: unknown
  /**
   * Where the values at `paths` are, or else the nearest mapping or list around them; with `isKey`
   * the key instead. One pass over the document for all of them.
   */
  locate(paths: readonly { readonly path: Path; readonly isKey: boolean }[]): readonly Position[]
}

export type ParsedYaml =
  | { readonly ok: true; readonly documents: readonly YamlDocument[] }
  | {
      readonly ok: false
      readonly code: 'SPEC_INVALID' | 'DOCUMENT_TOO_LARGE'
      readonly message: string
      readonly position: Position
    }

/** YAML 1.2 with the merge keys (`<<`) of 1.1, which old files use. */
const YAML_SCHEMA = CORE_SCHEMA.withTags(mergeTag)

/**
 * Reads YAML, of which JSON is a part, in time linear in the text. Never throws. Duplicate keys are
 * refused. Empty documents, as between two `---`, are left out.
 */
export function parseYaml(text: string, options: YamlOptions = {}): ParsedYaml {
  const { bytesMax = YAML_BYTES_MAX, depthMax = YAML_DEPTH_MAX, aliasesMax = ALIASES_MAX } = options
  if (text.length > bytesMax || Buffer.byteLength(text) > bytesMax) {
    const message = `the document is larger than ${bytesMax} bytes`
    return { ok: false, code: 'DOCUMENT_TOO_LARGE', message, position: { line: 1, column: 1 } }
  }
  try {
    const events = parseEvents(text, { maxDepth: depthMax })
    const values = constructFromEvents(events, {
      source: text,
      schema: YAML_SCHEMA,
      maxAliases: aliasesMax,
    })
    const lines = new Lines(text)
    const documents = values.map((value, index) => new Document(value, text, lines, events, index))
    return { ok: true, documents: documents.filter((document) => document.value !== null) }
  } catch (thrown) {
    return { ok: false, code: 'SPEC_INVALID', ...failureOf(thrown) }
  }
}

class Document implements YamlDocument {
  readonly value: unknown
  readonly #text: string
  readonly #lines: Lines
  readonly #events: readonly Event[]
  readonly #index: number

  constructor(value: unknown, text: string, lines: Lines, events: readonly Event[], index: number) {
    this.value = value ?? null
    this.#text = text
    this.#lines = lines
    this.#events = events
    this.#index = index
  }

  locate(paths: readonly { readonly path: Path; readonly isKey: boolean }[]): readonly Position[] {
    return locate(this.#text, this.#lines, this.#events, this.#index, paths)
  }
}

/** What users write wrong most often, in their words instead of the parser's. */
const PLAIN_WORDS: readonly [pattern: RegExp, words: string][] = [
  [/^nesting exceeded maxDepth \((\d+)\)/, 'nested more than $1 levels deep'],
  [/^aliases exceeded maxAliases \((\d+)\)/, 'more than $1 aliases'],
  [/^unidentified alias "(.*)"/, 'there is no anchor &$1 before this alias'],
  [/^tab characters must not be used in indentation/, 'a tab in the indentation; use spaces'],
  [/^object-based map does not support complex keys/, 'a key has to be text, not a collection'],
]

function failureOf(thrown: unknown): { message: string; position: Position } {
  // The parser recurses, so that whatever it throws is an answer to the text.
  const isYaml = thrown instanceof YAMLException
  const reason = isYaml ? thrown.reason : thrown instanceof Error ? thrown.message : String(thrown)
  const mark = isYaml ? thrown.mark : undefined
  const position = { line: (mark?.line ?? 0) + 1, column: (mark?.column ?? 0) + 1 }
  if (mark !== undefined && reason === 'duplicated mapping key') {
    const key = /^[^\s"':,}]*/.exec(mark.buffer.slice(mark.position, mark.position + 100))
    const message = `not valid YAML: the key "${key?.[0] ?? ''}" is there twice`
    const isQuoted = `"'`.includes(mark.buffer[mark.position - 1] ?? 'x')
    return { message, position: { ...position, column: position.column - (isQuoted ? 1 : 0) } }
  }
  const known = PLAIN_WORDS.find(([pattern]) => pattern.test(reason))
  const words = known === undefined ? reason : reason.replace(known[0], known[1])
  return { message: `not valid YAML: ${words}`, position }
}

/** One document of several, as text. */
export interface YamlPart {
  readonly text: string
  /** Of the part's first line in the whole, counted from 1. */
  readonly line: number
}

/**
 * Cuts a stream of documents at its `---` and `...` lines, so that each keeps its text and its
 * comments. Parts with nothing but comments and white space are left out.
 */
export function splitYaml(text: string): readonly YamlPart[] {
  const parts: YamlPart[] = []
  let part = { from: 0, line: 1, isEmpty: true }
  const endPart = (at: number, line: number): void => {
    if (part.isEmpty) return // its comments and directives belong to the next one
    parts.push({ text: text.slice(part.from, at), line: part.line })
    part = { from: at, line, isEmpty: true }
  }
  for (let at = 0, line = 1; at < text.length; line++) {
    const newline = text.indexOf('\n', at)
    const end = newline < 0 ? text.length : newline + 1
    const content = text.slice(at, end)
    const marker = /^(---|\.\.\.)(?=\s|$)/.exec(content)?.[0] ?? ''
    if (marker === '---') endPart(at, line)
    const isDirective = part.isEmpty && content.startsWith('%')
    if (!isDirective && !/^\s*(#|$)/.test(content.slice(marker.length))) part.isEmpty = false
    if (marker === '...') endPart(end, line + 1)
    at = end
  }
  endPart(text.length, 0)
  return parts
}

/** Writes plain data as YAML, keys in the order in which the objects have them. */
export function toYaml(value: unknown): string {
  return dump(value, { noRefs: true, lineWidth: -1, seqNoIndent: true, quoteStyle: 'double' })
}
