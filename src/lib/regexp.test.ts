import { RE2JS } from 're2js'
import { expect, it } from 'vitest'
import { Prng } from './prng.js'
import { checkRegexp, compileRegexp } from './regexp.js'
import { estimateSize } from './regexp-size.js'

it.each<[source: string, problem: string]>([
  ['[a', 'error parsing regexp: missing closing ]: `[a`'],
  ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
  ['(?<!a)b', 'error parsing regexp: invalid named capture: `(?<!a)b`'],
  ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
  ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
  ['(a)\\1', 'error parsing regexp: invalid escape sequence: `\\1`'],
  ['(?P<a>x)(?P<a>y)', 'error parsing regexp: duplicate capture group name: `a`'],
  ['(a', 'error parsing regexp: missing closing ): `(a`'],
  ['a)', 'error parsing regexp: unexpected ): `a)`'],
  ['[b-a]', 'error parsing regexp: invalid character class range: `b-a`'],
  ['\\', 'error parsing regexp: trailing backslash at end of expression'],
  ['*a', 'error parsing regexp: missing argument to repetition operator: `*`'],
  ['a{2}{3}', 'error parsing regexp: invalid nested repetition operator: `{2}{3}`'],
])('refuses %s', (source, problem) => {
  expect(checkRegexp(source)).toBe(problem)
})

it.each([
  'x{1000}'.repeat(11),
  '(x{1000}){11}',
  '(?:[a-z]{100}){101}',
  'a'.repeat(10_001),
  `\\Q[\\E${'x{1000}'.repeat(11)}`,
  `[]]${'\\pL{1000}'.repeat(11)}`,
])('refuses what is too large to compile: %.20s', (source) => {
  expect(checkRegexp(source)).toBe('error parsing regexp: expression too large')
})

it('estimates sizes not far below the truth', () => {
  const prng = new Prng(0x512e)
  const items = [
    'a',
    '[^/]',
    '\\d',
    '(ab|c)',
    '(?:x{2,9})',
    '.*',
    '(a+)?',
    '[[:alpha:]]{3}',
    '\\Qa[\\E',
  ]
  for (let round = 0; round < 300; round++) {
    const parts = Array.from({ length: 1 + prng.below(6) }, () => prng.pick(items))
    const source = prng.chance(50)
      ? parts.join('')
      : `(?:${parts.join('|')}){${1 + prng.below(30)}}`
    const truth = RE2JS.compile(source).programSize()
    expect(2 * estimateSize(source) + 5, source).toBeGreaterThan(truth)
  }
})

it.each([
  '',
  'a',
  '^/api/v[0-9]+$',
  '(?i)abc',
  'a{,3}',
  'x{',
  '\\Qa.b\\E',
  '[[:word:]]',
  '\\pL',
  '|',
  '(|a)*',
])('takes "%s"', (source) => {
  expect(checkRegexp(source)).toBeNull()
})

it.each<[source: string, isNative: boolean]>([
  ['^/users/[0-9]+$', true],
  ['^/users/[^/]+/posts/\\d+$', true],
  ['^/api/.*$', true],
  ['^/api/(.*)$', true],
  ['^/api/.*\\.json$', true],
  ['^/(?:v1|v2)/(?P<rest>.*)$', true],
  ['^/a(/[a-z]+)?/b$', true],
  ['^(?:/[a-z]+)*$', true],
  ['plain', true],
  ['foo[0-9]+bar', true],
  ['\\.(?:png|jpg|gif)$', true],
  // Quadratic or worse when backtracking.
  ['[0-9]+x', false],
  ['.*x', false],
  ['^.*a.*b$', false],
  ['^(?:a+)+$', false],
  ['^(?:a|a)*$', false],
  ['^(?:a*)*$', false],
  ['^(?:a|b|ab)*c$', false],
  ['^a*a*b$', false],
  ['^a?a?a?a?a?a?aaaaaa$', false],
  ['^[ab]*[bc]*d$', false],
  // Another meaning in JavaScript, or none.
  ['(?i)abc', false],
  ['(?m)^a$', false],
  ['^a|b$', false],
  ['^(a|(b))+$', false],
  ['a\\b', false],
  ['[[:digit:]]', false],
  ['\\pL', false],
  ['a{,3}', false],
  ['(?s).', false],
])('%s runs natively: %s', (source, isNative) => {
  expect(compileRegexp(source).isNative).toBe(isNative)
})

