import { type Exchange, OK } from '../../http/exchange.js'
import { fromLatin1 } from '../../http/headers.js'
import { encodePath } from '../../http/path.js'
import type { Filter } from '../contract.js'
import { redirect, withoutHost } from '../redirect.js'
import type { Spec } from './kind.js'

const REDIRECTED = 1

class RedirectorV2 implements Filter {
  readonly #spec: Spec

  constructor(spec: Spec) {
    this.#spec = spec
  }

  handle(ex: Exchange): number {
    const { request } = ex
    const path = this.#path(ex)
    const target = withoutHost(request.query === '' ? path : `${path}?${request.query}`)
    const location = this.#origin(fromLatin1(request.host)) + target
    if (location === request.target) return OK
    redirect(ex, this.#spec.statusCode, location)
    return REDIRECTED
  }

  /** Scheme, host and port as far as they change; '' when none does. */
  #origin(requestHost: string): string {
    const { scheme, hostname, port } = this.#spec
    if (scheme === undefined && hostname === undefined && port === undefined) return ''
    const [, host = '', requestPort = ''] = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(requestHost) ?? []
    // Without a port, a new scheme means its own one; with the old scheme the port stays.
    const kept = scheme === undefined && hostname === undefined ? requestPort : ''
    const portText = port === undefined ? kept : `:${port}`
    return `${scheme === undefined ? '' : `${scheme}:`}//${hostname ?? host}${portText}`
  }

  #path(ex: Exchange): string {
    const { path } = this.#spec
    const current = ex.request.target.split('?', 1)[0] as string
    if (path === undefined) return current
    if (path.type === 'ReplaceFullPath') return encodePath(path.replaceFullPath ?? '')
    // What the route of the server says: a prefix, where it has one.
    const prefix = ex.pathPrefix
    const decoded = ex.request.path
    if (prefix === '' || !decoded.startsWith(prefix)) return current
    return encodePath((path.replacePrefixMatch ?? '') + decoded.slice(prefix.length))
  }
}

export const create = (spec: Spec): Filter => new RedirectorV2(spec)
