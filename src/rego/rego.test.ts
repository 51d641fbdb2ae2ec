import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { checkPolicy, EvaluationError, fromJson, Policy, toJson } from './rego.js'

interface Case {
  readonly name: string
  readonly policy: readonly string[]
  readonly input: unknown
  /** Absent: the rule has no value. */
  readonly result?: unknown
  readonly error?: true
}

/** Policies of ours with the results that `opa eval` 0.70 gives. */
const CASES = JSON.parse(
  readFileSync(new URL('testdata/cases.json', import.meta.url), 'utf8'),
) as readonly Case[]

it.each(CASES)('$name', ({ policy, input, result, error }) => {
  const made = new Policy(policy.join('\n'))
  const evaluate = (): unknown => {
    const value = made.evaluate('allow', fromJson(input), 0)
    return value === undefined ? undefined : toJson(value)
  }
  if (error) expect(evaluate).toThrow(EvaluationError)
  else expect(evaluate()).toEqual(result)
})

it.each([
  ['', '1:1: expected "package", got the end of the policy'],
  ['package http\nallow {', '2:8: expected a value, got the end of the policy'],
  ['package http\nallow { input.x ==', '2:19: expected a value, got the end of the policy'],
  ['package http\nallow { x }', '2:9: nothing gives a value to "x"'],
  ['package http\nallow { x > 1; not x }', '2:9: nothing gives a value to "x"'],
  [
    'package http\nallow { strtswith("a", "b") }',
    '2:18: there is no function "strtswith"; did you mean "startswith"?',
  ],
  ['package http\nallow { http.send({}) }', '2:18: there is no function "http.send"'],
  ['package http\nallow { startswith("a") }', '2:19: startswith takes 2 arguments, got 1'],
  ['package http\na { b }\nb { a }', '2:1: rules may not go in circles: a -> b -> a'],
  ['package http\nf(x) = f(x)', '2:1: rules may not go in circles: f -> f'],
  ['package http\nallow { "a }', '2:9: unexpected a string that does not end'],
  ['package http\nallow { input.x ~ 1 }', '2:17: unexpected ~'],
  ['package http\nallow', '2:6: expected a body in braces, got the end of the policy'],
  ['package http\nimport foo.bar', '2:1: expected an import of input or data, got foo.bar'],
  ['package http\nf(x) = 1\nf(x, y) = 2', '3:1: f has another number of arguments at line 2'],
  ['package http\na = 1\na[x] { x := 1 }', '3:1: a is of two kinds: see line 2'],
  [
    'package http\nallow { data.http.x with data.y as 1 }',
    '2:33: only input can be replaced by "with"',
  ],
])('refuses %j', (text, message) => {
  expect(checkPolicy(text)).toBe(message)
})

it('refuses what is nested too deep, and does not fall over it', () => {
  expect(checkPolicy(`package http\nallow = ${'['.repeat(50_000)}`)).toContain('nested more than')
  expect(checkPolicy(`package http\nallow = ${'{x|'.repeat(90)}`)).not.toBeNull()
  expect(checkPolicy(`package http\nallow = ${'-'.repeat(50_000)}1`)).not.toBeNull()
})

it.each([
  [
    'a product',
    'allow { a := numbers.range(1, 1000)[_]; b := numbers.range(1, 1000)[_]; a + b < 0 }',
  ],
  ['a long list', 'allow { count(numbers.range(1, 100000000)) == 1 }'],
])('an evaluation ends: %s', (_name, rule) => {
  const policy = new Policy(`package http\n${rule}`)
  expect(() => policy.evaluate('allow', fromJson({}), 0)).toThrow('too many steps')
})

it('time comes from outside', () => {
  const policy = new Policy('package http\nallow = time.now_ns()')
  expect(policy.evaluate('allow', null, 1_700_000_000_000)).toBe(1.7e18)
})

it('a rule is found out once in an evaluation, and anew in the next', () => {
  const policy = new Policy('package http\nn = input.n\nallow = [n, n]')
  expect(policy.evaluate('allow', fromJson({ n: 1 }), 0)).toEqual([1, 1])
  expect(policy.evaluate('allow', fromJson({ n: 2 }), 0)).toEqual([2, 2])
})
