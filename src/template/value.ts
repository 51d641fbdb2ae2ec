import { isUtf8 } from 'node:buffer'

/**
 * Values as templates see them: what Go's `text/template` works on, in JavaScript.
 *
 * | here | in Go |
 * | --- | --- |
 * | `undefined` | no value at all: a key that a map does not have |
 * | `null` | a nil interface |
 * | bigint | int; {@link Int64} is an int64 |
 * | number | float64 |
 * | string | string; lengths and indices count bytes of UTF-8 all the same |
 * | Uint8Array | []byte |
 * | array | []interface{}; {@link Strings} is a []string, {@link NilList} a nil slice |
 * | {@link GoMap} | map[string]T |
 * | {@link GoObject} | whatever has methods or fields |
 */
export type Value =
  | undefined
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | Value[]
  | Int64
  | GoMap
  | GoObject

/** What a template's own mistakes are thrown as while it runs; a caller gets the message. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

/** An int64: `add 1 2`, say. Prints, compares and counts as an int does. */
export class Int64 {
  readonly value: bigint

  constructor(value: bigint) {
    this.value = value
  }
}

/** A []string. */
export class Strings extends Array<Value> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

/** A slice that was never made: prints as an empty one, is `null` in JSON. */
export class NilList extends Array<Value> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }
}

/** A map with text for keys. `element` names the type of its values. */
export class GoMap {
  readonly entries: Map<string, Value>
  readonly typeName: string
  /** What an index finds for a key that is not there. */
  readonly zero: Value

  constructor(
    entries: Map<string, Value> = new Map(),
    typeName = 'map[string]interface {}',
    zero: Value = null,
  ) {
    this.entries = entries
    this.typeName = typeName
    this.zero = zero
  }

  /** Keys in the order in which Go prints and ranges over them. */
  sortedKeys(): string[] {
    return [...this.entries.keys()].sort(compareText)
  }

  /** The method of that name, for maps that have some. */
  method(_name: string): Func | null {
    return null
  }
}

/** Something with fields or methods. */
export abstract class GoObject {
  /** As `%T` prints it. */
  abstract readonly typeName: string
  /** As `kindOf` names it. */
  readonly kind: string = 'struct'

  /** The field or method of that name; undefined when there is none. */
  abstract member(name: string): Value | Func | undefined

  /** As `%v` prints it. */
  abstract toString(): string

  /** As `toJson` writes it. */
  toJson(): Value {
    return this.toString()
  }
}

/** What a parameter takes. */
export type Param = 'any' | 'string' | 'bytes' | 'int' | 'float' | 'bool' | 'map' | 'time'

/** A function or method that templates may call. */
export class Func {
  readonly name: string
  readonly params: readonly Param[]
  /** Of all arguments behind `params`; null when there can be none. */
  readonly rest: Param | null
  /** Takes reflect.Values in Go: "no value" arrives as it is, not as nil. */
  readonly isRaw: boolean
  readonly call: (args: Value[], run: Run) => Value

  constructor(
    name: string,
    params: readonly Param[],
    rest: Param | null,
    call: (args: Value[], run: Run) => Value,
    isRaw = false,
  ) {
    this.name = name
    this.params = params
    this.rest = rest
    this.call = call
    this.isRaw = isRaw
  }
}

/** One run of a template: what it has used up. */
export interface Run {
  /** Charges for work done, in units of about one node of the template. */
  step(count?: number): void
  /** Charges for text or items that were made. */
  grow(count: number): void
  /** Charges for items that are to be made one by one, of which each is work besides memory. */
  makeItems(count: number): void
  /** The wall clock, in milliseconds since the Unix epoch. */
  nowMs(): number
  /** Where `log` writes. */
  log(level: string, message: string): void
}

/** A number in JSON: keeps its digits; a string kind, as Go's json.Number is. */
export class JsonNumber extends GoObject {
  override readonly typeName = 'json.Number'
  override readonly kind = 'string'
  readonly text: string

  constructor(text: string) {
    super()
    this.text = text
  }

  override member(name: string): Func | undefined {
    switch (name) {
      case 'String':
        return method(name, () => this.text)
      case 'Float64':
        return method(name, () => Number(this.text))
      case 'Int64':
        return method(name, () => {
          if (!/^-?\d{1,19}$/.test(this.text)) throw new TemplateError(`${this.text} is no int64`)
          return new Int64(BigInt.asIntN(64, BigInt(this.text)))
        })
      default:
        return undefined
    }
  }

