import { IpTable, isIpOrCidr, parseAddress } from '../lib/ip-table.js'
import { checkRegexp, compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { BuiltinTable } from './builtins.js'
import { globExpression } from './glob.js'
import { formatted } from './sprintf.js'
import { isArray, RegoObject, RegoSet, type Value } from './value.js'

/** Longest text that a function makes, in UTF-16 units. */
const TEXT_MAX = 1 << 20
/** Expressions that policies put together at run time are kept, this many. */
const EXPRESSIONS_MAX = 256

const expressions = new Map<string, LinearRegexp | null>()

function expression(source: string): LinearRegexp | null {
  const known = expressions.get(source)
  if (known !== undefined) return known
  if (expressions.size >= EXPRESSIONS_MAX) expressions.clear()
  const made = checkRegexp(source) === null ? compileRegexp(source) : null
  expressions.set(source, made)
  return made
}

/** A function of texts alone. */
function texts(
  arity: number,
  run: (...texts: readonly string[]) => Value | undefined,
): BuiltinTable[string] {
  return [
    arity,
    (args) =>
      args.every((arg) => typeof arg === 'string')
        ? bounded(run(...(args as readonly string[])))
        : undefined,
  ]
}

function bounded(value: Value | undefined): Value | undefined {
  return typeof value === 'string' && value.length > TEXT_MAX ? undefined : value
}

function listOf(value: Value | undefined): readonly Value[] | null {
  if (value instanceof RegoSet) return value.values()
  return value !== undefined && isArray(value) ? value : null
}

function trimmed(text: string, cutset: string, left: boolean, right: boolean): string {
  const cut = new Set(cutset)
  const points = [...text]
  let from = 0
  let to = points.length
  while (left && from < to && cut.has(points[from] as string)) from += 1
  while (right && to > from && cut.has(points[to - 1] as string)) to -= 1
  return points.slice(from, to).join('')
}

function anyMatch(match: (text: string, part: string) => boolean): BuiltinTable[string] {
  const strings = (value: Value | undefined): readonly Value[] | null =>
    typeof value === 'string' ? [value] : listOf(value)
  return [
    2,
    ([search, base]) => {
      const all = strings(search)
      const parts = strings(base)
      if (all === null || parts === null) return undefined
      return all.some((text) => parts.some((part) => match(String(text), String(part))))
    },
  ]
}

function containsAddress(cidr: string, other: string): boolean | undefined {
  if (!isIpOrCidr(cidr) || !isIpOrCidr(other)) return undefined
  const [address = '', bits] = other.split('/')
  const wanted = parseAddress(address)
  if (wanted === null) return undefined
  // A block is in another when its first address is and it is not the wider one.
  const outer = Number(cidr.split('/')[1] ?? 128)
  if (bits !== undefined && Number(bits) < outer) return false
  return new IpTable([cidr]).has(wanted)
}

/** Texts, regular expressions and network addresses. */
export const textBuiltins: BuiltinTable = {
  concat: [
    2,
    ([separator, list]) => {
      const items = listOf(list)
      if (typeof separator !== 'string' || !items?.every((item) => typeof item === 'string')) {
        return undefined
      }
      return bounded(items.join(separator))
    },
  ],
  contains: texts(2, (text, part) => text.includes(part as string)),
  startswith: texts(2, (text, part) => text.startsWith(part as string)),
  endswith: texts(2, (text, part) => text.endsWith(part as string)),
  indexof: texts(2, (text, part) => {
    const at = text.indexOf(part as string)
    return at < 0 ? -1 : [...text.slice(0, at)].length
  }),
  indexof_n: texts(2, (text, part) => {
    const found: number[] = []
    if (part === '') return undefined
    for (
      let at = text.indexOf(part as string);
      at >= 0;
      at = text.indexOf(part as string, at + 1)
    ) {
      found.push([...text.slice(0, at)].length)
    }
    return found
  }),
  lower: texts(1, (text) => text.toLowerCase()),
  upper: texts(1, (text) => text.toUpperCase()),
  replace: texts(3, (text, old, by) => text.replaceAll(old as string, () => by as string)),
  split: texts(2, (text, separator) => text.split(separator as string)),
  substring: [
    3,
    ([text, from, length]) => {
      if (typeof text !== 'string' || typeof from !== 'number' || typeof length !== 'number') {
        return undefined
      }
      if (from < 0) return undefined
      const points = [...text]
      return points.slice(from, length < 0 ? undefined : from + length).join('')
    },
  ],
  trim: texts(2, (text, cutset) => trimmed(text, cutset as string, true, true)),
  trim_left: texts(2, (text, cutset) => trimmed(text, cutset as string, true, false)),
  trim_right: texts(2, (text, cutset) => trimmed(text, cutset as string, false, true)),
  trim_space: texts(1, (text) => text.trim()),
  trim_prefix: texts(2, (text, part) =>
    text.startsWith(part as string) ? text.slice((part as string).length) : text,
  ),
  trim_suffix: texts(2, (text, part) =>
    text.endsWith(part as string) ? text.slice(0, text.length - (part as string).length) : text,
  ),
  'strings.reverse': texts(1, (text) => [...text].reverse().join('')),
  'strings.count': texts(2, (text, part) => text.split(part as string).length - 1),
  'strings.any_prefix_match': anyMatch((text, part) => text.startsWith(part)),
  'strings.any_suffix_match': anyMatch((text, part) => text.endsWith(part)),
  'strings.replace_n': [
    2,
    ([patterns, text]) => {
      if (!(patterns instanceof RegoObject) || typeof text !== 'string') return undefined
      let replaced = text
      for (const [old, by] of patterns.entries()) {
        replaced = replaced.replaceAll(String(old), () => String(by))
        if (replaced.length > TEXT_MAX) return undefined
      }
      return replaced
    },
  ],
  format_int: [
    2,
    ([n, base]) => {
      if (typeof n !== 'number' || ![2, 8, 10, 16].includes(base as number)) return undefined
      return Math.trunc(n).toString(base as number)
    },
  ],
  to_number: [1, ([value]) => numberOf(value as Value)],
  sprintf: [
    2,
    ([format, args]) =>
      typeof format === 'string' && args !== undefined && isArray(args)
        ? bounded(formatted(format, args))
        : undefined,
  ],
  'regex.match': texts(2, (source, text) => expression(source)?.test(text as string)),
  re_match: texts(2, (source, text) => expression(source)?.test(text as string)),
  'regex.is_valid': texts(1, (source) => checkRegexp(source) === null),
  'regex.replace': texts(3, (text, source, by) =>
    expression(source as string)?.replaceAll(text, by as string),
  ),
  'regex.split': texts(2, (source, text) => split(expression(source), text as string)),
  'regex.find_n': [
    3,
    ([source, text, limit]) =>
      found(source, text, limit)?.map(({ groups: [whole] }) => whole as string),
  ],
  'regex.find_all_string_submatch_n': [
    3,
    ([source, text, limit]) => found(source, text, limit)?.map(({ groups }) => groups),
  ],
  'glob.match': [
    3,
    ([pattern, delimiters, text]) => {
      if (typeof pattern !== 'string' || typeof text !== 'string') return undefined
      const given = delimiters === null ? [] : listOf(delimiters)
      if (given === null) return undefined
      const between = delimiters !== null && given.length === 0 ? ['.'] : given.map(String)
      const source = globExpression(pattern, between)
      return source === null ? undefined : expression(source)?.test(text)
    },
  ],
  'net.cidr_contains': texts(2, (cidr, other) => containsAddress(cidr, other as string)),
  'net.cidr_is_valid': texts(1, (cidr) => cidr.includes('/') && isIpOrCidr(cidr)),
}

function numberOf(value: Value): number | undefined {
  if (value === null || value === false) return 0
  if (value === true) return 1
  if (typeof value === 'number') return value
  const isNumber =
    typeof value === 'string' && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value)
  return isNumber ? Number(value) : undefined
}

function found(
  source: Value | undefined,
  text: Value | undefined,
  limit: Value | undefined,
): ReturnType<LinearRegexp['findAll']> | undefined {
  if (typeof source !== 'string' || typeof text !== 'string' || typeof limit !== 'number') {
    return undefined
  }
  return expression(source)?.findAll(text, limit < 0 ? TEXT_MAX : limit)
}

function split(by: LinearRegexp | null, text: string): Value | undefined {
  if (by === null) return undefined
  const pieces: string[] = []
  let last = 0
  for (const { start, groups } of by.findAll(text, TEXT_MAX)) {
    const whole = groups[0] as string
    if (whole === '' && (start === 0 || start === text.length)) continue
    pieces.push(text.slice(last, start))
    last = start + whole.length
  }
  return [...pieces, text.slice(last)]
}
