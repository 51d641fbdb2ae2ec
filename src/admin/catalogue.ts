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
  filterKinds(): readonly string[]
  /** Null for a kind that does not exist. */
  filterKind(kind: string): FilterKindInfo | null
}
