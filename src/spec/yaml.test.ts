import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Path } from './node.js'
import { parseYaml, splitYaml, toYaml, YAML_BYTES_MAX } from './yaml.js'

function valuesOf(text: string): unknown[] {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.documents.map((document) => document.value)
}

it.each<[name: string, text: string, want: unknown[]]>([
  ['nothing', '', []],
  ['only comments', '# a\n\n# b\n', []],
  ['empty documents', '---\n---\n...\n', []],
  ['one', 'a: 1', [{ a: 1 }]],
  ['JSON', '{"a": [1, true, null, "x\\u0041"]}', [{ a: [1, true, null, 'xA'] }]],
  ['several', '---\na: 1\n---\nb: 2\n---\n', [{ a: 1 }, { b: 2 }]],
  ['a byte order mark and CRLF', '\uFEFFa: 1\r\nb: 2\r\n', [{ a: 1, b: 2 }]],
  [
    'words that only YAML 1.1 reads',
    'a: yes\nb: 012\nc: 1:30\nd: 2026-01-31',
    [{ a: 'yes', b: 12, c: '1:30', d: '2026-01-31' }],
  ],
  [
    'merge keys',
    'x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}',
    [{ x: { a: 1, b: 2 }, y: { a: 1, b: 3 } }],
  ],
])('reads %s', (_name, text, want) => {
  expect(valuesOf(text)).toEqual(want)
})

it.each<[name: string, text: string, message: string, line: number, column: number]>([
  [
    'a list that does not end',
    'a: [',
    'unexpected end of the stream within a flow collection',
    1,
    5,
  ],
  ['a key twice', 'a: 1\nb: {c: 1,\n "c": 2}', 'the key "c" is there twice', 3, 2],
  ['a tab', 'a:\n\t- x', 'a tab in the indentation; use spaces', 2, 1],
  ['an alias to nothing', 'a: *x', 'there is no anchor &x before this alias', 1, 5],
  [
    'a tag of a language',
    'a: !!js/function x',
    'unknown scalar tag !<tag:yaml.org,2002:js/function>',
    1,
    4,
  ],
  ['a collection as a key', '? [a]\n: b', 'a key has to be text, not a collection', 1, 1],
  ['a null byte', 'a: \0', 'null byte is not allowed in input', 1, 4],
  ['deep nesting', '['.repeat(100_000), 'nested more than 100 levels deep', 1, 100],
])('refuses %s', (_name, text, message, line, column) => {
  expect(parseYaml(text)).toEqual({
    ok: false,
    code: 'SPEC_INVALID',
    message: `not valid YAML: ${message}`,
    position: { line, column },
  })
})

it('refuses text that is too large, in bytes', () => {
  expect(parseYaml('a'.repeat(10 * 1024 * 1024))).toMatchObject({ code: 'DOCUMENT_TOO_LARGE' })
  expect(parseYaml('ä'.repeat(6), { bytesMax: 11 })).toMatchObject({ code: 'DOCUMENT_TOO_LARGE' })
  expect(parseYaml('ä'.repeat(6), { bytesMax: 12 })).toMatchObject({ ok: true })
})

it('refuses more aliases than asked for', () => {
  const text = 'a: &a [x]\nb: [*a, *a, *a]'
  expect(parseYaml(text, { aliasesMax: 3 }).ok).toBe(true)
  expect(parseYaml(text, { aliasesMax: 2 })).toMatchObject({
    message: 'not valid YAML: more than 2 aliases',
  })
})

it('keeps __proto__ a key like any other', () => {
  const [value] = valuesOf('__proto__: {polluted: true}') as [object]
  expect(Object.keys(value)).toEqual(['__proto__'])
  expect('polluted' in value).toBe(false)
})

