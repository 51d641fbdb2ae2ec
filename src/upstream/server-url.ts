import { isIPv6 } from 'node:net'
import type { ServerOrigin } from './contract.js'

/** A back end as configuration names it: where it listens, and what its paths begin with. */
export interface ServerUrl extends ServerOrigin {
  /** Percent-encoded, without a slash at the end; '' for the root. */
  readonly pathPrefix: string
}

/**
 * Reads `http://host:port/prefix`. Null when it is no such URL: another scheme, no host, user
 * information, a query or a fragment, which have no meaning for a back end.
 */
export function parseServerUrl(text: string): ServerUrl | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return null
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  const port = url.port === '' ? defaultPort(scheme) : Number(url.port)
  if (port === 0) return null
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  return { scheme, host, port, pathPrefix: url.pathname.replace(/\/+$/, '') }
}

/** Whether `text`, an http or https URL, may name a `Service`: all in it has a meaning there. */
export function isServiceUrl(text: string): boolean {
  const { username, password, hash, port } = new URL(text)
  return username === '' && password === '' && hash === '' && port !== '0'
}

/** The Host field that names `origin`: the port only when it is not the scheme's own. */
export function hostFieldOf(origin: ServerOrigin): string {
  const host = isIPv6(origin.host) ? `[${origin.host}]` : origin.host
  return origin.port === defaultPort(origin.scheme) ? host : `${host}:${origin.port}`
}

function defaultPort(scheme: 'http' | 'https'): number {
  return scheme === 'https' ? 443 : 80
}
