import { checked, duration, integer, object, type SpecOf, string } from '../../spec/schema.js'
import { CALL_RESULTS } from '../call-results.js'
import { defineFilterKind } from '../contract.js'
import type { PolicyUse } from '../policies.js'
import { ALL } from './keys.js'

/** A request that a retry may have to send again is held whole up to this at least. */
const REPLAY_BYTES = 4 * 1024 * 1024

const fields = object({
  serverMaxBodySize: integer({
    doc: 'Largest response body in bytes; 0: 4 MiB. Negative: no limit.',
    default: 0,
  }),
  timeout: duration({ doc: 'Longest wait for the head of an answer; then 408.', optional: true }),
  retryPolicy: string({ doc: 'Retry of `resilience` by name.', default: '' }),
  maxIdleConns: integer({
    doc: 'Connections kept while unused, over all servers, in each worker; 0: no limit but the next.',
    min: 0,
    default: 0,
  }),
  maxIdleConnsPerHost: integer({
    doc: 'The same for each server; 0: 512, which is also the most that are open to one.',
    min: 0,
    default: 0,
  }),
  compression: object(
    { minLength: integer({ doc: 'Without effect.', min: 0, max: 4_294_967_295, default: 0 }) },
    { doc: 'Without effect: answers of others are handed on as they are.', optional: true },
  ),
})

const spec = checked(fields, ({ compression }) =>
  compression === undefined
    ? []
    : [
        {
          path: ['compression'],
          message: 'has no effect: answers of others are handed on as they are',
          severity: 'warning',
        },
      ],
)
export type Spec = SpecOf<typeof spec>

export const simpleHttpProxy = defineFilterKind<Spec>({
  kind: 'SimpleHTTPProxy',
  summary: 'Sends the request to the host that it names itself, and brings back its response.',
  results: CALL_RESULTS.slice(0, -1),
  spec,
  requestBodyBytes: ({ retryPolicy }) => (retryPolicy === '' ? 0 : REPLAY_BYTES),
  policies: ({ retryPolicy }): PolicyUse[] =>
    retryPolicy === '' ? [] : [{ path: ['retryPolicy'], name: retryPolicy, kind: 'Retry' }],
  stats: () => [ALL],
  load: () => import('./simple-http-proxy.js'),
})
