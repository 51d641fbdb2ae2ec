import { expect, it } from 'vitest'
import { RequestBody } from '../../http/body.js'
import { type Exchange, OK } from '../../http/exchange.js'
import {
  FakeBody,
  FakeClient,
  type FakeRequest,
  FakeResponseBody,
} from '../../http/fake-client.fixture.js'
import { VirtualTime } from '../../lib/clock.js'
import { TimerWheel } from '../../lib/timer-wheel.js'
import { type Flow, flowOf, node, Step, Wrap } from '../../pipeline/flow.fixture.js'
import { decode } from '../../spec/decode.js'
import { parseYaml } from '../../spec/yaml.js'
import type { FilterContext } from '../contract.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'
import { BODY_BYTES_MAX, retryer } from './kind.js'
import { create } from './retryer.js'

interface Rig {
  readonly flow: Flow
  readonly timers: TimerWheel
  start(request?: FakeRequest): FakeClient
  pass(ms: number): void
}

/** A Retryer with `fields` around a filter that does what `attempt` says. */
function rigOf(fields: string, attempt: (ex: Exchange, run: number) => number): Rig {
  const parsed = parseYaml(fields)
  if (!parsed.ok) throw new Error(parsed.message)
  const spec = decode(retryer.spec, parsed.documents[0]?.value)
  if (!spec.ok) throw new Error(JSON.stringify(spec.problems))
  const time = new VirtualTime()
  const timers = new TimerWheel(time)
  const wrapping = create(spec.value, { timers } as FilterContext)
  let runs = 0
  const inside = new Step('inside', [], (ex) => attempt(ex, ++runs))
  const flow = flowOf([
    {
      ...node(new Wrap('retryer', [])),
      wrapping,
      requestBodyBytes: BODY_BYTES_MAX,
      needsRequestBody: (ex) => wrapping.needsRequestBody?.(ex) ?? true,
    },
    node(inside),
  ])
  return {
    flow,
    timers,
    start: (request) => flow.start(request),
    pass(ms) {
      time.advance(ms)
      timers.advance()
    },
  }
}

const policy = (more: string): string => `
policies: [{name: p, failureStatusCodes: [500], ${more}}]
defaultPolicyRef: p
urls: [{methods: [GET, POST], url: {prefix: /}}]
`

/** Answers with these statuses, one after the other. */
const statuses =
  (...list: number[]) =>
  (ex: Exchange, run: number): number => {
    ex.respond(list[run - 1] ?? 599, Buffer.from(`run ${run}`))
    return OK
  }

it.each<[name: string, more: string, list: number[], status: number, runs: number]>([
  ['at once', 'waitDuration: 0s', [200], 200, 1],
  ['the second time', 'waitDuration: 0s', [500, 200], 200, 2],
  ['the last time', 'waitDuration: 0s', [500, 500, 200], 200, 3],
  ['never', 'waitDuration: 0s', [500, 500, 500, 200], 500, 3],
  ['never, with one attempt', 'waitDuration: 0s, maxAttempts: 1', [500, 200], 500, 1],
  ['with many attempts', 'waitDuration: 0s, maxAttempts: 5', [500, 500, 500, 500, 200], 200, 5],
  ['an error that is no failure', 'waitDuration: 0s', [503, 200], 503, 1],
  ['network errors', 'waitDuration: 0s, countingNetworkError: true', [503, 502, 200], 200, 3],
])('succeeds: %s', (_name, more, list, status, runs) => {
  const rig = rigOf(policy(more), statuses(...list))
  const client = rig.start()
  expect([client.status, client.text]).toEqual([status, `run ${runs}`])
  const isFailed = status === 500
  expect(client.headers).toEqual(
    isFailed
      ? ['x-eg-retryer', `Failed-after-${runs}-attempts`]
      : ['x-mesh-retryer', `Succeeded-after-${runs}-attempts`],
  )
  expect(rig.flow.pipeline.pinCount).toBe(0)
})

