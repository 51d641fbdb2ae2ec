import type { Exchange } from '../../http/exchange.js'
import type { Headers } from '../../http/headers.js'
import type { HttpRequest } from '../../http/message.js'
import { type Keeper, KeepingBody } from './keeping-body.js'
import type { MemoryCacheSpec } from './pool-spec.js'

/** Bytes that an entry costs beside its texts and body, roughly. */
const ENTRY_BYTES = 512

/** An answer as it came from a back end. */
interface Entry {
  readonly status: number
  /** name, value, …; without Age, and without Content-Length where there is a body. */
  readonly headers: readonly string[]
  /** What it said itself when it came. */
  readonly ageSeconds: number
  readonly body: Uint8Array | null
  /** Of `body` and all else. */
  readonly bytes: number
  readonly storedMs: number
}

/**
 * Answers of one pool in one worker, for a fixed time (compat/traffic-v1.md §6.2, "Memory cache").
 * Beyond its bound the oldest go: all live equally long, so the order in which they were stored is
 * also the one in which they end.
 */
export class MemoryCache implements Keeper {
  readonly entryBytesMax: number
  readonly #bytesMax: number
  readonly #expirationMs: number
  readonly #codes: ReadonlySet<number>
  readonly #methods: ReadonlySet<string>
  readonly #nowMs: () => number
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #incomingBytes = 0

  constructor(spec: MemoryCacheSpec, nowMs: () => number) {
    this.#bytesMax = spec.maxBytes
    this.entryBytesMax = Math.min(spec.maxEntryBytes, spec.maxBytes)
    this.#expirationMs = spec.expiration
    this.#codes = new Set(spec.codes)
    this.#methods = new Set(spec.methods)
    this.#nowMs = nowMs
  }

  /** Of all entries, and of the bodies that are on their way to become some. */
  get bytes(): number {
    return this.#bytes + this.#incomingBytes
  }

  get entryCount(): number {
    return this.#entries.size
  }

