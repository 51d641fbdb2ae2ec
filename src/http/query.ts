/**
 * The first value of `key` in a query string, or null: as browsers write forms ('+' is a space), and
 * as Go reads them: a pair with a ';' or a broken percent-encoding counts as not there. Null is not
 * the same as a key without a value.
 */
export function queryValue(query: string, key: string): string | null {
  for (let at = 0; at < query.length; ) {
    const amp = query.indexOf('&', at)
    const end = amp < 0 ? query.length : amp
    const value = pairValue(query, at, end, key)
    if (value !== null) return value
    at = end + 1
  }
  return null
}

function pairValue(query: string, start: number, end: number, key: string): string | null {
  if (start === end) return null
  const pair = query.slice(start, end)
  if (pair.includes(';')) return null
  const equals = pair.indexOf('=')
  const name = equals < 0 ? pair : pair.slice(0, equals)
  if (unescapeQuery(name) !== key) return null
  return equals < 0 ? '' : unescapeQuery(pair.slice(equals + 1))
}

/** Null when it is no valid encoding of UTF-8. */
function unescapeQuery(text: string): string | null {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return null
  }
}
