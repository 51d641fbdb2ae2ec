import { defineFilterKind } from '../contract.js'
import { type SpecV2, specV2 } from './cors-spec.js'
import { corsAdaptor } from './kind.js'

export const corsAdaptorV2 = defineFilterKind<SpecV2>({
  kind: 'CORSAdaptor',
  summary: corsAdaptor.summary,
  results: ['preflighted', 'rejected'],
  wraps: true,
  isPure: true,
  spec: specV2,
  load: () => import('./cors-adaptor-v2.js'),
})
