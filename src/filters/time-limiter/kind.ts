import { duration, list, object, type SpecOf } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { urlRuleFields } from '../fields.js'

/** No time at all would let nothing through. */
const SHORTEST = '1us'

const spec = object({
  defaultTimeoutDuration: duration({
    doc: 'Time of rules without one of their own.',
    min: SHORTEST,
    default: '500ms',
  }),
  urls: list(
    object({
      ...urlRuleFields,
      timeoutDuration: duration({
        doc: 'Time until the filters behind it must be done.',
        min: SHORTEST,
        optional: true,
      }),
    }),
    { doc: 'What to limit; the first rule that matches decides.' },
  ),
})
export type Spec = SpecOf<typeof spec>

export const timeLimiter = defineFilterKind<Spec>({
  kind: 'TimeLimiter',
  summary: 'Gives up all filters behind it after a time, and answers with 408.',
  results: ['timeout'],
  wraps: true,
  spec,
  load: () => import('./time-limiter.js'),
})
