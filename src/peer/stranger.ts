import type { FrameFault } from './frame.js'

const LINE =
  'This port is for the members of an Easegress cluster and speaks neither HTTP nor the etcd protocol; use egctl, or the admin API.\n'

const ascii = (text: string): Uint8Array =>
  Uint8Array.from(text, (character) => character.charCodeAt(0))

const HTTP1 = ascii(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${LINE.length}\r\nConnection: close\r\n\r\n${LINE}`,
)

/** Frame header of RFC 9113 §4.1 on stream 0, without flags. */
const h2Header = (length: number, type: number): number[] => [
  length >> 16,
  (length >> 8) & 0xff,
  length & 0xff,
  type,
  0,
  ...[0, 0, 0, 0],
]

/**
 * An empty SETTINGS frame, which a server must begin with (RFC 9113 §3.4), and a GOAWAY with the
 * line as debug data (§6.8), which gRPC clients print.
 */
const HTTP2 = Uint8Array.from([
  ...h2Header(0, 4),
  ...h2Header(8 + LINE.length, 7),
  ...[0, 0, 0, 0],
  ...[0, 0, 0, 1],
  ...ascii(LINE),
])

/** What a client that came to the wrong port is told before it is cut off; null: nothing. */
export function strangerAnswer(code: FrameFault['code']): Uint8Array | null {
  if (code === 'http') return HTTP1
  return code === 'http2' ? HTTP2 : null
}