it.each<[name: string, more: string, waits: number[]]>([
  ['500 ms unless told otherwise', 'maxAttempts: 3', [500, 500]],
  ['alike', 'waitDuration: 200ms, maxAttempts: 4', [200, 200, 200]],
  ['growing', 'waitDuration: 200ms, backOffPolicy: Exponential, maxAttempts: 4', [200, 300, 450]],
])('waits between runs: %s', (_name, more, waits) => {
  let runs = 0
  const rig = rigOf(policy(more), (ex, run) => {
    runs = run
    ex.respond(500)
    return OK
  })
  const client = rig.start()
  waits.forEach((wait, index) => {
    expect(runs).toBe(index + 1)
    rig.pass(wait - 4)
    expect(runs).toBe(index + 1)
    rig.pass(12)
    expect(runs).toBe(index + 2)
  })
  expect([client.status, client.sends, rig.timers.runningCount]).toEqual([500, 1, 0])
})

it('each run gets the request as it came, and an answer as it was', () => {
  const seen: string[] = []
  const sources: FakeResponseBody[] = []
  const rig = rigOf(policy('waitDuration: 10ms'), (ex, run) => {
    const { request, response } = ex
    const body = Buffer.from(request.body?.whole ?? []).toString()
    seen.push([request.method, request.target, request.headers.flat, body].join(' '))
    seen.push([response.status, response.headers.flat, response.body].join(' '))
    request.method = 'DELETE'
    request.path = '/changed'
    request.query = 'changed'
    request.headers.set('a', 'changed')
    request.headers.add('c', 'd')
    request.body = RequestBody.of(Buffer.from('changed'))
    const source = new FakeResponseBody(run === 3 ? 'last' : null)
    sources.push(source)
    response.status = run === 3 ? 200 : 500
    response.headers.add('x-run', String(run))
    response.source = source
    return OK
  })
  const client = new FakeClient({
    method: 'POST',
    path: '/a%2Fb',
    query: 'q=1',
    headers: [['a', 'b']],
    body: 'text',
  })
  client.ex.response.headers.add('x-before', 'kept')
  rig.flow.pipeline.start(client.ex)
  rig.pass(20)
  rig.pass(20)
  const run = ['POST /a%2Fb?q=1 a,b text', '200 x-before,kept ']
  expect(seen).toEqual([...run, ...run, ...run])
  expect(sources.map(({ cancels }) => cancels)).toEqual([1, 1, 0])
  expect(client.headers).toEqual([
    'x-before',
    'kept',
    'x-run',
    '3',
    'x-mesh-retryer',
    'Succeeded-after-3-attempts',
  ])
  expect(client.text).toBe('last')
})

it('a streaming body is collected first, and there for every run', () => {
  const bodies: string[] = []
  const rig = rigOf(policy('waitDuration: 0s'), (ex) => {
    bodies.push(Buffer.from(ex.request.body?.whole ?? []).toString())
    ex.respond(500)
    return OK
  })
  const body = new FakeBody()
  const client = rig.start({ method: 'POST', body })
  body.push('in ')
  expect(bodies).toEqual([])
  body.push('pieces')
  body.end()
  expect(bodies).toEqual(['in pieces', 'in pieces', 'in pieces'])
  expect(client.status).toBe(500)
})

it('a body too large to be kept is refused, unless the request is not retried anyway', () => {
  const rig = rigOf(policy('waitDuration: 0s'), statuses(500, 200))
  const covered = rig.start({ method: 'POST', body: new FakeBody(BODY_BYTES_MAX + 1) })
  expect(covered.status).toBe(413)
  const body = new FakeBody(BODY_BYTES_MAX + 1)
  const other = rig.start({ method: 'PUT', body })
  expect([other.status, other.headers, body.isOpen]).toEqual([500, [], false])
})

