import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const RULES = `
filters:
- name: mock
  kind: Mock
  rules:
  - {path: /exact, code: 201, body: exact}
  - {pathPrefix: /pre, code: 202, body: prefix}
  - {path: /one, pathPrefix: /two, code: 203, body: either}
`

it.each<[path: string, status: number, body: string]>([
  ['/exact', 201, 'exact'],
  ['/exact/', 200, ''],
  ['/exactly', 200, ''],
  ['/', 200, ''],
  ['/pre', 202, 'prefix'],
  ['/prefix/more', 202, 'prefix'],
  ['/a/pre', 200, ''],
  ['/%70re', 202, 'prefix'],
  ['/one', 203, 'either'],
  ['/one/more', 200, ''],
  ['/two/more', 203, 'either'],
])('%s is answered with %i', (path, status, body) =>
  withPipeline(RULES, (harness) => {
    const client = harness.start({ path })
    expect([client.status, client.text]).toEqual([status, body])
  }),
)

it('without path and pathPrefix a rule is for all; the first that matches decides', () =>
  withPipeline(
    `
filters:
- name: mock
  kind: Mock
  rules:
  - {path: /a, code: 200, body: a}
  - {code: 418, headers: {X-Tea: "yes", X-Size: größer}, body: grün}
  - {path: /b, code: 200, body: b}
`,
    (harness) => {
      const client = harness.start({ path: '/b' })
      expect(client.status).toBe(418)
      expect(Buffer.from(client.text, 'latin1').toString()).toBe('grün')
      expect(client.headers).toEqual(['x-tea', 'yes', 'x-size', 'gr\xc3\xb6\xc3\x9fer'])
      expect(harness.start({ path: '/a' }).text).toBe('a')
    },
  ))

it('its answer is the result "mocked", so that a flow may go on from it', () =>
  withPipeline(
    `
flow:
- {filter: mock, jumpIf: {mocked: last}}
- {filter: mock}
- {filter: last}
filters:
- {name: mock, kind: Mock, rules: [{code: 200, body: mocked}]}
- {name: last, kind: ResponseAdaptor, header: {set: {X-Last: "yes"}}}
`,
    (harness) => {
      const client = harness.start()
      expect([client.text, client.header('x-last')]).toEqual(['mocked', 'yes'])
    },
  ))

const SLOW = `
filters:
- name: mock
  kind: Mock
  rules: [{code: 200, body: late, delay: 500ms}]
- {name: after, kind: Fallback, mockCode: 500}
`

it('waits before it answers, and stops the flow after it', () =>
  withPipeline(SLOW, (harness) => {
    const client = harness.start()
    harness.pass(496)
    expect(client.sends).toBe(0)
    harness.pass(12)
    expect([client.status, client.text]).toEqual([200, 'late'])
    expect(harness.timers.runningCount).toBe(0)
  }))

it('waits for each exchange on its own', () =>
  withPipeline(SLOW, (harness) => {
    const first = harness.start()
    harness.pass(300)
    const second = harness.start()
    harness.pass(300)
    expect([first.ending, second.ending]).toEqual(['complete', 'open'])
    harness.pass(300)
    expect(second.ending).toBe('complete')
  }))

it('a client that goes while it waits leaves no timer', () =>
  withPipeline(SLOW, (harness) => {
    const client = harness.start()
    client.abort()
    expect(harness.timers.runningCount).toBe(0)
    harness.pass(1_000)
    expect([client.sends, client.ending]).toEqual([0, 'gone'])
  }))

it.each<[name: string, fields: string, problem: string]>([
  ['no rules', 'other: 1', 'filters/0/rules: is required: expected a list'],
  [
    'no code',
    'rules: [{path: /a}]',
    'filters/0/rules/0/code: is required: expected a status code in 100..599',
  ],
  ['a code out of range', 'rules: [{code: 600}]', 'expected a status code in 100..599, got 600'],
  ['a path without slash', 'rules: [{code: 200, path: a}]', 'a path that starts with "/", got "a"'],
  [
    'an empty prefix',
    'rules: [{code: 200, pathPrefix: ""}]',
    'a path that starts with "/", got ""',
  ],
  ['a bare number as delay', 'rules: [{code: 200, delay: 5}]', 'add a unit: "5ms", "5s"'],
  ['a negative delay', 'rules: [{code: 200, delay: -5s}]', 'expected a duration'],
  [
    'a header that cannot be sent',
    'rules: [{code: 200, headers: {"a b": c}}]',
    'expected the name of a header',
  ],
  [
    'a value with a line break',
    'rules: [{code: 200, headers: {a: "b\\r\\nc: d"}}]',
    'expected text without line breaks and control characters',
  ],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Mock', fields)).toContain(problem)
})
