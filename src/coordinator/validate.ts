import { objectKinds } from '../kinds/registry.js'
import type { ObjectReference } from '../objects/contract.js'
import type { Dialect } from '../spec/document.js'
import { decodeDocument, formatProblems } from '../spec/document.js'
import { itemProblems, itemSchemaProblem } from '../spec/item-schema.js'
import { encodeSpec } from './record.js'

/** Text of one object at most; it is stored twice, beside its decoded form, in one transaction. */
const OBJECT_BYTES_MAX = 2 * 1024 * 1024

export interface ValidateInput {
  readonly text: string
  /** Of the route by which it came. */
  readonly dialect: Dialect
  readonly unknownFields: 'refuse' | 'warn'
}

/** Small whatever the document was: the coordinator takes it in at once. */
export type Validity =
  | {
      readonly ok: true
      readonly name: string
      readonly kind: string
      readonly dialect: Dialect
      /** Packed: the coordinator stores and forwards it, and never looks inside. */
      readonly spec: Uint8Array
      readonly references: readonly ObjectReference[]
      readonly warnings: readonly string[]
    }
  | {
      readonly ok: false
      readonly code: 'SPEC_INVALID' | 'DOCUMENT_TOO_LARGE'
      /** All problems, one a line. */
      readonly message: string
    }

/** A job: reads and checks one document. Pure; knows nothing of other objects. */
export function validate(input: ValidateInput): Validity {
  const { text, dialect, unknownFields } = input
  const options = { dialect, unknownFields, bytesMax: OBJECT_BYTES_MAX }
  const decoded = decodeDocument(text, objectKinds, options)
  if (!decoded.ok) {
    return { ok: false, code: decoded.code, message: formatProblems(decoded.problems) }
  }
  const { name, kind, dialect: found, spec } = decoded.object
  return {
    ok: true,
    name,
    kind,
    dialect: found,
    spec: encodeSpec(spec),
    references: objectKinds.get(kind)?.references?.(spec) ?? [],
    warnings: decoded.warnings.map((warning) => formatProblems([warning])),
  }
}

export interface CheckItemsInput {
  readonly schema: unknown
  readonly items: readonly unknown[]
}

/** A job: what is wrong with items of custom data, or with the schema itself; null: nothing. */
export function checkItems({ schema, items }: CheckItemsInput): string | null {
  const problem = itemSchemaProblem(schema)
  if (problem !== null) return `jsonSchema: ${problem}`
  const problems = itemProblems(schema, items)
  return problems.length === 0 ? null : problems.join('\n')
}
