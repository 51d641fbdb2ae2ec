import { X509Certificate } from 'node:crypto'
import { type Exchange, OK, type Responder } from '../../http/exchange.js'
import { isFieldValue, toLatin1 } from '../../http/headers.js'
import type { Filter } from '../contract.js'
import type { Spec } from './kind.js'
import { NAME_PARTS } from './name-spec.js'

/** A connection whose client has shown certificates: what a listener with TLS offers. */
export interface CertifiedResponder extends Responder {
  /** In DER, the client's own first; none when it has shown none. The same objects every time. */
  peerCertificates(): readonly Uint8Array[]
}

class CertExtractor implements Filter {
  readonly #index: number
  readonly #target: 'subject' | 'issuer'
  readonly #part: string
  readonly #header: string
  /** What certificates say: connections are kept, so they come again. */
  readonly #known = new WeakMap<Uint8Array, readonly string[]>()

  constructor(spec: Spec) {
    this.#index = spec.certIndex
    this.#target = spec.target
    this.#part = NAME_PARTS[spec.field]
    this.#header = (spec.headerKey || `tls-${spec.target}-${spec.field}`).toLowerCase()
  }

  handle(ex: Exchange): number {
    const { headers } = ex.request
    // What a client writes there itself says nothing.
    headers.delete(this.#header)
    const { responder } = ex
    if (responder === null || !isCertified(responder)) return OK
    const chain = responder.peerCertificates()
    const count = chain.length
    if (count === 0) return OK
    const certificate = chain[(count + (this.#index % count)) % count] as Uint8Array
    for (const value of this.#valuesOf(certificate)) headers.add(this.#header, value)
    return OK
  }

  #valuesOf(certificate: Uint8Array): readonly string[] {
    let values = this.#known.get(certificate)
    if (values === undefined) {
      values = this.#read(certificate)
      this.#known.set(certificate, values)
    }
    return values
  }

  #read(certificate: Uint8Array): readonly string[] {
    const name = nameOf(certificate, this.#target)
    const value = name?.[this.#part] ?? []
    return (Array.isArray(value) ? value : [value])
      .map(toLatin1)
      .filter((text) => text !== '' && isFieldValue(text))
  }
}

type Name = Readonly<Record<string, string | string[] | undefined>>

/** Null for bytes that are no certificate. */
function nameOf(certificate: Uint8Array, target: 'subject' | 'issuer'): Name | null {
  try {
    const { subject, issuer } = new X509Certificate(certificate).toLegacyObject()
    return (target === 'subject' ? subject : issuer) as unknown as Name
  } catch {
    return null
  }
}

function isCertified(responder: Responder): responder is CertifiedResponder {
  return 'peerCertificates' in responder
}

export const create = (spec: Spec): Filter => new CertExtractor(spec)
