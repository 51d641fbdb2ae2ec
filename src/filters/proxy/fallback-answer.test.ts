import { expect, it } from 'vitest'
import type { FakeClient } from '../../http/fake-client.fixture.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf } from '../harness.fixture.js'
import { withScripted } from './backends.fixture.js'

const over =
  (fallback: string) =>
  (port: number): string =>
    `
flow: [{filter: proxy, jumpIf: {fallback: onFallback}}, {filter: plain, jumpIf: {}}, {filter: onFallback}]
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${port}"}]}
  failureCodes: [500, 503]
  fallback: {${fallback}}
- {name: plain, kind: ResponseAdaptor, header: {add: {X-Flow: went on}}}
- {name: onFallback, kind: ResponseAdaptor, header: {add: {X-Flow: end}}}
`

const MOCKED = over(
  'forCodes: true, mockCode: 203, mockHeaders: {X-Why: failed}, mockBody: "instead"',
)

async function answered(
  harness: Harness,
  peerOf: () => Promise<{ head(): Promise<string>; send(wire: string): void }>,
  wire: string,
): Promise<FakeClient> {
  const client = harness.start()
  const peer = await peerOf()
  await peer.head()
  peer.send(wire)
  await until('the answer', () => client.ending !== 'open')
  return client
}

it.each<[status: number]>([[500], [503]])('replaces %i, and the connection is kept', (status) =>
  withScripted(async (harness, backend) => {
    const wire = `HTTP/1.1 ${status} Oops\r\nx-a: 1\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\noops`
    const client = await answered(harness, () => backend.peer(0), wire)
    expect([client.status, client.text]).toEqual([203, 'instead'])
    expect(client.headers).toEqual(['x-a', '1', 'x-why', 'failed', 'x-flow', 'end'])
    expect(harness.statuses('proxy/mainPool')).toEqual([status])
    await until('the connection', () => harness.upstream.stats.idle === 1)
  }, MOCKED),
)

it('closes the connection when much of the body remains', () =>
  withScripted(async (harness, backend) => {
    const wire = 'HTTP/1.1 500 Oops\r\ncontent-length: 1000000\r\n\r\noops'
    const client = await answered(harness, () => backend.peer(0), wire)
    expect([client.status, client.text]).toEqual([203, 'instead'])
    await (await backend.peer(0)).gone()
  }, MOCKED))

it('replaces an answer without a body', () =>
  withScripted(async (harness, backend) => {
    const wire = 'HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n'
    const client = await answered(harness, () => backend.peer(0), wire)
    expect([client.status, client.text, client.header('content-length')]).toEqual([
      203,
      'instead',
      null,
    ])
  }, MOCKED))

it.each<[status: number]>([[200], [404], [502]])('lets %i pass', (status) =>
  withScripted(async (harness, backend) => {
    const wire = `HTTP/1.1 ${status} X\r\ncontent-length: 2\r\n\r\nok`
    const client = await answered(harness, () => backend.peer(0), wire)
    expect([client.status, client.text]).toEqual([status, 'ok'])
    expect(client.header('x-flow')).toBe('went on')
  }, MOCKED),
)

it('with forCodes false nothing is replaced', () =>
  withScripted(async (harness, backend) => {
    const wire = 'HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops'
    const client = await answered(harness, () => backend.peer(0), wire)
    expect([client.status, client.text]).toEqual([500, 'oops'])
  }, over('forCodes: false, mockCode: 203')))

it('a back end that gives no answer is a serverError, not a fallback', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.end()
    await until('the answer', () => client.ending !== 'open')
    expect([client.status, client.header('x-flow')]).toEqual([503, null])
  }, MOCKED))

const MAIN = 'mainPool: {servers: [{url: "http://a"}]}'

it.each<[fields: string, problem: string]>([
  ['fallback: {forCodes: true, mockCode: 200}', 'failureCodes: expected at least one status'],
  [
    'failureCodes: []\nfallback: {forCodes: false, mockCode: 200}',
    'failureCodes: expected at least one status',
  ],
  ['failureCodes: [500]\nfallback: {forCodes: true}', 'fallback/mockCode: is required'],
  [
    'failureCodes: [500]\nfallback: {forCodes: maybe, mockCode: 200}',
    'fallback/forCodes: expected true or false',
  ],
  [
    'failureCodes: [500]\nfallback: {forCodes: true, mockCode: 99}',
    'fallback/mockCode: expected a status code',
  ],
  [
    'failureCodes: [500]\nfallback: {forCodes: true, mockCode: 200, mockedHeaders: {a: b}}',
    'did you mean "mockHeaders"?',
  ],
  [
    'failureCodes: [500]\nfallback: {forCodes: true, mockCode: 200, forTimeouts: true}',
    'fallback/forTimeouts: there is no such field',
  ],
  ['failureCodes: [500, 500]', 'failureCodes'],
  ['failureCodes: [600]', 'failureCodes/0: expected a status code'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Proxy', `${MAIN}\n${fields}`)).toContain(problem)
})

it('failureCodes alone are taken, as in Easegress', () => {
  expect(problemsOf('Proxy', `${MAIN}\nfailureCodes: [500]`)).toBe('')
})
