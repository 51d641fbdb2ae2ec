import type { WrappingFilter } from '../contract.js'
import { CorsAdaptor } from './cors-adaptor.js'
import type { SpecV2 } from './cors-spec.js'

export const create = (spec: SpecV2): WrappingFilter =>
  new CorsAdaptor(spec, { maxAge: spec.maxAge })
