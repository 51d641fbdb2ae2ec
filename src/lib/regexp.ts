import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js'
import { isLinearByBacktracking } from './backtracking.js'
import { GoTemplate, type MatchGroups } from './go-template.js'
import { estimateSize } from './regexp-size.js'
import {
  literalStart,
  parseSimple,
  type SimplePattern,
  splitAtLiteral,
  toJavaScript,
} from './simple-regexp.js'

/**
 * A regular expression of RE2's syntax and meaning, whose matching takes time linear in the text.
 * Keeps no state between calls.
 */
export interface LinearRegexp {
  readonly source: string
  /** What every text that matches begins with; null when unknown or when the pattern is not anchored. */
  readonly literalPrefix: string | null
  /** Runs as a JavaScript RegExp, some ten times as fast; proven to be linear there too. */
  readonly isNative: boolean
  /** True when the pattern is found anywhere in `text`. */
  test(text: string): boolean
  /** The same, where `text` is known to begin with `literalPrefix`. */
  testBehindPrefix(text: string): boolean
  /**
   * Replaces every match by the expansion of `goTemplate` (see {@link GoTemplate}), with the rules
   * of Go's `ReplaceAllString`. Each single match is linear; without `isNative` and `^` many
   * matches with a long look ahead each can add up to more, as they do in Go.
   */
  replaceAll(text: string, goTemplate: string): string
  /** The first `limit` matches, as Go's `FindAllStringSubmatch` finds them. */
  findAll(text: string, limit: number): readonly RegexpMatch[]
}

export interface RegexpMatch {
  /** Where it starts, in UTF-16 units. */
  readonly start: number
  /** The whole match, then its groups; '' for one that took no part. */
  readonly groups: readonly string[]
}

/**
 * What stands behind the literal beginnings of patterns, by source. Thousands of routes differ in
 * their beginnings and share a few ends, such as `[0-9]+$`: then the code for those is in the caches,
 * while that of one pattern of thousands, of kilobytes, never is.
 */
const sharedRests = new Map<string, RegExp>()
/** Forgotten when it is full: those in use are held by their patterns. */
const SHARED_RESTS_MAX = 1_000

/** Instructions; compiling takes some 5 µs for each, matching as much for many texts. */
const SIZE_MAX = 10_000
/** Longer texts go to RE2: the stack of a backtracking engine grows with the text, and has an end. */
const NATIVE_TEXT_LENGTH_MAX = 1 << 18

/** Null when `source` is valid, else what is wrong with it, in Go's words. */
export function checkRegexp(source: string): string | null {
  try {
    compileRegexp(source)
    return null
  } catch (thrown) {
    if (thrown instanceof RE2JSException) return thrown.message
    throw thrown
  }
}

/**
 * Throws what {@link checkRegexp} reports. Takes 0.05 to 0.4 ms for patterns of usual length; what
 * would take longer than about 50 ms is refused as too large.
 */
export function compileRegexp(source: string): LinearRegexp {
  if (estimateSize(source) > SIZE_MAX) throw new RE2JSSyntaxException('expression too large')
  const simple = parseSimple(source)
  if (simple === null) return new Compiled(source, null, prefixOfAny(source))
  const prefix = simple.fromStart ? literalStart(simple.body) : ''
  const native = isLinearByBacktracking(simple) ? new NativeEngine(simple) : null
  return new Compiled(source, native, prefix === '' ? null : prefix)
}

function sharedRest(source: string): RegExp {
  let rest = sharedRests.get(source)
  if (rest === undefined) {
    if (sharedRests.size === SHARED_RESTS_MAX) sharedRests.clear()
    rest = new RegExp(source, 'uy')
    sharedRests.set(source, rest)
  }
  return rest
}

/** The literal text behind `^` in a pattern that {@link parseSimple} does not know. */
function prefixOfAny(source: string): string | null {
  if (!source.startsWith('^') || source.includes('|')) return null
  const literal = (/^\^([A-Za-z0-9/_\-~%!&,;:=@ ]+)/.exec(source)?.[1] ?? '') as string
  const next = source[literal.length + 1]
  // A quantifier takes the last character away from what must be there.
  const certain = next !== undefined && '*+?{'.includes(next) ? literal.slice(0, -1) : literal
  return certain === '' ? null : certain
}

const NO_LITERAL = { text: '', rest: '' }

/** For a pattern proven to be linear by backtracking. */
class NativeEngine {
  /** What stands behind a literal beginning of so many units; null when there is no such beginning. */
  readonly #rest: RegExp | null
  readonly #literalLength: number
  readonly tester: RegExp
  readonly #finder: RegExp
  readonly groupNames: readonly (string | null)[]

