/** Nanoseconds of each unit that Go's `time.ParseDuration` knows. */
const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n, // U+00B5 micro sign
  μs: 1_000n, // U+03BC Greek mu
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}

const NS_PER_MS = 1_000_000n
/** Go keeps durations in a signed 64-bit number of nanoseconds, about 292 years. */
const NS_MAX = 2n ** 63n - 1n
/** Bounds the arithmetic on hostile digits. */
const TEXT_MAX = 100

const TERM = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y

/**
 * Milliseconds, with a fraction when there are finer units, of a duration as Go writes it: an
 * optional sign, then decimal numbers with a unit each, as in `1h30m` or `1.5s`; the bare `0` is
 * one too. Null for anything else. Digits below a nanosecond are cut off.
 */
export function parseDuration(text: string): number | null {
  if (text.length > TEXT_MAX) return null
  const isNegative = text.startsWith('-')
  const start = isNegative || text.startsWith('+') ? 1 : 0
  if (text.slice(start) === '0') return 0
  if (text.length === start) return null
  let ns = 0n
  for (let at = start; at < text.length; at = TERM.lastIndex) {
    TERM.lastIndex = at
    const term = TERM.exec(text)
    if (term === null) return null
    ns += termNs(term[1]!, UNIT_NS[term[2]!]!)
  }
  if (ns > NS_MAX) return null
  const ms = Number(ns / NS_PER_MS) + Number(ns % NS_PER_MS) / Number(NS_PER_MS)
  return isNegative && ms !== 0 ? -ms : ms
}

function termNs(digits: string, unitNs: bigint): bigint {
  const [whole = '', fraction = ''] = digits.split('.')
  const scale = 10n ** BigInt(fraction.length)
  return BigInt(whole) * unitNs + (BigInt(fraction) * unitNs) / scale
}

/**
 * As Go prints a duration: `1h30m0s`, `1.5s`, `500ms`, `0s`. Rounds to nanoseconds; what it gives,
 * {@link parseDuration} takes. `ms` has to be finite.
 */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  const wholeMs = Math.trunc(ms)
  const ns = BigInt(wholeMs) * NS_PER_MS + BigInt(Math.round((ms - wholeMs) * Number(NS_PER_MS)))
  if (ns === 0n) return '0s'
  for (const unit of ['ns', 'µs', 'ms']) {
    if (ns < UNIT_NS[unit]! * 1_000n) return `${decimal(ns, UNIT_NS[unit]!)}${unit}`
  }
  const hours = ns / UNIT_NS['h']!
  const minutes = (ns % UNIT_NS['h']!) / UNIT_NS['m']!
  const seconds = `${decimal(ns % UNIT_NS['m']!, UNIT_NS['s']!)}s`
  if (hours > 0n) return `${hours}h${minutes}m${seconds}`
  return minutes > 0n ? `${minutes}m${seconds}` : seconds
}

/** `ns / unit` with as many decimals as it has; `unit` is a power of ten. */
function decimal(ns: bigint, unit: bigint): string {
  const decimals = unit.toString().length - 1
  const fraction = (ns % unit).toString().padStart(decimals, '0').replace(/0+$/, '')
  const whole = (ns / unit).toString()
  return fraction === '' || decimals === 0 ? whole : `${whole}.${fraction}`
}
