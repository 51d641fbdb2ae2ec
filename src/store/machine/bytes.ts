import { AssertionError, assert } from '../../lib/assert.js'

/** Appends the primitives of the store's formats (docs/store-format.md) to one buffer. */
export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  /** A whole number in 0..2^53-1 as LEB128: seven bits a byte, lowest first. */
  uint(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, `not an unsigned safe integer: ${value}`)
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#length++] = rest
  }

  /** UTF-8 behind its length. */
  text(value: string): void {
    const bytes = Buffer.byteLength(value, 'utf8')
    this.uint(bytes)
    this.#reserve(bytes)
    this.#buffer.write(value, this.#length, 'utf8')
    this.#length += bytes
  }

  /** Bytes behind their length. */
  bytes(value: Uint8Array): void {
    this.uint(value.byteLength)
    this.raw(value)
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.byteLength)
    this.#buffer.set(value, this.#length)
    this.#length += value.byteLength
  }

  /** A copy of what was written, in a buffer of exactly that size (fit to be transferred). */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer.subarray(0, this.#length))
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

/**
 * Reads what {@link ByteWriter} wrote. Anything else is a bug: its callers have checked a CRC
 * first, so it asserts instead of reporting.
 */
export class ByteReader {
  readonly #buffer: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#buffer.length - this.#at
  }

  byte(): number {
    const value = this.#buffer[this.#at++]
    assert(value !== undefined, 'record ends early')
    return value
  }

  uint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 0x80
    }
    assert(Number.isSafeInteger(value), 'number beyond 2^53')
    return value
  }

  text(): string {
    const length = this.uint()
    const from = this.#advance(length)
    return this.#buffer.toString('utf8', from, from + length)
  }

  /** A view of the bytes read from; copy what is kept. */
  bytes(): Uint8Array {
    const length = this.uint()
    const from = this.#advance(length)
    const { buffer, byteOffset } = this.#buffer
    return new Uint8Array(buffer, byteOffset + from, length)
  }

  /** Asserts that nothing is left. */
  end(): void {
    if (this.remaining > 0) throw new AssertionError(`${this.remaining} bytes too many in a record`)
  }

  #advance(count: number): number {
    const from = this.#at
    assert(count <= this.remaining, 'record ends early')
    this.#at += count
    return from
  }
}
