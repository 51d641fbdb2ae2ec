import { formatFloat } from './float.js'
import {
  DEPTH_MAX,
  GoMap,
  GoObject,
  integerOf,
  JsonNumber,
  NilList,
  type Run,
  TemplateError,
  type Value,
} from './value.js'

const SPECIAL: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
}

function jsonText(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (sign) => SPECIAL[sign] as string)
}

function jsonFloat(value: number): string {
  const size = Math.abs(value)
  const isPlain = size === 0 || (size >= 1e-6 && size < 1e21)
  const text = formatFloat(value, isPlain ? 'f' : 'e', -1)
  return text.replace(/e-0(\d)$/, 'e-$1')
}

/** As Go's `json.Marshal`; null for what JSON cannot say. */
export function toJson(value: Value, run: Run, indent: string): string | null {
  const writer = new JsonWriter(run, indent)
  return writer.write(value, '') ? writer.text : null
}

/** For values that are not made by templates: nothing is charged, and numbers keep their digits. */
export function writeJson(value: Value): string {
  const free: Run = {
    step: () => {},
    grow: () => {},
    makeItems: () => {},
    nowMs: () => 0,
    log: () => {},
  }
  return toJson(value, free, '') ?? 'null'
}

class JsonWriter {
  text = ''
  readonly #run: Run
  readonly #indent: string
  #depth = 0

  constructor(run: Run, indent: string) {
    this.#run = run
    this.#indent = indent
  }

  write(value: Value, margin: string): boolean {
    if (value === null || value === undefined || value instanceof NilList) return this.#put('null')
    if (typeof value === 'boolean') return this.#put(String(value))
    if (typeof value === 'string') return this.#put(jsonText(value))
    if (typeof value === 'number') return Number.isFinite(value) && this.#put(jsonFloat(value))
    const integer = integerOf(value)
    if (integer !== null) return this.#put(integer.toString())
    if (value instanceof JsonNumber) return this.#put(value.text === '' ? '0' : value.text)
    if (value instanceof Uint8Array) return this.#put(`"${Buffer.from(value).toString('base64')}"`)
    this.#depth += 1
    if (this.#depth > DEPTH_MAX) throw new TemplateError('nested too deeply for JSON')
    const isDone = this.#collection(value as Value[] | GoMap | GoObject, margin)
    this.#depth -= 1
    return isDone
  }

  #collection(value: Value[] | GoMap | GoObject, margin: string): boolean {
    if (value instanceof GoObject) return this.write(value.toJson(), margin)
    const inner = margin + this.#indent
    if (Array.isArray(value)) {
      return this.#list(value, '[', ']', margin, (item) => this.write(item, inner))
    }
    return this.#list(value.sortedKeys(), '{', '}', margin, (key) => {
      this.#put(jsonText(key) + (this.#indent === '' ? ':' : ': '))
      return this.write(value.entries.get(key), inner)
    })
  }

  #list<T>(
    items: readonly T[],
    open: string,
    close: string,
    margin: string,
    write: (item: T) => boolean,
  ): boolean {
    if (items.length === 0) return this.#put(open + close)
    const line = this.#indent === '' ? '' : `\n${margin}${this.#indent}`
    this.#put(open)
    for (const [index, item] of items.entries()) {
      this.#put(index === 0 ? line : `,${line}`)
      if (!write(item)) return false
    }
    return this.#put(this.#indent === '' ? close : `\n${margin}${close}`)
  }

  #put(text: string): true {
    this.#run.step()
    this.#run.grow(text.length)
    this.text += text
    return true
  }
}

const SPACE = /[ \t\r\n]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in text
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

/**
 * Reads JSON; numbers keep their digits, later keys replace earlier ones of the same name. Throws
 * a {@link TemplateError}.
 */
export function parseJson(text: string): Value {
  const reader = new JsonReader(text)
  const value = reader.value(0)
  reader.end()
  return value
}

class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  end(): void {
    this.#skip()
    if (this.#at < this.#text.length) this.#fail()
  }

  value(depth: number): Value {
    if (depth > DEPTH_MAX) throw new TemplateError('the JSON is nested too deeply')
    this.#skip()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(depth)
    if (first === '[') return this.#array(depth)
    if (first === '"') return this.#string()
    if (this.#takes('true')) return true
    if (this.#takes('false')) return false
    if (this.#takes('null')) return null
    return new JsonNumber(this.#match(NUMBER))
  }

  #object(depth: number): GoMap {
    const entries = new Map<string, Value>()
    this.#at += 1
    this.#skip()
    if (this.#takes('}')) return new GoMap(entries)
    for (;;) {
      this.#skip()
      const key = this.#string()
      this.#skip()
      if (!this.#takes(':')) this.#fail()
      entries.set(key, this.value(depth + 1))
      this.#skip()
      if (this.#takes('}')) return new GoMap(entries)
      if (!this.#takes(',')) this.#fail()
    }
  }

  #array(depth: number): Value[] {
    const items: Value[] = []
    this.#at += 1
    this.#skip()
    if (this.#takes(']')) return items
    for (;;) {
      items.push(this.value(depth + 1))
      this.#skip()
      if (this.#takes(']')) return items
      if (!this.#takes(',')) this.#fail()
    }
  }

  #string(): string {
    // The pattern would recurse over a long text in the runtime: look for plain ones first.
    const end = this.#text.indexOf('"', this.#at + 1)
    const plain = end < 0 ? '' : this.#text.slice(this.#at + 1, end)
    if (this.#text[this.#at] === '"' && end >= 0 && isPlain(plain)) {
      this.#at = end + 1
      return plain
    }
    return JSON.parse(this.#match(STRING)) as string
  }

  #skip(): void {
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
  }

  #takes(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found === undefined || found === '') this.#fail()
    this.#at += found.length
    return found
  }

  #fail(): never {
    throw new TemplateError(`not valid JSON at character ${this.#at + 1}`)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in text
const NOT_PLAIN = /[\\\x00-\x1f]/

function isPlain(text: string): boolean {
  return !NOT_PLAIN.test(text)
}
