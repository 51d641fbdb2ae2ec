import { createHash, randomBytes, randomInt } from 'node:crypto'
import { fn, variadic } from './define.js'
import { plain, quoted } from './format.js'
import {
  byteLength,
  type Func,
  GoMap,
  GoObject,
  type Run,
  Strings,
  sliceBytes,
  TemplateError,
  type Value,
} from './value.js'

/** As sprig's `toString`. */
export function strval(value: Value, run: Run): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (value instanceof GoObject) return value.toString()
  return plain(value, run)
}

/** As sprig's `toStrings`. */
export function strings(value: Value, run: Run): string[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) {
    if (value instanceof Uint8Array) return [...value].map(String)
    return [strval(value, run)]
  }
  return value
    .filter((item) => item !== null && item !== undefined)
    .map((item) => {
      const text = strval(item, run)
      run.grow(text.length)
      return text
    })
}

const SPACE = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const SPACES_AT_START = new RegExp(`^${SPACE}+`)
const ANY_SPACE = new RegExp(SPACE, 'g')
const IS_SPACE = new RegExp(`^${SPACE}$`)
const IS_UPPER = /^\p{Lu}$/u
const IS_LOWER = /^\p{Ll}$/u
const IS_TITLE = /^\p{Lt}$/u
const IS_WORD = /^[\p{L}\p{Nd}_]$/u

export function trimSpace(text: string): string {
  let end = text.length
  while (end > 0 && IS_SPACE.test(text[end - 1] as string)) end -= 1
  return text.slice(0, end).replace(SPACES_AT_START, '')
}

/** One character for one, as Go maps them: `ß` has no upper case of its own. */
function upperOf(character: string): string {
  const upper = character.toUpperCase()
  return [...upper].length === 1 ? upper : character
}

function lowerOf(character: string): string {
  // Only `İ` becomes two: the first of them is what Go has.
  return String.fromCodePoint(character.toLowerCase().codePointAt(0) ?? 0)
}

function mapped(text: string, change: (character: string) => string): string {
  let out = ''
  for (const character of text) out += change(character)
  return out
}

const isAscii = (text: string): boolean => text.length === byteLength(text)

function upper(text: string): string {
  return isAscii(text) ? text.toUpperCase() : mapped(text, upperOf)
}

function lower(text: string): string {
  return isAscii(text) ? text.toLowerCase() : mapped(text, lowerOf)
}

function title(text: string): string {
  let isStart = true
  return mapped(text, (character) => {
    const changed = isStart ? upperOf(character) : character
    isStart = character <= '\x7f' ? !/[A-Za-z0-9_]/.test(character) : isSeparator(character)
    return changed
  })
}

function isSeparator(character: string): boolean {
  return !IS_WORD.test(character) && IS_SPACE.test(character)
}

function untitle(text: string): string {
  let isStart = true
  return mapped(text, (character) => {
    if (IS_SPACE.test(character)) {
      isStart = true
      return character
    }
    const changed = isStart ? lowerOf(character) : character
    isStart = false
    return changed
  })
}

function swapCase(text: string): string {
  return mapped(text, (character) => {
    if (IS_UPPER.test(character) || IS_TITLE.test(character)) return lowerOf(character)
    return IS_LOWER.test(character) ? upperOf(character) : character
  })
}

function initials(text: string): string {
  let isStart = true
  return mapped(text, (character) => {
    if (IS_SPACE.test(character)) {
      isStart = true
      return ''
    }
    const taken = isStart ? character : ''
    isStart = false
    return taken
  })
}

/** How many times as large a text may get at once; checked before it is made. */
function repeated(run: Run, text: string, count: bigint): string {
  if (count < 0n) throw new TemplateError('strings: negative Repeat count')
  run.grow(text.length * Number(count))
  return text.repeat(Number(count))
}

function blanks(run: Run, count: bigint): string {
  return repeated(run, ' ', count)
}

function indented(run: Run, count: bigint, text: string): string {
  const pad = blanks(run, count)
  const lines = text.split('\n')
  run.grow(pad.length * lines.length)
  return pad + lines.join(`\n${pad}`)
}

function replaced(run: Run, old: string, by: string, text: string): string {
  const pieces = old === '' ? ['', ...text, ''] : text.split(old)
  run.grow(pieces.length * by.length)
  return pieces.join(by)
}

