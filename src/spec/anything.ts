import * as z from 'zod'
import { leaf } from './leaf.js'

/** Takes whatever is there: for fields that a check of the object then refuses by name. */
export const anything = leaf<unknown>(() => ({
  label: 'any',
  expected: 'anything',
  zod: z.unknown(),
}))
