/** Content of a file, and what it was read from. */
export interface Content {
  readonly etag: string
  readonly bytes: Buffer
  readonly readMs: number
}

/** Content of small files, the least recently used given up first. */
export class ContentCache {
  readonly fileBytesMax: number
  readonly #bytesMax: number
  readonly #ttlMs: number
  readonly #kept = new Map<string, Content>()
  #bytes = 0

  constructor(bytesMax: number, fileBytesMax: number, ttlMs: number) {
    this.#bytesMax = bytesMax
    this.fileBytesMax = Math.min(fileBytesMax, bytesMax)
    this.#ttlMs = ttlMs
  }

  /** Null when it is not there, of another version, or too old. */
  get(file: string, etag: string, nowMs: number): Buffer | null {
    const content = this.#kept.get(file)
    if (content === undefined) return null
    this.#drop(file, content)
    if (content.etag !== etag || nowMs - content.readMs >= this.#ttlMs) return null
    this.#kept.set(file, content)
    this.#bytes += content.bytes.byteLength
    return content.bytes
  }

  set(file: string, content: Content): void {
    const size = content.bytes.byteLength
    if (size > this.fileBytesMax) return
    const before = this.#kept.get(file)
    if (before !== undefined) this.#drop(file, before)
    for (const [name, oldest] of this.#kept) {
      if (this.#bytes + size <= this.#bytesMax) break
      this.#drop(name, oldest)
    }
    this.#kept.set(file, content)
    this.#bytes += size
  }

  #drop(file: string, content: Content): void {
    this.#kept.delete(file)
    this.#bytes -= content.bytes.byteLength
  }
}
