import { expect, it } from 'vitest'
import { decodeDocument } from '../spec/document.js'
import { catalogue } from './catalogue.js'
import { filterKinds, objectKinds } from './registry.js'

/** The documents of the README of Easegress v1.0.0, as they are sent there. */
const SERVER = `
kind: HTTPServer
name: server-demo
port: 10080
keepAlive: true
https: false
rules:
  - paths:
    - pathPrefix: /pipeline
      backend: pipeline-demo
`
const PROXY = `
    mainPool:
      servers:
      - url: http://127.0.0.1:9095
      - url: http://127.0.0.1:9096
      - url: http://127.0.0.1:9097
      loadBalance:
        policy: roundRobin
`
const PIPELINE = `
name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: proxy
filters:
  - name: proxy
    kind: Proxy${PROXY}`

const MORE_FILTERS = `
name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: validator
    jumpIf: { invalid: END }
  - filter: requestAdaptor
  - filter: proxy
filters:
  - name: validator
    kind: Validator
    headers:
      Content-Type:
        values:
        - application/json
  - name: requestAdaptor
    kind: RequestAdaptor
    header:
      set:
        X-Adapt-Key: goodplan
  - name: proxy
    kind: Proxy${PROXY}`

it('takes the server of the README', () => {
  expect(decodeDocument(SERVER, objectKinds)).toMatchObject({
    ok: true,
    warnings: [],
    object: {
      kind: 'HTTPServer',
      name: 'server-demo',
      spec: {
        port: 10_080,
        keepAlive: true,
        keepAliveTimeout: 60_000,
        maxConnections: 10_240,
        https: false,
        http3: false,
        cacheSize: 0,
        xForwardedFor: false,
        rules: [
          {
            paths: [
              { pathPrefix: '/pipeline', backend: 'pipeline-demo', methods: [], headers: [] },
            ],
          },
        ],
      },
    },
  })
})

const POOL = {
  spanName: '',
  serversTags: [],
  servers: [9095, 9096, 9097].map((port) => ({
    url: `http://127.0.0.1:${port}`,
    tags: [],
    weight: 0,
  })),
  loadBalance: { policy: 'roundRobin', headerHashKey: '' },
  responseTimeout: 60_000,
}

const PROXY_SPEC = { mainPool: POOL, candidatePools: [], failureCodes: [] }

it('takes the pipeline of the README', () => {
  expect(decodeDocument(PIPELINE, objectKinds)).toEqual({
    ok: true,
    warnings: [],
    object: {
      kind: 'HTTPPipeline',
      name: 'pipeline-demo',
      dialect: 'v1',
      spec: {
        flow: [{ filter: 'proxy', jumpIf: {} }],
        filters: [{ name: 'proxy', kind: 'Proxy', spec: PROXY_SPEC }],
      },
    },
  })
})

it('takes the pipeline with more filters', () => {
  expect(decodeDocument(MORE_FILTERS, objectKinds)).toEqual({
    ok: true,
    warnings: [],
    object: {
      kind: 'HTTPPipeline',
      name: 'pipeline-demo',
      dialect: 'v1',
      spec: {
        flow: [
          { filter: 'validator', jumpIf: { invalid: 'END' } },
          { filter: 'requestAdaptor', jumpIf: {} },
          { filter: 'proxy', jumpIf: {} },
        ],
        filters: [
          {
            name: 'validator',
            kind: 'Validator',
            spec: { headers: { 'Content-Type': { values: ['application/json'] } } },
          },
          {
            name: 'requestAdaptor',
            kind: 'RequestAdaptor',
            spec: { header: { del: [], set: { 'X-Adapt-Key': 'goodplan' }, add: {} }, body: '' },
          },
          { name: 'proxy', kind: 'Proxy', spec: PROXY_SPEC },
        ],
      },
    },
  })
})

it('tells the admin API what kinds there are', () => {
  expect(catalogue.objectKinds()).toEqual([
    'GlobalFilter',
    'HTTPPipeline',
    'HTTPServer',
    'Pipeline',
  ])
  expect(catalogue.filterKinds('v1')).toEqual([...filterKinds.keys()].sort())
  expect(catalogue.filterKind('Nothing', 'v1')).toBeNull()
  expect(catalogue.filterKind('Mock', 'v1')).toMatchObject({
    description: 'Answers requests itself, by rules on the path.',
    schema: { title: 'Mock', required: ['rules'] },
    results: ['mocked'],
  })
})

it('specs are plain data: they survive JSON, as they have to between threads', () => {
  for (const text of [SERVER, PIPELINE, MORE_FILTERS]) {
    const decoded = decodeDocument(text, objectKinds)
    if (!decoded.ok) throw new Error('refused')
    const { spec } = decoded.object
    expect(JSON.parse(JSON.stringify(spec))).toEqual(spec)
  }
})
