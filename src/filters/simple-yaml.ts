/** What {@link readSimpleYaml} leaves to the parser of the whole language. */
export const NOT_SIMPLE: unique symbol = Symbol('not simple')

/** Longer or deeper texts are not worth a way of their own. */
const TEXT_CHARS_MAX = 65_536
const DEPTH_MAX = 8

/**
 * Reads YAML as templates usually write it: mappings and lists by indentation, words, whole numbers,
 * quoted text, `|` blocks, JSON. Anything else, and anything in doubt, is {@link NOT_SIMPLE}; what it
 * does give is what the parser gives (a test holds it to that), in a twentieth of the 40 µs that the
 * parser takes for the shortest text.
 */
export function readSimpleYaml(text: string): unknown {
  if (text.length > TEXT_CHARS_MAX || NEVER_SIMPLE.test(text)) return NOT_SIMPLE
  const start = text.trimStart()
  if (start === '') return null
  if (start.startsWith('{') || start.startsWith('[') || start.startsWith('"')) return json(start)
  const reader = new Reader(text.split('\n'))
  return reader.document()
}

/** Comments, anchors and the like could be anywhere; so could what a line break hides. */
const NEVER_SIMPLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are for the parser
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff#]|^(?:---|\.\.\.|%)/m

function json(text: string): unknown {
  // Of two equal keys the parser makes an error: they are its business.
  if (text.split('":').length > 2 && hasDoubt(text)) return NOT_SIMPLE
  try {
    return checked(JSON.parse(text))
  } catch {
    return NOT_SIMPLE
  }
}

/** Whether two keys could be equal. */
function hasDoubt(text: string): boolean {
  const seen = new Set<string>()
  for (const [, key = ''] of text.matchAll(/"([^"\\]*)"\s*:/g)) {
    if (seen.has(key)) return true
    seen.add(key)
  }
  return text.includes('\\')
}

/** Numbers that the two could read otherwise. */
function checked(value: unknown, depth = 0): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : NOT_SIMPLE
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEPTH_MAX) return NOT_SIMPLE
  if (Object.hasOwn(value, '__proto__')) return NOT_SIMPLE
  for (const each of Object.values(value)) {
    if (checked(each, depth + 1) === NOT_SIMPLE) return NOT_SIMPLE
  }
  return value
}

const KEY = /^ *(?:"([^"\\]+)"|'([^']+)'|([A-Za-z][A-Za-z0-9_-]*)):(?: +(.*?))? *$/
const ITEM = /^( *)- +(.*?) *$/
const DOUBLE_QUOTED = /^"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"$/
const SINGLE_QUOTED = /^'(?:[^']|'')*'$/
/** A colon only within a word, as in a URL. */
const PLAIN = /^[A-Za-z/](?:[A-Za-z0-9_/.;=+?&@~()$%^ -]|:(?=[^ ]))*$/
const WHOLE = /^(?:0|-?[1-9][0-9]{0,14})$/
/** YAML 1.1 or 1.2, some version or other takes them for something else than text. */
const WORDS = /^(?:true|false|null|yes|no|on|off|y|n|nan|inf)$/i

class Reader {
  readonly #lines: readonly string[]
  #at = 0

  constructor(lines: readonly string[]) {
    this.#lines = lines
  }

  document(): unknown {
    this.#skipEmpty()
    const first = this.#lines[this.#at] ?? ''
    const value = KEY.test(first) || ITEM.test(first) ? this.#collection(0, 0) : this.#single(first)
    this.#skipEmpty()
    return this.#at < this.#lines.length ? NOT_SIMPLE : value
  }

  #single(line: string): unknown {
    this.#at += 1
    return scalar(line.trim())
  }

  #skipEmpty(): void {
    while (this.#at < this.#lines.length && (this.#lines[this.#at] as string).trim() === '') {
      this.#at += 1
    }
  }

  /** A mapping or list whose lines begin behind at least `least` blanks. */
  #collection(least: number, depth: number): unknown {
    const line = this.#lines[this.#at] ?? ''
    const indent = indentOf(line)
    if (indent < least || depth > DEPTH_MAX) return NOT_SIMPLE
    return ITEM.test(line) ? this.#list(indent) : this.#mapping(indent, depth)
  }

  #list(indent: number): unknown {
    const items: unknown[] = []
    for (;;) {
      this.#skipEmpty()
      const line = this.#lines[this.#at] ?? ''
      const found = ITEM.exec(line)
      if (line === '' || indentOf(line) < indent || found === null) return items
      if (indentOf(line) > indent) return NOT_SIMPLE
      const value = scalar(found[2] as string)
      if (value === NOT_SIMPLE) return NOT_SIMPLE
      items.push(value)
      this.#at += 1
    }
  }

  #mapping(indent: number, depth: number): unknown {
    const entries: Record<string, unknown> = {}
    for (;;) {
      this.#skipEmpty()
      const line = this.#lines[this.#at] ?? ''
      if (line === '' || indentOf(line) < indent) return entries
      const found = KEY.exec(line)
      if (found === null || indentOf(line) > indent) return NOT_SIMPLE
      const [, double, single, plain = '', rest = ''] = found
      const key = double ?? single ?? plain
      const isDoubtful = key === '__proto__' || key === '<<' || WORDS.test(plain)
      if (isDoubtful || Object.hasOwn(entries, key)) return NOT_SIMPLE
      this.#at += 1
      const value = this.#value(rest, indent, depth)
      if (value === NOT_SIMPLE) return NOT_SIMPLE
      entries[key] = value
    }
  }

  #value(rest: string, indent: number, depth: number): unknown {
    if (rest === '|' || rest === '|-') return this.#block(indent, rest === '|-')
    if (rest !== '') return scalar(rest)
    this.#skipEmpty()
    const line = this.#lines[this.#at] ?? ''
    // A list may stand right under its key.
    const isList = ITEM.test(line) && indentOf(line) >= indent
    if (isList || (line !== '' && indentOf(line) > indent)) {
      return this.#collection(isList ? indent : indent + 1, depth + 1)
    }
    return null
  }

  /** Lines further in than their key, as they are. */
  #block(indent: number, strips: boolean): unknown {
    const first = this.#lines[this.#at] ?? ''
    const inner = indentOf(first)
    if (first.trim() === '' || inner <= indent) return NOT_SIMPLE
    const lines: string[] = []
    for (; this.#at < this.#lines.length; this.#at++) {
      const line = this.#lines[this.#at] as string
      if (line.trim() !== '' && indentOf(line) < inner) break
      lines.push(line.slice(inner))
    }
    while (lines.length > 0 && lines.at(-1)?.trim() === '') {
      // Blanks at the end of a block are a matter of their own.
      if (lines.at(-1) !== '') return NOT_SIMPLE
      lines.pop()
    }
    return lines.join('\n') + (strips ? '' : '\n')
  }
}

function indentOf(line: string): number {
  let indent = 0
  while (line[indent] === ' ') indent += 1
  return indent
}

function scalar(text: string): unknown {
  if (text.startsWith('"')) return DOUBLE_QUOTED.test(text) ? json(text) : NOT_SIMPLE
  if (text.startsWith("'")) {
    return SINGLE_QUOTED.test(text) ? text.slice(1, -1).replaceAll("''", "'") : NOT_SIMPLE
  }
  if (text.startsWith('[') || text.startsWith('{')) return json(text)
  if (WHOLE.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  return PLAIN.test(text) && !WORDS.test(text) ? text : NOT_SIMPLE
}
