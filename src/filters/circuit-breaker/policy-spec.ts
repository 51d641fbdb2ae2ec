import { boolean, checked, object, type SpecOf, string } from '../../spec/schema.js'
import { checkWindow, windowFields } from '../breaker-spec.js'
import { failureStatusCodes } from '../fields.js'

export const policy = checked(
  object({
    name: string({ doc: 'What rules refer to it by.', min: 1 }),
    ...windowFields,
    countingNetworkError: boolean({
      doc: 'Whether 408, 499, 502, 503 and 504 count as failures.',
      default: false,
    }),
    failureStatusCodes,
  }),
  checkWindow,
)
export type Policy = SpecOf<typeof policy>