  /** Answers from the cache, if it may and can. */
  answers(ex: Exchange): boolean {
    const { request, response } = ex
    if (!this.#isFor(request) || contains(request.headers, 'cache-control', NO_CACHE)) return false
    this.#purge()
    const key = keyOf(request)
    const entry = this.#entries.get(key) ?? this.#entries.get(codedKey(key, request))
    if (entry === undefined) return false
    response.body = entry.body
    response.status = entry.status
    for (let i = 0; i < entry.headers.length; i += 2) {
      response.headers.add(entry.headers[i] as string, entry.headers[i + 1] as string)
    }
    const hereMs = this.#nowMs() - entry.storedMs
    response.headers.add('age', String(entry.ageSeconds + Math.floor(hereMs / 1000)))
    return true
  }

  /**
   * Sees to it that the answer in `ex`, whose fields from the back end are `headers`, is stored when
   * its body has gone by, if it may be.
   */
  keep(ex: Exchange, headers: readonly string[]): void {
    const { request, response } = ex
    if (!this.#isFor(request) || !this.#codes.has(response.status)) return
    if (PARTIAL.has(response.status)) return
    if (!isStorable(request, headers)) return
    const { source } = response
    const entry = { status: response.status, headers: [...headers] }
    const key = isCoded(headers) ? codedKey(keyOf(request), request) : keyOf(request)
    if (source === null) this.store(key, entry, null)
    else if (source.length <= this.entryBytesMax) {
      response.takeSource()
      response.source = new KeepingBody(source, this, key, entry)
    }
  }

  #isFor({ method, body }: HttpRequest): boolean {
    // The key does not tell bodies apart.
    return this.#methods.has(method) && (body === null || body.whole?.byteLength === 0)
  }

  // -- as a Keeper -------------------------------------------------------------------------------

  /** What comes in has the same bound once more: all that is kept is never given up for it. */
  reserve(bytes: number): boolean {
    if (this.#incomingBytes + bytes > this.#bytesMax) return false
    this.#incomingBytes += bytes
    return true
  }

  unreserve(bytes: number): void {
    this.#incomingBytes -= bytes
  }

  store(
    key: string,
    { status, headers }: { readonly status: number; readonly headers: readonly string[] },
    body: Uint8Array | null,
  ): void {
    const kept = keptFields(headers, body !== null)
    let bytes = ENTRY_BYTES + 2 * key.length + (body === null ? 0 : body.byteLength)
    for (const text of kept) bytes += text.length
    this.#drop(key)
    this.#purge()
    if (bytes > this.#bytesMax) return
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes + bytes <= this.#bytesMax) break
      this.#drop(oldest)
    }
    const ageSeconds = ageOf(headers)
    const storedMs = this.#nowMs()
    this.#entries.set(key, { status, headers: kept, ageSeconds, body, bytes, storedMs })
    this.#bytes += bytes
  }

  #purge(): void {
    const endedMs = this.#nowMs() - this.#expirationMs
    for (const [key, { storedMs }] of this.#entries) {
      if (storedMs > endedMs) return
      this.#drop(key)
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#bytes -= entry.bytes
    this.#entries.delete(key)
  }
}

/** With the query, which Easegress leaves out; no part can hold a line break. */
function keyOf({ method, host, target }: HttpRequest): string {
  return `${method}\n${host.toLowerCase()}\n${target}`
}

/** What a back end has coded is for clients that ask for codings in the same words. */
function codedKey(key: string, { headers }: HttpRequest): string {
  return `${key}\n${headers.values('accept-encoding').join(',')}`
}

const NO_CACHE = ['no-cache']
const NO_STORE = ['no-store', 'no-cache']
const NOT_FOR_ALL = ['no-store', 'no-cache', 'must-revalidate', 'private']

/** These are about a part, or about what the client has; neither is an answer for others. */
const PARTIAL: ReadonlySet<number> = new Set([206, 304])

function isStorable({ headers }: HttpRequest, answer: readonly string[]): boolean {
  // RFC 9111 §3.5: what was shown to somebody who proved who they are.
  if (headers.has('authorization') || headers.has('range')) return false
  if (contains(headers, 'cache-control', NO_STORE)) return false
  for (let i = 0; i < answer.length; i += 2) {
    const value = answer[i + 1] as string
    switch (answer[i]) {
      case 'cache-control':
        if (hasWord(value, NOT_FOR_ALL)) return false
        break
      case 'set-cookie':
        return false
      case 'vary':
        if (!variesByCodingOnly(value)) return false
    }
  }
  return true
}

function variesByCodingOnly(vary: string): boolean {
  for (const name of vary.split(',')) {
    const trimmed = name.trim().toLowerCase()
    if (trimmed !== '' && trimmed !== 'accept-encoding') return false
  }
  return true
}

/** Whether other clients may have to get other bytes. */
function isCoded(answer: readonly string[]): boolean {
  for (let i = 0; i < answer.length; i += 2) {
    if (answer[i] === 'content-encoding' || answer[i] === 'vary') return true
  }
  return false
}

function contains(headers: Headers, name: string, words: readonly string[]): boolean {
  const { flat } = headers
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === name && hasWord(flat[i + 1] as string, words)) return true
  }
  return false
}

function hasWord(value: string, words: readonly string[]): boolean {
  const lower = value.toLowerCase()
  for (const word of words) if (lower.includes(word)) return true
  return false
}

function keptFields(headers: readonly string[], hasBody: boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name === 'age' || (hasBody && name === 'content-length')) continue
    kept.push(name, headers[i + 1] as string)
  }
  return kept
}

/** RFC 9111 §5.1. */
function ageOf(headers: readonly string[]): number {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'age') continue
    const value = headers[i + 1] as string
    return /^\d{1,9}$/.test(value) ? Number(value) : 0
  }
  return 0
}
