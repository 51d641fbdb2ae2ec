import { leaf } from './leaf.js'
import { zod } from './zod.js'

/** Takes whatever is there: for fields that a check of the object then refuses by name. */
export const anything = leaf<unknown>(() => ({
  label: 'any',
  expected: 'anything',
  zod: () => zod().unknown(),
}))
