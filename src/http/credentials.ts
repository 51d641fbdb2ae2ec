import type { Headers } from './headers.js'

const BEARER = 'Bearer '

/**
 * What follows `Bearer ` (in this case, as in Easegress) in the Authorization field; null when
 * there is no such field, several of them, another scheme, or nothing behind it.
 */
export function bearerToken(headers: Headers): string | null {
  const flat = headers.flat
  let value: string | null = null
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] !== 'authorization') continue
    // Whoever reads the other one would act on what was never checked.
    if (value !== null) return null
    value = flat[i + 1] as string
  }
  if (value === null || !value.startsWith(BEARER) || value.length === BEARER.length) return null
  return value.slice(BEARER.length)
}

/**
 * Every value of the cookie `name` (RFC 6265 §4.2.1), in order, over all Cookie fields; quotes
 * around a value are taken off.
 */
export function cookieValues(headers: Headers, name: string): string[] {
  const flat = headers.flat
  const found: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === 'cookie') takeCookies(flat[i + 1] as string, name, found)
  }
  return found
}

function takeCookies(field: string, name: string, found: string[]): void {
  let start = 0
  while (start < field.length) {
    const semicolon = field.indexOf(';', start)
    const end = semicolon < 0 ? field.length : semicolon
    const equals = field.indexOf('=', start)
    if (equals >= 0 && equals < end && field.slice(start, equals).trim() === name) {
      found.push(unquoted(field.slice(equals + 1, end).trim()))
    }
    start = end + 1
  }
}

function unquoted(value: string): string {
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
  return isQuoted ? value.slice(1, -1) : value
}
