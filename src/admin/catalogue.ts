import type { Dialect } from '../spec/document.js'

/** What the admin API tells about one kind of object. */
export interface ObjectKindInfo {
  readonly kind: string
  /** As v2 calls it. */
  readonly category: 'BusinessController' | 'Pipeline' | 'TrafficGate'
  /** Other names for it on the command line, beside the kind in lower case. */
  readonly aliases: readonly string[]
  readonly description: string
}

/** What the admin API tells about one kind of filter. */
export interface FilterKindInfo {
  readonly description: string
  /** JSON Schema of the filter's fields. */
  readonly schema: unknown
  readonly results: readonly string[]
}

/** The kinds this server knows; handed in, so that the admin API never loads an engine. */
export interface Catalogue {
  objectKinds(): readonly string[]
  /** Null for a kind that does not exist. */
  objectKind(kind: string): ObjectKindInfo | null
  /** JSON Schema of documents of `kind`, which exists. */
  objectSchema(kind: string, dialect: Dialect): unknown
  /** `document`, which was accepted as of `kind`, with every default written out. */
  completed(kind: string, dialect: Dialect, document: unknown): unknown
  filterKinds(dialect: Dialect): readonly string[]
  /** Null for a kind that does not exist. */
  filterKind(kind: string, dialect: Dialect): FilterKindInfo | null
}