function trimmed(text: string, cutset: string): string {
  const set = new Set(cutset)
  const characters = [...text]
  let start = 0
  let end = characters.length
  while (start < end && set.has(characters[start] as string)) start += 1
  while (end > start && set.has(characters[end - 1] as string)) end -= 1
  return characters.slice(start, end).join('')
}

function truncated(count: bigint, text: string): string {
  if (BigInt(byteLength(text)) <= count) return text
  if (count < 0n) throw new TemplateError(`slice bounds out of range [:${count}]`)
  return sliceBytes(text, 0, Number(count))
}

function substring(start: bigint, end: bigint, text: string): string {
  const length = BigInt(byteLength(text))
  const isOpen = start >= 0n && (end < 0n || end > length)
  const from = start < 0n ? 0n : start
  const to = isOpen ? length : end
  if (from > to || to > length || to < 0n) {
    throw new TemplateError(`slice bounds out of range [${from}:${to}]`)
  }
  return sliceBytes(text, Number(from), Number(to))
}

function abbreviated(text: string, offset: number, width: number): string {
  const length = byteLength(text)
  if (text === '' || length <= width) return text
  let from = Math.min(offset, length)
  if (length - from < width - 3) from = length - (width - 3)
  if (from <= 4) return `${sliceBytes(text, 0, width - 3)}...`
  if (width < 7) return ''
  if (from + width - 3 < length) {
    return `...${abbreviated(sliceBytes(text, from, length), 0, width - 3)}`
  }
  return `...${sliceBytes(text, length - (width - 3), length)}`
}

/** Counts columns in bytes, as sprig does. */
function wrapped(
  run: Run,
  text: string,
  columns: bigint,
  newLine: string,
  breaks: boolean,
): string {
  const line = newLine === '' ? '\n' : Buffer.from(newLine).toString('latin1')
  const bytes = Buffer.from(text).toString('latin1')
  const width = Math.max(1, Number(columns))
  let out = ''
  let at = 0
  while (bytes.length - at > width) {
    run.step()
    if (bytes[at] === ' ') {
      at += 1
      continue
    }
    let space = bytes.lastIndexOf(' ', at + width)
    let next = space + 1
    if (space < at) {
      space = breaks ? at + width : bytes.indexOf(' ', at + width)
      if (space < 0) break
      next = breaks ? space : space + 1
    }
    out += bytes.slice(at, space) + line
    run.grow(line.length)
    at = next
  }
  return Buffer.from(out + bytes.slice(at), 'latin1').toString()
}

function random(count: bigint, alphabet: string, run: Run): string {
  run.grow(Number(count))
  if (count < 0n) return ''
  let text = ''
  for (let i = 0n; i < count; i++) text += alphabet[randomInt(alphabet.length)]
  run.step(Number(count))
  return text
}

const DIGITS = '0123456789'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')

function shuffled(text: string): string {
  const characters = [...text]
  for (let i = characters.length - 1; i > 0; i--) {
    const j = randomInt(i + 1)
    const held = characters[i] as string
    characters[i] = characters[j] as string
    characters[j] = held
  }
  return characters.join('')
}

/** `splitn`: at most `count` parts; a negative count does not bound, 0 gives none. */
export function splitText(text: string, separator: string, run: Run, count = -1): string[] {
  if (count === 0) return []
  run.makeItems(piecesIn(text, separator))
  const parts = separator === '' ? [...text] : text.split(separator)
  if (count < 0 || parts.length <= count) return parts
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)]
}

/** How many at most, without making them. */
function piecesIn(text: string, separator: string): number {
  if (separator === '') return text.length
  let count = 1
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at)) {
    count += 1
    at += separator.length
  }
  return count
}

function numbered(parts: readonly string[]): GoMap {
  const entries = parts.map((part, i): [string, Value] => [`_${i}`, part])
  return new GoMap(new Map(entries), 'map[string]string', '')
}

function adler32(bytes: Uint8Array): string {
  let a = 1
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return String(b * 65_536 + a)
}

function shown(values: readonly Value[]): Value[] {
  return values.filter((value) => value !== null && value !== undefined)
}

