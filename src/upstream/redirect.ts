import type { OriginCache } from './origin-cache.js'

/** Which redirections are followed, instead of being handed on. */
export interface Redirects {
  /** In a row; one more is a failure. */
  readonly max: number
  readonly origins: OriginCache
}

/** How a request goes on elsewhere. */
export interface Redirected {
  readonly url: URL
  readonly method: string
  readonly headers: readonly string[]
  /** The body goes along, if there is one. */
  readonly keepsBody: boolean
}

const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Fields that are about a body that is not sent any more. */
const OF_BODIES: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
])
/** Fields that are for the first server alone. */
const SECRETS: ReadonlySet<string> = new Set(['authorization', 'cookie'])

/** Where an answer sends whoever asked; null when it does not. */
export function locationIn(status: number, headers: readonly string[]): string | null {
  if (!STATUSES.has(status)) return null
  const at = headers.findIndex((name, i) => i % 2 === 0 && name === 'location')
  return at < 0 ? null : (headers[at + 1] as string)
}

/** Whether the request must be sent again as it was, body included (RFC 9110 §15.4). */
export const keepsRequest = (status: number): boolean => status >= 307

/**
 * What becomes of the request to `from`, as Go's HTTP client has it: 301, 302 and 303 turn all but
 * HEAD into GET, and other sites are told no secrets. Null when nobody can be asked there.
 */
export function redirected(
  from: URL,
  status: number,
  location: string,
  request: {
    readonly method: string
    readonly headers: readonly string[]
    readonly bodyLength: number
  },
): Redirected | null {
  if (!URL.canParse(location, from.href)) return null
  const url = new URL(location, from)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  const { method, bodyLength } = request
  const keepsBody = keepsRequest(status) || method === 'HEAD'
  let { headers } = request
  if (!keepsBody && bodyLength !== 0) headers = without(headers, OF_BODIES)
  if (!isSameSite(from, url)) headers = without(headers, SECRETS)
  return { url, method: keepsBody ? method : 'GET', headers, keepsBody }
}

const without = (flat: readonly string[], names: ReadonlySet<string>): readonly string[] =>
  flat.filter((_, at) => !names.has(flat[at - (at % 2)] as string))

/** As for cookies: the same host, or one below it. */
const isSameSite = (from: URL, to: URL): boolean =>
  to.hostname === from.hostname || to.hostname.endsWith(`.${from.hostname}`)
