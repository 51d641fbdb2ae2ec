import { isUtf8 } from 'node:buffer'

const OCTETS = /(?:%[0-9A-Fa-f]{2})+/g

/**
 * The path of a request target as text: percent-encoded octets read as UTF-8. A run of octets
 * that is not valid UTF-8 (or a stray '%') stays as it was written.
 */
export function decodePath(rawPath: string): string {
  if (!rawPath.includes('%')) return rawPath
  try {
    return decodeURIComponent(rawPath)
  } catch {
    // Not by another try: a throw costs four times as much, and a client picks how many there are.
    return rawPath.replace(OCTETS, (run) => {
      const octets = Buffer.from(run.replaceAll('%', ''), 'hex')
      return isUtf8(octets) ? octets.toString('utf8') : run
    })
  }
}

const MUST_ENCODE = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]+/g

/** Text as a path that may go on a request line (RFC 3986 §3.3): all else becomes UTF-8 octets. */
export function encodePath(path: string): string {
  const rooted = path.startsWith('/') ? path : `/${path}`
  return rooted.replace(MUST_ENCODE, (run) => {
    let encoded = ''
    for (const byte of Buffer.from(run, 'utf8')) {
      encoded += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`
    }
    return encoded
  })
}
