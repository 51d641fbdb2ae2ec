import type { IncomingHttpHeaders } from 'node:http'

const LENGTH_MAX = 400

/**
 * `text` as the value of a header: UTF-8 bytes (node writes header strings byte by byte), control
 * characters as spaces, at most 400 characters.
 */
export function headerText(text: string): string {
  const clipped = text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX - 1)}…` : text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
  const flat = clipped.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').trim()
  return Buffer.from(flat, 'utf8').toString('latin1')
}

/** `other` is what to answer when `Accept` prefers neither JSON nor YAML. RFC 9110 §12.5.1. */
export function wantsJson({ accept }: IncomingHttpHeaders, other: boolean): boolean {
  if (accept === undefined) return other
  let json = 0
  let yaml = 0
  for (const range of accept.split(',')) {
    const [type = '', ...params] = range.split(';').map((part) => part.trim().toLowerCase())
    const q = params.find((param) => param.startsWith('q='))
    const quality = q === undefined ? 1 : Number(q.slice(2))
    if (!(quality > 0)) continue
    if (/^application\/(json|\w+\+json)$/.test(type)) json = Math.max(json, quality)
    else if (type.includes('yaml')) yaml = Math.max(yaml, quality)
  }
  return json === yaml ? other : json > yaml
}
