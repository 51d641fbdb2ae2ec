import { type BodySink, type BodySource, RequestBody } from './body.js'
import { ABORTED, DONE, Exchange, type Responder } from './exchange.js'

/** How far an answer has come. */
export type Ending = 'open' | 'complete' | 'broken' | 'cut' | 'gone'

export interface FakeRequest {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  /** Names in lower case. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Text is a body at hand; a source streams. */
  readonly body?: string | FakeBody
  readonly address?: string
}

/**
 * A client without a socket: it writes down what it is sent, and keeps the rules that listeners
 * keep (who is told what, in which order, when an exchange ends).
 */
export class FakeClient implements Responder, BodySink {
  readonly ex: Exchange
  status = 0
  headers: string[] = []
  readonly chunks: Buffer[] = []
  ending: Ending = 'open'
  sends = 0
  cuts = 0
  /** Why the body broke off. */
  reason = ''
  /** Pauses the body after so many chunks; `resume` takes so many more. */
  chunksAtOnce = Number.POSITIVE_INFINITY
  readonly #address: string
  readonly #requestBody: FakeBody | null
  #source: BodySource | null = null
  #room = 0

  constructor(request: FakeRequest = {}, ex = new Exchange()) {
    this.ex = ex
    this.#address = request.address ?? '192.0.2.1'
    ex.responder = this
    ex.request.method = request.method ?? 'GET'
    ex.request.rawPath = request.path ?? '/'
    ex.request.query = request.query ?? ''
    ex.request.host = 'gateway.test'
    for (const [name, value] of request.headers ?? []) ex.request.headers.add(name, value)
    const { body } = request
    this.#requestBody = body instanceof FakeBody ? body : null
    if (typeof body === 'string') ex.request.body = RequestBody.of(Buffer.from(body))
    else if (body !== undefined) {
      body.ex = ex
      ex.request.body = new RequestBody(body, null)
    }
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  get bodyBytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  }

  header(name: string): string | null {
    const at = this.headers.findIndex((each, i) => i % 2 === 0 && each === name)
    return at < 0 ? null : (this.headers[at + 1] as string)
  }

  send(ex: Exchange): void {
    this.sends += 1
    this.status = ex.response.status
    this.headers = [...ex.response.headers.flat]
    const source = ex.response.takeSource()
    if (source === null) {
      if (ex.response.body !== null) this.chunks.push(Buffer.from(ex.response.body))
      this.#over('complete')
      return
    }
    this.#source = source
    this.#room = this.chunksAtOnce
    source.open(this)
  }

  data(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk))
    this.#room -= 1
    if (this.#room <= 0) this.#source?.pause()
  }

  /** Takes more of a body that was paused. */
  resume(): void {
    this.#room = this.chunksAtOnce
    this.#source?.resume()
  }

  end(): void {
    this.#source = null
    this.#over('complete')
  }

  fail(reason: string): void {
    this.#source = null
    this.reason = reason
    this.#over('broken')
  }

  cut(): void {
    this.cuts += 1
    this.#leave('cut')
  }

  /** The client goes away. */
  abort(): void {
    this.#leave('gone')
  }

  peerAddress(): string {
    return this.#address
  }

  #leave(ending: Ending): void {
    const ex = this.ex
    if (ex.state === DONE || ex.state === ABORTED) return
    const source = this.#source
    this.#source = null
    ex.engine?.aborted(ex)
    ex.state = ABORTED
    source?.cancel()
    this.#requestBody?.clientGone()
    this.#over(ending)
  }

  #over(ending: Ending): void {
    this.ending = ending
    const { ex } = this
    const { engine } = ex
    if (ex.state !== ABORTED) ex.state = DONE
    ex.owner?.finished(ex)
    engine?.unpin()
  }
}

/** A request body that a test feeds piece by piece. */
export class FakeBody implements BodySource {
  readonly length: number
  ex: Exchange | null = null
  isOpen = false
  isPaused = false
  isCancelled = false
  #sink: BodySink | null = null

  constructor(length = -1) {
    this.length = length
  }

  open(sink: BodySink): void {
    this.isOpen = true
    this.#sink = sink
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  cancel(): void {
    this.isCancelled = true
    this.#sink = null
  }

  push(chunk: string | Uint8Array): void {
    this.#guarded((sink) => sink.data(Buffer.from(chunk as string)))
  }

  end(): void {
    this.#guarded((sink) => {
      this.#sink = null
      sink.end()
    })
  }

  clientGone(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.fail('client gone')
  }

  /** As a listener delivers: what throws costs the exchange, not the caller. */
  #guarded(give: (sink: BodySink) => void): void {
    const sink = this.#sink
    if (sink === null) return
    const ex = this.ex as Exchange
    ex.enter((_ex, to) => give(to), sink)
  }
}

/** A response body that a test feeds, or that comes at once when it has `text`. */
export class FakeResponseBody implements BodySource {
  readonly length: number
  isOpen = false
  isPaused = false
  cancels = 0
  readonly #text: string | null
  #sink: BodySink | null = null

  constructor(text: string | null, length = text === null ? -1 : text.length) {
    this.#text = text
    this.length = length
  }

  open(sink: BodySink): void {
    this.isOpen = true
    this.#sink = sink
    if (this.#text === null) return
    this.push(this.#text)
    this.end()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  cancel(): void {
    this.cancels += 1
    this.#sink = null
  }

  push(chunk: string): void {
    this.#sink?.data(Buffer.from(chunk))
  }

  end(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end()
  }

  fail(reason: string): void {
    const sink = this.#sink
    this.#sink = null
    sink?.fail(reason)
  }
}
