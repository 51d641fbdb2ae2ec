import { expect, it } from 'vitest'
import { AssertionError } from '../lib/assert.js'
import { decode } from './decode.js'
import * as s from './schema.js'

const doc = 'What it is.'

/** The messages a value gets, or the value it decodes to. */
function outcome(schema: s.Schema<unknown>, value: unknown): unknown {
  const decoded = decode(schema, value)
  if (decoded.ok) return { value: decoded.value }
  return decoded.problems.map(
    ({ path, message, hint }) =>
      `${[...path, message].join('/')}${hint === undefined ? '' : `; ${hint}`}`,
  )
}

it.each<[name: string, schema: s.Schema<unknown>, value: unknown, want: unknown]>([
  ['string', s.string({ doc }), 'a', 'a'],
  ['string: empty', s.string({ doc }), '', ''],
  ['string: at its limits', s.string({ doc, min: 1, max: 3, pattern: /^a/ }), 'abc', 'abc'],
  ['integer', s.integer({ doc, min: 1, max: 65_535 }), 65_535, 65_535],
  ['integer written as a float', s.integer({ doc }), 1e3, 1000],
  ['number', s.number({ doc, min: 0, max: 1 }), 0.5, 0.5],
  ['boolean', s.boolean({ doc }), false, false],
  ['boolean of YAML 1.1', s.boolean({ doc }), 'yes', true],
  ['boolean of YAML 1.1, upper case', s.boolean({ doc }), 'OFF', false],
  ['oneOf', s.oneOf(['a', 'b'], { doc }), 'b', 'b'],
  ['oneOf in any case', s.oneOf(['aB'], { doc, ignoreCase: true }), 'Ab', 'aB'],
  ['duration', s.duration({ doc }), '1.5s', 1500],
  ['duration: fraction of a millisecond', s.duration({ doc }), '1us', 0.001],
  ['duration: a bare zero', s.duration({ doc }), 0, 0],
  ['duration: at its limits', s.duration({ doc, min: '1s', max: '1m' }), '60s', 60_000],
  ['duration: negative, where asked for', s.duration({ doc, min: '-1h' }), '-1m', -60_000],
  ['byteSize: a number', s.byteSize({ doc }), 10, 10],
  ['byteSize: text', s.byteSize({ doc }), '64KiB', 65_536],
  ['byteSize: -1, where asked for', s.byteSize({ doc, min: -1 }), -1, -1],
  ['regexp', s.regexp({ doc }), '(?i)^/a+$', '(?i)^/a+$'],
  ['urlName', s.urlName({ doc }), 'a-Z_0.~', 'a-Z_0.~'],
  ['urlName: letters of any script', s.urlName({ doc }), 'größe-網關', 'größe-網關'],
  ['httpMethod', s.httpMethod({ doc }), 'GET', 'GET'],
  ['httpCode', s.httpCode({ doc }), 599, 599],
  ['ipCidr: IPv4', s.ipCidr({ doc }), '10.0.0.1', '10.0.0.1'],
  ['ipCidr: IPv6 network', s.ipCidr({ doc }), 'fc00::/7', 'fc00::/7'],
  ['hostPort', s.hostPort({ doc }), 'a.example:80', 'a.example:80'],
  ['hostPort: IPv6', s.hostPort({ doc }), '[::1]:80', '[::1]:80'],
  ['url', s.url({ doc }), 'http://127.0.0.1:9095/a', 'http://127.0.0.1:9095/a'],
  ['url: own schemes', s.url({ doc, schemes: ['ws'] }), 'ws://a', 'ws://a'],
  ['base64', s.base64({ doc }), 'QUI=', 'QUI='],
  ['base64 over lines', s.base64({ doc }), 'QUJD\nQUI=\n', 'QUJDQUI='],
  ['timestamp', s.timestamp({ doc }), '1970-01-01T00:00:01.5+00:00', 1500],
  ['timestamp: leap day', s.timestamp({ doc }), '2024-02-29T00:00:00Z', 1_709_164_800_000],
  ['list', s.list(s.integer({ doc })), [1, 2], [1, 2]],
  ['list: unique', s.list(s.string({ doc }), { unique: true }), ['a', 'b'], ['a', 'b']],
  ['map', s.map(s.duration({ doc })), { a: '1s' }, { a: 1000 }],
  [
    'map: names that objects inherit',
    s.map(s.string({ doc })),
    { toString: 'a' },
    { toString: 'a' },
  ],
  ['object', s.object({ a: s.integer({ doc }) }), { a: 1 }, { a: 1 }],
  ['object: null is absent', s.object({ a: s.integer({ doc, optional: true }) }), { a: null }, {}],
  ['object: default', s.object({ a: s.duration({ doc, default: '2s' }) }), {}, { a: 2000 }],
  [
    'object: default object is made of the defaults of its fields',
    s.object({ a: s.object({ b: s.integer({ doc, default: 3 }) }, { doc, default: {} }) }),
    {},
    { a: { b: 3 } },
  ],
])('takes %s', (_name, schema, value, want) => {
  expect(outcome(schema, value)).toEqual({ value: want })
})

