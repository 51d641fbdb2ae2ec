import type { Value } from './value.js'

export interface Position {
  readonly line: number
  readonly column: number
}

export type Term =
  | { readonly type: 'value'; readonly value: Value }
  | { readonly type: 'variable'; readonly name: string; readonly at: Position }
  | { readonly type: 'ref'; readonly head: Term; readonly path: readonly Term[] }
  | { readonly type: 'array' | 'set'; readonly items: readonly Term[] }
  | { readonly type: 'object'; readonly entries: readonly (readonly [Term, Term])[] }
  | {
      readonly type: 'collect'
      readonly into: 'array' | 'set' | 'object'
      /** Only of objects. */
      readonly key: Term | null
      readonly item: Term
      readonly body: readonly Statement[]
    }
  | {
      readonly type: 'call'
      readonly name: string
      readonly args: readonly Term[]
      readonly at: Position
    }

interface Modified {
  readonly withs: readonly With[]
  readonly at: Position
}

/** `with input.path as value`: what the statement before it sees instead. */
export interface With {
  readonly path: readonly string[]
  readonly value: Term
}

export type Statement = Modified &
  (
    | { readonly type: 'holds'; readonly term: Term }
    | { readonly type: 'unify'; readonly left: Term; readonly right: Term; readonly isNew: boolean }
    | { readonly type: 'not'; readonly inner: Statement }
    | { readonly type: 'some'; readonly names: readonly string[] }
    | {
        readonly type: 'some-in'
        readonly key: Term | null
        readonly item: Term
        readonly domain: Term
      }
    | {
        readonly type: 'every'
        readonly key: string | null
        readonly item: string
        readonly domain: Term
        readonly body: readonly Statement[]
      }
  )

/** One way to come to the value of a rule; `otherwise` is asked when the body does not hold. */
export interface Clause {
  readonly body: readonly Statement[]
  readonly value: Term
  readonly otherwise: Clause | null
}

export interface Definition extends Clause {
  readonly name: string
  readonly kind: 'complete' | 'set' | 'object' | 'function'
  readonly args: readonly Term[]
  /** Of a partial object; of a partial set the member is `value`. */
  readonly key: Term | null
  readonly isDefault: boolean
  readonly at: Position
}

export interface Module {
  readonly package: readonly string[]
  /** By the name under which it is used: a path below `input` or `data`. */
  readonly imports: ReadonlyMap<string, readonly string[]>
  readonly definitions: readonly Definition[]
}
