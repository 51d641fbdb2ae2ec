import { checkRegexp, compileRegexp, type LinearRegexp } from '../../lib/regexp.js'

/**
 * A pattern for names: `*` is any text without a slash, `?` one character, `[a-z]` one of a set, `[^a-z]`
 * one that is not in it. A backslash takes the meaning from the character behind it.
 */
export class Glob {
  readonly #regexp: LinearRegexp

  /** Throws for what {@link checkGlob} finds wrong. */
  constructor(pattern: string) {
    this.#regexp = compileRegexp(sourceOf(pattern))
  }

  test(text: string): boolean {
    return this.#regexp.test(text)
  }
}

/** What is wrong with a pattern, such as a range from high to low; null for nothing. */
export function checkGlob(pattern: string): string | null {
  return checkRegexp(sourceOf(pattern)) === null
    ? null
    : `expected a pattern, got ${JSON.stringify(pattern)}: a set runs from low to high`
}

function sourceOf(pattern: string): string {
  let source = ''
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern[at] as string
    const close = sign === '[' ? pattern.indexOf(']', at + 2) : -1
    if (sign === '*') source += '[^/]*'
    else if (sign === '?') source += '[^/]'
    else if (close > 0) {
      const set = pattern.slice(at + 1, close).replace(/[\\[\]&~^]/g, '\\$&')
      source += `[${set.replace(/^\\\^|^!/, '^')}]`
      at = close
    } else if (sign === '\\' && at + 1 < pattern.length) {
      at += 1
      source += literal(pattern[at] as string)
    } else source += literal(sign)
  }
  return `^${source}$`
}

const literal = (sign: string): string => sign.replace(/[.*?+^${}()|[\]\\]/g, '\\$&')
