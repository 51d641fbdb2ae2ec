/** What Easegress's own examples have by mistake is taken, and told. */
import { expect, it } from 'vitest'
import { decodeDocument } from '../spec/document.js'
import { objectKinds } from './registry.js'

const server = (fields: string): string => `name: a\nkind: HTTPServer\nport: 80\n${fields}`
const v1 = (fields: string): string =>
  `name: a\nkind: HTTPPipeline\nfilters: [{name: p, kind: Proxy, ${fields}}]`
const v2 = (fields: string): string =>
  `name: a\nkind: Pipeline\nfilters: [{name: p, kind: Proxy, pools: [{${fields}}]}]`
const SERVERS = 'servers: [{url: "http://a"}]'
const HEADERS = 'headers: [{key: X-A, values: [b], backend: d}]'

it.each<[slip: string, document: string]>([
  ['maxConnection', server('maxConnection: 10')],
  ['maxConnection', server('maxConnection: 10\naddress: 127.0.0.1')],
  ['headers/0/backend', server(`address: ""\nrules: [{paths: [{backend: c, ${HEADERS}}]}]`)],
  ['candidatePool', v1(`mainPool: {${SERVERS}}, candidatePool: {${SERVERS}}`)],
  ['serverTags', v1(`mainPool: {${SERVERS}, serverTags: [a]}`)],
  [
    'mockHeader',
    v1(
      `mainPool: {${SERVERS}}, failureCodes: [500], fallback: {forCodes: yes, mockCode: 200, mockHeader: {a: b}}`,
    ),
  ],
  [
    'forCircuitBreaker',
    v1(
      `mainPool: {${SERVERS}}, failureCodes: [500], fallback: {forCodes: yes, mockCode: 200, forCircuitBreaker: no}`,
    ),
  ],
  ['serversTags', v2(`${SERVERS}, serversTags: [a]`)],
  ['compression', v2(`${SERVERS}, compression: {minLength: 10}`)],
  ['healthCheck/pass', v2(`${SERVERS}, healthCheck: {pass: 1}`)],
])('%s: %s', (slip, document) => {
  const decoded = decodeDocument(document, objectKinds)
  const problems = decoded.ok ? [] : decoded.problems
  expect(problems).toEqual([])
  const warnings = decoded.ok ? decoded.warnings : []
  expect(warnings).toEqual([expect.objectContaining({ message: 'there is no such field' })])
  expect(warnings[0]?.path).toMatch(new RegExp(`(^|/)${slip}$`))
})
