import { expect, it } from 'vitest'
import { FakeBody, FakeClient } from '../../http/fake-client.fixture.js'
import type { Pipeline } from '../../pipeline/pipeline.js'
import { rehearse } from '../../pipeline/rehearse.js'
import { ScriptedServer, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { apiAggregator, type Spec } from './kind.js'

const asking = (more: string, ...targets: string[]): string => `
filters:
- name: it
  kind: APIAggregator
  apiProxies: [${targets.map((each) => (each.startsWith('{') ? each : `{httpProxyName: ${each}}`)).join(', ')}]
${more.replace(/^/gm, '  ')}
`
const mocking = (body: string, code = 200, more = ''): string =>
  `filters: [{name: m, kind: Mock, rules: [{code: ${code}, body: '${body}'${more}}]}]`
const told = (client: FakeClient): unknown[] => [client.status, client.text]

async function withTargets(
  yaml: string,
  targets: Readonly<Record<string, string>>,
  test: (harness: Harness) => Promise<void> | void,
): Promise<void> {
  await withPipeline(yaml, async (harness) => {
    for (const [name, target] of Object.entries(targets)) await harness.add(name, target)
    await test(harness)
  })
}

const A = mocking('{"a":1,"x":"a"}')
const B = mocking('{"b":2,"x":"b"}', 500)

it.each<[more: string, want: string]>([
  ['', '[{"a":1,"x":"a"},{"b":2,"x":"b"}]'],
  ['mergeResponse: false', '[{"a":1,"x":"a"},{"b":2,"x":"b"}]'],
  ['mergeResponse: true', '{"a":1,"x":"b","b":2}'],
])('answers of all targets in their order, whatever their status; %s', (more, want) =>
  withTargets(asking(more, 'a', 'b'), { a: A, b: B }, (harness) => {
    const client = harness.start()
    expect(told(client)).toEqual([200, want])
    expect(client.header('content-type')).toBe('application/json')
  }),
)

it.each<[more: string, want: string]>([
  ['', '[]'],
  ['mergeResponse: true', '{}'],
])('answers without a body are left out: %s', (more, want) =>
  withTargets(asking(more, 'a'), { a: mocking('', 204) }, (harness) => {
    expect(told(harness.start())).toEqual([200, want])
  }),
)

it('a status that was there stays', () =>
  withTargets(
    asking('', 'a')
      .replace('filters:', `filters:\n- {name: before, kind: Mock, rules: [{code: 202}]}`)
      .replace(
        'filters:',
        'flow: [{filter: before, jumpIf: {mocked: it}}, {filter: it}]\nfilters:',
      ),
    { a: A },
    (harness) => {
      expect(harness.start().status).toBe(202)
    },
  ))

it.each<[more: string, want: unknown[]]>([
  ['', [503, '']],
  ['partialSucceed: false', [503, '']],
  ['partialSucceed: true', [200, '[{"a":1,"x":"a"}]']],
])('a target that is not there: %s', (more, want) =>
  withTargets(asking(more, 'a', 'gone'), { a: A }, (harness) => {
    expect(told(harness.start())).toEqual(want)
  }),
)

it('a target twice is asked twice', () =>
  withTargets(
    asking(
      '',
      '{httpProxyName: a, path: {replace: /1}}',
      '{httpProxyName: a, path: {replace: /2}}',
    ),
    {
      a: `filters: [{name: m, kind: Mock, rules: [{path: /1, code: 200, body: '{"n":1}'}, {path: /2, code: 200, body: '{"n":2}'}]}]`,
    },
    (harness) => {
      expect(told(harness.start())).toEqual([200, '[{"n":1},{"n":2}]'])
    },
  ))

it.each<[body: string, status: number]>([
  ['[1]', 599],
  ['no JSON', 599],
  ['"text"', 599],
])('a body that is no JSON object: %s', (body, status) =>
  withTargets(asking('', 'a', 'b'), { a: A, b: mocking(body) }, (harness) => {
    const client = harness.start()
    expect(told(client)).toEqual([status, ''])
  }),
)

it.each<[bytes: number, status: number]>([
  [99, 200],
  [100, 200],
  [101, 500],
])('a body of %s bytes where 100 are allowed: %s', (bytes, status) =>
  withTargets(
    asking('maxBodyBytes: 100', 'a'),
    { a: mocking(`{"a":"${'x'.repeat(bytes - 8)}"}`) },
    (harness) => {
      expect(harness.start().status).toBe(status)
    },
  ),
)

it('with maxBodyBytes 0 no answer may have a body', () =>
  withTargets(asking('maxBodyBytes: 0', 'a'), { a: A }, (harness) => {
    expect(harness.start().status).toBe(500)
  }))

it('failures can be jumped on', () =>
  withPipeline(
    `
flow: [{filter: it, jumpIf: {failed: m}}, {filter: m}]
filters:
- {name: it, kind: APIAggregator, apiProxies: [{httpProxyName: gone}]}
- {name: m, kind: Mock, rules: [{code: 299}]}
`,
    (harness) => {
      expect(harness.start().status).toBe(299)
    },
  ))

// -- what targets are asked ------------------------------------------------------------------------

async function withBackend(
  yaml: string,
  test: (harness: Harness, backend: ScriptedServer, target: Pipeline) => Promise<void>,
): Promise<void> {
  const backend = await ScriptedServer.listen()
  await withPipeline(yaml, async (harness) => {
    const target = await harness.add(
      'p',
      `filters: [{name: p, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${backend.port}"}]}}]`,
    )
    await test(harness, backend, target)
  })
  await backend.close()
}

const JSON_ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a":1}'

it('method, path, query and body of the request, and none of its fields', () =>
  withBackend(asking('', 'p'), async (harness, backend) => {
    const client = harness.start({
      method: 'POST',
      path: '/a%2Fb',
      query: 'q=%20',
      headers: [['x-secret', '1']],
      body: 'sent',
    })
    const peer = await backend.peer(0)
    await peer.expects('sent')
    expect(peer.received).toBe(
      `POST /a%2Fb?q=%20 HTTP/1.1\r\nhost: 127.0.0.1:${backend.port}\r\ncontent-length: 4\r\n\r\nsent`,
    )
    peer.send(JSON_ANSWER)
    await until('the answer', () => client.ending === 'complete')
    expect(told(client)).toEqual([200, '[{"a":1}]'])
  }))

it.each<[target: string, line: string, rest: string]>([
  ['{httpProxyName: p, method: PUT}', 'PUT /a?q HTTP/1.1', 'content-length: 4\r\n\r\nsent'],
  [
    '{httpProxyName: p, path: {addPrefix: /v1}}',
    'POST /v1/a?q HTTP/1.1',
    'content-length: 4\r\n\r\nsent',
  ],
  ['{httpProxyName: p, disableBody: true}', 'POST /a?q HTTP/1.1', 'content-length: 0\r\n\r\n'],
  [
    '{httpProxyName: p, header: {set: {X-From: "[[filter.before.req.header.X-Id]]"}}}',
    'POST /a?q HTTP/1.1',
    'x-from: 7\r\ncontent-length: 4\r\n\r\nsent',
  ],
])('as the target says: %s', (target, line, rest) =>
  withBackend(
    asking('', target).replace('filters:', 'filters:\n- {name: before, kind: RequestAdaptor}'),
    async (harness, backend) => {
      const client = harness.start({
        method: 'POST',
        path: '/a',
        query: 'q',
        headers: [['x-id', '7']],
        body: 'sent',
      })
      const peer = await backend.peer(0)
      const head = `${line}\r\nhost: 127.0.0.1:${backend.port}\r\n${rest}`
      await peer.expects(head)
      expect(peer.received).toBe(head)
      peer.send(JSON_ANSWER)
      await until('the answer', () => client.ending === 'complete')
    },
  ),
)

it('path adaptations do not add up from target to target', () =>
  withTargets(
    asking(
      '',
      '{httpProxyName: a, path: {addPrefix: /x}}',
      '{httpProxyName: a, path: {addPrefix: /y}}',
    ),
    {
      a: `
filters:
- {name: before, kind: RequestAdaptor}
- {name: m, kind: Mock, rules: [{code: 200, body: '{}'}]}
- {name: r, kind: ResponseAdaptor, body: '{"path":"[[filter.before.req.path]]"}'}
`.replace(
        'filters:',
        'flow: [{filter: before}, {filter: m, jumpIf: {mocked: r}}, {filter: r}]\nfilters:',
      ),
    },
    (harness) => {
      expect(told(harness.start({ path: '/p' }))).toEqual([
        200,
        '[{"path":"/x/p"},{"path":"/y/p"}]',
      ])
    },
  ))

it('a streamed body is held, and 413 beyond the bound', () =>
  withTargets(asking('maxBodyBytes: 4', 'a'), { a: mocking('{}') }, async (harness) => {
    const body = new FakeBody()
    const client = harness.start({ method: 'POST', body })
    body.push('1234')
    body.end()
    await until('the answer', () => client.ending === 'complete')
    expect(client.status).toBe(200)
    const large = new FakeBody(5)
    expect(harness.start({ method: 'POST', body: large }).status).toBe(413)
    expect(large.isCancelled).toBe(true)
  }))

it('nothing is held where no target wants the body', () =>
  withTargets(
    asking('maxBodyBytes: 4', '{httpProxyName: a, disableBody: true}'),
    { a: mocking('{}') },
    (harness) => {
      const body = new FakeBody(1_000_000)
      expect(harness.start({ method: 'POST', body }).status).toBe(200)
      expect(body.isOpen).toBe(false)
    },
  ))

// -- time and ends -----------------------------------------------------------------------------------

it('all targets are asked at the same time, and the answer waits for the last', () =>
  withBackend(asking('', 'p', 'p'), async (harness, backend) => {
    const client = harness.start()
    const [first, second] = [await backend.peer(0), await backend.peer(1)]
    await first.head()
    await second.head()
    second.send('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"b":2}')
    await until('one answer', () => harness.statuses('p/mainPool').length === 1)
    expect(client.ending).toBe('open')
    first.send(JSON_ANSWER)
    await until('the answer', () => client.ending === 'complete')
    expect(told(client)).toEqual([200, '[{"a":1},{"b":2}]'])
  }))

it.each<[more: string, want: unknown[]]>([
  ['timeout: 1s', [503, '']],
  ['timeout: 1s\npartialSucceed: true', [200, '[{"a":1,"x":"a"}]']],
])('a target that takes too long is missing: %s', (more, want) =>
  withBackend(asking(more, 'a', 'p'), async (harness, backend, target) => {
    await harness.add('a', A)
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    harness.pass(900)
    expect(client.ending).toBe('open')
    harness.pass(200)
    expect(told(client)).toEqual(want)
    await peer.gone()
    expect(target.pinCount).toBe(0)
  }),
)

it('time is over in the middle of a body, too', () =>
  withBackend(asking('timeout: 1s', 'p'), async (harness, backend, target) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a"')
    await until('some of it', () => target.pinCount === 1 && client.ending === 'open')
    harness.pass(1_100)
    expect(client.status).toBe(503)
    await peer.gone()
  }))