/** Sprig's functions on text. */
export const TEXT_FUNCTIONS: readonly Func[] = [
  fn('hello', [], () => 'Hello!'),
  fn('abbrev', ['int', 'string'], (_run, width, text) =>
    width < 4n ? text : abbreviated(text, 0, Number(width)),
  ),
  fn('abbrevboth', ['int', 'int', 'string'], (_run, left, right, text) =>
    right < 4n || (left > 0n && right < 7n) ? text : abbreviated(text, Number(left), Number(right)),
  ),
  fn('trunc', ['int', 'string'], (_run, count, text) => truncated(count, text)),
  fn('trim', ['string'], (_run, text) => trimSpace(text)),
  fn('upper', ['string'], (_run, text) => upper(text)),
  fn('lower', ['string'], (_run, text) => lower(text)),
  fn('title', ['string'], (_run, text) => title(text)),
  fn('untitle', ['string'], (_run, text) => untitle(text)),
  fn('substr', ['int', 'int', 'string'], (_run, start, end, text) => substring(start, end, text)),
  fn('repeat', ['int', 'string'], (run, count, text) => repeated(run, text, count)),
  fn('trimall', ['string', 'string'], (_run, cutset, text) => trimmed(text, cutset)),
  fn('trimAll', ['string', 'string'], (_run, cutset, text) => trimmed(text, cutset)),
  fn('trimSuffix', ['string', 'string'], (_run, suffix, text) =>
    suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text,
  ),
  fn('trimPrefix', ['string', 'string'], (_run, prefix, text) =>
    text.startsWith(prefix) ? text.slice(prefix.length) : text,
  ),
  fn('nospace', ['string'], (_run, text) => text.replace(ANY_SPACE, '')),
  fn('initials', ['string'], (_run, text) => initials(text)),
  fn('randAlphaNum', ['int'], (run, count) => random(count, LETTERS + DIGITS, run)),
  fn('randAlpha', ['int'], (run, count) => random(count, LETTERS, run)),
  fn('randAscii', ['int'], (run, count) => random(count, ASCII, run)),
  fn('randNumeric', ['int'], (run, count) => random(count, DIGITS, run)),
  fn('swapcase', ['string'], (_run, text) => swapCase(text)),
  fn('shuffle', ['string'], (_run, text) => shuffled(text)),
  fn('wrap', ['int', 'string'], (run, columns, text) => wrapped(run, text, columns, '', false)),
  fn('wrapWith', ['int', 'string', 'string'], (run, columns, newLine, text) =>
    wrapped(run, text, columns, newLine, true),
  ),
  fn('contains', ['string', 'string'], (_run, part, text) => text.includes(part)),
  fn('hasPrefix', ['string', 'string'], (_run, prefix, text) => text.startsWith(prefix)),
  fn('hasSuffix', ['string', 'string'], (_run, suffix, text) => text.endsWith(suffix)),
  variadic('quote', [], 'any', (run, values) =>
    shown(values)
      .map((value) => quoted(strval(value, run)))
      .join(' '),
  ),
  variadic('squote', [], 'any', (run, values) =>
    shown(values)
      .map((value) => `'${plain(value, run)}'`)
      .join(' '),
  ),
  variadic('cat', [], 'any', (run, values) =>
    shown(values)
      .map((value) => plain(value, run))
      .join(' '),
  ),
  fn('indent', ['int', 'string'], (run, count, text) => indented(run, count, text)),
  fn('nindent', ['int', 'string'], (run, count, text) => `\n${indented(run, count, text)}`),
  fn('replace', ['string', 'string', 'string'], (run, old, by, text) =>
    replaced(run, old, by, text),
  ),
  fn('plural', ['string', 'string', 'int'], (_run, one, many, count) =>
    count === 1n ? one : many,
  ),
  fn('sha1sum', ['bytes'], (_run, text) => createHash('sha1').update(text).digest('hex')),
  fn('sha256sum', ['bytes'], (_run, text) => createHash('sha256').update(text).digest('hex')),
  fn('adler32sum', ['bytes'], (_run, text) => adler32(text)),
  fn('toString', ['any'], (run, value) => strval(value, run)),
  fn('split', ['string', 'string'], (run, separator, text) => {
    return numbered(splitText(text, separator, run))
  }),
  fn('splitn', ['string', 'int', 'string'], (run, separator, count, text) => {
    return numbered(splitText(text, separator, run, Number(count)))
  }),
  fn('splitList', ['string', 'string'], (run, separator, text) =>
    Strings.from(splitText(text, separator, run)),
  ),
  fn('toStrings', ['any'], (run, value) => Strings.from(strings(value, run))),
  fn('join', ['string', 'any'], (run, separator, value) => {
    const parts = strings(value, run)
    run.grow(parts.length * separator.length)
    return parts.join(separator)
  }),
  fn('uuidv4', [], () => uuid()),
]

function uuid(): string {
  const bytes = randomBytes(16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
