import { expect, it } from 'vitest'
import type { FakeRequest } from '../../http/fake-client.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { type Serve, withScripted, withServers } from './backends.fixture.js'
import { proxy, type Spec } from './kind.js'

const nameServer: Serve = (request, response, server) => {
  request.resume()
  response.end(['main', 'canary', 'beta'][server])
}

const over = ([main, canary, beta]: readonly number[]): string => `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${main}"}]}
  candidatePools:
  - servers: [{url: "http://127.0.0.1:${canary}"}]
    filter: {headers: {X-Canary: {exact: "yes"}}, urls: [{url: {prefix: /api}}]}
  - servers: [{url: "http://127.0.0.1:${beta}"}]
    filter: {headers: {X-Canary: {prefix: "y"}, X-Beta: {regex: "."}}}
`

it.each<[request: FakeRequest, want: string]>([
  [{}, 'main'],
  [{ headers: [['x-canary', 'no']] }, 'main'],
  [{ path: '/api', headers: [['x-canary', 'yes']] }, 'canary'],
  [{ path: '/', headers: [['x-canary', 'yes']] }, 'beta'],
  [{ headers: [['x-beta', '1']] }, 'beta'],
])('%j goes to the first pool that takes it, or to the main one: %s', (request, want) =>
  withServers(3, nameServer, over, async (harness) => {
    expect((await harness.ask(request)).text).toBe(want)
    const counts = ['mainPool', 'candidatePools/0', 'candidatePools/1'].map(
      (pool) => harness.statuses(`proxy/${pool}`).length,
    )
    expect(counts).toEqual(['main', 'canary', 'beta'].map((pool) => (pool === want ? 1 : 0)))
  }),
)

it('a share by chance gets about that share', () =>
  withServers(
    2,
    nameServer,
    ([main, canary]) => `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${main}"}]}
  candidatePools:
  - servers: [{url: "http://127.0.0.1:${canary}"}]
    filter: {probability: {perMill: 500, policy: random}}
`,
    async (harness) => {
      let canaries = 0
      for (let i = 0; i < 200; i++) if ((await harness.ask()).text === 'canary') canaries += 1
      expect(canaries).toBeGreaterThan(60)
      expect(canaries).toBeLessThan(140)
    },
  ))

const onlyCandidate = (port: number): string => `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [{url: "http://127.0.0.1:${port}"}]}
  candidatePools:
  - servers: [{url: "http://127.0.0.1:${port}"}]
    filter: {headers: {X-Canary: {exact: "yes"}}}
`
const CANARY: FakeRequest = { headers: [['x-canary', 'yes']] }

it('a client that goes closes the connection to a candidate', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start(CANARY)
    const peer = await backend.peer(0)
    await peer.head()
    client.abort()
    await peer.gone()
    expect(harness.statuses('proxy/candidatePools/0')).toEqual([499])
  }, onlyCandidate))

it('a failure names the candidate', () =>
  withScripted(async (harness, backend) => {
    const asked = harness.ask(CANARY)
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.end()
    const client = await asked
    expect([client.status, client.text]).toEqual([
      503,
      'the back end closed the connection: pool demo/proxy/candidatePools/0\n',
    ])
  }, onlyCandidate))

it('turns are counted for each pool', () => {
  const servers = (ports: readonly number[]): string =>
    ports.map((port) => `{url: "http://127.0.0.1:${port}"}`).join(', ')
  const answers = async (harness: Harness, requests: FakeRequest[]): Promise<string[]> => {
    const texts: string[] = []
    for (const request of requests) texts.push((await harness.ask(request)).text)
    return texts
  }
  return withServers(
    2,
    (_request, response, server) => response.end(String(server)),
    (ports) => `
filters:
- name: proxy
  kind: Proxy
  mainPool: {servers: [${servers(ports)}]}
  candidatePools: [{servers: [${servers(ports)}], filter: {headers: {X-Canary: {exact: "yes"}}}}]
`,
    async (harness) => {
      expect(await answers(harness, [{}, CANARY, {}, CANARY])).toEqual(['0', '0', '1', '1'])
    },
  )
})

it('the status has the statistics of every pool', () =>
  withPipeline(onlyCandidate(9), () => {
    const server = { servers: [{ url: 'http://a' }] }
    const spec = { mainPool: server, candidatePools: [server, server] } as unknown as Spec
    expect(proxy.status?.(spec, (key) => key)).toEqual({
      mainPool: { stat: 'mainPool' },
      candidatePool: [{ stat: 'candidatePools/0' }, { stat: 'candidatePools/1' }],
    })
  }))

const MAIN = 'mainPool: {servers: [{url: "http://a"}]}'
const filtered = (filter: string): string =>
  `${MAIN}\ncandidatePools: [{servers: [{url: "http://b"}], filter: {${filter}}}]`

it.each<[fields: string, problem: string]>([
  [
    `${MAIN}\ncandidatePools: [{servers: [{url: "http://b"}]}]`,
    'candidatePools/0/filter: is required: expected either headers or probability',
  ],
  [filtered(''), 'candidatePools/0/filter: expected either headers or probability'],
  [filtered('headers: {}'), 'filter: expected either headers or probability'],
  [filtered('urls: [{url: {exact: /}}]'), 'filter: expected either headers or probability'],
  [
    filtered('headers: {a: {exact: b}}, probability: {perMill: 1, policy: random}'),
    'filter: expected either headers or probability',
  ],
  [filtered('headers: {a: b}'), 'filter/headers/a: expected a mapping'],
  [filtered('headers: {a: {}}'), 'expected at least one of exact, prefix and regex'],
  [filtered('headers: {a: {regex: "("}}'), 'filter/headers/a/regex: '],
  [filtered('headers: {a: {exact: b}}, urls: [{}]'), 'filter/urls/0/url: is required'],
  [
    filtered('headers: {a: {exact: b}}, urls: [{methods: [get], url: {exact: /}}]'),
    'filter/urls/0/methods/0: ',
  ],
  [filtered('probability: {policy: random}'), 'probability/perMill: is required'],
  [
    filtered('probability: {perMill: 0, policy: random}'),
    'perMill: expected a whole number in 1..1000',
  ],
  [
    filtered('probability: {perMill: 1001, policy: random}'),
    'perMill: expected a whole number in 1..1000',
  ],
  [filtered('probability: {perMill: 1}'), 'probability/policy: is required'],
  [filtered('probability: {perMill: 1, policy: roundRobin}'), 'expected one of ipHash, headerHash'],
  [
    filtered('probability: {perMill: 1, policy: headerHash}'),
    'probability/headerHashKey: expected the name of a header for headerHash',
  ],
  [`${MAIN}\ncandidatesPools: []`, 'did you mean "candidatePools"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Proxy', fields)).toContain(problem)
})

it('urls beside probability are taken, as in Easegress', () => {
  const fields = 'probability: {perMill: 1, policy: ipHash}, urls: [{url: {exact: /}}]'
  expect(problemsOf('Proxy', filtered(fields))).toBe('')
})
