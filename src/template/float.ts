/** Decimal digits of a number: `0.d1d2d3… × 10^point`; no digits for zero. */
interface Digits {
  readonly digits: string
  readonly point: number
}

/** Doubles have no more digits than this. */
const EXACT_MAX = 1_100

/**
 * Formats as Go's `strconv.FormatFloat(value, verb, precision, 64)`; precision -1 is the shortest
 * that reads back as the same number. Exact for every precision, ties to even.
 */
export function formatFloat(
  value: number,
  verb: 'e' | 'E' | 'f' | 'g' | 'G',
  precision: number,
): string {
  if (Number.isNaN(value)) return 'NaN'
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  const size = Math.abs(value)
  if (size === Number.POSITIVE_INFINITY) return sign === '' ? '+Inf' : '-Inf'
  const exponentSign = verb === 'E' || verb === 'G' ? 'E' : 'e'
  if (verb === 'f') {
    const digits = precision < 0 ? shortest(size) : fixed(size, precision)
    return sign + plain(digits, precision < 0 ? fractionOf(digits) : precision)
  }
  if (verb === 'e' || verb === 'E') {
    const digits = precision < 0 ? shortest(size) : significant(size, precision + 1)
    const shown = precision < 0 ? Math.max(digits.digits.length - 1, 0) : precision
    return sign + scientific(digits, shown, exponentSign)
  }
  return sign + general(size, precision, exponentSign)
}

function general(size: number, precision: number, exponentSign: string): string {
  const isShortest = precision < 0
  const wanted = precision === 0 ? 1 : precision
  const digits = isShortest ? shortest(size) : significant(size, wanted)
  const count = digits.digits.length
  let limit = wanted
  if (limit > count && count >= digits.point) limit = count
  if (isShortest) limit = 6
  const exponent = count === 0 ? 0 : digits.point - 1
  if (exponent < -4 || exponent >= limit) {
    return scientific(digits, Math.max(count - 1, 0), exponentSign)
  }
  return plain(digits, fractionOf(digits))
}

function fractionOf({ digits, point }: Digits): number {
  return Math.max(digits.length - point, 0)
}

function plain({ digits, point }: Digits, fraction: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0'
  if (fraction === 0) return whole
  const rest = point > 0 ? digits.slice(point) : '0'.repeat(Math.min(-point, fraction)) + digits
  return `${whole}.${rest.slice(0, fraction).padEnd(fraction, '0')}`
}

function scientific({ digits, point }: Digits, fraction: number, sign: string): string {
  const exponent = digits === '' ? 0 : point - 1
  const first = digits === '' ? '0' : digits[0]
  const rest = fraction === 0 ? '' : `.${digits.slice(1, fraction + 1).padEnd(fraction, '0')}`
  const size = String(Math.abs(exponent)).padStart(2, '0')
  return `${first}${rest}${sign}${exponent < 0 ? '-' : '+'}${size}`
}

function shortest(size: number): Digits {
  if (size === 0) return { digits: '', point: 0 }
  const [mantissa = '', exponent = '0'] = size.toExponential().split('e')
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 }
}

/** With so many digits behind the point. */
function fixed(size: number, precision: number): Digits {
  const places = Math.min(precision, EXACT_MAX)
  const text = scaled(size, places).toString()
  return text === '0' ? { digits: '', point: 0 } : { digits: text, point: text.length - places }
}

/** With so many digits, but none of the zeros at their end. */
function significant(size: number, count: number): Digits {
  if (size === 0) return { digits: '', point: 0 }
  const wanted = Math.min(count, EXACT_MAX)
  let { point } = shortest(size)
  let text = scaled(size, wanted - point).toString()
  // Close to a power of ten the shortest form may be one off.
  if (text.length < wanted) {
    point -= 1
    text = scaled(size, wanted - point).toString()
  } else if (text.length > wanted) point += 1
  return { digits: text.slice(0, wanted).replace(/0+$/, ''), point }
}

const bits = new DataView(new ArrayBuffer(8))

/** size × 10^places as a whole number, ties to even. */
function scaled(size: number, places: number): bigint {
  bits.setFloat64(0, size)
  const raw = bits.getBigUint64(0)
  const biased = Number(raw >> 52n)
  const fraction = raw & (2n ** 52n - 1n)
  const exponent = (biased === 0 ? 1 : biased) - 1_075
  let numerator = biased === 0 ? fraction : fraction | (1n << 52n)
  let denominator = 1n
  if (exponent > 0) numerator <<= BigInt(exponent)
  else denominator <<= BigInt(-exponent)
  if (places > 0) numerator *= 10n ** BigInt(places)
  else denominator *= 10n ** BigInt(-places)
  const quotient = numerator / denominator
  const twice = (numerator % denominator) * 2n
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n)
  return isUp ? quotient + 1n : quotient
}
