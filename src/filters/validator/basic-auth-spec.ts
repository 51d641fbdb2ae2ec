import { X509Certificate } from 'node:crypto'
import {
  base64,
  boolean,
  checked,
  integer,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'
import { prefixOf } from '../custom-data.js'

const DEFAULT_PREFIX = 'credentials/'

const ldap = object(
  {
    host: string({ doc: 'Name or address of the server.', min: 1 }),
    port: integer({ doc: 'Its port, such as 389 or 636.', min: 1, max: 65_535 }),
    baseDN: string({ doc: 'Where users are: `ou=people,dc=example,dc=com`.', min: 1 }),
    uid: string({
      doc: 'Attribute of the name of a user: `uid` or `cn`.',
      pattern: /^[A-Za-z][A-Za-z0-9-]*$/,
      expected: 'the name of an attribute, such as "uid"',
    }),
    useSSL: boolean({ doc: 'TLS from the start (ldaps).', default: false }),
    skipTLS: boolean({ doc: 'No TLS at all: passwords can be read on the way.', default: false }),
    insecure: boolean({ doc: 'Take any certificate of the server.', default: false }),
    serverName: string({ doc: 'Name in the certificate; `host` without.', default: '' }),
    certBase64: base64({ doc: 'Our own certificate, PEM in base64.', default: '' }),
    keyBase64: base64({ doc: 'And its key.', default: '' }),
  },
  { doc: 'The server, for LDAP.', optional: true },
)
export type LdapSpec = Exclude<SpecOf<typeof ldap>, undefined>

export const basicAuth = checked(
  object(
    {
      mode: oneOf(['FILE', 'ETCD', 'LDAP'], {
        doc: 'Who knows the users: a file of the gateway, custom data of the cluster, or a server.',
      }),
      userFile: string({
        doc: 'A file as `htpasswd` writes it, for FILE; read again when it changes.',
        default: '/etc/apache2/.htpasswd',
      }),
      etcdPrefix: string({
        doc: 'Kind of custom data, with a slash behind it, for ETCD: items have `password`, and `username` or `key`, which is the name.',
        default: DEFAULT_PREFIX,
      }),
      ldap,
    },
    { doc: 'Check of name and password (RFC 7617).', optional: true },
  ),
  (spec): SpecProblem[] => {
    if (spec.mode === 'LDAP') return ldapProblems(spec.ldap)
    return spec.ldap === undefined
      ? []
      : [{ path: ['ldap'], message: `is for LDAP, but mode is ${spec.mode}` }]
  },
)
export type BasicAuthSpec = Exclude<SpecOf<typeof basicAuth>, undefined>

function ldapProblems(spec: LdapSpec | undefined): SpecProblem[] {
  if (spec === undefined) return [{ path: ['ldap'], message: 'is required for LDAP' }]
  const problems: SpecProblem[] = []
  if ((spec.certBase64 === '') !== (spec.keyBase64 === '')) {
    problems.push({
      path: ['ldap', 'certBase64'],
      message: 'expected both certBase64 and keyBase64',
    })
  } else if (spec.certBase64 !== '' && !isCertificate(spec.certBase64)) {
    problems.push({
      path: ['ldap', 'certBase64'],
      message: 'expected a certificate, PEM in base64',
    })
  }
  if (spec.useSSL && spec.skipTLS) {
    problems.push({ path: ['ldap', 'skipTLS'], message: 'contradicts useSSL' })
  }
  return problems
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(Buffer.from(text, 'base64'))
    return true
  } catch {
    return false
  }
}

/** Prefix of custom data in which users are looked up; null when they are not. */
export function usersPrefix(spec: BasicAuthSpec | undefined): string | null {
  if (spec === undefined || spec.mode !== 'ETCD') return null
  return prefixOf(spec.etcdPrefix || DEFAULT_PREFIX)
}
