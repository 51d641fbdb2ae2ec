/**
 * Schema builders. One schema value gives the TypeScript type ({@link SpecOf}), the decoder
 * (`decode.ts`), the JSON Schema (`json-schema.ts`) and the tables of the docs (`doc-table.ts`).
 *
 * A field is required unless it has a `default` or is `optional: true`. Defaults are written as a
 * user would write them: `duration({ default: '500ms' })`. Optional fields that were left out are
 * absent from the decoded spec, which is plain, frozen, JSON-safe data.
 */
import type * as z from 'zod'
import { assert } from '../lib/assert.js'
import { urlName } from './formats.js'
import { describedLeaf, leaf, parsedBy, quoteHint, Refusal, textParsedBy } from './leaf.js'
import {
  type AnyPresence,
  type Check,
  type Doc,
  nodeOf,
  type ObjectNode,
  type Optional,
  once,
  type Present,
  presenceOf,
  type Schema,
  type SchemaNode,
  type SpecOf,
  type SpecProblem,
  schemaOf,
  zodOf,
} from './node.js'
import { didYouMean, limits, range, within } from './wording.js'
import { zod } from './zod.js'

export { anything } from './anything.js'
export {
  base64,
  byteSize,
  duration,
  hostPort,
  httpCode,
  httpMethod,
  ipCidr,
  regexp,
  timestamp,
  url,
  urlName,
} from './formats.js'
export type { Schema, SpecOf, SpecProblem } from './node.js'

export interface StringOptions {
  /** Least and greatest number of characters (UTF-16 code units). */
  readonly min?: number
  readonly max?: number
  /** Of ours, so a JavaScript RegExp is fine here; it must run in linear time all the same. */
  readonly pattern?: RegExp
  /** Names what `pattern` accepts, as in `a path that starts with "/"`. */
  readonly expected?: string
}

export const string = leaf<string, StringOptions>(({ min, max, pattern, expected }) => {
  const length = min === undefined && max === undefined ? '' : ` of ${range(min, max)} characters`
  return {
    label: 'string',
    expected: expected ?? `a string${length}${pattern === undefined ? '' : ` like ${pattern}`}`,
    constraints: [
      ...(length === '' ? [] : [`${range(min, max)} characters`]),
      ...(pattern === undefined ? [] : [expected ?? `matches ${pattern}`]),
    ],
    zod: () => {
      let own = zod().string()
      if (min !== undefined) own = own.min(min)
      if (max !== undefined) own = own.max(max)
      return pattern === undefined ? own : own.regex(pattern)
    },
    hint: quoteHint,
  }
})

export interface NumberOptions {
  /** Both inclusive. */
  readonly min?: number
  readonly max?: number
}

/** A whole number that a double holds exactly. Text is refused, also when it looks like one. */
export const integer = leaf<number, NumberOptions>(({ min, max }) => ({
  label: 'integer',
  expected: `a whole number${within(min, max)}`,
  constraints: limits(min, max),
  zod: () => bounded(zod().int(), min, max),
  hint: unquoteHint,
}))

/** Any finite number. */
export const number = leaf<number, NumberOptions>(({ min, max }) => ({
  label: 'number',
  expected: `a number${within(min, max)}`,
  constraints: limits(min, max),
  zod: () => bounded(zod().number(), min, max),
  hint: unquoteHint,
}))

/** `yes`, `no`, `on` and `off` are text in YAML 1.2 but were booleans in 1.1, which v1 reads. */
const YAML_1_1_BOOLEAN: ReadonlyMap<string, boolean> = new Map(
  ['yes', 'on', 'no', 'off'].flatMap((word) => {
    const capitalised = `${word[0]?.toUpperCase()}${word.slice(1)}`
    return [word, capitalised, word.toUpperCase()].map(
      (each) => [each, word === 'yes' || word === 'on'] as const,
    )
  }),
)

export const boolean = leaf<boolean>(() => ({
  label: 'boolean',
  expected: 'true or false',
  zod: parsedBy(
    (value) => {
      if (typeof value === 'boolean') return value
      const word = typeof value === 'string' ? YAML_1_1_BOOLEAN.get(value) : undefined
      return word ?? new Refusal()
    },
    { type: 'boolean' },
  ),
  hint: (value) => (value === 'true' || value === 'false' ? `write ${value} without quotes` : null),
}))

export interface OneOfOptions {
  /** Takes any mixture of cases and decodes it to the value as written in the schema. */
  readonly ignoreCase?: boolean
}

