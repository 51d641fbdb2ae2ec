/**
 * The part of gjson's path language that templates use: `a.b`, array indices, `#` (length),
 * `#.key` (that key of each), `\.` for a dot in a key, `*` and `?` wildcards in keys. The result is
 * text: strings bare, all else as JSON; empty when the path leads nowhere or the text is no JSON.
 */
export function gjson(json: string, path: string): string {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return ''
  }
  return asText(follow(value, splitPath(path), 0))
}

function asText(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

interface Step {
  readonly key: string
  readonly wild: boolean
}

function splitPath(path: string): Step[] {
  const steps: Step[] = []
  let key = ''
  let wild = false
  for (let i = 0; i < path.length; i++) {
    const c = path[i] as string
    if (c === '\\' && i + 1 < path.length) key += path[++i] as string
    else if (c === '.') {
      steps.push({ key, wild })
      key = ''
      wild = false
    } else {
      if (c === '*' || c === '?') wild = true
      key += c
    }
  }
  steps.push({ key, wild })
  return steps
}

function follow(value: unknown, steps: readonly Step[], at: number): unknown {
  const step = steps[at]
  if (step === undefined) return value
  if (Array.isArray(value)) {
    if (step.key === '#') {
      if (at === steps.length - 1) return value.length
      return value.map((item) => follow(item, steps, at + 1)).filter((found) => found !== undefined)
    }
    if (!/^\d{1,9}$/.test(step.key)) return undefined
    return follow(value[Number(step.key)], steps, at + 1)
  }
  if (value === null || typeof value !== 'object') return undefined
  if (!step.wild) {
    return Object.hasOwn(value, step.key)
      ? follow((value as Record<string, unknown>)[step.key], steps, at + 1)
      : undefined
  }
  for (const [key, member] of Object.entries(value)) {
    if (matchesWild(step.key, key)) return follow(member, steps, at + 1)
  }
  return undefined
}

/** Glob match without backtracking over more than the last star: linear in practice and bound. */
function matchesWild(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p += 1
      t += 1
    } else if (p < pattern.length && pattern[p] === '*') {
      star = p
      mark = t
      p += 1
    } else if (star >= 0) {
      p = star + 1
      mark += 1
      t = mark
    } else return false
  }
  while (p < pattern.length && pattern[p] === '*') p += 1
  return p === pattern.length
}
