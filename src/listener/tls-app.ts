import type { CertificatePair } from './contract.js'
import { withSecretFiles } from './secret-files.js'
import { createTlsApp, type UwsApp } from './uws.js'

/**
 * For TLS 1.2: those of Go's list that keep earlier connections secret when a key is lost. TLS 1.3
 * has its own.
 */
export const TLS12_CIPHERS = [
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

/** An app that shows one certificate to all. Throws when it cannot be used. */
export function tlsAppOf({ cert, key }: CertificatePair): UwsApp {
  return withSecretFiles([cert, key], ([certFile = '', keyFile = '']) =>
    createTlsApp({
      cert_file_name: certFile,
      key_file_name: keyFile,
      ssl_ciphers: TLS12_CIPHERS,
    }),
  )
}
