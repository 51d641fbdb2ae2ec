import type { HttpRequest } from '../../http/message.js'
import { type Pair, parseQuery } from '../canonical.js'
import type { SignatureSpec } from './signature-spec.js'

/** More would only be work for us. */
const SIGNED_HEADERS_MAX = 100

export type Literal = SignatureSpec['literal']

/** The signature that a request came with, well-formed but not verified. */
export interface Presented {
  readonly accessKeyId: string
  /** `YYYYMMDD`. */
  readonly date: string
  /** What is between date and suffix in the credential. */
  readonly scopes: readonly string[]
  /** `YYYYMMDDTHHMMSSZ`, UTC, and the same in milliseconds since the Unix epoch. */
  readonly timestamp: string
  readonly timestampMs: number
  /** How long it holds, in ms; infinite in a header. */
  readonly expiresMs: number
  /** As written, and apart. */
  readonly signedHeaders: string
  readonly names: readonly string[]
  /** 64 hex digits. */
  readonly signature: string
  /** The query parameters that are signed. */
  readonly pairs: readonly Pair[]
}

/** Steps 1 to 3: from the Authorization field, else from the query. Null when there is none. */
export function readSignature(request: HttpRequest, literal: Literal): Presented | null {
  const authorizations = request.headers.values('authorization')
  if (authorizations.length > 1) return null
  const pairs = parseQuery(request.query)
  if (pairs === null) return null
  const [authorization = ''] = authorizations
  return authorization === ''
    ? fromQuery(pairs, literal)
    : fromHeader(request, authorization, pairs, literal)
}

function fromHeader(
  { headers }: HttpRequest,
  authorization: string,
  pairs: readonly Pair[],
  literal: Literal,
): Presented | null {
  // They are not signed in this mode, so anybody could have put them there.
  const own = new Set(parameters(literal))
  if (pairs.some(([name]) => own.has(name))) return null
  const blank = authorization.indexOf(' ')
  if (blank < 0 || authorization.slice(0, blank) !== literal.algorithmValue) return null
  const items = authorization.slice(blank + 1).split(',')
  const [credential, signedHeaders, signature] = ITEMS.map((prefix, i) => {
    const item = (items[i] ?? '').trim()
    return item.startsWith(prefix) ? item.slice(prefix.length) : ''
  }) as [string, string, string]
  const [timestamp = '', ...others] = headers.values(literal.date.toLowerCase())
  if (items.length !== ITEMS.length || others.length > 0) return null
  const expiresMs = Number.POSITIVE_INFINITY
  return presented({ credential, signedHeaders, signature, timestamp, expiresMs, pairs })
}

const ITEMS = ['Credential=', 'SignedHeaders=', 'Signature=']

function fromQuery(pairs: readonly Pair[], literal: Literal): Presented | null {
  const values: string[] = []
  for (const name of parameters(literal)) {
    const found = pairs.filter((pair) => pair[0] === name)
    // One of two would be what is checked, the other what somebody else reads.
    if (found.length !== 1) return null
    values.push((found[0] as Pair)[1])
  }
  const [algorithm, credential, timestamp, expires, signedHeaders, signature] = values as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  if (algorithm !== literal.algorithmValue || !/^\d{1,10}$/.test(expires)) return null
  return presented({
    credential,
    signedHeaders,
    signature,
    timestamp,
    expiresMs: Number(expires) * 1_000,
    pairs: pairs.filter((pair) => pair[0] !== literal.signature),
  })
}

function parameters(literal: Literal): readonly string[] {
  const { algorithmName, credential, date, expires, signedHeaders, signature } = literal
  return [algorithmName, credential, date, expires, signedHeaders, signature]
}

interface Raw extends Pick<Presented, 'signedHeaders' | 'signature' | 'timestamp' | 'pairs'> {
  readonly expiresMs: number
  readonly credential: string
}

function presented({ credential, ...raw }: Raw): Presented | null {
  const [accessKeyId = '', date = '', ...rest] = credential.split('/')
  const timestampMs = parseTimestamp(raw.timestamp)
  if (accessKeyId === '' || rest.length === 0 || timestampMs === null) return null
  if (!/^\d{8}$/.test(date) || !raw.timestamp.startsWith(date)) return null
  if (!/^[0-9a-f]{64}$/.test(raw.signature)) return null
  const names = raw.signedHeaders.split(';')
  const lower = new Set(names.map((name) => name.toLowerCase()))
  if (names.length > SIGNED_HEADERS_MAX || lower.size !== names.length) return null
  // Else what was signed for one host would be good for any other that has the same keys.
  if (!lower.has('host')) return null
  return { ...raw, accessKeyId, date, scopes: rest.slice(0, -1), timestampMs, names }
}

function parseTimestamp(text: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return null
  const [, year, month, day, hour, minute, second] = match
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const ms = Date.parse(iso)
  // Date.parse takes the 31st of any month and moves on into the next.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? null : ms
}
