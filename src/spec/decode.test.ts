import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decode } from './decode.js'
import * as s from './schema.js'

const doc = ''

function linesOf(schema: s.Schema<unknown>, value: unknown): string[] {
  const decoded = decode(schema, value)
  return decoded.ok ? [] : decoded.problems.map((each) => `${each.path.join('/')}: ${each.message}`)
}

const server = s.object({ url: s.url({ doc }), weight: s.integer({ doc, default: 0 }) })
const proxy = s.checked(s.object({ servers: s.list(server, { doc }) }), ({ servers }) =>
  servers.length > 1 ? [{ path: ['servers', 1], message: 'one server is enough' }] : [],
)
const mock = s.object({ code: s.httpCode({ doc }), delay: s.duration({ doc, optional: true }) })
const pipeline = s.checked(
  s.checked(
    s.object({
      flow: s.list(s.string({ doc }), { doc, default: [] }),
      filters: s.list(s.taggedUnion('kind', { Proxy: proxy, Mock: mock }), { uniqueBy: 'name' }),
    }),
    ({ flow, filters }) =>
      flow.flatMap((name, i) =>
        filters.some((filter) => filter.name === name)
          ? []
          : [{ path: ['flow', i], message: `no filter ${name}`, hint: 'name one' }],
      ),
  ),
  ({ filters }) =>
    filters.flatMap((filter, i) =>
      filter.kind === 'Mock' && filter.spec.code === 418
        ? [{ path: ['filters', i, 'code'], message: 'tea', severity: 'warning' as const }]
        : [],
    ),
)

it('sets the spec of a tagged object apart from its head', () => {
  const decoded = decode(pipeline, {
    filters: [{ delay: '1s', code: 418, name: 'm', kind: 'Mock' }],
  })
  expect(decoded).toEqual({
    ok: true,
    value: { flow: [], filters: [{ kind: 'Mock', name: 'm', spec: { code: 418, delay: 1000 } }] },
    warnings: [{ path: ['filters', 0, 'code'], message: 'tea' }],
  })
})

it.each<[name: string, value: unknown, want: string[]]>([
  [
    'problems of all depths, and of checks too',
    {
      flow: ['nope'],
      filters: [
        { kind: 'Proxy', name: 'p', servers: [{ url: 'http://a' }, { url: 'http://b' }] },
        { kind: 'Mock', name: 'p', code: 99 },
      ],
      extra: 1,
    },
    [
      'filters/1/code: expected a status code in 100..599, got 99',
      'extra: there is no such field',
      'filters/0/servers/1: one server is enough',
      'filters/1/name: "p" is already the name of item 0',
      'flow/0: no filter nope',
    ],
  ],
  [
    'a missing name, beside a filter of unknown kind',
    { flow: ['nope', 'x'], filters: [{ kind: 'Prxy', name: 'x', servers: 3 }] },
    ['filters/0/kind: expected one of Proxy, Mock, got "Prxy"', 'flow/0: no filter nope'],
  ],
  [
    'nothing of a check that reads what was refused',
    { flow: ['nope'], filters: [{ kind: 'Mock', name: 'a/b', code: 418 }] },
    ['filters/0/name: expected a name of 1..253 characters out of letters, 0-9 - _ . ~, got "a/b"'],
  ],
  [
    'nothing of a check when all of its object was refused',
    { filters: 'a' },
    ['filters: expected a list, got "a"'],
  ],
  [
    'a tagged object without its kind',
    { filters: [{ name: 'a', code: 200 }, 'b'] },
    [
      'filters/0/kind: is required: expected one of Proxy, Mock',
      'filters/1: expected a mapping with name and kind, got "b"',
    ],
  ],
  [
    'a kind that is no text',
    { filters: [{ kind: {}, code: null }] },
    ['filters/0/kind: expected one of Proxy, Mock, got a mapping'],
  ],
  [
    'unknown fields in a tagged object, empty ones too',
    { filters: [{ name: 'a', kind: 'Mock', code: 200, dealy: '1s', servers: null }] },
    ['filters/0/servers: there is no such field', 'filters/0/dealy: there is no such field'],
  ],
])('reports %s', (_name, value, want) => {
  expect(linesOf(pipeline, value)).toEqual(want)
})