/** One of a few words. */
export function oneOf<const V extends string>(
  values: readonly V[],
  options: Doc & OneOfOptions & Optional,
): Schema<V | undefined>
export function oneOf<const V extends string>(
  values: readonly V[],
  options: Doc & OneOfOptions & Present<NoInfer<V>>,
): Schema<V>
export function oneOf(
  values: readonly string[],
  options: Doc & OneOfOptions & AnyPresence,
): Schema<string> {
  const fold = (text: string): string => (options.ignoreCase === true ? text.toLowerCase() : text)
  return describedLeaf(options, () => {
    const canonical = new Map(values.map((value) => [fold(value), value]))
    const expected = `one of ${values.map((value) => value || '""').join(', ')}`
    return {
      label: 'string',
      expected,
      constraints: [options.ignoreCase === true ? `${expected}, in any case` : expected],
      zod: textParsedBy((text) => canonical.get(fold(text)) ?? new Refusal(), { enum: values }),
      hint: (value) => didYouMean(value, values) ?? quoteHint(value),
    }
  })
}

export interface ListOptions<T> {
  /** Least and greatest number of items. */
  readonly min?: number
  readonly max?: number
  /** No two items are equal. */
  readonly unique?: boolean
  /** The items are objects; no two have the same value in this field. */
  readonly uniqueBy?: T extends object ? keyof T & string : never
}

/** `Doc` is needed where the list is a field, and only there. */
type NestedDoc = Partial<Doc>

export function list<T>(
  item: Schema<T>,
  options: NestedDoc & ListOptions<T> & Optional,
): Schema<readonly T[] | undefined>
export function list<T>(
  item: Schema<T>,
  options?: NestedDoc & ListOptions<T> & Present<readonly unknown[]>,
): Schema<readonly T[]>
export function list(
  item: Schema<unknown>,
  options: NestedDoc & ListOptions<Record<string, unknown>> & AnyPresence = {},
): Schema<readonly unknown[]> {
  return schemaOf(() => {
    const node = nodeOf(item)
    assert(
      node.presence.type === 'required',
      'an item of a list can be neither missing nor default',
    )
    const { min, max, unique = false, uniqueBy = null, doc = '' } = options
    const counted = min === undefined && max === undefined ? '' : ` of ${range(min, max)} items`
    return {
      type: 'list',
      label: `list of ${node.label}`,
      expected: `a list${counted}`,
      constraints: [
        ...(counted === '' ? [] : [`${range(min, max)} items`]),
        ...(unique ? ['no two equal'] : []),
        ...(uniqueBy === null ? [] : [`\`${uniqueBy}\` unique`]),
      ],
      doc,
      presence: presenceOf(options),
      checks: [],
      zod: once(() => {
        let own = zod().array(node.zod())
        if (min !== undefined) own = own.min(min)
        if (max !== undefined) own = own.max(max)
        return own.meta({ description: doc, ...(unique ? { uniqueItems: true } : {}) })
      }),
      item: node,
      unique,
      uniqueBy,
    }
  })
}

export interface MapOptions {
  /** What keys have to look like; any text without it. */
  readonly key?: Schema<string>
  /** Least number of entries. */
  readonly min?: number
}

/**
 * Text to values. Read it with `Object.entries`: looking up a name that came from a client would
 * also find what every object inherits.
 */
export function map<T>(
  value: Schema<T>,
  options: NestedDoc & MapOptions & Optional,
): Schema<Readonly<Record<string, T>> | undefined>
export function map<T>(
  value: Schema<T>,
  options?: NestedDoc & MapOptions & Present<Readonly<Record<string, unknown>>>,
): Schema<Readonly<Record<string, T>>>
export function map(
  value: Schema<unknown>,
  options: NestedDoc & MapOptions & AnyPresence = {},
): Schema<Readonly<Record<string, unknown>>> {
  return schemaOf(() => {
    const node = nodeOf(value)
    assert(node.presence.type === 'required', 'a value of a map can be neither missing nor default')
    const { key, min = 0, doc = '' } = options
    const keyNode = nodeOf(key ?? string({ doc: '' }))
    const entries = min === 0 ? '' : ` of at least ${min} ${min === 1 ? 'entry' : 'entries'}`
    return {
      type: 'map',
      label: `map of ${node.label}`,
      expected: `a mapping${entries}`,
      constraints: min === 0 ? [] : [`at least ${min}`],
      doc,
      presence: presenceOf(options),
      checks: [],
      zod: once(() =>
        zod()
          .record(keyNode.zod() as z.ZodType<string, string>, node.zod())
          .refine((record) => Object.keys(record).length >= min)
          .meta({ description: doc, ...(min === 0 ? {} : { minProperties: min }) }),
      ),
      key: keyNode,
      value: node,
    }
  })
}

export type Fields = Readonly<Record<string, Schema<unknown>>>

type MissingKeys<F extends Fields> = {
  [K in keyof F]: undefined extends SpecOf<F[K]> ? K : never
}[keyof F]

/** What `object(fields)` decodes to. */
export type ObjectOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, MissingKeys<F>>]: SpecOf<F[K]>
} & { readonly [K in MissingKeys<F>]?: SpecOf<F[K]> } extends infer O
  ? { readonly [K in keyof O]: O[K] }
  : never

