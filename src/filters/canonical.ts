import { createHash } from 'node:crypto'
import type { HttpRequest } from '../http/message.js'

/**
 * The form of a request that is signed, steps 7 to 10 of compat/traffic-v1.md §6.14: that of AWS
 * Signature Version 4 without normalisation of paths. All text is bytes as Latin-1.
 */

/** A query parameter, decoded. */
export type Pair = readonly [name: string, value: string]

/** Easegress sorts decoded parameters and writes `+` for a blank; AWS sorts encoded ones, `%20`. */
type QueryForm = 'easegress' | 'aws'

/**
 * The parameters of a query. Null when an escape in it is malformed: Easegress leaves such
 * parameters out, so whoever likes could add one to a signed request.
 */
export function parseQuery(query: string): Pair[] | null {
  const pairs: Pair[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals))
    const value = equals < 0 ? '' : decode(part.slice(equals + 1))
    if (name === null || value === null) return null
    pairs.push([name, value])
  }
  return pairs
}

function decode(text: string): string | null {
  if (!text.includes('%')) return text.replaceAll('+', ' ')
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return null
  return text
    .replaceAll('+', ' ')
    .replace(/%(..)/g, (_escape, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    )
}

export function canonicalQuery(pairs: readonly Pair[], form: QueryForm): string {
  const encoded =
    form === 'aws'
      ? sorted(pairs.map((pair) => encode(pair, '%20')))
      : sorted(pairs).map((pair) => encode(pair, '+'))
  return encoded.map(([name, value]) => `${name}=${value}`).join('&')
}

function sorted(pairs: readonly Pair[]): Pair[] {
  return [...pairs].sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function encode([name, value]: Pair, blank: string): Pair {
  const encodeText = (text: string): string =>
    text.replace(/[^A-Za-z0-9\-._~]/g, (unit) => (unit === ' ' ? blank : escaped(unit)))
  return [encodeText(name), encodeText(value)]
}

function escaped(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** What is escaped in the path already is escaped once more. */
export function canonicalPath(rawPath: string): string {
  return rawPath === '' ? '/' : rawPath.replace(/[^A-Za-z0-9\-._~/]/g, escaped)
}

/** A line for each of `names`; null when one of them is not there. */
export function canonicalHeaders(
  { headers, host }: HttpRequest,
  names: readonly string[],
): string | null {
  let lines = ''
  for (const name of names) {
    const lower = name.toLowerCase()
    const values = lower === 'host' ? [host.replace(/:$/, '')] : headers.values(lower)
    if (values.length === 0) return null
    lines += `${name}:${values.map(collapsed).join(',')}\n`
  }
  return lines
}

/** Without blanks at either end, and one in place of several elsewhere. */
function collapsed(value: string): string {
  const single = value.replace(/ {2,}/g, ' ')
  const start = single.startsWith(' ') ? 1 : 0
  const end = single.endsWith(' ') ? single.length - 1 : single.length
  return start === 0 && end === single.length ? single : single.slice(start, Math.max(start, end))
}

export function sha256Hex(data: string | Uint8Array): string {
  const hash = createHash('sha256')
  return (typeof data === 'string' ? hash.update(data, 'latin1') : hash.update(data)).digest('hex')
}
