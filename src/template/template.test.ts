import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DEFAULT_LIMITS } from './run-state.js'
import { checkTemplate, delimitersOf, TextTemplate } from './template.js'
import { Func, fromPlain, GoMap, JsonNumber, Strings, TemplateError, type Value } from './value.js'

interface Golden {
  readonly template: string
  readonly output: string | null
  readonly failure?: 'syntax' | 'run'
}

const folder = new URL('./judge/', import.meta.url)
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
const golden = read('golden.json') as Golden[]
const { data } = read('cases.json') as { readonly data: Record<string, unknown> }

class Header extends GoMap {
  constructor(fields: Record<string, string[]>) {
    const entries = Object.entries(fields).map(([name, values]): [string, Value] => [
      canonical(name),
      Strings.from(values),
    ])
    super(new Map(entries), 'http.Header', [])
  }

  override method(name: string): Func | null {
    const all = ([key]: Value[]): Value => this.entries.get(canonical(key as string)) ?? []
    if (name === 'Get')
      return new Func(name, ['string'], null, (args) => (all(args) as string[])[0] ?? '')
    if (name === 'Values') return new Func(name, ['string'], null, all)
    return null
  }
}

const canonical = (name: string): string =>
  name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase())

/** As the judge reads the data: `$number`, `$bytes` and `$header` are what their names say. */
function typed(value: unknown): Value {
  if (Array.isArray(value)) return value.map(typed)
  if (typeof value !== 'object' || value === null) return fromPlain(value)
  const { $number, $bytes, $header } = value as Record<string, unknown>
  if (typeof $number === 'string') return new JsonNumber($number)
  if (typeof $bytes === 'string') return Buffer.from($bytes)
  if ($header !== undefined) return new Header($header as Record<string, string[]>)
  return new GoMap(new Map(Object.entries(value).map(([key, each]) => [key, typed(each)])))
}

const host = { wallMs: () => 1_700_000_000_000, log: () => {} }
const delimiters = delimitersOf('', '')

function render(text: string, of: Value = typed(data)): string {
  return new TextTemplate(text, delimiters).render(of, host)
}

function verdict(text: string): string {
  if (checkTemplate(text, delimiters).some(({ isWarning }) => !isWarning)) return 'syntax'
  try {
    return `output: ${render(text)}`
  } catch (thrown) {
    if (thrown instanceof TemplateError) return 'run'
    throw thrown
  }
}

/** Found when the template is read, where Go finds it only when it gets there. */
const FOUND_EARLIER: readonly string[] = ['{{ $x = 1 }}', '{{template "nope"}}']

it.each(golden.map((each) => [each.template, each] as const))('as Go: %s', (text, want) => {
  const failure = FOUND_EARLIER.includes(text) ? 'syntax' : want.failure
  expect(verdict(text)).toBe(want.output === null ? failure : `output: ${want.output}`)
})

const GO = process.env['GO'] ?? 'go'
const GO_MINUTES = 2

/** Why Go cannot judge here; empty when it can. */
function goProblem(): string {
  if (process.env['GO_JUDGE'] !== '1') return 'GO_JUDGE=1 is not set'
  const version = spawnSync(GO, ['version'], { encoding: 'utf8' })
  return version.status === 0 ? '' : 'there is no Go on this machine'
}

const problem = goProblem()
const itWithGo = problem === '' ? it : it.skip

itWithGo(
  `golden.json is what Go says here (${problem || 'runs'})`,
  () => {
    const judged = spawnSync(GO, ['run', '.'], {
      cwd: fileURLToPath(folder),
      input: readFileSync(new URL('cases.json', folder)),
      env: { ...process.env, TZ: 'UTC' },
      encoding: 'utf8',
    })
    expect(judged.stderr).toBe('')
    expect(JSON.parse(judged.stdout)).toEqual(golden)
  },
  GO_MINUTES * 60_000,
)

