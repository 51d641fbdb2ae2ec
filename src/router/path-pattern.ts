import { checkRegexp } from '../lib/regexp.js'

/** A piece of a pattern of the RadixTree router (compat/traffic-v2.md §4.2). */
export type PatternPart =
  | { readonly type: 'text'; readonly text: string }
  /** `{name}` or `{name:regexp}`; ends at the character `tail`, '/' also standing for the end. */
  | { readonly type: 'parameter'; readonly regexp: string; readonly tail: string }
  /** `*`: all that is left. */
  | { readonly type: 'rest' }

export interface PathPattern {
  readonly parts: readonly PatternPart[]
  /** Of the parameters in order; WILDCARD for `*`. */
  readonly names: readonly string[]
}

/** What `*` matched, in `rewriteTarget`. */
export const WILDCARD = 'EG_WILDCARD'

/** Takes a pattern apart; a sentence that says what is wrong when it is none. */
export function parsePattern(pattern: string): PathPattern | string {
  const parts: PatternPart[] = []
  const names: string[] = []
  let at = 0
  while (at < pattern.length) {
    const code = pattern[at] as string
    if (code === '*') {
      if (at + 1 < pattern.length) return `"*" is only for the end of a path, got "${pattern}"`
      parts.push({ type: 'rest' })
      names.push(WILDCARD)
      at += 1
    } else if (code === '{') {
      const end = closingBrace(pattern, at)
      if (end < 0) return `"{" without "}" in "${pattern}"`
      const inside = pattern.slice(at + 1, end)
      const colon = inside.indexOf(':')
      const name = colon < 0 ? inside : inside.slice(0, colon)
      const regexp = colon < 0 ? '' : inside.slice(colon + 1)
      if (name === '' || /[{}*/]/.test(name)) return `expected a name in "{${inside}}"`
      if (names.includes(name)) return `"${name}" stands twice in "${pattern}"`
      const problem = regexp === '' ? null : checkRegexp(regexp)
      if (problem !== null) return `"${regexp}": ${problem}`
      const next = pattern[end + 1] ?? '/'
      if (next === '{' || next === '*') {
        return `expected text between "{${inside}}" and "${next}", to tell where the one ends`
      }
      parts.push({ type: 'parameter', regexp, tail: next })
      names.push(name)
      at = end + 1
    } else {
      const end = pattern.slice(at).search(/[{*]/)
      const text = end < 0 ? pattern.slice(at) : pattern.slice(at, at + end)
      parts.push({ type: 'text', text })
      at += text.length
    }
  }
  return { parts, names }
}

/** Of the brace at `open`; a regexp may have braces of its own. */
function closingBrace(pattern: string, open: number): number {
  let depth = 0
  for (let at = open; at < pattern.length; at++) {
    if (pattern[at] === '{') depth += 1
    else if (pattern[at] === '}') {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return -1
}

/** A rewriteTarget with `{name}`: texts, and indices of parameters. A sentence when it is none. */
export function parseTarget(
  target: string,
  names: readonly string[],
): readonly (string | number)[] | string {
  if (target.includes('*'))
    return 'expected no "*" in rewriteTarget; {EG_WILDCARD} is what it matched'
  const parts: (string | number)[] = []
  let at = 0
  for (const match of target.matchAll(/\{([^{}]*)\}/g)) {
    const index = names.indexOf(match[1] as string)
    if (index < 0) {
      const known = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`
      return `no parameter "${match[1]}" in the path (${known})`
    }
    if (match.index > at) parts.push(target.slice(at, match.index))
    parts.push(index)
    at = match.index + match[0].length
  }
  if (at < target.length) parts.push(target.slice(at))
  return parts
}