it('turns unknown fields into warnings when asked to, and drops them', () => {
  const value = { code: 200, dealy: '1s', nothing: null }
  expect(decode(mock, value, { unknownFields: 'warn' })).toEqual({
    ok: true,
    value: { code: 200 },
    warnings: [
      expect.objectContaining({ path: ['nothing'], message: 'there is no such field' }),
      expect.objectContaining({ path: ['dealy'], hint: 'did you mean "delay"?' }),
    ],
  })
})

it.each([undefined, 'refuse', 'warn'] as const)(
  'passes over the slips that a schema names, each with a warning (%s)',
  (unknownFields) => {
    const own = s.object({ servers: s.list(server, { doc }) }, { ignored: ['server', 'null'] })
    const inUnion = s.object({ filters: s.list(s.taggedUnion('kind', { Own: own })) })
    const value = { filters: [{ kind: 'Own', name: 'a', servers: [], server: 1, null: null }] }
    const options = unknownFields === undefined ? {} : { unknownFields }
    expect(decode(inUnion, value, options)).toEqual({
      ok: true,
      value: { filters: [{ kind: 'Own', name: 'a', spec: { servers: [] } }] },
      warnings: [
        expect.objectContaining({ path: ['filters', 0, 'null'] }),
        expect.objectContaining({
          path: ['filters', 0, 'server'],
          hint: 'did you mean "servers"?',
        }),
      ],
    })
  },
)

it('refuses the same keys elsewhere, and others beside them', () => {
  const inner = s.object({ a: s.integer({ doc, default: 0 }) })
  const outer = s.object({ inner }, { ignored: ['slip'] })
  expect(linesOf(outer, { slip: 1, inner: { slip: 1 }, slap: 1 })).toEqual([
    'inner/slip: there is no such field',
    'slap: there is no such field',
  ])
})

it('takes an empty text for none where Go would not look at its format', () => {
  const formats = s.object({
    method: s.httpMethod({ doc, optional: true }),
    url: s.url({ doc, optional: true }),
    at: s.timestamp({ doc, optional: true }),
    address: s.ipCidr({ doc, optional: true }),
    peer: s.hostPort({ doc, optional: true }),
    wait: s.duration({ doc, default: '5s', min: '1s' }),
  })
  const empty = { method: '', url: '', at: '', address: '', peer: '', wait: '' }
  const decoded = decode(formats, empty)
  expect(decoded).toStrictEqual({ ok: true, value: { wait: 5000 }, warnings: [] })
  // What has to be there has to be something.
  expect(linesOf(server, { url: '' })).toEqual([
    'url: expected a URL such as "http://host:port/path", got ""',
  ])
  expect(
    linesOf(s.object({ mode: s.oneOf(['a'], { doc, optional: true }) }), { mode: '' }),
  ).toEqual(['mode: expected one of a, got ""'])
  expect(linesOf(formats, { method: ' ' })).toHaveLength(1)
})

it('throws what a check throws that is wrong itself', () => {
  const broken = s.checked(mock, () => {
    throw new TypeError('a bug')
  })
  expect(() => decode(broken, { code: 200 })).toThrow(TypeError)
})

it('takes nothing over from the value it was given', () => {
  const value = { filters: [{ kind: 'Mock', name: 'a', code: 200 }] }
  const before = JSON.stringify(value)
  const decoded = decode(pipeline, value)
  expect(decoded.ok).toBe(true)
  expect(JSON.stringify(value)).toBe(before)
  expect(Object.isFrozen(value.filters)).toBe(false)
})

