/** RFC 9110 §8 and RFC 9111 §5; RFC 9530 §2 and §3. */
const OF_CONTENT: ReadonlySet<string> = new Set([
  'accept-ranges',
  'age',
  'cache-control',
  'content-digest',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'repr-digest',
])

/** Of all that have no fields. Not made as `[]`: that is another kind of array, for small integers. */
const NONE: readonly string[] = ['']
;(NONE as string[]).pop()

/**
 * The fields of one message: names in lower case, in the order in which they came, repeated ones
 * kept apart. Text is *bytes as Latin-1*: every unit is at most 0xFF, so what is written with
 * 'latin1' is what was read. Whoever adds a name or value from outside checks it first with
 * {@link isFieldName} and {@link isFieldValue}; text from configuration goes through
 * {@link toLatin1}.
 *
 * Most requests have the fields of the one before, and so have answers: then they hold the same array,
 * which makes them one comparison to whoever compares, and no work to whoever passes them on.
 */
export class Headers {
  /** name, value, name, value, … Read freely; change only through the methods. */
  flat: readonly string[] = NONE
  /** Others hold `flat` too: it is copied before it is changed. */
  #isShared = true

  /** Whether `flat` is an array that never changes any more: who meets it again knows what is in it. */
  get isShared(): boolean {
    return this.#isShared
  }

  clear(): void {
    this.flat = NONE
    this.#isShared = true
  }

  /** Becomes the fields `flat`: an array nobody may change from now on. */
  share(flat: readonly string[]): void {
    this.flat = flat
    this.#isShared = true
  }

  /** The fields as they are; what is returned does not change any more. */
  lend(): readonly string[] {
    this.#isShared = true
    return this.flat
  }

  /** The first value, or null. `name` in lower case, here and below. */
  get(name: string): string | null {
    const flat = this.flat
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1] as string
    return null
  }

  has(name: string): boolean {
    return this.get(name) !== null
  }

  values(name: string): string[] {
    const flat = this.flat
    const found: string[] = []
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) found.push(flat[i + 1] as string)
    return found
  }

  add(name: string, value: string): void {
    this.#own().push(name, value)
  }

  /** Adds the fields `flat`, which nobody may change from now on. */
  addAll(flat: readonly string[]): void {
    if (this.flat.length === 0) this.share(flat)
    else this.#own().push(...flat)
  }

  /** Replaces every value of `name` by one, in the place of the first. */
  set(name: string, value: string): void {
    const at = this.#indexOf(name, 0)
    const flat = this.#own()
    if (at < 0) {
      flat.push(name, value)
      return
    }
    flat[at + 1] = value
    this.#deleteFrom(name, at + 2)
  }

  /** {@link set} for each of the fields `flat`, which nobody may change from now on. */
  setAll(flat: readonly string[]): void {
    if (this.flat.length === 0) this.share(flat)
    else for (let i = 0; i < flat.length; i += 2) this.set(flat[i] as string, flat[i + 1] as string)
  }

  delete(name: string): void {
    this.#deleteFrom(name, 0)
  }

  /** For an answer that is replaced: what described it and said how long it holds is not true now. */
  deleteOfContent(): void {
    const { flat } = this
    if (flat.length === 0) return
    const left: string[] = []
    for (let i = 0; i < flat.length; i += 2) {
      const name = flat[i] as string
      if (!OF_CONTENT.has(name)) left.push(name, flat[i + 1] as string)
    }
    this.flat = left
    this.#isShared = false
  }

  #indexOf(name: string, start: number): number {
    const flat = this.flat
    for (let i = start; i < flat.length; i += 2) if (flat[i] === name) return i
    return -1
  }

  #deleteFrom(name: string, start: number): void {
    const first = this.#indexOf(name, start)
    if (first < 0) return
    const flat = this.#own()
    let to = first
    for (let from = first + 2; from < flat.length; from += 2) {
      if (flat[from] === name) continue
      flat[to] = flat[from] as string
      flat[to + 1] = flat[from + 1] as string
      to += 2
    }
    flat.length = to
  }

  #own(): string[] {
    if (this.#isShared) {
      this.flat = this.flat.slice()
      this.#isShared = false
    }
    return this.flat as string[]
  }
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** A token, RFC 9110 §5.1. */
export function isFieldName(text: string): boolean {
  return FIELD_NAME.test(text)
}

/** RFC 9110 §5.5, in Latin-1 units: no CR, LF, NUL or other control character but HTAB. */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text)
}

/** Text from configuration as it goes on the wire: UTF-8 bytes, one unit a byte. */
export function toLatin1(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'utf8').toString('latin1')
  }
  return text
}

/** The inverse of {@link toLatin1}: bytes as Latin-1, read as UTF-8. */
export function fromLatin1(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'latin1').toString('utf8')
  }
  return text
}
