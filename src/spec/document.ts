import { type Decoded, type DecodeOptions, decode } from './decode.js'
import { type Finding, type Problem, problemAt } from './problem.js'
import { map, object, type Schema, string, urlName } from './schema.js'
import { didYouMean, shown } from './wording.js'
import { parseYaml, type YamlDocument, type YamlOptions } from './yaml.js'

export { formatProblems, type Problem } from './problem.js'

/** What kinds there are; a Map of what `kind.ts` files define will do. */
export interface KindLookup {
  get(kind: string): KindSchemas | undefined
  keys(): Iterable<string>
}

/** v1: the format of Easegress 1.0. v2: that of current releases. */
export type Dialect = 'v1' | 'v2'

/** What the `version` of an object says that is written in v2. */
export const VERSION_V2 = 'easegress.megaease.com/v2'

/** The same of v1; Easegress 1.0 has none, but an object that was read over v2 may come back. */
export const VERSION_V1 = 'easegress.megaease.com/v1'

export interface KindSchemas {
  /** Describes an object: all fields but `name` and `kind`, and the metadata of v2. */
  readonly spec: Schema<unknown>
  /** The same in v2, where that differs. */
  readonly specV2?: Schema<unknown>
  /** Where both differ: whether fields that came as v1 are those of v2 after all. */
  looksLikeV2?(fields: Readonly<Record<string, unknown>>): boolean
  /** Exists in v2 alone. */
  readonly isV2Only?: boolean
}

/** Fields of every object, filter and policy of v2 that belong to no spec: taken and dropped. */
export const METADATA_V2 = {
  version: string({ doc: `Format of the text; here ${VERSION_V2}.`, optional: true }),
  labels: map(string({ doc: '' }), { doc: 'Notes for people and tools.', optional: true }),
  createdAt: string({ doc: 'When it was made; informational.', optional: true }),
}

export interface DocumentOptions extends DecodeOptions, YamlOptions {
  /**
   * In which dialect the text is written unless it says otherwise: its `version` is one of ours, or
   * (of a kind that differs) it has fields that only v2 has. Default v1.
   */
  readonly dialect?: Dialect
}

/** One object as a document describes it; deeply frozen. */
export interface DecodedObject {
  readonly kind: string
  readonly name: string
  /** In which it turned out to be written. */
  readonly dialect: Dialect
  /** What the kind's schema decodes to. */
  readonly spec: unknown
}

export type DecodedDocument =
  | { readonly ok: true; readonly object: DecodedObject; readonly warnings: readonly Problem[] }
  | {
      readonly ok: false
      readonly code: 'SPEC_INVALID' | 'DOCUMENT_TOO_LARGE'
      readonly problems: readonly Problem[]
    }

/**
 * Reads one object out of YAML or JSON text. Reports every problem that can be known at once, in
 * the order of the text. Never throws (but see {@link decode}); takes time linear in the text, some
 * 0.5 s for the largest one, so large texts belong off the actors' threads.
 */
export function decodeDocument(
  text: string,
  kinds: KindLookup,
  options: DocumentOptions = {},
): DecodedDocument {
  const parsed = parseYaml(text, options)
  if (!parsed.ok) {
    const problem = problemAt({ path: [], message: parsed.message }, parsed.position)
    return { ok: false, code: parsed.code, problems: [problem] }
  }
  const [document, second] = parsed.documents
  if (document === undefined) return refused([NOTHING], null)
  if (second !== undefined) {
    const message = `expected one document, got ${parsed.documents.length}`
    return refused([{ path: [], message, hint: 'send each of them alone' }], second)
  }
  const decoded = decodeValue(document.value, kinds, options)
  if (!decoded.ok) return refused(decoded.problems, document)
  return { ok: true, object: decoded.value, warnings: placed(decoded.warnings, document) }
}

const EXPECTED = 'a mapping with name, kind and the fields of the kind'
const NOTHING: Finding = { path: [], message: `the document is empty: expected ${EXPECTED}` }

function decodeValue(
  value: unknown,
  kinds: KindLookup,
  options: DocumentOptions,
): Decoded<DecodedObject> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const got = shown(value)
    const message = `expected ${EXPECTED}, got ${got}`
    return { ok: false, problems: [{ path: [], message, expected: EXPECTED, got }] }
  }
  const { name, kind, ...own } = value as Record<string, unknown>
  const known = typeof kind === 'string' ? kinds.get(kind) : undefined
  const dialect = dialectOf(own, known, options)
  const isV2 = dialect === 'v2'
  const asides: Record<string, unknown> = {}
  if (isV2 || own['version'] === VERSION_V1) {
    for (const field of Object.keys(METADATA_V2)) {
      asides[field] = own[field]
      delete own[field]
    }
  }
  const head = decode(HEAD, { name, kind, ...asides })
  const problems = [...(head.ok ? [] : head.problems)]
  if (known === undefined) {
    if (typeof kind === 'string') problems.push(unknownKind(kind, kinds))
    return { ok: false, problems }
  }
  const spec = decode((isV2 ? known.specV2 : undefined) ?? known.spec, own, options)
  if (!spec.ok) problems.push(...spec.problems)
  if (!head.ok || !spec.ok) return { ok: false, problems }
  const object = {
    kind: head.value.kind,
    name: head.value.name,
    dialect,
    spec: spec.value,
  }
  return { ok: true, value: Object.freeze(object), warnings: spec.warnings }
}

const HEAD = object({
  name: urlName({ doc: 'What the object is called, once in the whole cluster.' }),
  kind: string({
    doc: 'Decides which other fields there are.',
    expected: 'the kind of the object',
  }),
  ...METADATA_V2,
})

function dialectOf(
  fields: Readonly<Record<string, unknown>>,
  kind: KindSchemas | undefined,
  options: DocumentOptions,
): Dialect {
  if (fields['version'] === VERSION_V1 && kind?.isV2Only !== true) return 'v1'
  if (options.dialect === 'v2' || fields['version'] === VERSION_V2) return 'v2'
  return kind?.isV2Only === true || kind?.looksLikeV2?.(fields) === true ? 'v2' : 'v1'
}

function unknownKind(kind: string, kinds: KindLookup): Finding {
  const known = [...kinds.keys()]
  const expected = `one of ${known.join(', ')}`
  const hint = didYouMean(kind, known)
  return {
    path: ['kind'],
    message: `there is no kind ${shown(kind)}: expected ${expected}`,
    expected,
    got: shown(kind),
    ...(hint === null ? {} : { hint }),
  }
}

function refused(findings: readonly Finding[], document: YamlDocument | null): DecodedDocument {
  return { ok: false, code: 'SPEC_INVALID', problems: placed(findings, document) }
}

function placed(findings: readonly Finding[], document: YamlDocument | null): readonly Problem[] {
  if (findings.length === 0) return []
  const wanted = findings.map(({ path, isKey = false }) => ({ path, isKey }))
  const positions = document?.locate(wanted)
  const problems = findings.map((finding, i) =>
    problemAt(finding, positions?.[i] ?? { line: 1, column: 1 }),
  )
  return problems.sort(byPlace)
}

/** In the order of the text; what is about the document as a whole goes last. */
function byPlace(a: Problem, b: Problem): number {
  if (a.path === '' || b.path === '') return Number(a.path === '') - Number(b.path === '')
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}