const NAME = 'a name of 1..253 characters out of letters, 0-9 - _ . ~'
const A_URL = 'a URL such as "http://host:port/path"'
const A_DURATION = 'a duration such as "500ms" or "1m30s"'
const HOST_PORT = 'host:port such as "example.com:8080" or "[::1]:8080"'
const NETWORK = 'an IP address or a network such as "10.0.0.0/8"'
const TIME = 'an RFC 3339 time such as "2026-01-31T12:00:00Z"'
const BASE64 = 'base64 (standard alphabet, padded)'

it.each<[name: string, schema: s.Schema<unknown>, value: unknown, want: string]>([
  ['nothing', s.string({ doc }), undefined, 'is required: expected a string'],
  ['null', s.string({ doc }), null, 'is required: expected a string'],
  ['a number for text', s.string({ doc }), 80, 'expected a string, got 80; put it in quotes: "80"'],
  [
    'short text',
    s.string({ doc, min: 2 }),
    'a',
    'expected a string of at least 2 characters, got "a"',
  ],
  [
    'other text',
    s.string({ doc, pattern: /^\//, expected: 'a path' }),
    'a',
    'expected a path, got "a"',
  ],
  [
    'text for a port',
    s.integer({ doc, min: 1, max: 65_535 }),
    '8080',
    'expected a whole number in 1..65535, got "8080"; write 8080 without quotes',
  ],
  ['a fraction', s.integer({ doc }), 1.5, 'expected a whole number, got 1.5'],
  [
    'more than a double holds',
    s.integer({ doc }),
    2 ** 53,
    'expected a whole number, got 9007199254740992',
  ],
  [
    'too large a number',
    s.integer({ doc, max: 9 }),
    10,
    'expected a whole number of at most 9, got 10',
  ],
  ['infinity', s.number({ doc }), Number.POSITIVE_INFINITY, 'expected a number, got Infinity'],
  ['not a number', s.number({ doc }), Number.NaN, 'expected a number, got NaN'],
  [
    'text for a boolean',
    s.boolean({ doc }),
    'true',
    'expected true or false, got "true"; write true without quotes',
  ],
  ['1 for a boolean', s.boolean({ doc }), 1, 'expected true or false, got 1'],
  [
    'another word',
    s.oneOf(['red', 'blue'], { doc }),
    'rde',
    'expected one of red, blue, got "rde"; did you mean "red"?',
  ],
  [
    'another case',
    s.oneOf(['red'], { doc }),
    'RED',
    'expected one of red, got "RED"; did you mean "red"?',
  ],
  [
    'a duration without unit',
    s.duration({ doc }),
    500,
    `expected ${A_DURATION}, got 500; add a unit: "500ms", "500s"`,
  ],
  [
    'a quoted one',
    s.duration({ doc }),
    '500',
    `expected ${A_DURATION}, got "500"; add a unit: "500ms", "500s"`,
  ],
  ['days', s.duration({ doc }), '1d', `expected ${A_DURATION}, got "1d"`],
  ['a negative duration', s.duration({ doc }), '-1s', `expected ${A_DURATION}, got "-1s"`],
  [
    'a short duration',
    s.duration({ doc, min: '1ms', max: '1h' }),
    '1us',
    'expected a duration of 1ms..1h such as "500ms" or "1m30s", got "1us"',
  ],
  [
    'an ambiguous size',
    s.byteSize({ doc, min: 1, max: 1_048_576 }),
    '1k',
    'expected 1..1048576 bytes, got "1k"; write a plain number, or text such as "64KiB" or "10MB"',
  ],
  ['a large size', s.byteSize({ doc, max: 10 }), '1KiB', 'expected 0..10 bytes, got "1KiB"'],
  ['part of a byte', s.byteSize({ doc }), 1.5, 'expected a number of bytes, got 1.5'],
  [
    'no word, where none is one',
    s.oneOf(['', 'a'], { doc }),
    'b',
    'expected one of "", a, got "b"',
  ],
  ['a slash in a name', s.urlName({ doc }), 'a/b', `expected ${NAME}, got "a/b"`],
  ['a sign in a name', s.urlName({ doc }), 'a→b', `expected ${NAME}, got "a→b"`],
  [
    'a name with a line break at its end',
    s.urlName({ doc }),
    'a\n',
    `expected ${NAME}, got "a\\n"`,
  ],
  [
    'a long name',
    s.urlName({ doc }),
    'a'.repeat(254),
    `expected ${NAME}, got "${'a'.repeat(60)}…"`,
  ],
  ['a code', s.httpCode({ doc }), 99, 'expected a status code in 100..599, got 99'],
  [
    'a quoted code',
    s.httpCode({ doc }),
    '404',
    'expected a status code in 100..599, got "404"; write 404 without quotes',
  ],
  ['an octal address', s.ipCidr({ doc }), '010.1.1.1', `expected ${NETWORK}, got "010.1.1.1"`],
  ['a long prefix', s.ipCidr({ doc }), '10.0.0.0/33', `expected ${NETWORK}, got "10.0.0.0/33"`],
  ['an empty prefix', s.ipCidr({ doc }), '10.0.0.0/', `expected ${NETWORK}, got "10.0.0.0/"`],
  ['a zone', s.ipCidr({ doc }), 'fe80::1%eth0', `expected ${NETWORK}, got "fe80::1%eth0"`],
  ['no port', s.hostPort({ doc }), 'localhost', `expected ${HOST_PORT}, got "localhost"`],
  ['port 0', s.hostPort({ doc }), 'localhost:0', `expected ${HOST_PORT}, got "localhost:0"`],
  [
    'port 65536',
    s.hostPort({ doc }),
    'localhost:65536',
    `expected ${HOST_PORT}, got "localhost:65536"`,
  ],
  ['a bare IPv6', s.hostPort({ doc }), '::1:80', `expected ${HOST_PORT}, got "::1:80"`],
  [
    'no scheme',
    s.url({ doc }),
    '127.0.0.1:9095',
    `expected ${A_URL}, got "127.0.0.1:9095"; begin with the scheme: "http://127.0.0.1:9095"`,
  ],
  ['another scheme', s.url({ doc }), 'ftp://a', `expected ${A_URL}, got "ftp://a"`],
  ['a scheme without host', s.url({ doc }), 'http://', `expected ${A_URL}, got "http://"`],
  [
    'a URL with a line break',
    s.url({ doc }),
    'http://a\nb',
    `expected ${A_URL}, got "http://a\\nb"`,
  ],
  [
    'a URL with a backslash',
    s.url({ doc }),
    'http:\\\\a',
    `expected ${A_URL}, got "http:\\\\\\\\a"`,
  ],
  ['base64 without padding', s.base64({ doc }), 'QUI', `expected ${BASE64}, got "QUI"`],
  ['base64 of URLs', s.base64({ doc }), '_-==', `expected ${BASE64}, got "_-=="`],
  [
    'a time without zone',
    s.timestamp({ doc }),
    '2026-01-31T12:00:00',
    `expected ${TIME}, got "2026-01-31T12:00:00"`,
  ],
  [
    'the 30th of February',
    s.timestamp({ doc }),
    '2026-02-30T12:00:00Z',
    `expected ${TIME}, got "2026-02-30T12:00:00Z"`,
  ],
  [
    'the 13th month',
    s.timestamp({ doc }),
    '2026-13-01T12:00:00Z',
    `expected ${TIME}, got "2026-13-01T12:00:00Z"`,
  ],
  [
    'a value for a list',
    s.list(s.string({ doc })),
    'a',
    'expected a list, got "a"; write each item on a line of its own after "- "',
  ],
  [
    'a short list',
    s.list(s.string({ doc }), { min: 1 }),
    [],
    'expected a list of at least 1 items, got an empty list',
  ],
  ['null in a list', s.list(s.string({ doc })), [null], '0/expected a string, got nothing'],
  [
    'equal items',
    s.list(s.string({ doc }), { unique: true }),
    ['a', 'b', 'a'],
    '2/"a" is already item 0',
  ],
  [
    'equal names',
    s.list(s.object({ n: s.string({ doc }) }), { uniqueBy: 'n' }),
    [{ n: 'a' }, { n: 'a' }],
    '1/n/"a" is already the n of item 0',
  ],
  ['a list for a map', s.map(s.string({ doc })), [], 'expected a mapping, got an empty list'],
  [
    'an empty map',
    s.map(s.string({ doc }), { min: 1 }),
    {},
    'expected a mapping of at least 1 entry, got a mapping',
  ],
  [
    'a bad key',
    s.map(s.string({ doc }), { key: s.urlName({ doc }) }),
    { 'a/b': 'x' },
    `a/b/as a key: expected ${NAME}, got "a/b"`,
  ],
  ['text for an object', s.object({}), 'a', 'expected a mapping, got "a"'],
  ['a list for an object', s.object({}), [1], 'expected a mapping, got a list'],
  [
    'a near field',
    s.object({ port: s.integer({ doc, default: 1 }) }),
    { prot: 1 },
    'prot/there is no such field; did you mean "port"?',
  ],
  [
    'a far field',
    s.object({ port: s.integer({ doc, default: 1 }) }),
    { x: 1 },
    'x/there is no such field; known are port',
  ],
  ['a field without value', s.object({}), { x: null }, 'x/there is no such field; there are none'],
  [
    'an inherited name',
    s.object({ a: s.string({ doc, optional: true }) }),
    { constructor: 1 },
    'constructor/there is no such field; known are a',
  ],
  [
    'a missing field',
    s.object({ a: s.integer({ doc }) }),
    {},
    'a/is required: expected a whole number',
  ],
])('refuses %s', (_name, schema, value, want) => {
  expect(outcome(schema, value)).toEqual([want])
})

it.each([['a('], ['(?=a)'], ['\\1'], ['[z-a]'], ['a**'.repeat(3)]])(
  'refuses the regular expression %s and says why',
  (source) => {
    expect(outcome(s.regexp({ doc }), source)).toEqual([
      expect.stringMatching(
        /^expected a regular expression \(RE2 syntax\), got .* \(.*regexp.*\)$/s,
      ),
    ])
  },
)

it('a default that the schema itself refuses is a bug', () => {
  const bugs: readonly s.Schema<unknown>[] = [
    s.duration({ doc, default: '5' }),
    s.integer({ doc, max: 3, default: 4 }),
    s.object({ a: s.integer({ doc }) }, { doc, default: {} }),
    s.list(s.string({ doc, optional: true })),
    s.object({ a: s.list(s.object({ b: s.string({ doc, min: 2, default: 'x' }) })) }),
  ]
  for (const bug of bugs) expect(() => decode(bug, 1)).toThrow(AssertionError)
})

it('gives fields the types they decode to', () => {
  const schema = s.object({
    port: s.integer({ doc }),
    timeout: s.duration({ doc, default: '1s' }),
    host: s.string({ doc, optional: true }),
    policy: s.oneOf(['a', 'b'], { doc, default: 'a' }),
    tags: s.list(s.string({ doc }), { doc, default: [] }),
  })
  type Spec = s.SpecOf<typeof schema>
  const least: Spec = { port: 1, timeout: 1000, policy: 'a', tags: [] }
  const most: Spec = { ...least, host: undefined, policy: 'b' }
  const assign = (spec: Spec): void => {
    // @ts-expect-error: fields are read only
    spec.port = 2
  }
  // @ts-expect-error: not one of the words
  const policy: Spec['policy'] = 'c'
  // @ts-expect-error: a field cannot be both
  const both = (): unknown => s.integer({ doc, optional: true, default: 1 })
  // @ts-expect-error: no such option
  const misspelt = (): unknown => s.integer({ doc, mni: 1 })
  // @ts-expect-error: a field has to be described
  const undocumented = (): unknown => s.integer({})
  expect([most.host, typeof assign, policy, both, misspelt, undocumented]).toHaveLength(6)
  expect(outcome(schema, { port: 1 })).toEqual({ value: least })
})
