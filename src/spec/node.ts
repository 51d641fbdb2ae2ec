import type * as z from 'zod'
import { assert } from '../lib/assert.js'
import { zod } from './zod.js'

/** Where a value sits in a document: keys of mappings, indices of lists. */
export type Path = readonly (string | number)[]

/** What a cross-field check finds; `path` counts from the object that the check belongs to. */
export interface SpecProblem {
  readonly path: Path
  readonly message: string
  /** What to do about it, as a short imperative. */
  readonly hint?: string
  /** A warning does not refuse the document. */
  readonly severity?: 'warning'
}

export type Check = (spec: never) => readonly SpecProblem[]

export type Presence =
  | { readonly type: 'required' }
  | { readonly type: 'optional' }
  /** `input` as a user would write it: a duration is text here. */
  | { readonly type: 'default'; readonly input: unknown }

interface Common {
  /** What tables call the type, as in `integer` or `list of duration`. */
  readonly label: string
  /** Completes "expected …": `a whole number in 1..65535`. */
  readonly expected: string
  readonly doc: string
  readonly constraints: readonly string[]
  readonly presence: Presence
  readonly checks: readonly Check[]
  /** Decodes the type alone; {@link zodOf} adds the presence. Made at the first call. */
  readonly zod: () => z.ZodType
}

interface LeafNode extends Common {
  readonly type: 'leaf'
  /** Advice for a value that was refused, or null. */
  readonly hint: (value: unknown) => string | null
  /** An empty text is as good as none, where the field may be left out. */
  readonly isNoneWhenEmpty: boolean
}

export interface ObjectNode extends Common {
  readonly type: 'object'
  readonly fields: ReadonlyMap<string, SchemaNode>
  /** Keys that are no fields, but worth a warning alone. */
  readonly ignored: ReadonlySet<string>
}

export interface ListNode extends Common {
  readonly type: 'list'
  readonly item: SchemaNode
  readonly unique: boolean
  /** The items are objects, and no two have the same value in this field; null when they may. */
  readonly uniqueBy: string | null
}

interface MapNode extends Common {
  readonly type: 'map'
  readonly key: SchemaNode
  readonly value: SchemaNode
}

export interface UnionNode extends Common {
  readonly type: 'union'
  readonly tag: string
  readonly kinds: ReadonlyMap<string, ObjectNode>
  /** The tag, `name` and metadata, which every member has beside its own fields. */
  readonly head: ReadonlyMap<string, SchemaNode>
}

export type SchemaNode = LeafNode | ObjectNode | ListNode | MapNode | UnionNode

const NODE: unique symbol = Symbol('node')
declare const TYPE: unique symbol

/** Describes and decodes values of type `T`. */
export interface Schema<out T> {
  readonly [NODE]: SchemaNode
  /** Exists for the type checker only. */
  readonly [TYPE]?: T
}

/** The type that a schema decodes to. */
export type SpecOf<S> = S extends Schema<infer T> ? T : never

/** The description inside a schema; for this folder only. */
export function nodeOf(schema: Schema<unknown>): SchemaNode {
  return schema[NODE]
}

/**
 * A schema that is described when somebody looks at it: every thread knows all kinds, but few look
 * at their fields.
 */
export function schemaOf<T>(describe: () => SchemaNode): Schema<T> {
  const node = once(() => Object.freeze(describe()))
  return Object.freeze({
    get [NODE](): SchemaNode {
      return node()
    },
  })
}

/** What `make` gives, made at the first call. */
export function once<T extends object>(make: () => T): () => T {
  let made: T | null = null
  return () => {
    made ??= make()
    return made
  }
}

/**
 * The node's own zod type, with default or optionality around it. A default that its own schema
 * refuses is a bug of whoever wrote the schema: it is asserted.
 */
export function zodOf(node: SchemaNode): z.ZodType {
  const { presence } = node
  const own = node.zod()
  if (presence.type === 'required') return own
  if (presence.type === 'default') {
    const { success } = own.safeParse(presence.input)
    assert(success, `default ${JSON.stringify(presence.input)} is not ${node.expected}`)
  }
  const around = (inner: z.ZodType): z.ZodType =>
    presence.type === 'optional' ? inner.optional() : inner.prefault(presence.input)
  if (node.type !== 'leaf' || !node.isNoneWhenEmpty) return around(own)
  return around(zod().preprocess((value) => (value === '' ? undefined : value), around(own)))
}

export interface Doc {
  /** One or two sentences for the reference. */
  readonly doc: string
}

/** Options of a field that may be missing without a substitute. */
export interface Optional {
  readonly optional: true
  readonly default?: never
}

/** Options of a field that is always there once decoded; without `default` it is required. */
export interface Present<Input> {
  readonly optional?: false
  readonly default?: Input
}

export interface AnyPresence {
  readonly optional?: boolean
  readonly default?: unknown
}

export function presenceOf(options: AnyPresence): Presence {
  if (options.optional === true) return { type: 'optional' }
  return options.default === undefined
    ? { type: 'required' }
    : { type: 'default', input: options.default }
}
