import { expect, it } from 'vitest'
import { codeOf, kindOfError } from './socket-error.js'

const coded = (code: string): Error => Object.assign(new Error(code), { code })

it.each<[code: string, whileConnecting: string, later: string]>([
  ['ECONNREFUSED', 'refused', 'refused'],
  ['ETIMEDOUT', 'connect-timeout', 'reset'],
  ['EHOSTUNREACH', 'unreachable', 'unreachable'],
  ['ENETUNREACH', 'unreachable', 'unreachable'],
  ['EADDRNOTAVAIL', 'unreachable', 'unreachable'],
  ['ENOTFOUND', 'dns', 'dns'],
  ['EAI_AGAIN', 'dns', 'dns'],
  ['EMFILE', 'overloaded', 'overloaded'],
  ['ECONNRESET', 'reset', 'reset'],
  ['EPIPE', 'reset', 'reset'],
  ['CERT_HAS_EXPIRED', 'tls', 'tls'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', 'tls'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls', 'tls'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls', 'tls'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', 'tls'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls', 'tls'],
  ['EPROTO', 'tls', 'tls'],
  ['EWHATEVER', 'unreachable', 'reset'],
  ['', 'unreachable', 'reset'],
])('%s is %s while connecting, %s later', (code, whileConnecting, later) => {
  expect(kindOfError(coded(code), true)).toBe(whileConnecting)
  expect(kindOfError(coded(code), false)).toBe(later)
})

it('several attempts count as the first', () => {
  const all = new AggregateError([coded('ECONNREFUSED'), coded('EHOSTUNREACH')])
  expect(codeOf(all)).toBe('ECONNREFUSED')
  expect(codeOf(new AggregateError([]))).toBe('')
})
