import type * as z from 'zod'
import {
  type AnyPresence,
  type Doc,
  type Optional,
  once,
  type Present,
  presenceOf,
  type Schema,
  schemaOf,
} from './node.js'
import { zod } from './zod.js'

/** A builder of single values; `Input` is what a user writes, where it differs from `T`. */
export interface Leaf<T, O = unknown, Input = T> {
  (options: Doc & O & Optional): Schema<T | undefined>
  (options: Doc & O & Present<Input>): Schema<T>
}

export interface LeafDescription {
  readonly label: string
  /** Completes "expected …". */
  readonly expected: string
  readonly constraints?: readonly string[]
  readonly zod: () => z.ZodType
  readonly hint?: (value: unknown) => string | null
  /**
   * An empty text means the same as none, where the field may be left out: Easegress does not look
   * at the format of Go's zero value, and writes it where it shows an object.
   */
  readonly isNoneWhenEmpty?: boolean
}

const noHint = (): null => null

export function describedLeaf<T>(
  options: Doc & AnyPresence,
  describe: () => LeafDescription,
): Schema<T> {
  return schemaOf<T>(() => {
    const described = describe()
    const { label, expected, constraints = [], hint = noHint, isNoneWhenEmpty = false } = described
    return {
      type: 'leaf',
      label,
      expected,
      constraints,
      hint,
      isNoneWhenEmpty,
      doc: options.doc,
      presence: presenceOf(options),
      checks: [],
      zod: once(() => described.zod().meta({ description: options.doc })),
    }
  })
}

/** Makes a builder out of what `describe` says about its options. */
export function leaf<T, O = unknown, Input = T>(
  describe: (options: O) => LeafDescription,
): Leaf<T, O, Input> {
  return (options: Doc & O & AnyPresence) => describedLeaf<T>(options, () => describe(options))
}

/** What the parser of a leaf gives for a value it does not take; `detail` says why, if it can. */
export class Refusal {
  readonly detail: string

  constructor(detail = '') {
    this.detail = detail
  }
}

/** A zod type out of a parser; `json` is the JSON Schema of its input. */
export function parsedBy(
  parse: (value: unknown) => unknown,
  json: Readonly<Record<string, unknown>>,
): () => z.ZodType {
  return () =>
    zod()
      .unknown()
      .transform((value, context) => {
        const parsed = parse(value)
        if (!(parsed instanceof Refusal)) return parsed
        context.issues.push({ code: 'custom', input: value, message: parsed.detail })
        return zod().NEVER
      })
      .meta(json)
}

/** The same for text: what is not a string is refused without asking the parser. */
export function textParsedBy(
  parse: (text: string) => unknown,
  json: Readonly<Record<string, unknown>> = {},
): () => z.ZodType {
  return parsedBy((value) => (typeof value === 'string' ? parse(value) : new Refusal()), {
    type: 'string',
    ...json,
  })
}

/** For builders of text: numbers and booleans have to be quoted. */
export function quoteHint(value: unknown): string | null {
  return typeof value === 'number' || typeof value === 'boolean'
    ? `put it in quotes: "${value}"`
    : null
}
