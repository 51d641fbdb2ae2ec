import { defineFilterKind } from '../contract.js'
import { fallback, type Spec } from './kind.js'

export const fallbackV2 = defineFilterKind<Spec>({
  ...fallback,
  summary: 'Replaces the answer that is there by a fixed one.',
  results: ['fallback', 'responseNotFound'],
  load: () => import('./fallback-v2.js'),
})