function nested(depth: number): unknown {
  let value: unknown = []
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

function bomb(): unknown {
  let value: unknown = 'x'
  for (let i = 0; i < 60; i++) value = [value, value]
  return value
}

it.each<[name: string, value: unknown, want: RegExp]>([
  ['endless nesting', nested(100_000), /nested more than 100 levels deep/],
  ['shared nodes that blow up', bomb(), /has more than 500000 values/],
  ['shared text that blows up', Array(100).fill('x'.repeat(200_000)), /make it too large/],
  ['a million values', Array(500_001).fill(1), /has more than 500000 values/],
  ['__proto__ as a key', JSON.parse('{"a":{"__proto__":{"x":1}}}'), /a\/__proto__: .* be a key/],
  ['a function', () => 1, /expected a mapping/],
  ['a date', new Date(0), /is required/],
  ['a bigint', 1n, /expected a mapping, got 1/],
])('is not harmed by %s', (_name, value, want) => {
  const decoded = decode(pipeline, value)
  expect(decoded.ok).toBe(false)
  expect(linesOf(pipeline, value).join('\n')).toMatch(want)
})

it('reports a hundred problems of one sort and counts the rest', () => {
  const keys = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, i]))
  const items = Array.from({ length: 5000 }, () => 3)
  const lines = linesOf(pipeline, { ...keys, flow: items, filters: [] })
  expect(lines).toHaveLength(202)
  expect(lines).toContain(': and 4900 more problems of this sort')
})

const anyField = fc.constantFrom(
  'name',
  'kind',
  'flow',
  'filters',
  'servers',
  'url',
  'code',
  'delay',
)
const anyLeaf = fc.oneof(
  fc.constantFrom('Proxy', 'Mock', 'a', 'http://a', '1s', 200, 3, null, true),
  fc.jsonValue({ maxDepth: 1 }),
)
/** JSON that has a chance of being accepted, at least in parts. */
const { value: likely } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    anyLeaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(anyField, tie('value'), { maxKeys: 4 }),
  ),
}))

function expectFrozen(value: unknown): void {
  expect(typeof value !== 'object' || Object.isFrozen(value)).toBe(true)
  if (typeof value === 'object' && value !== null)
    for (const each of Object.values(value)) expectFrozen(each)
}

it('never throws, and gives problems or a frozen spec, for any JSON', () => {
  fc.assert(
    fc.property(fc.oneof(likely, fc.jsonValue()), (value) => {
      const decoded = decode(pipeline, value)
      if (decoded.ok) expectFrozen(decoded.value)
      else expect(decoded.problems.length).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})

const anyName = fc.stringMatching(/^[A-Za-z0-9\-_.~]{1,8}$/)
const anyFilter = fc.oneof(
  fc.record(
    {
      kind: fc.constant('Mock'),
      code: fc.integer({ min: 100, max: 599 }),
      delay: fc.constantFrom('1s', '1h', '10us', 0),
    },
    { requiredKeys: ['kind', 'code'] },
  ),
  fc.record({ kind: fc.constant('Proxy'), servers: fc.constant([{ url: 'http://a', weight: 1 }]) }),
)

it('decodes every good spec to frozen, typed, JSON-safe data', () => {
  const good = fc.uniqueArray(fc.tuple(anyName, anyFilter), {
    selector: ([name]) => name,
    maxLength: 5,
  })
  fc.assert(
    fc.property(good, (pairs) => {
      const filters = pairs.map(([name, filter]) => ({ ...filter, name }))
      const decoded = decode(pipeline, { filters, flow: pairs.map(([name]) => name) })
      if (!decoded.ok) throw new Error(JSON.stringify(decoded.problems))
      expectFrozen(decoded.value)
      expect(JSON.parse(JSON.stringify(decoded.value))).toEqual(decoded.value)
      for (const [i, filter] of decoded.value.filters.entries()) {
        expect([filter.name, filter.kind]).toEqual([pairs[i]?.[0], pairs[i]?.[1].kind])
        if (filter.kind === 'Proxy') expect(filter.spec.servers[0]?.weight).toBe(1)
        else
          expect(typeof filter.spec.delay).toMatch(
            'delay' in (pairs[i]?.[1] ?? {}) ? 'number' : 'undefined',
          )
      }
    }),
  )
})
