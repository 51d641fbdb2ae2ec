import { STATUS_CODES } from 'node:http'
import type { Exchange } from '../http/exchange.js'
import { integer, type SpecProblem } from '../spec/schema.js'

const STATUSES: readonly number[] = [301, 302, 303, 304, 307, 308]

/** Status of a redirection. */
export const redirectStatus = (otherwise: number) =>
  integer({ doc: `One of ${STATUSES.join(', ')}.`, default: otherwise })

export function statusProblems({ statusCode }: { readonly statusCode: number }): SpecProblem[] {
  if (STATUSES.includes(statusCode)) return []
  return [
    {
      path: ['statusCode'],
      message: `expected one of ${STATUSES.join(', ')}, got ${statusCode}`,
    },
  ]
}

const NOT_IN_URL = /[^\x21-\x7e]+/g

/** A new answer that sends the client to `location`; what cannot be in a header is encoded. */
export function redirect(ex: Exchange, status: number, location: string): void {
  const { response } = ex
  response.discard()
  response.status = status
  const encoded = location.replace(NOT_IN_URL, (run) =>
    encodeURIComponent(Buffer.from(run).toString()),
  )
  response.headers.set('location', encoded)
  response.headers.set('content-type', 'text/plain; charset=utf-8')
  // RFC 9110 §15.4.5: a 304 has no body.
  if (status !== 304) response.body = Buffer.from(STATUS_CODES[status] ?? '')
}

/**
 * A path that begins with two slashes, or with a slash and a backslash, names another host to
 * browsers: whoever asks for `/old//evil.test` must not get to choose one.
 */
export function withoutHost(location: string): string {
  return location.replace(/^[/\\]{2,}/, '/')
}