it.each<[method: string, path: string, runs: number]>([
  ['GET', '/one', 2],
  ['GET', '/two/x', 3],
  ['POST', '/one', 4],
  ['GET', '/three', 1],
  ['PUT', '/one', 1],
])('the first rule that matches decides: %s %s', (method, path, runs) => {
  const fields = `
policies:
- {name: two, maxAttempts: 2, waitDuration: 0s, failureStatusCodes: [500]}
- {name: three, maxAttempts: 3, waitDuration: 0s, failureStatusCodes: [500]}
- {name: four, maxAttempts: 4, waitDuration: 0s, failureStatusCodes: [500]}
defaultPolicyRef: three
urls:
- {methods: [GET], url: {exact: /one}, policyRef: two}
- {methods: [GET], url: {regex: ^/two}}
- {methods: [POST], url: {prefix: /}, policyRef: four}
`
  let ran = 0
  const rig = rigOf(fields, (ex, run) => {
    ran = run
    ex.respond(500)
    return OK
  })
  expect(rig.start({ method, path }).status).toBe(500)
  expect(ran).toBe(runs)
})

it('a client that goes during the back-off leaves nothing', () => {
  let runs = 0
  const rig = rigOf(policy('waitDuration: 1s'), (ex, run) => {
    runs = run
    ex.respond(500)
    return OK
  })
  const client = rig.start()
  client.abort()
  expect(rig.timers.runningCount).toBe(0)
  rig.pass(5_000)
  expect([runs, client.sends, rig.flow.pipeline.pinCount]).toEqual([1, 0, 0])
})

it('a result that stopped the inside is handed on after the last run', () =>
  withPipeline(
    `
flow: [{filter: retryer}, {filter: mock}, {filter: after}]
filters:
- name: retryer
  kind: Retryer
  policies: [{name: p, waitDuration: 10ms, failureStatusCodes: [500]}]
  urls: [{url: {prefix: /}, policyRef: p}]
- {name: mock, kind: Mock, rules: [{code: 500, body: mocked}]}
- {name: after, kind: Fallback, mockCode: 200}
`,
    (harness) => {
      const client = harness.start()
      harness.pass(20)
      harness.pass(20)
      expect([client.status, client.text]).toEqual([500, 'mocked'])
      expect(client.header('x-eg-retryer')).toBe('Failed-after-3-attempts')
    },
  ))

it.each<[name: string, fields: string, problem: string]>([
  ['no policies', 'urls: []', 'filters/0/policies: is required'],
  [
    'a policy that is not there',
    'policies: [{name: a}]\nurls: [{url: {exact: /}, policyRef: b}]',
    'filters/0/urls/0/policyRef: no policy "b" in policies (there are a)',
  ],
  [
    'no policy at all',
    'policies: []\nurls: [{url: {exact: /}}]',
    'expected policyRef, or defaultPolicyRef beside urls (there are none)',
  ],
  [
    'a default that is not there',
    'policies: [{name: a}]\ndefaultPolicyRef: c\nurls: [{url: {exact: /}}]',
    'no policy "c" in policies (there are a)',
  ],
  ['names twice', 'policies: [{name: a}, {name: a}]\nurls: []', 'filters/0/policies/1/name'],
  ['no attempts', 'policies: [{name: a, maxAttempts: 0}]\nurls: []', 'in 1..100, got 0'],
  ['a factor', 'policies: [{name: a, randomizationFactor: 1.5}]\nurls: []', 'in 0..1, got 1.5'],
  ['a policy', 'policies: [{name: a, backOffPolicy: linear}]\nurls: []', 'random, exponential'],
  ['codes', 'policies: [{name: a, failureStatusCodes: [99]}]\nurls: []', 'in 100..599, got 99'],
  [
    'a url that matches nothing',
    'policies: [{name: a}]\nurls: [{url: {}, policyRef: a}]',
    'filters/0/urls/0/url: expected at least one of exact, prefix and regex',
  ],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Retryer', fields)).toContain(problem)
})
