import { expect, it } from 'vitest'
import { checkTemplate, delimitersOf, TextTemplate } from './template.js'
import { fromPlain, GoMap, TemplateError, type Value } from './value.js'

const map = (fields: Readonly<Record<string, Value>>): GoMap =>
  new GoMap(new Map(Object.entries(fields)))

const data = map({
  m: map({ a: map({ b: 1n }), x: '<&>\\u003c' }),
  l: fromPlain(['a', 'b', 'c', 'd', 'e']),
})
const host = { wallMs: () => 1_700_000_000_000, log: () => {} }
const delimiters = delimitersOf('', '')

/** Null: it fails when it runs. The rows are what Go says with the sprig of Easegress 2.0. */
it.each<[template: string, output: string | null]>([
  ['{{get .m "x"}}|{{get .m "nope"}}|', '<&>\\u003c||'],
  ['{{toRawJson .m}}', '{"a":{"b":1},"x":"<&>\\\\u003c"}'],
  ['{{mustToRawJson "a<b"}}', '"a<b"'],
  ['{{dig "a" "b" "d" .m}}{{dig "a" "c" "d" .m}}{{dig "q" "d" .m}}', '1dd'],
  ['{{dig "x" "y" "d" .m}}', null],
  ['{{dig "x" .m}}', null],
  ['{{concat .l (list 1 2)}}', '[a b c d e 1 2]'],
  ['{{concat .l 1}}', null],
  ['{{chunk 2 .l}}', '[[a b] [c d] [e]]'],
  ['{{len (chunk 2 .l)}}', '3'],
  ['{{deepEqual .m .m}}{{deepEqual 1 "1"}}', 'truefalse'],
  ['{{all 1 2}}{{all 1 0}}{{all}}{{any 0 1}}{{any 0}}{{any}}', 'truefalsetruetruefalsefalse'],
  ['{{(fromJson "{\\"a\\":[1,2.5]}").a}}', '[1 2.5]'],
  ['{{fromJson "{"}}', '<no value>'],
  ['{{mustFromJson "{"}}', null],
  [
    '{{seq 5}}|{{seq 3 6}}|{{seq 6 3}}|{{seq 0 2 10}}|{{seq 10 2 0}}|{{seq 10 -3 0}}|{{seq}}|{{seq -2}}',
    '1 2 3 4 5|3 4 5 6|6 5 4 3|0 2 4 6 8 10||10 7 4 1||1 0 -1 -2',
  ],
  ['{{maxf 1 2.5 "3"}}|{{minf 1.5 2}}', '3|1.5'],
  ['{{toDecimal "17"}}|{{toDecimal 10}}|{{toDecimal "9"}}|{{toDecimal "-7"}}', '15|8|0|-7'],
  ['{{duration "95"}}|{{duration 95}}|{{duration (int64 3661)}}', '1m35s|0s|1h1m1s'],
  [
    '{{durationRound "2h10m5s"}}|{{durationRound "800h"}}|{{durationRound "-90s"}}|{{durationRound "500ms"}}|{{durationRound "60s"}}',
    '2h|1mo|1m|0s|60s',
  ],
  ['{{regexQuoteMeta "a.b*c[d]{e}^$|\\\\-/"}}', 'a\\.b\\*c\\[d\\]\\{e\\}\\^\\$\\|\\\\-/'],
  [
    '{{urlParse "HTTP://u:p@host.com:8080/a%20b?x=1#f%20g"}}',
    'map[fragment:f g host:host.com:8080 hostname:host.com opaque: path:/a b query:x=1 scheme:http userinfo:u:p]',
  ],
  [
    '{{urlParse "mailto:joe@x"}}',
    'map[fragment: host: hostname: opaque:joe@x path: query: scheme:mailto userinfo:]',
  ],
  [
    '{{urlParse "http://[::1]:80"}}',
    'map[fragment: host:[::1]:80 hostname:::1 opaque: path: query: scheme:http userinfo:]',
  ],
  [
    '{{urlParse "/a/b"}}',
    'map[fragment: host: hostname: opaque: path:/a/b query: scheme: userinfo:]',
  ],
  ['{{urlParse "%zz"}}', null],
  [
    '{{urlJoin (urlParse "http://u:p@host.com:8080/a%20b?x=1#f%20g")}}',
    'http://u:p@host.com:8080/a%20b?x=1#f%20g',
  ],
  ['{{urlJoin (dict "scheme" "http" "host" "h" "path" "p q?")}}', 'http://h/p%20q%3F'],
  ['{{urlJoin (dict "scheme" 1)}}', null],
  ['{{mustRegexMatch "^a" "abc"}}{{mustRegexMatch "^b" "abc"}}', 'truefalse'],
  ['{{mustRegexMatch "(" "a"}}', null],
  [
    '{{mustFirst .l}}{{mustLast .l}}{{mustHas "a" .l}}{{mustSlice .l 1 3}}{{mustAppend .l 1}}{{mustWithout .l "a"}}',
    'aetrue[b c][a b c d e 1][b c d e]',
  ],
  ['{{mustFirst 1}}', null],
  ['{{osBase "/a/b.c"}}{{osExt "/a/b.c"}}{{osDir "/a/b.c"}}', 'b.c.c/a'],
  ['{{randInt 3 4}}', '3'],
  ['{{randInt 4 3}}', null],
  ['{{mustToPrettyJson (list 1)}}', '[\n  1\n]'],
  ['{{mustRegexSplit "a" "bab" -1}}', '[b b]'],
  ['{{typeOf (first (fromJson "[1]"))}}', 'float64'],
  ['{{seq 1 2 3 4}}', ''],
  ['{{chunk 0 .l}}', null],
  ['{{urlJoin (dict "host" "[::1]:80" "path" "a")}}', '//[::1]:80/a'],
])('as Go: %s', (text, output) => {
  expect(checkTemplate(text, delimiters)).toEqual([])
  const render = (): string => new TextTemplate(text, delimiters).render(data, host)
  if (output === null) expect(render).toThrow(TemplateError)
  else expect(render()).toBe(output)
})

it('makes no more than there is room for', () => {
  expect(() => new TextTemplate('{{seq 100000000}}', delimiters).render(data, host)).toThrow(
    TemplateError,
  )
})

it('asks the network for nothing', () => {
  expect(checkTemplate('{{getHostByName "a"}}', delimiters)).toEqual([
    expect.objectContaining({ message: expect.stringContaining('is not supported') }),
  ])
})