it('a body that breaks off is a failure', () =>
  withBackend(asking('partialSucceed: true', 'p'), async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a"')
    peer.socket.end()
    await until('the answer', () => client.ending === 'complete')
    expect(client.status).toBe(500)
  }))

it('a client that goes ends what was asked', () =>
  withBackend(asking('', 'p', 'p'), async (harness, backend, target) => {
    const client = harness.start()
    const [first, second] = [await backend.peer(0), await backend.peer(1)]
    await first.head()
    await second.head()
    client.abort()
    await first.gone()
    await second.gone()
    expect(target.pinCount).toBe(0)
    expect(harness.statuses('p/mainPool')).toEqual([499, 499])
  }))

it('a target is pinned while it answers', () =>
  withBackend(asking('', 'p'), async (harness, backend, target) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    harness.remove('p')
    expect(target.pinCount).toBe(1)
    peer.send(JSON_ANSWER)
    await until('the answer', () => client.ending === 'complete')
    expect([client.status, target.pinCount]).toEqual([200, 0])
  }))

it('a target that leads back is as good as missing, however it does', () =>
  withTargets(
    asking('partialSucceed: true', 'demo', 'bridge', 'again', 'a'),
    {
      a: A,
      bridge: 'filters: [{name: b, kind: Bridge, destinations: [demo]}]',
      again: asking('partialSucceed: true', 'again', 'demo', 'a').replace(
        '- name: it',
        '- name: x',
      ),
    },
    (harness) => {
      const client = harness.start()
      // From `again` comes a list, which is no object.
      expect(client.ending).toBe('complete')
      expect(client.status).toBe(599)
    },
  ))

