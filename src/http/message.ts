import type { BodySource, RequestBody } from './body.js'
import { Headers } from './headers.js'
import { decodePath, encodePath } from './path.js'

/**
 * A request as filters see it. `path` is decoded text, as routing rules and filters mean it; the
 * bytes as they came are kept beside it and are what goes to a back end unless a filter changed
 * the path.
 */
export class HttpRequest {
  method = ''
  /** As it came: percent-encoded, ASCII only, begins with '/'. */
  rawPath = ''
  /** Without the '?'. Empty when there is none. */
  query = ''
  /** The Host field, port included, as it came. */
  host = ''
  readonly headers = new Headers()
  body: RequestBody | null = null
  /** Request line and fields, in bytes; for the statistics. */
  headBytes = 0
  #path: string | null = null
  #pathChanged = false

  /** False in a namespace in which no filter has made a request. */
  get isPresent(): boolean {
    return this.method !== ''
  }

  reset(): void {
    this.method = ''
    this.rawPath = ''
    this.query = ''
    this.host = ''
    this.headers.clear()
    this.body = null
    this.headBytes = 0
    this.#path = null
    this.#pathChanged = false
  }

  get path(): string {
    if (this.#path === null) this.#path = decodePath(this.rawPath)
    return this.#path
  }

  set path(path: string) {
    if (path === this.path) return
    this.#path = path
    // Changed back (a retry does), it goes out as it came: `%2F` is not `/`.
    this.#pathChanged = path !== decodePath(this.rawPath)
  }

  /** Path and query as they go on a request line: percent-encoded ASCII. */
  get target(): string {
    const path = this.#pathChanged ? encodePath(this.#path ?? '/') : this.rawPath
    return this.query === '' ? path : `${path}?${this.query}`
  }
}

/** The answer while filters shape it. At most one of `body` and `source` is set. */
export class HttpResponse {
  /** 0: there is no answer yet; only in v2, where a filter has to make one. */
  status = 200
  readonly headers = new Headers()
  #body: Uint8Array | null = null
  #source: BodySource | null = null

  reset(): void {
    this.status = 200
    this.headers.clear()
    this.#body = null
    this.#source = null
  }

  /** False while no filter of a v2 flow has made an answer. */
  get isPresent(): boolean {
    return this.status !== 0
  }

  /** For a filter that adds to an answer: makes an empty one (200) where there is none. */
  ensure(): void {
    if (this.status === 0) this.status = 200
  }

  /** Forgets all that was set, and gives a stream back to where it came from. */
  discard(): void {
    const source = this.#source
    this.reset()
    if (source !== null) source.cancel()
  }

  get body(): Uint8Array | null {
    return this.#body
  }

  /** Replaces the body; a stream that was there is cancelled. Framing fields go with it. */
  set body(body: Uint8Array | null) {
    const source = this.#source
    this.#source = null
    this.#body = body
    this.headers.delete('content-length')
    if (source !== null) source.cancel()
  }

  get source(): BodySource | null {
    return this.#source
  }

  /** Replaces the body; another stream that was there is cancelled. */
  set source(source: BodySource | null) {
    const previous = this.#source
    this.#body = null
    this.#source = source
    if (previous !== null && previous !== source) previous.cancel()
  }

  /** Hands the stream to its one consumer. */
  takeSource(): BodySource | null {
    const source = this.#source
    this.#source = null
    return source
  }
}
