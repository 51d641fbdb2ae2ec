import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../lib/errors.js'

/** Largest body of a request in bytes. */
const BODY_BYTES_MAX = 4 * 1024 * 1024

/**
 * The body as text. Rejects with DOCUMENT_TOO_LARGE as soon as the limit is passed, at once when
 * `Content-Length` says so, and reads no further; with REQUEST_INVALID for what is not UTF-8 or
 * ends before its end. `start` is called before the first byte is wanted (`100 Continue`).
 */
export async function readBody(request: IncomingMessage, start: () => void): Promise<string> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new GatewayError('REQUEST_INVALID', `Content-Encoding ${encoding} is not supported`)
  }
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  start()
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    // Without destroyOnReturn the socket would be gone before the answer is written.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > BODY_BYTES_MAX) throw tooLarge()
      chunks.push(chunk as Buffer)
    }
  } catch (thrown) {
    if (thrown instanceof GatewayError) throw thrown
    throw new GatewayError('REQUEST_INVALID', 'the body ended early', {}, { cause: thrown })
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks))
  } catch (thrown) {
    throw new GatewayError('REQUEST_INVALID', 'the body is not UTF-8', {}, { cause: thrown })
  }
}

function tooLarge(): GatewayError {
  return new GatewayError('DOCUMENT_TOO_LARGE', `the body is larger than ${BODY_BYTES_MAX} bytes`)
}
