import { fromLatin1, type Headers } from './headers.js'

/** The value of the first cookie of that name in a request (RFC 6265 §5.4), unquoted; or null. */
export function cookieValue(headers: Headers, name: string): string | null {
  const { flat } = headers
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'cookie') continue
    for (const pair of (flat[i + 1] as string).split(';')) {
      const equals = pair.indexOf('=')
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
      const value = pair.slice(equals + 1).trim()
      const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
      return fromLatin1(isQuoted ? value.slice(1, -1) : value)
    }
  }
  return null
}

/** Whether an answer sets a cookie of that name. */
export function setsCookie(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'set-cookie') continue
    const value = headers[i + 1] as string
    const equals = value.indexOf('=')
    if (equals > 0 && value.slice(0, equals).trim() === name) return true
  }
  return false
}
