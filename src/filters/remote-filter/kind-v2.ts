import { defineFilterKind } from '../contract.js'
import { remoteFilter, type Spec } from './kind.js'

export const remoteFilterV2 = defineFilterKind<Spec>({
  ...remoteFilter,
  load: () => import('./remote-filter-v2.js'),
})
