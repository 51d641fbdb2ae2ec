import {
  boolean,
  duration,
  httpMethod,
  integer,
  list,
  object,
  type SpecOf,
  urlName,
} from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'
import { headerAdapt, headerTemplates, pathAdapt } from '../fields.js'

const apiProxy = object({
  httpProxyName: urlName({ doc: 'The pipeline to ask.' }),
  method: httpMethod({ doc: 'Its method; that of the request without.', optional: true }),
  path: pathAdapt,
  header: headerAdapt,
  disableBody: boolean({ doc: 'Ask without the body of the request.', default: false }),
})
export type ApiProxySpec = SpecOf<typeof apiProxy>

const spec = object({
  maxBodyBytes: integer({
    doc: 'Largest body of the request and of each answer, in bytes; with 0 the body of the request is not sent on.',
    min: 0,
    max: 102_400,
    default: 10_240,
  }),
  partialSucceed: boolean({
    doc: 'Whether pipelines that are not there, or not done in time, are left out; else all fails.',
    default: false,
  }),
  timeout: duration({ doc: 'How long all may take together.', min: '1ms', default: '60s' }),
  mergeResponse: boolean({
    doc: 'Whether the answers become one object, of which later ones replace fields; else a list.',
    default: false,
  }),
  apiProxies: list(apiProxy, { doc: 'What to ask, all at the same time.', max: 64 }),
})
export type Spec = SpecOf<typeof spec>

export const apiAggregator = defineFilterKind<Spec>({
  kind: 'APIAggregator',
  summary: 'Asks several pipelines at the same time and makes one JSON answer of theirs.',
  results: ['failed'],
  spec,
  requestBodyBytes: ({ maxBodyBytes, apiProxies }) =>
    apiProxies.every(({ disableBody }) => disableBody) ? 0 : maxBodyBytes,
  templates: ({ apiProxies }) => apiProxies.flatMap(({ header }) => headerTemplates(header)),
  flows: ({ apiProxies }) =>
    apiProxies.map(({ httpProxyName }, index) => ({
      path: ['apiProxies', index, 'httpProxyName'],
      name: httpProxyName,
    })),
  load: () => import('./api-aggregator.js'),
})
