/** A set of code points: lo, hi, lo, hi, … ascending, both ends included, gaps between. */
type CharSet = readonly number[]

export type Node =
  | { readonly type: 'set'; readonly set: CharSet }
  | { readonly type: 'seq'; readonly parts: readonly Node[] }
  | { readonly type: 'alt'; readonly parts: readonly Node[] }
  | { readonly type: 'group'; readonly body: Node }
  | {
      readonly type: 'repeat'
      readonly body: Node
      readonly min: number
      /** Infinity when there is no bound. */
      readonly max: number
      readonly lazy: boolean
    }

/** A pattern of the subset that means the same in RE2 and in JavaScript. */
export interface SimplePattern {
  /** Begins with `^`, which holds for all of it. */
  readonly fromStart: boolean
  /** Ends with `$`, which holds for all of it. */
  readonly toEnd: boolean
  readonly body: Node
  /** Names of the capturing groups, from group 1 on; null for one without. */
  readonly groupNames: readonly (string | null)[]
}

const CODE_POINT_MAX = 0x10ffff
const DEPTH_MAX = 16
const REPEAT_MAX = 64

const DIGIT: CharSet = [0x30, 0x39]
const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a]
/** RE2's `\s`; JavaScript's has far more members, and \v. */
const SPACE: CharSet = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20]
const NEWLINE: CharSet = [0x0a, 0x0a]