it.each<[name: string, text: string, message: string]>([
  [
    'an unknown function',
    'a\n  {{ uper .s }}',
    '2:6: function "uper" not defined (did you mean upper?)',
  ],
  ['an unknown variable', '{{ $nope }}', '1:4: undefined variable "$nope"'],
  [
    'a variable of a block that is over',
    '{{if .t}}{{$y := 1}}{{end}}{{$y}}',
    '1:30: undefined variable "$y"',
  ],
  [
    'a variable of the other branch',
    '{{if .t}}{{$y := 1}}{{else}}{{$y}}{{end}}',
    'undefined variable',
  ],
  ['an unknown template', '\n\n{{template "x"}}', '3:3: template "x" not defined'],
  ['an open action', 'text {{ .s', '1:8: unclosed action'],
  ['an open block', '{{if .t}}', '1:10: unexpected end of the template: expected {{end}}'],
  ['an end too many', '{{.s}}{{end}}', 'unexpected {{end}}'],
  [
    'a function that takes too long',
    '{{genPrivateKey "rsa"}}',
    '"genPrivateKey" is not supported: it takes so long',
  ],
  ['complex numbers', '{{1i}}', 'complex number 1i: not supported'],
  [
    'parentheses without end',
    `{{ ${'('.repeat(5_000)} 1 ${')'.repeat(5_000)} }}`,
    'nested too deeply',
  ],
  ['blocks without end', '{{if 1}}'.repeat(5_000), 'nested too deeply'],
])('a template is refused: %s', (_name, text, message) => {
  const [finding] = checkTemplate(text, delimiters)
  expect(finding?.isWarning).toBe(false)
  expect(`${finding?.line}:${finding?.column}: ${finding?.message}`).toContain(message)
})

it.each<[text: string, message: string]>([
  ['{{upper}}', '1:3: wrong number of args for upper: want 1 got 0'],
  ['{{.s | repeat}}', 'wrong number of args for repeat: want 2 got 1'],
  ['{{repeat "3" "x"}}', '1:10: expected int; found another literal'],
  ['{{1 2}}', "can't give argument to non-function"],
])('what will fail when it is reached is a warning: %s', (text, message) => {
  const findings = checkTemplate(`{{if .no}}${text}{{end}}`, delimiters)
  expect(findings.map(({ isWarning }) => isWarning)).toEqual([true])
  expect(
    checkTemplate(text, delimiters).map((f) => `${f.line}:${f.column}: ${f.message}`)[0],
  ).toContain(message)
  expect(render(`{{if .no}}${text}{{end}}ok`)).toBe('ok')
  expect(() => render(text)).toThrow(TemplateError)
})

it.each<[name: string, text: string]>([
  ['a template that calls itself', '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}'],
  [
    'two that call each other',
    '{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}',
  ],
  ['many rounds', '{{range 100000000}}{{end}}'],
  ['rounds in rounds', '{{range until 10000}}{{range until 10000}}x{{end}}{{end}}'],
  ['a long list', '{{len (until 1000000000)}}'],
  ['items that take their time', '{{len (until 2000000)}}'],
  ['a text taken apart', '{{len (splitList "" (repeat 2000000 "x"))}}'],
  ['the same, as a map', '{{len (split "," (repeat 2000000 ","))}}'],
  ['a list without end', '{{untilStep 0 9223372036854775807 1}}'],
  ['a long text', '{{repeat 1000000000 "x"}}'],
  ['a width', '{{range 1000}}{{printf "%999999d" 1}}{{end}}'],
  ['a width from the data', '{{range 1000}}{{printf "%*d" 999999 1}}{{end}}'],
  ['output', '{{range 100}}{{repeat 100000 "x"}}{{end}}'],
  ['a text that doubles', '{{$s := "x"}}{{range 100}}{{$s = printf "%s%s" $s $s}}{{end}}'],
  [
    'a text that doubles by joining',
    '{{$s := "xxxxxxxx"}}{{range 100}}{{$s = join $s (list $s $s)}}{{end}}',
  ],
  ['a list that doubles', '{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{$l}}'],
  [
    'a list that doubles, in JSON',
    '{{$l := list 1}}{{range 60}}{{$l = list $l $l}}{{end}}{{toJson $l}}',
  ],
  [
    'lists that are compared',
    '{{$l := list 1}}{{$k := list 1}}{{range 60}}{{$l = list $l $l}}{{$k = list $k $k}}{{end}}{{has $l (list $k)}}',
  ],
  ['a map in itself', '{{$d := dict}}{{$_ := set $d "d" $d}}{{$d}}'],
  ['a map in itself, in JSON', '{{$d := dict}}{{$_ := set $d "d" $d}}{{toJson $d}}'],
  [
    'a map in itself, merged',
    '{{$d := dict}}{{$_ := set $d "d" $d}}{{$e := dict}}{{$_ := set $e "d" $e}}{{mergeObject $d $e}}',
  ],
  ['random text', '{{randAlphaNum 1000000000}}'],
  ['indentation', '{{indent 1000000 .lines}}{{indent 100000000 .lines}}'],
  ['replacement', '{{replace "" (repeat 10000 "y") (repeat 10000 "x")}}'],
  ['replacement by pattern', '{{regexReplaceAll "x" (repeat 10000 "x") (repeat 10000 "y")}}'],
  [
    'patterns made up',
    '{{range $i, $_ := until 10000}}{{regexMatch (printf "(a{1,100}){1,9}%d" $i) "a"}}{{end}}',
  ],
])('is stopped: %s', (_name, text) => {
  const started = performance.now()
  expect(checkTemplate(text, delimiters)).toEqual([])
  expect(() => render(text)).toThrow(TemplateError)
  expect(performance.now() - started).toBeLessThan(2_000)
})

