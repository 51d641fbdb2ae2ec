import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { GatewayError } from '../lib/errors.js'

export type Guard = (headers: IncomingHttpHeaders) => void

/**
 * Refuses what a web page could make a browser send: requests under a name that merely resolves to
 * this machine (DNS rebinding), and requests that come from a page of another site. Throws
 * REQUEST_INVALID. `ownHost` is the configured host; with `anyHost` names are not looked at,
 * because they are known to the operator alone.
 */
export function browserGuard(ownHost: string, anyHost: boolean): Guard {
  return (headers) => {
    const host = hostOf(headers.host ?? '')
    if (host === null || !(anyHost || isOwn(host, ownHost))) {
      throw new GatewayError(
        'REQUEST_INVALID',
        'Host: expected localhost, an IP address or the host of api-addr',
      )
    }
    const { origin } = headers
    if (origin !== undefined && !isSameHost(origin, headers.host ?? '')) {
      throw new GatewayError('REQUEST_INVALID', 'Origin: pages of other sites may not do this')
    }
  }
}

function isOwn(host: string, ownHost: string): boolean {
  return (
    host === '' || // HTTP/1.0; no browser leaves it out
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === ownHost.toLowerCase() ||
    isIP(host) !== 0
  )
}

/** Without port and brackets; null when malformed. */
function hostOf(header: string): string | null {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]*))(?::\d*)?$/.exec(header.trim().toLowerCase())
  return match === null ? null : (match[1] ?? match[2] ?? '')
}

/** Compares with the default port of the origin's scheme left out. */
function isSameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: wanted } = new URL(origin)
  const own = `${protocol}//${host}`
  return wanted !== '' && URL.canParse(own) && new URL(own).host === wanted
}

const REALM = 'easegress-basic-auth'

/** What `WWW-Authenticate` of a 401 says. */
export const CHALLENGE = `Basic realm="${REALM}", charset="UTF-8"`

/**
 * Demands one of `users` (name to password) by HTTP basic authentication, RFC 7617; throws
 * UNAUTHENTICATED. Takes the same time for a wrong name and a wrong password. Without users
 * everybody passes.
 */
export function basicAuthGuard(users: Readonly<Record<string, string>>): Guard {
  if (Object.keys(users).length === 0) return () => {}
  const key = randomBytes(32)
  // Digests of equal length, under a key nobody knows, can be compared in constant time.
  const digest = (credentials: string): Buffer =>
    createHmac('sha256', key).update(credentials).digest()
  const known = Object.entries(users).map(([user, password]) => digest(`${user}:${password}`))
  return ({ authorization }) => {
    const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '')
    const given = digest(Buffer.from(match?.[1] ?? '', 'base64').toString('utf8'))
    let found = false
    for (const each of known) if (timingSafeEqual(each, given)) found = true
    if (!found) throw new GatewayError('UNAUTHENTICATED', 'basic auth failed')
  }
}
