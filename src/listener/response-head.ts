import { STATUS_CODES } from 'node:http'
import type { HttpResponse } from '../http/message.js'

const STATUS_LINES: string[] = []
for (let status = 0; status < 1000; status++) {
  STATUS_LINES.push(`${status} ${STATUS_CODES[status] ?? 'Status'}`)
}

const BEYOND_ASCII = /[\u0080-\uffff]/

/** The head made last: most answers of a worker differ from the one before in their body only. */
let lastHead: string | Uint8Array = ''
let lastStatus = 0
let lastClose = false
let lastKeepLength = false
let lastFlat: readonly string[] = []

/** Texts of the same origin are the same object, which makes this a few comparisons of pointers. */
function isLast(flat: readonly string[]): boolean {
  if (flat === lastFlat) return true
  if (flat.length !== lastFlat.length) return false
  for (let i = 0; i < flat.length; i++) if (flat[i] !== lastFlat[i]) return false
  return true
}

/**
 * Status line and fields as the one text that `writeStatus` takes. Framing belongs to uWS, and so
 * does Date; with `keepLength` (answers to HEAD) Content-Length is ours. Latin-1 bytes when the
 * text is not plain ASCII, since uWS sends texts as UTF-8.
 */
export function responseHead(
  response: HttpResponse,
  close: boolean,
  keepLength: boolean,
): string | Uint8Array {
  const { status, headers } = response
  if (
    status === lastStatus &&
    close === lastClose &&
    keepLength === lastKeepLength &&
    isLast(headers.flat)
  ) {
    return lastHead
  }
  lastHead = makeHead(response, close, keepLength)
  lastStatus = status
  lastClose = close
  lastKeepLength = keepLength
  lastFlat = headers.lend()
  return lastHead
}

function makeHead(
  response: HttpResponse,
  close: boolean,
  keepLength: boolean,
): string | Uint8Array {
  let head = STATUS_LINES[response.status] ?? `${response.status} Status`
  const flat = response.headers.flat
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    switch (name.length) {
      case 4:
        if (name === 'date') continue
        break
      case 10:
        if (name === 'connection' || name === 'keep-alive') continue
        break
      case 14:
        if (name === 'content-length' && !keepLength) continue
        break
      case 17:
        if (name === 'transfer-encoding') continue
        break
    }
    head += `\r\n${name}: ${flat[i + 1] as string}`
  }
  if (close) head += '\r\nconnection: close'
  return BEYOND_ASCII.test(head) ? Buffer.from(head, 'latin1') : head
}

/** True when an answer with this status never has a body, whatever its fields say. */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304 || status < 200
}
