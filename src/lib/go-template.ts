/** Literal text, a group by number, or a group by name. */
type Part = string | number | { readonly name: string }

/** The groups of one match: number 0 is the whole; '' for a group that took no part. */
export interface MatchGroups {
  group(index: number): string
  /** -1 when there is no group of that name. */
  indexOf(name: string): number
}

const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu
const GROUP_NUMBER = /^(?:0|[1-9][0-9]{0,7})$/

/**
 * A replacement in the notation of Go's `Regexp.Expand`: `$name`, `${name}`, `$1`, `${1}`, `$$`.
 * A name is as long as letters, digits and underscores go, so `$1x` is the group named `1x`.
 * Unknown groups are empty; a `$` that begins nothing stays.
 */
export class GoTemplate {
  readonly source: string
  readonly #parts: readonly Part[]

  constructor(source: string) {
    this.source = source
    const parts: Part[] = []
    let text = ''
    let at = 0
    for (const found of source.matchAll(REFERENCE)) {
      text += source.slice(at, found.index)
      at = found.index + found[0].length
      const name = found[1] ?? found[2]
      if (name === undefined) {
        text += '$'
        continue
      }
      if (text !== '') parts.push(text)
      text = ''
      parts.push(GROUP_NUMBER.test(name) ? Number(name) : { name })
    }
    text += source.slice(at)
    if (text !== '') parts.push(text)
    this.#parts = parts
  }

  expand(groups: MatchGroups): string {
    let expanded = ''
    for (const part of this.#parts) {
      if (typeof part === 'string') expanded += part
      else {
        const index = typeof part === 'number' ? part : groups.indexOf(part.name)
        if (index >= 0) expanded += groups.group(index)
      }
    }
    return expanded
  }
}
