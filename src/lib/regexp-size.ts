const REPEAT = /\{([0-9]{1,4})(?:,([0-9]{0,4}))?\}/y

/**
 * About how many instructions the pattern compiles to, without compiling it: its characters and
 * classes with counted repetitions written out. Never much less than the truth, and any number
 * for a pattern that is not valid.
 */
export function estimateSize(source: string): number {
  /** Sizes of the sequences that open groups interrupt. */
  const outer: number[] = []
  let size = 0
  /** Of the item that a repetition would repeat. */
  let last = 0
  for (let at = 0; at < source.length; at++) {
    const char = source[at]
    if (char === '(') {
      outer.push(size)
      size = 0
    } else if (char === ')') {
      last = size + 2
      size = (outer.pop() ?? 0) + last
    } else if (char === '{') {
      REPEAT.lastIndex = at
      const count = REPEAT.exec(source)
      const times = count === null ? 1 : Math.max(1, Number(count[1]), Number(count[2] ?? 0))
      size += last * (times - 1) + 1
      last *= times
      if (count !== null) at += count[0].length - 1
    } else {
      if (char === '[') at = endOfClass(source, at)
      else if (char === '\\') at += 1
      if (char === '\\' && source[at] === 'Q') {
        const end = source.indexOf('\\E', at)
        size += (end < 0 ? source.length : end) - at
        at = end < 0 ? source.length : end + 1
      }
      last = 1
      size += 1
    }
  }
  return outer.reduce((sum, each) => sum + each, size)
}

/** The first bracket that may close the class: rather too early than too late. */
function endOfClass(source: string, start: number): number {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at += 1
    else if (source[at] === ']') return at
  }
  return source.length
}