it.each<[more: string, result: string, detail: object]>([
  ['', 'failed', { missing: ['gone'] }],
  ['partialSucceed: true', '', { asks: ['a'], missing: ['gone'] }],
])('tells whom it would ask: %s', (more, result, detail) =>
  withTargets(asking(more, 'a', 'gone'), { a: A }, (harness) => {
    const [step] = rehearse(harness.pipeline, new FakeClient().ex).steps
    expect([step?.result, step?.detail]).toEqual([result, detail])
  }),
)

it('names its targets, so that those missing can be told of', () => {
  const spec = { apiProxies: [{ httpProxyName: 'a' }, { httpProxyName: 'b' }] } as unknown as Spec
  expect(apiAggregator.flows?.(spec)).toEqual([
    { path: ['apiProxies', 0, 'httpProxyName'], name: 'a' },
    { path: ['apiProxies', 1, 'httpProxyName'], name: 'b' },
  ])
})

it.each<[fields: string, problem: string]>([
  ['', 'filters/0/apiProxies: is required'],
  ['apiProxies: [{}]', 'apiProxies/0/httpProxyName: is required'],
  ['apiProxies: [{httpProxyName: a b}]', 'apiProxies/0/httpProxyName: expected a name'],
  ['apiProxies: [{httpProxyName: a, method: get}]', 'apiProxies/0/method: expected one of GET'],
  ['apiProxies: [{httpProxyName: a, path: {addPrefix: x}}]', 'apiProxies/0/path/addPrefix: '],
  ['apiProxies: [{httpProxyName: a, disableBody: 1}]', 'disableBody: expected true or false'],
  ['apiProxies: []\nmaxBodyBytes: 102401', 'maxBodyBytes: expected a whole number in 0..102400'],
  ['apiProxies: []\nmaxBodyBytes: -1', 'maxBodyBytes: expected a whole number in 0..102400'],
  ['apiProxies: []\ntimeout: 0s', 'timeout: expected a duration of at least 1ms'],
  ['apiProxies: []\ntimeout: 10', 'add a unit: "10ms", "10s"'],
  ['apiProxies: []\npartialSucceed: maybe', 'partialSucceed: expected true or false'],
  [
    'apiProxies: [{httpProxyName: a, header: {set: {X: "[[filter.nobody.req.path]]"}}}]',
    'a template reads filter "nobody", which does not run before "it"',
  ],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('APIAggregator', fields)).toContain(problem)
})
