import type { Asks } from '../actor/actor.js'

/** A sort of custom data, such as users or feature flags. */
export interface DataKind {
  readonly name: string
  /** Field of an item that holds its id. */
  readonly idField: string
  /** What items have to be like; null: anything with an id. */
  readonly jsonSchema: unknown
}

/** A JSON object. */
export type DataItem = Readonly<Record<string, unknown>>

export type CustomDataOp =
  /** Gives a list of kinds, each with `len`, the number of its items. */
  | { readonly op: 'list-kinds' }
  | { readonly op: 'get-kind'; readonly name: string }
  | { readonly op: 'put-kind'; readonly mode: 'create' | 'update'; readonly kind: DataKind }
  /** With its items; null: all kinds. */
  | { readonly op: 'delete-kind'; readonly name: string | null }
  | { readonly op: 'list-items'; readonly kind: string }
  | { readonly op: 'get-item'; readonly kind: string; readonly id: string }
  | {
      readonly op: 'put-item'
      readonly mode: 'create' | 'update'
      readonly kind: string
      readonly item: DataItem
    }
  /** Null: all items of the kind. */
  | { readonly op: 'delete-item'; readonly kind: string; readonly id: string | null }
  /** In one transaction. `rebuild`: what is not in `puts` goes. */
  | {
      readonly op: 'change-items'
      readonly kind: string
      readonly rebuild: boolean
      readonly deletes: readonly string[]
      readonly puts: readonly DataItem[]
    }

/** What was asked for, or the id of the item that was put, or null. */
export interface DataAnswer {
  readonly value: unknown
  /** Of a read: seconds since what is here was known to be current; null: it is. */
  readonly staleSeconds: number | null
}

export interface CustomData extends Asks<DataAnswer> {
  readonly type: 'custom-data'
  readonly what: CustomDataOp
  /** Of a write: repeated with the same one it takes effect once. */
  readonly requestId: string
}
