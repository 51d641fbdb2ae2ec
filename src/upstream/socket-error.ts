import type { UpstreamErrorKind } from './contract.js'

/** The system's or OpenSSL's code of an error; several attempts give that of the first. */
export function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (typeof code === 'string') return code
  if (error instanceof AggregateError && error.errors[0] instanceof Error) {
    return codeOf(error.errors[0])
  }
  return ''
}

/** What an error of a socket means to the request it was meant for. */
export function kindOfError(error: Error, isConnecting: boolean): UpstreamErrorKind {
  const code = codeOf(error)
  switch (code) {
    case 'ECONNREFUSED':
      return 'refused'
    case 'ETIMEDOUT':
      return isConnecting ? 'connect-timeout' : 'reset'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
    case 'EADDRNOTAVAIL':
    case 'EACCES':
    case 'EPERM':
    case 'EINVAL':
      return 'unreachable'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ENODATA':
    case 'ESERVFAIL':
      return 'dns'
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOBUFS':
    case 'ENOMEM':
      return 'overloaded'
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return 'reset'
    default:
      return isTls(code) ? 'tls' : isConnecting ? 'unreachable' : 'reset'
  }
}

/** OpenSSL's codes, and node's for certificates it does not trust. */
function isTls(code: string): boolean {
  return (
    code.startsWith('ERR_SSL') ||
    code.startsWith('ERR_TLS') ||
    code.startsWith('CERT_') ||
    code.startsWith('UNABLE_TO_') ||
    code.endsWith('_IN_CHAIN') ||
    code.endsWith('_SELF_SIGNED_CERT') ||
    code === 'EPROTO' ||
    code === 'HOSTNAME_MISMATCH'
  )
}
