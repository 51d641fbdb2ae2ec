import { expect, it } from 'vitest'
import { FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { rehearse } from '../../pipeline/rehearse.js'
import { ScriptedServer, until } from '../../upstream/scripted-server.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'
import { bridge } from './kind.js'

const DEST = 'x-easegress-bridge-dest'
const to = (...destinations: string[]): string => `
filters:
- {name: bridge, kind: Bridge, destinations: [${destinations.join(', ')}]}
- {name: after, kind: ResponseAdaptor, header: {add: {X-After: "[[filter.bridge.rsp.statuscode]]"}}}
`
const answering = (name: string): string =>
  `
filters:
- {name: seen, kind: ResponseAdaptor, header: {set: {X-Dest: "[[filter.first.req.header.${DEST}]]"}}}
- {name: m, kind: Mock, rules: [{code: 200, body: ${name}}]}
`.replace(
    'filters:',
    'filters:\n- {name: first, kind: RequestAdaptor, header: {add: {X-Via: one}}}',
  )

it.each<[headers: FakeRequest['headers'], told: unknown[]]>([
  [[], [200, 'one', '', '200']],
  [[[DEST, '']], [200, 'one', '', '200']],
  [[[DEST, 'one']], [200, 'one', '', '200']],
  [[[DEST, 'two']], [200, 'two', '', '200']],
  [[[DEST, 'ONE']], [503, '', null, null]],
  [[[DEST, 'three']], [503, '', null, null]],
  [[[DEST, 'gone']], [503, '', null, null]],
  // The first of several counts, and none of them goes on.
  [
    [
      [DEST, 'two'],
      [DEST, 'one'],
    ],
    [200, 'two', '', '200'],
  ],
])('with %j: %j', (headers = [], told) =>
  withPipeline(to('one', 'two', 'gone'), async (harness) => {
    for (const name of ['one', 'two', 'three']) await harness.add(name, answering(name))
    const client = harness.start({ headers })
    expect([client.status, client.text, client.header('x-dest'), client.header('x-after')]).toEqual(
      told,
    )
  }),
)

it('the destination handles the request once, and what follows goes on with its answer', async () => {
  const backend = await ScriptedServer.listen()
  await withPipeline(to('one'), async (harness) => {
    await harness.add(
      'one',
      `filters: [{name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}]`,
    )
    const client = harness.start({ method: 'POST', path: '/a', body: 'sent' })
    const peer = await backend.peer(0)
    await peer.expects('sent')
    expect(peer.received).toContain('POST /a HTTP/1.1\r\n')
    peer.send('HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nmade')
    await until('the answer', () => client.ending === 'complete')
    expect([client.status, client.text, client.header('x-after')]).toEqual([201, 'made', '201'])
    expect(backend.peers.length).toBe(1)
  })
  await backend.close()
})

it('results that can be jumped on', () =>
  withPipeline(
    `
flow:
- {filter: bridge, jumpIf: {destinationNotFound: m}}
- {filter: m}
filters:
- {name: bridge, kind: Bridge, destinations: [one]}
- {name: m, kind: Mock, rules: [{code: 299}]}
`,
    (harness) => {
      expect(harness.start({ headers: [[DEST, 'unknown']] }).status).toBe(299)
      expect(harness.start().status).toBe(299)
    },
  ))

it('a destination that comes and goes', () =>
  withPipeline(to('one'), async (harness) => {
    expect(harness.start().status).toBe(503)
    await harness.add('one', answering('one'))
    expect(harness.start().text).toBe('one')
    harness.remove('one')
    expect(harness.start().status).toBe(503)
  }))

it.each<[what: string, first: string, second: string]>([
  ['itself', 'demo', 'demo'],
  ['each other', 'other', 'demo'],
])('pipelines that lead to %s come to an end', (_what, first, second) =>
  withPipeline(
    `
flow:
- {filter: count}
- {filter: bridge, jumpIf: {invokeDestinationFailed: m}}
- {filter: m}
filters:
- {name: count, kind: ResponseAdaptor, header: {add: {X-Count: one}}}
- {name: bridge, kind: Bridge, destinations: [${first}]}
- {name: m, kind: Mock, rules: [{code: 299}]}
`,
    async (harness) => {
      if (first !== 'demo') {
        await harness.add(
          first,
          `filters: [{name: bridge, kind: Bridge, destinations: [${second}]}]`,
        )
      }
      const client = harness.start()
      expect([client.ending, client.ex.depth]).toEqual(['complete', 0])
      expect(client.headers.filter((each) => each === 'x-count').length).toBeLessThanOrEqual(9)
      harness.start()
      const warnings = harness.log.records.filter(({ level }) => level === 'warn')
      expect(warnings.map(({ message }) => message)).toEqual([
        'pipelines lead to each other without end',
      ])
    },
  ),
)

it('a client that goes ends the destination too', async () => {
  const backend = await ScriptedServer.listen()
  await withPipeline(to('one'), async (harness) => {
    await harness.add(
      'one',
      `filters: [{name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}]`,
    )
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    client.abort()
    await peer.gone()
    expect(harness.statuses('p/mainPool')).toEqual([499])
  })
  await backend.close()
})

it('a time limit around it holds inside', async () => {
  const backend = await ScriptedServer.listen()
  const limited = to('one').replace(
    'filters:',
    'filters:\n- {name: limit, kind: TimeLimiter, defaultTimeoutDuration: 100ms, urls: [{url: {prefix: /}}]}',
  )
  await withPipeline(limited, async (harness) => {
    await harness.add(
      'one',
      `filters: [{name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}]`,
    )
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    harness.pass(110)
    await peer.gone()
    expect([client.status, client.ending]).toEqual([408, 'complete'])
  })
  await backend.close()
})

it('tells where a request would go', () =>
  withPipeline(to('one', 'two'), async (harness) => {
    await harness.add('two', answering('two'))
    const told = (headers: FakeRequest['headers'] = []): unknown => {
      const { ex } = new FakeClient({ headers })
      const [step] = rehearse(harness.pipeline, ex).steps
      return [step?.result, step?.detail, ex.response.status]
    }
    expect(told([[DEST, 'two']])).toEqual(['', { destination: 'two' }, 200])
    expect(told()).toEqual(['destinationNotFound', {}, 503])
    expect(told([[DEST, 'three']])).toEqual(['destinationNotFound', {}, 503])
  }))

it('names its destinations, so that those missing can be told of', () => {
  expect(bridge.flows?.({ destinations: ['a', 'b'] })).toEqual([
    { path: ['destinations', 0], name: 'a' },
    { path: ['destinations', 1], name: 'b' },
  ])
})

it.each<[fields: string, problem: string]>([
  ['', 'filters/0/destinations: is required'],
  ['destinations: []', 'destinations: expected a list of at least 1 items'],
  ['destinations: one', 'destinations: expected a list'],
  ['destinations: [1]', 'destinations/0: expected a name'],
  ['destinations: [a b]', 'destinations/0: expected a name'],
  ['destinations: [""]', 'destinations/0: expected a name'],
  ['destination: [a]', 'did you mean "destinations"?'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Bridge', fields)).toContain(problem)
})