const CLASS_ESCAPES: Readonly<Record<string, CharSet>> = {
  d: DIGIT,
  w: WORD,
  s: SPACE,
  D: complement(DIGIT),
  W: complement(WORD),
  S: complement(SPACE),
}
const CONTROL_ESCAPES: Readonly<Record<string, number>> = {
  t: 0x09,
  n: 0x0a,
  v: 0x0b,
  f: 0x0c,
  r: 0x0d,
}
const PUNCTUATION = /^[!-/:-@[-^`{-~]$/
const LONE_SURROGATE = /\p{Surrogate}/u
const QUANTIFIER = /^[*+?{]$/
const GROUP_OPENING = /^\(\?(?::|P?<([A-Za-z_][A-Za-z0-9_]*)>)/
const REPEAT_COUNT = /^\{([0-9]{1,3})(,([0-9]{1,3})?)?\}/

/** Thrown inside the parser: not in the subset, which says nothing about being right or wrong. */
class NotSimple extends Error {}

/**
 * Reads `source` as literals, classes, `.`, groups, alternatives and repetitions, with `^` and `$`
 * at the two ends only. Returns null for all else, valid or not: RE2 decides about that.
 */
export function parseSimple(source: string): SimplePattern | null {
  try {
    return new Parser(source).pattern()
  } catch (thrown) {
    if (thrown instanceof NotSimple) return null
    throw thrown
  }
}

class Parser {
  readonly #source: string
  readonly #names: (string | null)[] = []
  #at = 0
  #depth = 0
  #groupsClosed = 0

  constructor(source: string) {
    if (LONE_SURROGATE.test(source)) throw new NotSimple()
    this.#source = source
  }

  pattern(): SimplePattern {
    const fromStart = this.#take('^')
    const body = this.#alternatives()
    const toEnd = this.#take('$')
    if (this.#at < this.#source.length) throw new NotSimple()
    // `^a|b` is (^a)|b: the ends would hold for one alternative only.
    if (body.type === 'alt' && (fromStart || toEnd)) throw new NotSimple()
    return { fromStart, toEnd, body, groupNames: this.#names }
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #alternatives(): Node {
    const parts = [this.#sequence()]
    while (this.#take('|')) parts.push(this.#sequence())
    return parts.length === 1 ? (parts[0] as Node) : { type: 'alt', parts }
  }

  #sequence(): Node {
    const parts: Node[] = []
    while (this.#at < this.#source.length) {
      const next = this.#source[this.#at] as string
      if (next === '|' || next === ')' || next === '$') break
      const groupsBefore = this.#groupsClosed
      const atom = this.#atom(next)
      parts.push(this.#quantified(atom, this.#groupsClosed > groupsBefore))
    }
    return { type: 'seq', parts }
  }

  #atom(next: string): Node {
    if (next === '(') return this.#group()
    if (next === '[') return { type: 'set', set: this.#class() }
    if (next === '\\') return { type: 'set', set: this.#escape() }
    if (next === '^' || QUANTIFIER.test(next)) throw new NotSimple()
    const code = this.#codePoint()
    return { type: 'set', set: next === '.' ? complement(NEWLINE) : [code, code] }
  }

  #codePoint(): number {
    const code = this.#source.codePointAt(this.#at)
    if (code === undefined) throw new NotSimple()
    this.#at += code > 0xffff ? 2 : 1
    return code
  }

  #group(): Node {
    if (++this.#depth > DEPTH_MAX) throw new NotSimple()
    let captures = true
    if (this.#source[this.#at + 1] === '?') {
      const opening = GROUP_OPENING.exec(this.#source.slice(this.#at, this.#at + 80))
      if (opening === null) throw new NotSimple()
      const name = opening[1]
      captures = name !== undefined
      if (name !== undefined) {
        if (this.#names.includes(name)) throw new NotSimple()
        this.#names.push(name)
      }
      this.#at += opening[0].length
    } else {
      this.#names.push(null)
      this.#at += 1
    }
    const body = this.#alternatives()
    if (!this.#take(')')) throw new NotSimple()
    this.#depth -= 1
    if (captures) this.#groupsClosed += 1
    return captures ? { type: 'group', body } : body
  }

  #quantified(body: Node, hasGroups: boolean): Node {
    const next = this.#source[this.#at]
    if (next === undefined || !QUANTIFIER.test(next)) return body
    let min = next === '+' ? 1 : 0
    let max = next === '?' ? 1 : Number.POSITIVE_INFINITY
    if (next === '{') {
      const count = REPEAT_COUNT.exec(this.#source.slice(this.#at, this.#at + 10))
      if (count === null) throw new NotSimple()
      min = Number(count[1])
      if (count[2] === undefined) max = min
      else if (count[3] !== undefined) max = Number(count[3])
      if (max === 0 || min > max || min > REPEAT_MAX) throw new NotSimple()
      if (max !== Number.POSITIVE_INFINITY && max > REPEAT_MAX) throw new NotSimple()
      this.#at += count[0].length
    } else this.#at += 1
    const lazy = this.#take('?')
    if (QUANTIFIER.test(this.#source[this.#at] ?? '')) throw new NotSimple()
    // JavaScript forgets a group when its repetition comes round again, RE2 does not.
    if (hasGroups && max > 1) throw new NotSimple()
    return { type: 'repeat', body, min, max, lazy }
  }

  #escape(): CharSet {
    const letter = this.#source[this.#at + 1] ?? ''
    this.#at += 2
    const set = CLASS_ESCAPES[letter]
    if (set !== undefined) return set
    const code = PUNCTUATION.test(letter) ? letter.charCodeAt(0) : CONTROL_ESCAPES[letter]
    if (code === undefined) throw new NotSimple()
    return [code, code]
  }

  #class(): CharSet {
    this.#at += 1
    const negated = this.#take('^')
    const ranges: number[] = []
    for (let first = true; ; first = false) {
      const next = this.#source[this.#at]
      if (next === undefined || next === '[') throw new NotSimple()
      if (next === ']') {
        if (first) throw new NotSimple()
        this.#at += 1
        break
      }
      // A dash stands for itself at either end; elsewhere dialects differ.
      if (next === '-' && !first && this.#source[this.#at + 1] !== ']') throw new NotSimple()
      const set = this.#classMember(next)
      if (this.#source[this.#at] !== '-' || this.#source[this.#at + 1] === ']') {
        ranges.push(...set)
        continue
      }
      this.#at += 1
      const end = this.#classMember(this.#source[this.#at] ?? '')
      const [lo, loToo] = set as [number, number]
      const [hi, hiToo] = end as [number, number]
      const single = set.length === 2 && end.length === 2 && lo === loToo && hi === hiToo
      if (!single || lo > hi || next === '-') throw new NotSimple()
      ranges.push(lo, hi)
    }
    const set = normalized(ranges)
    return negated ? complement(set) : set
  }

  #classMember(next: string): CharSet {
    if (next === '\\') return this.#escape()
    if (next === '[' || next === '') throw new NotSimple()
    const code = this.#codePoint()
    return [code, code]
  }
}

function normalized(ranges: readonly number[]): CharSet {
  const pairs: [number, number][] = []
  for (let i = 0; i < ranges.length; i += 2) {
    pairs.push([ranges[i] as number, ranges[i + 1] as number])
  }
  pairs.sort((a, b) => a[0] - b[0])
  const merged: number[] = []
  for (const [lo, hi] of pairs) {
    const last = merged.length - 1
    if (last > 0 && lo <= (merged[last] as number) + 1) {
      merged[last] = Math.max(merged[last] as number, hi)
    } else merged.push(lo, hi)
  }
  return merged
}

function complement(set: CharSet): CharSet {
  const rest: number[] = []
  let from = 0
  for (let i = 0; i < set.length; i += 2) {
    if ((set[i] as number) > from) rest.push(from, (set[i] as number) - 1)
    from = (set[i + 1] as number) + 1
  }
  if (from <= CODE_POINT_MAX) rest.push(from, CODE_POINT_MAX)
  return rest
}

/** The pattern in JavaScript's notation, for the `u` flag. */
export function toJavaScript(pattern: SimplePattern): string {
  return `${pattern.fromStart ? '^' : ''}${emit(pattern.body)}${pattern.toEnd ? '$' : ''}`
}

function emit(node: Node): string {
  switch (node.type) {
    case 'set':
      return emitSet(node.set)
    case 'seq':
      return node.parts
        .map((part) => (part.type === 'alt' ? `(?:${emit(part)})` : emit(part)))
        .join('')
    case 'alt':
      return node.parts.map(emit).join('|')
    case 'group':
      return `(${emit(node.body)})`
    case 'repeat': {
      const { min, max } = node
      const body = node.body.type === 'set' ? emit(node.body) : `(?:${emit(node.body)})`
      const count = max === Number.POSITIVE_INFINITY ? `{${min},}` : `{${min},${max}}`
      return `${body}${count}${node.lazy ? '?' : ''}`
    }
  }
}

function emitSet(set: CharSet): string {
  if (set.length === 2 && set[0] === set[1]) return emitChar(set[0] as number)
  // Written negated, a large set compiles to shorter code.
  const negated = set.at(-1) === CODE_POINT_MAX
  const ranges = negated ? complement(set) : set
  let text = ''
  for (let i = 0; i < ranges.length; i += 2) {
    const [lo, hi] = [ranges[i] as number, ranges[i + 1] as number]
    text += lo === hi ? emitChar(lo) : `${emitChar(lo)}-${emitChar(hi)}`
  }
  return `[${negated ? '^' : ''}${text}]`
}

function emitChar(code: number): string {
  const char = String.fromCodePoint(code)
  return /^[0-9A-Za-z]$/.test(char) ? char : `\\u{${code.toString(16)}}`
}

/**
 * A pattern that is `fromStart` in two: the text it begins with, as far as that is plain text, and
 * what must stand right behind it, in JavaScript's notation for the `u` and `y` flags.
 */
export function splitAtLiteral({ body, toEnd }: SimplePattern): { text: string; rest: string } {
  const parts = body.type === 'seq' ? body.parts : [body]
  let count = 0
  let text = ''
  for (const part of parts) {
    if (part.type !== 'set' || part.set.length !== 2 || part.set[0] !== part.set[1]) break
    text += String.fromCodePoint(part.set[0] as number)
    count += 1
  }
  const rest = emit({ type: 'seq', parts: parts.slice(count) })
  return { text, rest: `${rest}${toEnd ? '$' : ''}` }
}

/** The literal text that every match begins with; '' when there is none. */
export function literalStart(node: Node): string {
  let text = ''
  const walk = (each: Node): boolean => {
    if (each.type === 'group') return walk(each.body)
    if (each.type === 'seq') return each.parts.every(walk)
    if (each.type !== 'set' || each.set.length !== 2 || each.set[0] !== each.set[1]) return false
    text += String.fromCodePoint(each.set[0] as number)
    return true
  }
  walk(node)
  return text
}