export interface ObjectOptions {
  /**
   * Keys that are no fields, and are always worth a warning alone: slips that Easegress's own
   * examples have, which it passes over.
   */
  readonly ignored?: readonly string[]
}

/**
 * A mapping with just these fields; any other key is a problem (or a warning, as the caller of
 * `decode` decides). With `default: {}` a missing object becomes one made of its fields' defaults.
 */
export function object<const F extends Fields>(
  fields: F,
  options: NestedDoc & ObjectOptions & Optional,
): Schema<ObjectOf<F> | undefined>
export function object<const F extends Fields>(
  fields: F,
  options?: NestedDoc & ObjectOptions & Present<Readonly<Record<string, unknown>>>,
): Schema<ObjectOf<F>>
export function object(
  fields: Fields,
  options: NestedDoc & ObjectOptions & AnyPresence = {},
): Schema<Readonly<Record<string, unknown>>> {
  return schemaOf(() => {
    const { doc = '', ignored = [] } = options
    const nodes = new Map(Object.entries(fields).map(([name, field]) => [name, nodeOf(field)]))
    return {
      type: 'object',
      label: 'object',
      expected: 'a mapping',
      constraints: [],
      doc,
      presence: presenceOf(options),
      checks: [],
      zod: once(() => zod().strictObject(shapeOf(nodes)).meta({ description: doc })),
      fields: nodes,
      ignored: new Set(ignored),
    }
  })
}

export interface TaggedOptions {
  /** Fields that every member may have and that are not kept: v2 has `version` and `labels`. */
  readonly metadata?: Fields
}

/** What `taggedUnion` decodes to: the head apart, so that `spec` is what the kind's schema says. */
export type Tagged<K extends Readonly<Record<string, Schema<object>>>> = {
  [N in keyof K & string]: {
    readonly kind: N
    readonly name: string
    readonly spec: SpecOf<K[N]>
  }
}[keyof K & string]

/**
 * Objects of several kinds, told apart by the field `tag`: `{ name, kind, …own fields }` in the
 * document, `{ kind, name, spec }` once decoded. Paths of problems are those of the document, so
 * without `spec`.
 */
export function taggedUnion<const K extends Readonly<Record<string, Schema<object>>>>(
  tag: 'kind',
  kinds: K,
  options: NestedDoc & TaggedOptions = {},
): Schema<Tagged<K>> {
  return schemaOf(() => {
    const { doc = '', metadata = {} } = options
    const asides = new Map(Object.entries(metadata).map(([key, field]) => [key, nodeOf(field)]))
    const members = new Map(Object.entries(kinds).map(([kind, own]) => [kind, objectNodeOf(own)]))
    const name = nodeOf(urlName({ doc: 'Unique among its neighbours.' }))
    const tagDoc = 'Decides which other fields there are.'
    return {
      type: 'union',
      label: 'object',
      expected: `a mapping with name and ${tag}`,
      constraints: [],
      doc,
      presence: { type: 'required' },
      checks: [],
      zod: once(() => {
        const [first, ...rest] = [...members].map(([kind, own]) =>
          zod().strictObject({
            name: zodOf(name),
            [tag]: zod().literal(kind),
            ...shapeOf(asides),
            ...shapeOf(own.fields),
          }),
        )
        assert(first !== undefined, 'a tagged union needs a kind')
        return zod()
          .discriminatedUnion(tag, [first, ...rest])
          .meta({ description: doc })
      }),
      tag,
      kinds: members,
      head: new Map([
        ['name', name],
        [tag, nodeOf(oneOf([...members.keys()], { doc: tagDoc }))],
        ...asides,
      ]),
    }
  })
}

/**
 * Adds a check of fields against each other. It gets the decoded spec, and may read whatever it
 * likes: if it reads a field that was refused, this one check is dropped, the others still run. So
 * several small checks report more at once than a large one.
 */
export function checked<T>(
  schema: Schema<T>,
  check: (spec: Exclude<T, undefined>) => readonly SpecProblem[],
): Schema<T> {
  return schemaOf(() => {
    const node = nodeOf(schema)
    return { ...node, checks: [...node.checks, check as Check] }
  })
}

function objectNodeOf(schema: Schema<object>): ObjectNode {
  const node = nodeOf(schema)
  assert(node.type === 'object', 'every kind of a tagged union is an object')
  const hasHead = node.fields.has('name') || node.fields.has('kind')
  assert(!hasHead, 'the fields of a kind are those beside name and kind')
  return node
}

function shapeOf(fields: ReadonlyMap<string, SchemaNode>): Record<string, z.ZodType> {
  return Object.fromEntries([...fields].map(([name, field]) => [name, zodOf(field)]))
}

function unquoteHint(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))
    ? `write ${value.trim()} without quotes`
    : null
}

function bounded(own: z.ZodNumber, min: number | undefined, max: number | undefined): z.ZodNumber {
  const from = min === undefined ? own : own.min(min)
  return max === undefined ? from : from.max(max)
}
