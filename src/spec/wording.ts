import { suggest } from '../lib/suggest.js'

/** `1..10`, `at least 1`, `at most 10`. */
export function range(min: number | undefined, max: number | undefined): string {
  return rangeOf(min === undefined ? null : `${min}`, max === undefined ? null : `${max}`)
}

/** The same for limits that are not plain numbers. */
export function rangeOf(min: string | null, max: string | null): string {
  if (min !== null && max !== null) return `${min}..${max}`
  if (min !== null) return `at least ${min}`
  return max === null ? 'any' : `at most ${max}`
}

/** Goes on a noun: ` in 1..10`, ` of at least 1`, or nothing. */
export function within(min: number | undefined, max: number | undefined): string {
  if (min === undefined && max === undefined) return ''
  return min !== undefined && max !== undefined
    ? ` in ${range(min, max)}`
    : ` of ${range(min, max)}`
}

/** For the constraints column of a table. */
export function limits(min: number | undefined, max: number | undefined): string[] {
  return min === undefined && max === undefined ? [] : [range(min, max)]
}

export function didYouMean(value: unknown, candidates: Iterable<string>): string | null {
  const nearest = typeof value === 'string' ? suggest(value, candidates) : null
  return nearest === null ? null : `did you mean "${nearest}"?`
}

const SHOWN_MAX = 60

/** A refused value as a message quotes it: short, on one line, never more than a glance. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length <= SHOWN_MAX ? value : `${value.slice(0, SHOWN_MAX)}…`)
}
