import type { Exchange } from '../http/exchange.js'

let lastSecond = -1
let lastText = ''

/** RFC 3339 in UTC with milliseconds; the part down to the second is made once a second. */
function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastText = new Date(second * 1000).toISOString().slice(0, 19)
  }
  const rest = Math.floor(ms - second * 1000)
  return `${lastText}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`
}

const ADDRESS = /^[0-9A-Fa-f.:]{2,45}$/

/** X-Real-Ip is the client's own word: only what looks like an address gets into the log. */
function addressOf(ex: Exchange): string {
  const address = ex.realIp
  return ADDRESS.test(address) ? address : '-'
}

/** One line of the access log (compat/control-plane.md §1.7), without its newline. */
export function accessLine(ex: Exchange, status: number, durationMs: number): string {
  const { request } = ex
  const query = request.query === '' ? '' : `?${request.query}`
  const started = timestamp(Date.now() - durationMs)
  const pipeline = ex.engine === null ? '' : ` [pipeline: ${ex.engine.name}]`
  return (
    `[${started}] [${addressOf(ex)} ${request.method} ${request.rawPath}${query} HTTP/1.1 ${status}] ` +
    `[${durationMs.toFixed(3)}ms rx:${request.headBytes + ex.bodyBytesIn}B ` +
    `tx:${ex.bodyBytesOut}B]${pipeline}`
  )
}