/** The largest texts of their sorts; each must take time linear in its length. */
function hostile(size: number): [name: string, text: string][] {
  const filled = (unit: string, before = '', after = ''): string =>
    before + unit.repeat(Math.floor(size / unit.length)) + after
  const keys = (line: (i: number) => string): string => {
    const lines = []
    for (let i = 0, length = 0; length < size; i++) length += lines[lines.push(line(i)) - 1]!.length
    return lines.join('')
  }
  return [
    ['brackets', filled('[')],
    ['braces', filled('{')],
    ['dashes', filled('- ')],
    ['question marks', filled('? ')],
    ['colons', filled(': ')],
    ['many keys', keys((i) => `k${i}: v\n`)],
    ['many flow keys', `{${keys((i) => `k${i}: v,`)}}`],
    ['one key again and again', filled('k: v\n')],
    ['a long list', filled('- a\n')],
    ['a long flow list', filled('[],', '[', ']')],
    ['flow pairs', filled('a: b, ', '[', ']')],
    ['quoted keys of flow pairs', filled('"a" : b, ', '[', ']')],
    ['an open quote', filled('\\x41', '"')],
    ['blank lines in quotes', filled('\n', '"', '"')],
    ['a folded block', filled(' x\n\n', 'a: >\n')],
    ['words', filled('a ')],
    ['words over lines', filled('a\n ')],
    ['digits', filled('1')],
    ['comments', filled('#\n')],
    ['documents', filled('---\n')],
    ['tags', filled('!a ')],
    ['anchors', keys((i) => `- &a${i} x\n`)],
    ['a tag that does not end', filled('a', '!<')],
  ]
}

it.each(hostile(150_000))('answers soon, whatever it says: %s', (_name, text) => {
  const startMs = performance.now()
  const parsed = parseYaml(text)
  if (parsed.ok) parsed.documents[0]?.locate([{ path: ['k7', 'x'], isKey: true }])
  // Some 100 ms at most here; a quadratic step would take minutes.
  expect(performance.now() - startMs).toBeLessThan(3000)
  expect(text.length).toBeLessThan(YAML_BYTES_MAX)
})

const POSITIONS = `# a comment
name: demo
"quoted key": 'v'
filters:
- kind: Proxy
  servers:
  - {url: "http://a", tags: [x, y]}
  -
    url: http://b
- &two
  kind: Mock
  body: |
    line
  empty:
- *two
`

it.each<[path: Path, isKey: boolean, line: number, column: number]>([
  [[], false, 2, 1],
  [['name'], false, 2, 7],
  [['name'], true, 2, 1],
  [['quoted key'], false, 3, 15],
  [['quoted key'], true, 3, 1],
  [['filters'], false, 5, 1],
  [['filters', 0], false, 5, 3],
  [['filters', 0, 'kind'], false, 5, 9],
  [['filters', 0, 'servers', 0], false, 7, 5],
  [['filters', 0, 'servers', 0, 'url'], false, 7, 11],
  [['filters', 0, 'servers', 0, 'tags', 1], false, 7, 33],
  [['filters', 0, 'servers', 1, 'url'], false, 9, 10],
  [['filters', 1, 'body'], false, 13, 5],
  [['filters', 1, 'empty'], false, 14, 3],
  [['filters', 2], false, 15, 3],
  // What is not there is where it would have to be.
  [['missing'], false, 2, 1],
  [['filters', 0, 'missing'], true, 5, 3],
  [['filters', 9], false, 5, 1],
  [['filters', 2, 'kind'], false, 15, 3],
])('finds %j (key: %s) at %d:%d', (path, isKey, line, column) => {
  const parsed = parseYaml(POSITIONS)
  if (!parsed.ok) throw new Error(parsed.message)
  expect(parsed.documents[0]?.locate([{ path, isKey }])).toEqual([{ line, column }])
})

