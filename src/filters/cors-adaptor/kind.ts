import { defineFilterKind } from '../contract.js'
import { type Spec, spec } from './cors-spec.js'

export const corsAdaptor = defineFilterKind<Spec>({
  kind: 'CORSAdaptor',
  summary: 'Tells browsers which pages of other sites may read answers (CORS).',
  results: ['preflighted'],
  isPure: true,
  wraps: true,
  spec,
  load: () => import('./cors-adaptor.js'),
})