it('nothing but a TemplateError comes out, whatever the text', () => {
  const words = [
    '{{',
    '}}',
    '{{-',
    '-}}',
    'if',
    'end',
    'range',
    '.s',
    '.',
    '$',
    '$x',
    ':=',
    '|',
    '(',
    ')',
    'printf',
    '"%d"',
    '1',
    '-',
    ' ',
    'else',
    'with',
    'define',
    '"t"',
    'template',
    '.list',
    'index',
    ',',
    '`',
    "'",
    '/*',
    '*/',
    'nil',
    'break',
    '\n',
    'é',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 25 }), (parts) => {
      const text = parts.join(' ')
      const findings = checkTemplate(text, delimiters)
      if (findings.some(({ isWarning }) => !isWarning)) return
      try {
        render(text)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(TemplateError)
      }
    }),
    { seed: 7, numRuns: 2_000 },
  )
})

it('other delimiters', () => {
  const own = delimitersOf('<%', '%>')
  expect(new TextTemplate('<% .s %> {{.s}} <%- 1 -%> !', own).render(typed(data), host)).toBe(
    'hello world {{.s}}1!',
  )
})

it.each<[text: string, want: string]>([
  ['{{addf 1 2.0 | printf "%v"}}', '3'],
  ['{{addf 1 "2.5"}} {{subf .num 0}} {{mulf "2" 3}} {{divf 1 4}}', '3.5 12.5 6 0.25'],
  ['{{divf 1 0}}', 'run'],
  ['{{addf "x" 1}}', 'run'],
  [
    '{{mergeObject (dict "a" (dict "x" 1)) (dict "a" (dict "y" 2) "b" 3)}}',
    'map[a:map[x:1 y:2] b:3]',
  ],
  [
    '{{mergeObject .m (dict "n" (dict "more" 1))}}{{.m}}',
    'map[a:1 k:v n:map[deep:x more:1]]map[a:1 k:v n:map[deep:x]]',
  ],
  [String.raw`{{jsonEscape "a\"b\n"}}`, String.raw`a\"b\n`],
  ['{{panic "no"}}', 'run'],
  ['{{log "info" "x"}}', ''],
  ['{{header .h "x-a"}}|{{header .h "none"}}', '1|'],
  ['{{host "example.com:80"}} {{port "[::1]:8080"}} {{host "[::1]:8080"}}', 'example.com 8080 ::1'],
  ['{{host "example.com"}}', 'run'],
  ['{{urlQueryEscape "a b&c"}} {{urlQueryUnescape "a+b%26c%C3%A9"}}', 'a+b%26c a b&cé'],
  ['{{urlQueryUnescape "%zz"}}', 'run'],
  ['{{int .numi}} {{add .numi 1}} {{upper .num}}', '7 8 12.50'],
  [
    '{{now | unixEpoch}} {{dateInZone "15:04" now "UTC"}} {{ago (toDate "2006-01-02 MST" "2023-11-14 UTC")}}',
    '1700000000 22:13 22h13m20s',
  ],
])('of Easegress: %s', (text, want) => {
  expect(verdict(text).replace('output: ', '')).toBe(want)
})

it.each<[text: string, pattern: RegExp]>([
  ['{{uuidv4}}', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
  ['{{randAlphaNum 20}}', /^[0-9A-Za-z]{20}$/],
  ['{{randAlpha 20}}', /^[A-Za-z]{20}$/],
  ['{{randNumeric 20}}', /^[0-9]{20}$/],
  ['{{randAscii 20}}', /^[ -~]{20}$/],
  ['{{shuffle "aab"}}', /^(?:aab|aba|baa)$/],
  ['{{env "PATH"}}{{env "NO_SUCH_NAME"}}', /^[^\0]+$/],
  ['{{expandenv "a$NO_SUCH_NAME-b"}}', /^a-b$/],
])('%s', (text, pattern) => {
  expect(render(text)).toMatch(pattern)
})

it('one template serves many requests, each with its own variables and budget', () => {
  const template = new TextTemplate('{{$x := .n}}{{range until 100}}{{$x}}{{end}}', delimiters, {
    ...DEFAULT_LIMITS,
    stepsMax: 400,
  })
  for (let n = 0; n < 10; n++) {
    const map = new GoMap(new Map([['n', BigInt(n)]]))
    expect(template.render(map, host)).toBe(String(n).repeat(100))
  }
})