  override toString(): string {
    return this.text
  }
}

/** Text that is no UTF-8, as bodies can be: what takes bytes gets them, all else what can be read. */
export class ByteText extends GoObject {
  override readonly typeName = 'string'
  override readonly kind = 'string'
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    super()
    this.bytes = bytes
  }

  override member(): undefined {
    return undefined
  }

  override toString(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString()
  }
}

/** Bytes as text. */
export function textFrom(bytes: Uint8Array): string | ByteText {
  const text = new ByteText(bytes)
  return isUtf8(bytes) ? text.toString() : text
}

/** A method without parameters. */
export function method(name: string, call: () => Value): Func {
  return new Func(name, [], null, call)
}

/** In the order of code points, which is that of UTF-8 bytes; `<` goes by UTF-16 units. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above all other units.
    const isHighX = x >= 0xd800 && x <= 0xdfff
    const isHighY = y >= 0xd800 && y <= 0xdfff
    return isHighX === isHighY ? x - y : isHighX ? 1 : -1
  }
  return a.length - b.length
}

/** Bytes of UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text)
}

/** By bytes of UTF-8; a character that is cut becomes U+FFFD. */
export function sliceBytes(text: string, start: number, end: number): string {
  if (text.length === byteLength(text)) return text.slice(start, end)
  return Buffer.from(text).subarray(start, end).toString()
}

/** The whole number in `value`, or null when it is of another kind. */
export function integerOf(value: Value): bigint | null {
  if (typeof value === 'bigint') return value
  return value instanceof Int64 ? value.value : null
}

/** The text in `value` when it is of the string kind, else null. */
export function textOf(value: Value): string | null {
  if (typeof value === 'string') return value
  if (value instanceof JsonNumber) return value.text
  return value instanceof ByteText ? value.toString() : null
}

/** The bytes of what is of the string kind, else null. */
export function bytesOf(value: Value): Uint8Array | null {
  if (value instanceof ByteText) return value.bytes
  const text = textOf(value)
  return text === null ? null : Buffer.from(text)
}

/** As `%T` prints it. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return '<nil>'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'bigint':
      return 'int'
    case 'number':
      return 'float64'
    case 'string':
      return 'string'
    default:
  }
  if (value instanceof Int64) return 'int64'
  if (value instanceof Strings) return '[]string'
  if (Array.isArray(value)) return '[]interface {}'
  if (value instanceof Uint8Array) return '[]uint8'
  return value.typeName
}

/** As Go's `reflect.Kind` names it. */
export function kindName(value: Value): string {
  if (value === undefined || value === null) return 'invalid'
  if (Array.isArray(value) || value instanceof Uint8Array) return 'slice'
  if (value instanceof GoMap) return 'map'
  if (value instanceof GoObject) return value.kind
  return typeName(value)
}

/** What `if` goes by: not the zero of its type, and not empty. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false
  if (Array.isArray(value)) return value.length > 0
  if (value instanceof Uint8Array) return value.byteLength > 0
  if (value instanceof GoMap) return value.entries.size > 0
  if (value instanceof Int64) return value.value !== 0n
  if (value instanceof JsonNumber) return value.text !== ''
  if (value instanceof ByteText) return value.bytes.byteLength > 0
  if (value instanceof GoObject) return true
  // NaN is not zero.
  return typeof value === 'number' ? value !== 0 : Boolean(value)
}

/** How deep a value may nest where it is walked. */
export const DEPTH_MAX = 200

/** Plain data (of JSON or YAML) as templates see it. Numbers without a fraction become ints. */
export function fromPlain(data: unknown, depth = 0): Value {
  if (depth > DEPTH_MAX) throw new TemplateError('nested too deeply')
  if (data === null || data === undefined) return null
  if (typeof data === 'string' || typeof data === 'boolean' || typeof data === 'bigint') return data
  if (typeof data === 'number') return Number.isSafeInteger(data) ? BigInt(data) : data
  if (data instanceof Uint8Array) return data
  if (Array.isArray(data)) return data.map((item) => fromPlain(item, depth + 1))
  const entries = new Map<string, Value>()
  for (const [key, value] of Object.entries(data)) entries.set(key, fromPlain(value, depth + 1))
  return new GoMap(entries)
}