it.each<[source: string, prefix: string | null]>([
  ['^/api/v1/[0-9]+$', '/api/v1/'],
  ['^/a\\.b/.*', '/a.b/'],
  ['^(/api)/x', '/api/x'],
  ['^/ab?c', '/a'],
  ['^/é/[0-9]', '/é/'],
  ['^/(a|b)', '/'],
  ['^/a.*b.*c$', '/a'],
  // Not in the simple subset.
  ['^/abc\\b', '/abc'],
  ['^/abc*(?i)x', '/ab'],
  ['^/abc{,2}\\b', '/ab'],
  ['^/a|/b\\b', null],
  ['^a|b', null],
  ['/api', null],
  ['^[0-9]', null],
  ['(?i)^/api', null],
  ['^', null],
])('literalPrefix of %s is %s', (source, prefix) => {
  expect(compileRegexp(source).literalPrefix).toBe(prefix)
})

it.each<[source: string, text: string, template: string, want: string]>([
  ['^/api/(.*)$', '/api/users/1', '/v2/$1', '/v2/users/1'],
  ['^/api/(.*)$', '/other', '/v2/$1', '/other'],
  ['a(x*)b', '-ab-axxb-', '$1', '--xx-'],
  ['a(x*)b', '-ab-axxb-', '$1W', '---'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's notation
  ['a(x*)b', '-ab-axxb-', '${1}W', '-W-xxW-'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's notation
  ['a(?P<x>x*)b', 'axxb', '<${x}$x>', '<xxxx>'],
  ['a(?P<1x>x*)b', 'axxb', '$1x', 'xx'],
  ['a(b)?', 'a', '[$1]', '[]'],
  ['a', 'aa', '$0$0', 'aaaa'],
  ['a', 'a', '$$1', '$1'],
  ['a', 'a', '$', '$'],
  ['a', 'a', '$-${', '$-${'],
  ['a', 'a', '${a', '${a'],
  ['(a)', 'a', '$01', ''],
  ['(a)', 'a', '$2$9$1', 'a'],
  ['(a)', 'a', '$constructor$toString', ''],
  ['a*', 'baaac', 'x', 'xbxcx'],
  ['', 'ab', '-', '-a-b-'],
  ['', '\u{1f600}', '-', '-\u{1f600}-'],
  ['$', 'ab', '!', 'ab!'],
  ['\\b', 'ab cd', '|', '|ab| |cd|'],
  ['(?i)A', 'aA', 'b', 'bb'],
  ['(?m)^', 'a\nb', '> ', '> a\n> b'],
])('replaceAll %s in %s by %s', (source, text, template, want) => {
  const regexp = compileRegexp(source)
  expect(regexp.replaceAll(text, template)).toBe(want)
  expect(regexp.replaceAll(text, template), 'again').toBe(want)
})

it.each<[source: string, text: string, want: boolean]>([
  ['a$', 'a\n', false],
  ['^a.b$', 'a\nb', false],
  ['^a.b$', 'a\rb', true],
  ['^a.b$', 'a\u2028b', true],
  ['^a.b$', 'a\u{1f600}b', true],
  ['^a[^/]b$', 'a\nb', true],
  ['^\\s$', '\v', false],
  ['^\\s$', '\u00a0', false],
  ['^\\d$', '\u0663', false],
  ['^[\\]\\-]$', '-', true],
])('%s on %j: %s', (source, text, want) => {
  const regexp = compileRegexp(source)
  expect(regexp.isNative).toBe(true)
  expect(regexp.test(text)).toBe(want)
})

const LETTERS = ['a', 'b', '/', '0', '-', '\n', 'é', '\u{1f600}', '.']

/** A pattern that tends to be simple. */
function randomPattern(prng: Prng, depth = 0): string {
  const atom = (): string => {
    const kind = prng.below(depth < 2 ? 10 : 7)
    if (kind < 3) return prng.pick(['a', 'b', '/', '0', '-', 'é', '\u{1f600}'])
    if (kind === 3) return '.'
    if (kind === 4)
      return prng.pick(['\\d', '\\w', '\\s', '\\D', '\\W', '\\S', '\\.', '\\-', '\\n'])
    if (kind === 5)
      return prng.pick(['[ab]', '[^/]', '[^a-b]', '[0-9a]', '[\\w-]', '[a-]', '[^\\s/]'])
    if (kind === 6) return prng.pick(['[/b]', '[^0]', '[^é]', '[a-é]'])
    if (kind === 7) return `(${randomPattern(prng, depth + 1)})`
    return `(?:${randomPattern(prng, depth + 1)})`
  }
  const quantifier = (): string =>
    prng.chance(60)
      ? ''
      : prng.pick(['*', '+', '?', '*?', '+?', '??', '{2}', '{1,2}', '{0,2}', '{1,}', '{2,}?'])
  const alternatives = Array.from({ length: prng.chance(20) ? 2 : 1 }, () =>
    Array.from({ length: prng.below(4) + (depth === 0 ? 1 : 0) }, () => atom() + quantifier()).join(
      '',
    ),
  ).join('|')
  if (depth > 0) return alternatives
  return `${prng.chance(60) ? '^' : ''}${alternatives}${prng.chance(40) ? '$' : ''}`
}

it('what runs natively means the same to RE2, groups and all', () => {
  const prng = new Prng(0x5eed)
  let native = 0
  for (let round = 0; round < 3000; round++) {
    const source = randomPattern(prng)
    const regexp = compileRegexp(source)
    if (!regexp.isNative) continue
    native += 1
    const re2 = RE2JS.compile(source)
    const groups = Array.from({ length: re2.groupCount() + 1 }, (_, i) => i)
    const template = groups.map((i) => `<\${${i}}>`).join('')
    for (let i = 0; i < 6; i++) {
      const text = Array.from({ length: prng.below(9) }, () => prng.pick(LETTERS)).join('')
      const what = `${JSON.stringify(source)} on ${JSON.stringify(text)}`
      expect(regexp.test(text), what).toBe(re2.test(text))
      const matcher = re2.matcher(text)
      if (!matcher.find()) continue
      const head = text.slice(0, matcher.start())
      const first = groups.map((each) => `<${matcher.group(each) ?? ''}>`).join('')
      const replaced = regexp.replaceAll(text, template)
      expect(replaced.startsWith(head + first), `${what}: ${replaced}, ${head + first}`).toBe(true)
      if (regexp.literalPrefix !== null) expect(text.startsWith(regexp.literalPrefix)).toBe(true)
    }
  }
  expect(native).toBeGreaterThan(750)
})

it('no pattern is slow on a long text made to hurt it', () => {
  const prng = new Prng(0xbad)
  const seeds = [
    '^(?:a+)+$',
    '(?:a|aa)+$',
    '^(?:a|a?)+$',
    '[0-9]+x',
    '.*.*=.*',
    '^(?:.*,){9}x',
    'x*y*z*$',
  ]
  const patterns = [...seeds, ...Array.from({ length: 150 }, () => randomPattern(prng))]
  for (const source of patterns) {
    const regexp = compileRegexp(source)
    const unit = Array.from({ length: 1 + prng.below(3) }, () => prng.pick(LETTERS)).join('')
    const length = regexp.isNative ? 60_000 : 4000
    for (const repeated of ['a', '0', '/a', unit]) {
      const text = `${repeated.repeat(length / repeated.length)}\u0001`
      const start = performance.now()
      regexp.test(text)
      // Quadratic would be seconds; a busy machine is allowed its pauses.
      expect(performance.now() - start, `${source} on ${repeated}`).toBeLessThan(1000)
    }
  }
})

it('a text that would overflow the stack of the native engine is matched all the same', () => {
  const regexp = compileRegexp('^(?:/[a-z]+)*$')
  expect(regexp.isNative).toBe(true)
  const text = '/abc'.repeat(4_000_000)
  expect(regexp.test(text.slice(0, 300_000))).toBe(true)
  expect(regexp.test(`${text}!`)).toBe(false)
  expect(compileRegexp('^(/a)bc').replaceAll(text, '$1').length).toBe(text.length - 2)
})

it('behind its literal beginning a pattern means what it means as a whole', () => {
  const prng = new Prng(0x7a11)
  const ends = [
    '',
    '$',
    '[0-9]+$',
    '(a|b)',
    '(?:a|bc)*$',
    'b?a',
    '.',
    'é+$',
    '(x)y{2}',
    'a*?b',
    '\\.',
  ]
  for (let round = 0; round < 2_000; round++) {
    const source = `${prng.pick(['^', '^', '^(?:/q)', ''])}${prng.pick(['/a', '/é', '/', ''])}${prng.pick(ends)}`
    const regexp = compileRegexp(source)
    const rest = Array.from({ length: prng.below(5) }, () => prng.pick([...'ab/é1.xyc']))
    const text = `${regexp.literalPrefix ?? ''}${rest.join('')}`
    expect(regexp.testBehindPrefix(text), `${source} on ${text}`).toBe(regexp.test(text))
  }
})

it('patterns with the same end do not disturb each other', () => {
  const [a, b] = [compileRegexp('^/a/[0-9]+$'), compileRegexp('^/bcd/[0-9]+$')]
  for (let i = 0; i < 3; i++) {
    expect(
      [a, b].map((each, at) => each.testBehindPrefix(['/a/1', '/bcd/1'][at] as string)),
    ).toEqual([true, true])
    expect(a.testBehindPrefix('/a/x')).toBe(false)
    expect(b.testBehindPrefix('/bcd/')).toBe(false)
  }
})
