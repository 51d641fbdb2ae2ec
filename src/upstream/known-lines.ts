import type { FieldName } from './field-names.js'

/** Heads with more are not learned, so that what is kept for a back end stays small. */
const LINES_MAX = 32
const BYTES_MAX = 2_048
/** A head that differs is learned when this many in a row did: some differ every time. */
const MISSES_MAX = 4

/** Where the lines of a head lie, noted while it is read: {@link MARKS} numbers a line. */
export const MARKS = 4
const START = 0
const VALUE_START = 1
const VALUE_END = 2
const END = 3

/** What a whole head said. */
export interface HeadFacts {
  readonly status: number
  readonly minor: number
  readonly contentLength: number
  readonly isChunked: boolean
  readonly saysClose: boolean
  readonly saysKeepAlive: boolean
  readonly named: string[] | null
  readonly idleHintMs: number
  /** Before anything is dropped from them. */
  readonly headers: readonly string[]
}

/**
 * The head of an answer to compare the next one with, as a whole and line by line. Back ends
 * repeat most lines to the byte, in the same order, and within a second often all of them; what
 * equals what was there before has been checked and converted before. One for all connections to
 * a server.
 */
export class KnownLines {
  /** Of the whole head; null as long as none is known. */
  facts: HeadFacts | null = null
  readonly #bytes = new Uint8Array(BYTES_MAX)
  readonly #words = new DataView(this.#bytes.buffer)
  #length = 0
  /** What was compared last: mostly the buffer that all connections read into. */
  #compared: Uint8Array = this.#bytes
  #comparedWords: DataView = this.#words
  readonly #marks = new Int32Array(MARKS * LINES_MAX)
  readonly #names: FieldName[] = []
  readonly #values: string[] = []
  #count = 0
  #misses = 0

  /** Length of the whole head when that is what lies at `from`, else 0. */
  headLengthAt(b: Uint8Array, from: number, end: number): number {
    const length = this.#length
    if (length === 0 || from + length > end) return 0
    if (b !== this.#compared) {
      this.#compared = b
      this.#comparedWords = new DataView(b.buffer, b.byteOffset, b.byteLength)
    }
    const known = this.#words
    const words = this.#comparedWords
    let i = 0
    for (; i + 4 <= length; i += 4) if (known.getInt32(i) !== words.getInt32(from + i)) return 0
    for (; i < length; i++) if (known.getUint8(i) !== words.getUint8(from + i)) return 0
    return length
  }

  /** Length of line `index` with its CR LF when that is what lies at `from`, else 0. */
  lengthAt(index: number, b: Uint8Array, from: number, end: number): number {
    if (index >= this.#count) return 0
    const start = this.#marks[MARKS * index + START] as number
    const length = (this.#marks[MARKS * index + END] as number) - start
    if (from + length > end) return 0
    const bytes = this.#bytes
    for (let i = 0; i < length; i++) if (bytes[start + i] !== b[from + i]) return 0
    return length
  }

  name(index: number): FieldName {
    return this.#names[index] as FieldName
  }

  value(index: number): string {
    return this.#values[index] as string
  }

  /** Where the value lies, from the beginning of the line. */
  valueStart(index: number): number {
    const at = MARKS * index
    return (this.#marks[at + VALUE_START] as number) - (this.#marks[at + START] as number)
  }

  valueEnd(index: number): number {
    const at = MARKS * index
    return (this.#marks[at + VALUE_END] as number) - (this.#marks[at + START] as number)
  }

  /** Every line of a head was known. */
  hit(): void {
    this.#misses = 0
  }

  /** A head of so many bytes and lines was not. True when it should be learned. */
  missed(bytes: number, lines: number): boolean {
    this.#misses += 1
    if (this.facts !== null && this.#misses < MISSES_MAX) return false
    return lines <= LINES_MAX && bytes <= BYTES_MAX
  }

  /**
   * Takes the head in `b[start, end)` and its `lines`, which lie where `marks` says; `fields` has
   * the index of each one's value in the headers, -1 where it has none.
   */
  learn(
    b: Uint8Array,
    start: number,
    end: number,
    facts: HeadFacts,
    lines: number,
    marks: Int32Array,
    names: readonly FieldName[],
    fields: Int32Array,
  ): void {
    this.#misses = 0
    this.#bytes.set(b.subarray(start, end))
    this.#length = end - start
    this.facts = facts
    for (let i = 0; i < MARKS * lines; i++) this.#marks[i] = (marks[i] as number) - start
    for (let i = 0; i < lines; i++) {
      this.#names[i] = names[i] as FieldName
      this.#values[i] = facts.headers[fields[i] as number] ?? ''
    }
    this.#count = lines
  }
}
