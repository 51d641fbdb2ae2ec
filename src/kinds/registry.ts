import { filterKinds, filterKindsV2 } from '../filters/registry.js'
import type { AnyObjectKind } from '../objects/contract.js'
import { globalFilter } from '../objects/global-filter/kind.js'
import { httpPipeline } from '../objects/http-pipeline/kind.js'
import { httpServer } from '../objects/http-server/kind.js'
import { pipeline } from '../objects/pipeline/kind.js'

/** Every object kind there is: one folder and one line each. */
const KINDS: readonly AnyObjectKind[] = [globalFilter, httpPipeline, httpServer, pipeline]

export const objectKinds: ReadonlyMap<string, AnyObjectKind> = new Map(
  KINDS.map((kind) => [kind.kind, kind]),
)

export { filterKinds, filterKindsV2 }