  constructor(pattern: SimplePattern) {
    const source = toJavaScript(pattern)
    const { text, rest } = pattern.fromStart ? splitAtLiteral(pattern) : NO_LITERAL
    this.#rest = text === '' ? null : sharedRest(rest)
    this.#literalLength = text.length
    this.tester = new RegExp(source, 'u')
    this.#finder = new RegExp(source, 'gu')
    this.groupNames = pattern.groupNames
  }

  testBehindLiteral(text: string): boolean {
    const rest = this.#rest
    if (rest === null) return this.tester.test(text)
    rest.lastIndex = this.#literalLength
    return rest.test(text)
  }

  find(text: string, from: number): RegExpExecArray | null {
    this.#finder.lastIndex = from
    return this.#finder.exec(text)
  }
}

class Compiled implements LinearRegexp {
  readonly source: string
  readonly literalPrefix: string | null
  readonly #native: NativeEngine | null
  /** Compiled at once without `#native`, else when a text is too long for that. */
  #re2: RE2JS | null
  /** The last template: callers have one each. */
  #template: GoTemplate | null = null

  constructor(source: string, native: NativeEngine | null, literalPrefix: string | null) {
    this.source = source
    this.literalPrefix = literalPrefix
    this.#native = native
    this.#re2 = native === null ? RE2JS.compile(source) : null
  }

  get isNative(): boolean {
    return this.#native !== null
  }

  test(text: string): boolean {
    const native = this.#native
    if (native !== null && text.length <= NATIVE_TEXT_LENGTH_MAX) return native.tester.test(text)
    return this.#general().test(text)
  }

  testBehindPrefix(text: string): boolean {
    const native = this.#native
    return native !== null && text.length <= NATIVE_TEXT_LENGTH_MAX
      ? native.testBehindLiteral(text)
      : this.#general().test(text)
  }

  #general(): RE2JS {
    this.#re2 ??= RE2JS.compile(this.source)
    return this.#re2
  }

  replaceAll(text: string, goTemplate: string): string {
    let template = this.#template
    if (template === null || template.source !== goTemplate) {
      template = new GoTemplate(goTemplate)
      this.#template = template
    }
    return replaceAll(text, this.#matches(text), template)
  }

  findAll(text: string, limit: number): readonly RegexpMatch[] {
    const found: RegexpMatch[] = []
    const matches = this.#matches(text)
    const count = 1 + (this.#native?.groupNames.length ?? this.#general().groupCount())
    walk(text, matches, () => {
      if (found.length >= limit) return false
      const groups = Array.from({ length: count }, (_, index) => matches.group(index))
      found.push({ start: matches.start, groups })
      return true
    })
    return found
  }

  #matches(text: string): Matches {
    const isNative = this.#native !== null && text.length <= NATIVE_TEXT_LENGTH_MAX
    return isNative ? this.#nativeMatches(text) : this.#re2Matches(text)
  }

  #nativeMatches(text: string): Matches {
    const native = this.#native as NativeEngine
    let found: RegExpExecArray | null = null
    return {
      start: 0,
      end: 0,
      find(from) {
        found = native.find(text, from)
        if (found === null) return false
        this.start = found.index
        this.end = found.index + found[0].length
        return true
      },
      group: (index) => found?.[index] ?? '',
      indexOf: (name) => {
        const index = native.groupNames.indexOf(name)
        return index < 0 ? -1 : index + 1
      },
    }
  }

  #re2Matches(text: string): Matches {
    const re2 = this.#general()
    const matcher = re2.matcher(text)
    return {
      start: 0,
      end: 0,
      find(from) {
        if (!matcher.find(from)) return false
        this.start = matcher.start()
        this.end = matcher.end()
        return true
      },
      group: (index) => (index > re2.groupCount() ? '' : (matcher.group(index) ?? '')),
      indexOf: (name) =>
        Object.hasOwn(re2.namedGroups(), name) ? (re2.namedGroups()[name] as number) : -1,
    }
  }
}

/** A walk over the matches of one text, the same for both engines. */
interface Matches extends MatchGroups {
  start: number
  end: number
  /** The first match that starts at `from` or later. */
  find(from: number): boolean
}

function replaceAll(text: string, matches: Matches, template: GoTemplate): string {
  let replaced = ''
  let lastEnd = 0
  walk(text, matches, () => {
    replaced += text.slice(lastEnd, matches.start) + template.expand(matches)
    lastEnd = matches.end
    return true
  })
  return replaced + text.slice(lastEnd)
}

/**
 * Stops at each match until `visit` returns false. Go's rule for empty matches: one right behind
 * another match is none; `visit` is not called for it.
 */
function walk(text: string, matches: Matches, visit: () => boolean): void {
  let lastEnd = 0
  let from = 0
  while (from <= text.length && matches.find(from)) {
    const { start, end } = matches
    if ((end > lastEnd || start === 0) && !visit()) return
    lastEnd = end
    const wide = (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1
    from = Math.max(end, from + wide)
  }
}
