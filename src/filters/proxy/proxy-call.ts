import { type Exchange, OK } from '../../http/exchange.js'
import type { UpstreamErrorKind, UpstreamHandler, UpstreamServer } from '../../upstream/contract.js'
import { RelayedCall } from '../relayed-call.js'
import type { Pool, PoolServer } from './pool.js'

const SERVER_ERROR = 4

/** One request of v1: it is sent once, and what comes is the answer. */
export class ProxyCall extends RelayedCall<Pool> implements UpstreamHandler {
  constructor(pool: Pool, ex: Exchange, server: PoolServer) {
    const { request } = ex
    super(pool, ex, request.headers.lend())
    this.target = server.pathPrefix === '' ? request.target : server.pathPrefix + request.target
    this.bytesOut = request.headBytes
  }

  start(server: UpstreamServer): void {
    this.call = this.pool.client.send(server, this, this)
    if (this.body !== null) this.bytesOut += this.body.byteLength
    this.upload?.open(this)
  }

  onHead(status: number, headers: readonly string[], bodyLength: number): void {
    this.isHeadDone = true
    this.status = status
    this.length = bodyLength
    const { ex } = this
    if (!ex.isLive(this.ticket)) return
    let code: number
    try {
      code = this.#taken(status, headers, bodyLength)
    } catch (thrown) {
      this.threw(thrown)
      return
    }
    ex.resume(this.ticket, code)
    // A flow that goes on later takes the body later.
    if (bodyLength !== 0 && this.sink === null) this.call?.pause()
  }

  /** Gives the result of the Proxy. */
  #taken(status: number, headers: readonly string[], bodyLength: number): number {
    const { response } = this.ex
    response.headers.addAll(headers)
    response.status = status
    if (bodyLength !== 0) response.source = this
    const { afterHead } = this.pool
    return afterHead === null ? OK : afterHead.answered(this.ex, headers)
  }

  onError(kind: UpstreamErrorKind, message: string): void {
    this.stopUpload()
    if (this.isHeadDone) {
      this.breakOff(message)
      return
    }
    const { ex } = this
    const status = statusOf(kind)
    this.record(status)
    if (!ex.isLive(this.ticket)) return
    ex.respond(status, Buffer.from(`${reasonOf(kind)}: pool ${this.pool.title}\n`))
    ex.response.headers.set('content-type', 'text/plain; charset=utf-8')
    ex.resume(this.ticket, SERVER_ERROR)
  }
}

/** 504 for our own time-outs, 503 for all else, as v1 has it. */
function statusOf(kind: UpstreamErrorKind): number {
  return kind.endsWith('-timeout') ? 504 : 503
}

function reasonOf(kind: UpstreamErrorKind): string {
  switch (kind) {
    case 'refused':
    case 'unreachable':
    case 'dns':
    case 'tls':
      return 'the back end cannot be reached'
    case 'connect-timeout':
    case 'response-timeout':
    case 'idle-timeout':
      return 'the back end did not answer in time'
    case 'reset':
    case 'closed-early':
    case 'aborted':
      return 'the back end closed the connection'
    case 'malformed':
      return 'the back end gave no valid answer'
    case 'overloaded':
      return 'too many requests wait for the back end'
  }
}
