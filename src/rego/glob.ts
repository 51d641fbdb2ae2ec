const LITERAL = /[.+^$()|\\{}[\]?*]/g

/**
 * The regular expression (RE2) of a glob as Rego has it: `*` any characters but a delimiter, `**`
 * any at all, `?` one, `[a-z]` and `[!a-z]` classes, `{a,b}` alternatives, `\` before what is meant
 * as it stands. Null when brackets or braces do not close.
 */
export function globExpression(pattern: string, delimiters: readonly string[]): string | null {
  const none = delimiters.map(quoted).join('')
  const one = none === '' ? '(?s:.)' : `[^${none}]`
  let made = ''
  let depth = 0
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i] as string
    if (c === '*') {
      const isAny = pattern[i + 1] === '*'
      if (isAny) i += 1
      made += isAny ? '(?s:.*)' : `${one}*`
    } else if (c === '?') made += one
    else if (c === '[') {
      const end = pattern.indexOf(']', i + 2)
      if (end < 0) return null
      const inside = pattern.slice(i + 1, end)
      const isNot = inside.startsWith('!')
      made += `[${isNot ? '^' : ''}${(isNot ? inside.slice(1) : inside).replace(/[\\^[\]]/g, '\\$&')}]`
      i = end
    } else if (c === '{') {
      depth += 1
      made += '(?:'
    } else if (c === '}' && depth > 0) {
      depth -= 1
      made += ')'
    } else if (c === ',' && depth > 0) made += '|'
    else if (c === '\\' && i + 1 < pattern.length) {
      i += 1
      made += quoted(pattern[i] as string)
    } else made += quoted(c)
  }
  return depth === 0 ? `^(?:${made})$` : null
}

function quoted(text: string): string {
  return text.replace(LITERAL, '\\$&')
}
