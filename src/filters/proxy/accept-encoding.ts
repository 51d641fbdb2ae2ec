import type { Headers } from '../../http/headers.js'
import type { Coding } from '../coded-body.js'

/** Texts whose outcome is kept: clients send few different ones, but may send any. */
const KNOWN_MAX = 256
const TEXT_LENGTH_MAX = 256

const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i

/** Chooses codings by Accept-Encoding with quality values (RFC 9110 §12.5.3). */
export class CodingChoice {
  readonly #known = new Map<string, Coding | null>()

  /**
   * The coding that the client likes best, `br` of equals; null when it prefers the body as it is.
   * Without the field gzip, as in Easegress: nothing says that it is not understood.
   */
  of(headers: Headers): Coding | null {
    const values = headers.values('accept-encoding')
    const [first] = values
    if (first === undefined) return 'gzip'
    const text = values.length === 1 ? first : values.join(',')
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const chosen = choose(text)
    if (text.length <= TEXT_LENGTH_MAX) {
      if (this.#known.size >= KNOWN_MAX) this.#known.clear()
      this.#known.set(text, chosen)
    }
    return chosen
  }
}

function choose(text: string): Coding | null {
  const qualities = new Map<string, number>()
  for (const member of text.split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim())
    const quality = qualityOf(parameters)
    if (name !== '' && quality !== null) qualities.set(canonical(name), quality)
  }
  // A client that says "anything" gets what every client knows.
  const gzip = qualities.get('gzip') ?? qualities.get('*') ?? 0
  const br = qualities.get('br') ?? 0
  const best = Math.max(gzip, br)
  if (best === 0 || best < (qualities.get('identity') ?? 0)) return null
  return br === best ? 'br' : 'gzip'
}

/** Null when it is none: the member then says nothing. */
function qualityOf(parameters: readonly string[]): number | null {
  if (parameters.length === 0) return 1
  const match = parameters.length === 1 ? QUALITY.exec(parameters[0] as string) : null
  return match === null ? null : Number(match[1])
}

function canonical(name: string): string {
  const lower = name.toLowerCase()
  if (lower === 'x-gzip') return 'gzip'
  return lower === '*/*' ? '*' : lower // the latter is a media range, but clients send it
}
