import type { Headers } from '../../http/headers.js'

/** What identifies a version of a file. */
export interface Version {
  readonly etag: string
  /** Whole seconds, in milliseconds since the Unix epoch. */
  readonly modifiedMs: number
}

/** Whether a request is to be answered with the file (RFC 9110 §13.2.2), else with which status. */
export function judgeConditions(headers: Headers, version: Version): 200 | 304 | 412 {
  const ifMatch = headers.values('if-match').join(',')
  if (ifMatch !== '') {
    if (!names(ifMatch, version.etag, true)) return 412
  } else if (isBefore(headers.get('if-unmodified-since'), version.modifiedMs)) return 412
  const ifNoneMatch = headers.values('if-none-match').join(',')
  if (ifNoneMatch !== '') return names(ifNoneMatch, version.etag, false) ? 304 : 200
  const since = dateIn(headers.get('if-modified-since'))
  return since !== null && version.modifiedMs <= since ? 304 : 200
}

/** Whether the list names the version; weak names count only where that is enough. */
function names(list: string, etag: string, isStrong: boolean): boolean {
  const bare = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag)
  return list.split(',').some((member) => {
    const tag = member.trim()
    if (tag === '*') return true
    if (isStrong) return tag === etag && !tag.startsWith('W/')
    return bare(tag) === bare(etag)
  })
}

const DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/
/** Older forms, which are still to be understood: of RFC 850, and of C's asctime. */
const DATE_OF_850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} [\d:]{8} GMT$/
const DATE_OF_C = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/

/** An HTTP date (RFC 9110 §5.6.7), in milliseconds; null when it is none. */
function dateIn(text: string | null): number | null {
  if (text === null) return null
  if (!DATE.test(text) && !DATE_OF_850.test(text) && !DATE_OF_C.test(text)) return null
  const ms = Date.parse(DATE_OF_C.test(text) ? `${text} GMT` : text)
  return Number.isNaN(ms) ? null : ms
}

function isBefore(text: string | null, modifiedMs: number): boolean {
  const at = dateIn(text)
  return at !== null && modifiedMs > at
}

export interface Range {
  readonly start: number
  /** Of the last byte. */
  readonly end: number
}

/**
 * The one range of bytes that is asked for (RFC 9110 §14.2); null for the whole, as also for several
 * ranges and other units, and 'none' when the file has no such bytes.
 */
export function rangeIn(headers: Headers, size: number, version: Version): Range | null | 'none' {
  const text = headers.get('range')
  if (text === null) return null
  const ifRange = headers.get('if-range')
  if (ifRange !== null && !isSame(ifRange, version)) return null
  const found = /^bytes=(\d*)-(\d*)$/i.exec(text.trim())
  if (found === null) return null
  const [, first = '', last = ''] = found
  if (first === '') {
    const count = Number(last)
    if (last === '') return null
    return count === 0 || size === 0 ? 'none' : { start: Math.max(0, size - count), end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return null
  return start >= size ? 'none' : { start, end }
}

function isSame(ifRange: string, { etag, modifiedMs }: Version): boolean {
  const text = ifRange.trim()
  if (text.startsWith('"') || text.startsWith('W/')) return text === etag && !text.startsWith('W/')
  return dateIn(text) === modifiedMs
}

/** Whether Accept-Encoding lets a coding pass (RFC 9110 §12.5.3); nothing said is no. */
export function accepts(headers: Headers, coding: string): boolean {
  let any = false
  for (const member of headers.values('accept-encoding').join(',').split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim().toLowerCase())
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))
    if (name === coding || name === `x-${coding}`) return !isRefused
    if (name === '*') any = !isRefused
  }
  return any
}
