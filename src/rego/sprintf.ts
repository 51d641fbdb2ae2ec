import { isArray, RegoObject, RegoSet, toJson, type Value } from './value.js'

const VERB = /%([-+# 0]*)([0-9]{1,3})?(?:\.([0-9]{1,3}))?([a-zA-Z%])/g

/** Go's `Sprintf` for the verbs that make sense for values of Rego: `%s %v %d %f %e %g %x %X %o %b %q %t %c`. */
export function formatted(format: string, args: readonly Value[]): string {
  let used = 0
  const text = format.replace(VERB, (_all, flags: string, width, precision, verb: string) => {
    if (verb === '%') return '%'
    const value = args[used]
    used += 1
    if (value === undefined) return `%!${verb}(MISSING)`
    const body = one(value, verb, flags, precision === undefined ? null : Number(precision))
    return padded(body, flags, width === undefined ? 0 : Number(width))
  })
  if (used >= args.length) return text
  const extra = args.slice(used).map((value) => `${goType(value)}=${shown(value)}`)
  return `${text}%!(EXTRA ${extra.join(', ')})`
}

function one(value: Value, verb: string, flags: string, precision: number | null): string {
  const wrong = (): string => `%!${verb}(${goType(value)}=${shown(value)})`
  switch (verb) {
    case 'v':
      return shown(value)
    case 's': {
      if (typeof value === 'number') return wrong()
      const text = shown(value)
      return precision === null ? text : [...text].slice(0, precision).join('')
    }
    case 'q':
      return JSON.stringify(shown(value))
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong()
    case 'd':
    case 'o':
    case 'b':
    case 'x':
    case 'X':
      return whole(value, verb, flags) ?? wrong()
    case 'c':
      return typeof value === 'number' ? String.fromCodePoint(value) : wrong()
    case 'f':
    case 'F':
      return typeof value === 'number' ? signed(value.toFixed(precision ?? 6), flags) : wrong()
    case 'e':
    case 'g':
      return typeof value === 'number' ? signed(exponent(value, verb, precision), flags) : wrong()
    default:
      return wrong()
  }
}

const BASES: Readonly<Record<string, number>> = { d: 10, o: 8, b: 2, x: 16, X: 16 }

function whole(value: Value, verb: string, flags: string): string | null {
  if (typeof value === 'string' && (verb === 'x' || verb === 'X')) {
    const hex = Buffer.from(value).toString('hex')
    return verb === 'X' ? hex.toUpperCase() : hex
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) return null
  const digits = value.toString(BASES[verb])
  return signed(verb === 'X' ? digits.toUpperCase() : digits, flags)
}

function signed(text: string, flags: string): string {
  return flags.includes('+') && !text.startsWith('-') ? `+${text}` : text
}

function exponent(value: number, verb: string, precision: number | null): string {
  if (verb === 'g')
    return precision === null ? String(value) : String(Number(value.toPrecision(precision)))
  return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2')
}

function padded(text: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (!flags.includes('0')) return text.padStart(width)
  const sign = /^[+-]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(width - sign.length, '0')
}

/** As `%v` writes it: texts bare outside, quoted within a collection. */
function shown(value: Value): string {
  if (typeof value === 'string') return value
  return literal(value)
}

function literal(value: Value): string {
  if (value instanceof RegoSet) {
    return value.size === 0 ? 'set()' : `{${value.values().map(literal).join(', ')}}`
  }
  if (value instanceof RegoObject) {
    return `{${value
      .entries()
      .map(([key, item]) => `${literal(key)}: ${literal(item)}`)
      .join(', ')}}`
  }
  if (isArray(value)) return `[${value.map(literal).join(', ')}]`
  return JSON.stringify(toJson(value))
}

function goType(value: Value): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  return typeof value === 'boolean' ? 'bool' : 'string'
}
