import type { Exchange } from '../http/exchange.js'
import type { HttpResponse } from '../http/message.js'
import { CodedBody, forbidsTransform, haveOtherBytes } from './coded-body.js'
import { WholeBody } from './whole-body.js'

/** Bodies taken apart at the same time in one filter of a worker, about 50 KB each; more go as is. */
const STREAMS_MAX = 512

/**
 * Takes gzip off answers to requests that said nothing of codings, as Go's HTTP client does for
 * Easegress: such a client may not know what to do with it.
 */
export class UnaskedCoding {
  #streams = 0
  readonly #released = (): void => {
    this.#streams -= 1
  }

  /** Bodies that are taken apart at this time. */
  get streams(): number {
    return this.#streams
  }

  /** What comes of a body breaks off beyond `bytesMax`; negative: there is no limit. */
  apply(ex: Exchange, bytesMax: number): void {
    const { request, response } = ex
    if (!isGzipped(response)) return
    const { body, headers } = response
    const asked = request.headers
    // Who asks for a part means a part of the bytes that are there.
    if ((asked.get('accept-encoding') ?? '') !== '' || asked.has('range')) return
    if (forbidsTransform(headers) || this.#streams >= STREAMS_MAX) return
    const source = body === null ? response.takeSource() : new WholeBody(body)
    if (source === null) return
    this.#streams += 1
    const most = bytesMax < 0 ? Number.POSITIVE_INFINITY : bytesMax
    response.source = CodedBody.unpacked(source, most, ex, this.#released)
    headers.delete('content-encoding')
    haveOtherBytes(headers)
  }
}

/** Whether there is anything for {@link UnaskedCoding.apply} to look at. */
export function isGzipped({ source, body, headers }: HttpResponse): boolean {
  if (source === null && body === null) return false
  if (headers.get('content-encoding')?.toLowerCase() !== 'gzip') return false
  // A second field says that it was coded twice (RFC 9110 §8.4).
  return headers.values('content-encoding').length === 1
}
