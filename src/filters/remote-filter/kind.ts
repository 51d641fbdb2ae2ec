import { checked, duration, object, type SpecOf, type SpecProblem, url } from '../../spec/schema.js'
import { isServiceUrl } from '../../upstream/server-url.js'
import { defineFilterKind } from '../contract.js'

/** Bodies that go to the service, in bytes. */
export const BODY_BYTES_MAX = 65_536

const spec = checked(
  object({
    url: url({ doc: 'The service: scheme://host[:port]/path[?query].' }),
    timeout: duration({
      doc: 'How long the call may take. Without limit in Easegress.',
      min: '1ms',
      default: '60s',
    }),
  }),
  (remote): SpecProblem[] =>
    isServiceUrl(remote.url)
      ? []
      : [{ path: ['url'], message: 'expected no user and no fragment in it, and no port 0' }],
)
export type Spec = SpecOf<typeof spec>

export const remoteFilter = defineFilterKind<Spec>({
  kind: 'RemoteFilter',
  summary: 'Has a service of yours look at the request and the answer, and change both.',
  results: ['failed', 'responseAlready'],
  spec,
  requestBodyBytes: () => BODY_BYTES_MAX,
  responseBodyBytes: () => BODY_BYTES_MAX,
  load: () => import('./remote-filter.js'),
})
