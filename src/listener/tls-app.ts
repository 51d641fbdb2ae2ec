import type { CertificatePair, TlsIdentity } from './contract.js'
import { withSecretFiles } from './secret-files.js'
import { namedPairs, plainName, wildcardOf } from './server-names.js'
import { createTlsApp, type UwsTlsApp, type UwsTlsOptions } from './uws.js'

/**
 * For TLS 1.2: forward secrecy only. Those of Go's list that are not of RSA key exchange; TLS 1.3 has
 * its own.
 */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
].join(':')

function withOptions<T>({ cert, key }: CertificatePair, use: (options: UwsTlsOptions) => T): T {
  return withSecretFiles([cert, key], ([certFile = '', keyFile = '']) =>
    use({ cert_file_name: certFile, key_file_name: keyFile, ssl_ciphers: CIPHERS }),
  )
}

/** An app that shows the certificates of `identity`. Throws when the first cannot be used. */
export function tlsAppOf({ pairs }: TlsIdentity): UwsTlsApp {
  const [first] = pairs
  if (first === undefined) throw new Error('there is no certificate')
  const app = withOptions(first, createTlsApp)
  const named = new Map(namedPairs(pairs).map(({ name, pair }) => [name, pair]))
  for (const [name, pair] of named) withOptions(pair, (options) => app.addServerName(name, options))
  app.missingServerName((asked) => {
    // Names are looked up as clients write them; those of certificates are in lower case.
    const name = plainName(asked)
    if (name === asked) return
    const pair = named.get(name) ?? named.get(wildcardOf(name))
    if (pair === undefined) return
    try {
      withOptions(pair, (options) => app.addServerName(asked, options))
    } catch {
      return // no file to be had: the first certificate it is
    }
    // The connection keeps what it got; the table does not grow by what clients write.
    setImmediate(() => app.removeServerName(asked))
  })
  return app
}
