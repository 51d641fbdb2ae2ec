import { parseDuration } from '../lib/duration.js'
import type { BuiltinTable } from './builtins.js'
import type { Value } from './value.js'

const NS_PER_MS = 1e6
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

/** A time in nanoseconds, or a pair of it and the name of a time zone, as parts in that zone. */
function parts(value: Value | undefined): readonly number[] | undefined {
  const [ns, zone] = Array.isArray(value) ? (value as readonly Value[]) : [value, 'UTC']
  if (typeof ns !== 'number') return undefined
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone === '' || zone === undefined ? 'UTC' : String(zone),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    const found = Object.fromEntries(
      format.formatToParts(ns / NS_PER_MS).map(({ type, value: text }) => [type, Number(text)]),
    )
    return ['year', 'month', 'day', 'hour', 'minute', 'second'].map((name) => found[name] as number)
  } catch {
    return undefined
  }
}

/** Times: nanoseconds since the Unix epoch, exact to about a microsecond as doubles are. */
export const timeBuiltins: BuiltinTable = {
  'time.now_ns': [0, (_args, run) => run.nowMs * NS_PER_MS],
  'time.parse_rfc3339_ns': [
    1,
    ([text]) => {
      if (typeof text !== 'string' || !RFC_3339.test(text)) return undefined
      const ms = Date.parse(text)
      return Number.isNaN(ms) ? undefined : ms * NS_PER_MS
    },
  ],
  'time.parse_duration_ns': [
    1,
    ([text]) => {
      const ms = typeof text === 'string' ? parseDuration(text) : null
      return ms === null ? undefined : ms * NS_PER_MS
    },
  ],
  'time.date': [1, ([value]) => parts(value)?.slice(0, 3)],
  'time.clock': [1, ([value]) => parts(value)?.slice(3)],
  'time.weekday': [
    1,
    ([value]) => {
      const [year, month, day] = parts(value) ?? []
      if (year === undefined) return undefined
      return WEEKDAYS[new Date(Date.UTC(year, (month as number) - 1, day)).getUTCDay()]
    },
  ],
}