it('finds places in each of several documents', () => {
  const parsed = parseYaml('a: 1\n---\n---\nb: {a: 2}\n---\nc: {a: 3}\n')
  if (!parsed.ok) throw new Error(parsed.message)
  const places = parsed.documents.map((each, i) =>
    each.locate([{ path: ['abc'[i] ?? '', 'a'], isKey: false }]),
  )
  expect(places).toEqual([
    [{ line: 1, column: 4 }],
    [{ line: 4, column: 8 }],
    [{ line: 6, column: 8 }],
  ])
})

it('finds every scalar of what it wrote itself', () => {
  const key = fc.stringMatching(/^[a-z]{1,5}$/)
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.integer({ min: 1000, max: 9999 }),
      fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { minKeys: 1, maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      const text = toYaml(value)
      const parsed = parseYaml(text)
      if (!parsed.ok) throw new Error(parsed.message)
      const lines = text.split('\n')
      const scalars = scalarsOf(value, [])
      const places = parsed.documents[0]?.locate(
        scalars.map(({ path }) => ({ path, isKey: false })),
      )
      for (const [i, { scalar }] of scalars.entries()) {
        const { line, column } = places?.[i] ?? { line: 0, column: 0 }
        expect(lines[line - 1]?.slice(column - 1)).toMatch(new RegExp(`^${scalar}`))
      }
    }),
  )
})

function scalarsOf(value: unknown, path: Path): { path: Path; scalar: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, scalar: value }]
  const steps = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return steps.flatMap(([step, each]) => scalarsOf(each, [...path, step]))
}

it('writes what it reads: any JSON comes back, keys in their order', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // Empty documents are no documents.
      expect(valuesOf(toYaml(value))).toEqual(value === null ? [] : [value])
    }),
  )
  expect(toYaml({ b: 1, a: ['yes', '0o7', '1e3', ''], c: { d: null } })).toBe(
    'b: 1\na:\n- "yes"\n- "0o7"\n- "1e3"\n- ""\nc:\n  d: null\n',
  )
  const shared = { x: 1 }
  expect(toYaml([shared, shared])).toBe('- x: 1\n- x: 1\n')
})

it.each<[name: string, text: string, want: [text: string, line: number][]]>([
  ['nothing', '', []],
  ['one', 'a: 1\n', [['a: 1\n', 1]]],
  [
    'two',
    'a: 1\n---\nb: 2',
    [
      ['a: 1\n', 1],
      ['---\nb: 2', 2],
    ],
  ],
  ['comments with what follows', '# x\n---\n# y\na: 1\n', [['# x\n---\n# y\na: 1\n', 1]]],
  ['empty parts', '---\n---\na: 1\n---\n\n# end\n', [['---\n---\na: 1\n', 1]]],
  [
    'an end marker',
    'a: 1\n...\nb: 2\n',
    [
      ['a: 1\n...\n', 1],
      ['b: 2\n', 3],
    ],
  ],
  [
    'content behind the marker',
    '--- {a: 1}\n--- [b]\n',
    [
      ['--- {a: 1}\n', 1],
      ['--- [b]\n', 2],
    ],
  ],
  ['dashes that are no marker', 'a: |\n  ---\n----: x\n', [['a: |\n  ---\n----: x\n', 1]]],
  [
    'CRLF',
    'a: 1\r\n---\r\nb: 2\r\n',
    [
      ['a: 1\r\n', 1],
      ['---\r\nb: 2\r\n', 2],
    ],
  ],
])('splits %s', (_name, text, want) => {
  expect(splitYaml(text).map((part) => [part.text, part.line])).toEqual(want)
})

it('splits into the documents that the parser sees', () => {
  const piece = fc.constantFrom('---\n', '...\n', 'a: 1\n', '# c\n', '\n', '- x\n', '--- b\n')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const parsed = parseYaml(pieces.join(''))
      if (!parsed.ok) return
      const parts = splitYaml(pieces.join('')).flatMap((part) => valuesOf(part.text))
      expect(parts).toEqual(parsed.documents.map((document) => document.value))
    }),
    { numRuns: 500 },
  )
})
