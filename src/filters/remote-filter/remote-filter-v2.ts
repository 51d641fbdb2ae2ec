import type { Filter, FilterContext } from '../contract.js'
import type { Spec } from './kind.js'
import { RemoteFilter } from './remote-filter.js'

/** Headers of the answer that are there stay in v2, and those of the service are added. */
export const create = (spec: Spec, context: FilterContext): Filter =>
  new RemoteFilter(spec, context, true)
