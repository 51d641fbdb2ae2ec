import { checkRegexp, compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import { estimateSize } from '../lib/regexp-size.js'
import { type Run, TemplateError } from './value.js'

/** Patterns kept compiled, for one set of functions. */
const KEPT_MAX = 64
/** Steps charged for each instruction of one that is compiled: patterns may come from requests. */
const INSTRUCTION_STEPS = 10

/** Regular expressions that come up while templates run. */
export class Patterns {
  readonly #kept = new Map<string, LinearRegexp>()

  /** Null when `source` is no regular expression. */
  tryGet(source: string, run: Run): LinearRegexp | null {
    const known = this.#kept.get(source)
    if (known !== undefined) return known
    run.step(INSTRUCTION_STEPS * estimateSize(source))
    if (checkRegexp(source) !== null) return null
    const compiled = compileRegexp(source)
    const oldest = this.#kept.keys().next()
    if (this.#kept.size >= KEPT_MAX && oldest.done !== true) this.#kept.delete(oldest.value)
    this.#kept.set(source, compiled)
    return compiled
  }

  #get(source: string, run: Run): LinearRegexp {
    const compiled = this.tryGet(source, run)
    if (compiled !== null) return compiled
    throw new TemplateError(`regexp: ${checkRegexp(source) ?? 'not valid'}`)
  }

  replaceAll(source: string, text: string, by: string, run: Run): string {
    const pattern = this.#get(source, run)
    // At worst each character is replaced by as much.
    if (by.length > 16) run.grow(this.#cut(pattern, text, run).length * by.length)
    return pattern.replaceAll(text, by)
  }

  /** Every match, `limit` at most; all when it is negative. */
  findAll(source: string, text: string, limit: number, run: Run): string[] {
    const pieces = this.#cut(this.#get(source, run), text, run)
    const matches = pieces.filter((_piece, index) => index % 2 === 1)
    return limit < 0 ? matches : matches.slice(0, limit)
  }

  /** What is between the matches, in `limit` pieces at most; as Go's Regexp.Split. */
  split(source: string, text: string, limit: number, run: Run): string[] {
    if (limit === 0) return []
    if (source !== '' && text === '') return ['']
    const pieces = this.#cut(this.#get(source, run), text, run)
    const parts: string[] = []
    let from = 0
    let cutAt = 0
    let end = 0
    for (let i = 1; i < pieces.length; i += 2) {
      if (limit > 0 && (parts.length >= limit - 1 || i > 2 * limit)) break
      cutAt = end + (pieces[i - 1] as string).length
      end = cutAt + (pieces[i] as string).length
      if (end !== 0) parts.push(text.slice(from, cutAt))
      from = end
    }
    if (cutAt !== text.length) parts.push(text.slice(from))
    return parts
  }

  /** Text, match, text, match, …, text. */
  #cut(pattern: LinearRegexp, text: string, run: Run): string[] {
    const mark = markFor(text)
    const cut = pattern.replaceAll(text, `${mark}\${0}${mark}`).split(mark)
    run.step(cut.length)
    return cut
  }
}

/** A character that the text does not have. */
function markFor(text: string): string {
  for (let code = 0xe000; code <= 0xf8ff; code++) {
    const mark = String.fromCharCode(code)
    if (!text.includes(mark)) return mark
  }
  throw new TemplateError('the text has every character of private use')
}
