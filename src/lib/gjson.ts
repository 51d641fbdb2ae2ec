/**
 * The part of gjson's path language that templates use: `a.b`, array indices, `#` (length),
 * `#.key` (that key of each), `*` and `?` wildcards in keys, `\` before a character that is meant
 * literally. The result is text: strings bare, null empty, numbers with the digits they were
 * written with (ids may be longer than a double is exact), the rest as JSON without white space.
 * Empty when the path leads nowhere or the text is no JSON.
 */
export function gjson(json: string, path: string): string {
  try {
    JSON.parse(json) // so that what follows need not look for mistakes
  } catch {
    return ''
  }
  const found = follow(json, skipSpace(json, 0), splitPath(path), 0)
  if (found === null || found === 'null') return ''
  return found.startsWith('"') ? (JSON.parse(found) as string) : compact(found)
}

/** In the pattern of a key: any text, any character. Longer than a character, so equal to none. */
const ANY_TEXT = '**'
const ANY_CHARACTER = '??'

interface Step {
  readonly key: string
  /** Characters and wildcards; null when there are no wildcards. */
  readonly pattern: readonly string[] | null
}

function splitPath(path: string): Step[] {
  const steps: Step[] = []
  let pattern: string[] = []
  const end = (): void => {
    const isWild = pattern.some((each) => each.length > 1)
    steps.push({ key: pattern.join(''), pattern: isWild ? pattern : null })
    pattern = []
  }
  for (let i = 0; i < path.length; i++) {
    const c = path[i] as string
    if (c === '\\' && i + 1 < path.length) pattern.push(path[++i] as string)
    else if (c === '.') end()
    else if (c === '*') pattern.push(ANY_TEXT)
    else pattern.push(c === '?' ? ANY_CHARACTER : c)
  }
  end()
  return steps
}

/** The JSON of what `steps` lead to from the value that begins at `start`, or null. */
function follow(json: string, start: number, steps: readonly Step[], from: number): string | null {
  let at = start
  for (let i = from; i < steps.length; i++) {
    const step = steps[i] as Step
    if (json[at] === '[') {
      if (step.key === '#') return followEach(json, at, steps, i + 1)
      if (!/^\d{1,9}$/.test(step.key)) return null
      at = itemOf(json, at, Number(step.key))
    } else at = json[at] === '{' ? memberOf(json, at, step) : -1
    if (at < 0) return null
  }
  return json.slice(at, endOf(json, at))
}

function followEach(json: string, at: number, steps: readonly Step[], from: number): string {
  const found: string[] = []
  let count = 0
  for (let item = firstIn(json, at); item >= 0; item = nextIn(json, endOf(json, item))) {
    count += 1
    const text = from < steps.length ? follow(json, item, steps, from) : null
    if (text !== null) found.push(text)
  }
  return from < steps.length ? `[${found.join(',')}]` : `${count}`
}

function itemOf(json: string, at: number, index: number): number {
  let item = firstIn(json, at)
  for (let i = 0; i < index && item >= 0; i++) item = nextIn(json, endOf(json, item))
  return item
}

/** Where the value of the first key that fits begins; -1 when none does. */
function memberOf(json: string, at: number, { key, pattern }: Step): number {
  let member = firstIn(json, at)
  while (member >= 0) {
    const keyEnd = endOf(json, member)
    const name = JSON.parse(json.slice(member, keyEnd)) as string
    const value = skipSpace(json, skipSpace(json, keyEnd) + 1)
    if (pattern === null ? name === key : matches(pattern, name)) return value
    member = nextIn(json, endOf(json, value))
  }
  return -1
}

/** The first item of the list, or key of the object, that begins at `at`; -1 when it is empty. */
function firstIn(json: string, at: number): number {
  const first = skipSpace(json, at + 1)
  return json[first] === ']' || json[first] === '}' ? -1 : first
}

/** The one after the one that ended at `end`. */
function nextIn(json: string, end: number): number {
  const comma = skipSpace(json, end)
  return json[comma] === ',' ? skipSpace(json, comma + 1) : -1
}

function skipSpace(json: string, from: number): number {
  let at = from
  while (' \t\n\r'.includes(json[at] ?? '.')) at += 1
  return at
}

/** Past the end of the value that begins at `start`. */
function endOf(json: string, start: number): number {
  let depth = 0
  for (let at = start; at < json.length; at++) {
    const c = json[at] as string
    if (c === '"') {
      at = endOfString(json, at) - 1
      if (depth === 0) return at + 1
    } else if (c === '{' || c === '[') depth += 1
    else if (c === '}' || c === ']') {
      depth -= 1
      if (depth === 0) return at + 1
      if (depth < 0) return at // of a number or word that ends with its container
    } else if (depth === 0 && ', \t\n\r'.includes(c)) return at
  }
  return json.length
}

function endOfString(json: string, start: number): number {
  let at = start + 1
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

function compact(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|[ \t\n\r]+/g, '$1')
}

/** Only the last star is ever tried again, so time is at most the product of the two lengths. */
function matches(pattern: readonly string[], text: string): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0]
  while (t < text.length) {
    if (pattern[p] === ANY_TEXT) {
      star = p++
      mark = t
    } else if (pattern[p] === ANY_CHARACTER || pattern[p] === text[t]) {
      p += 1
      t += 1
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else return false
  }
  while (pattern[p] === ANY_TEXT) p += 1
  return p === pattern.length
}
