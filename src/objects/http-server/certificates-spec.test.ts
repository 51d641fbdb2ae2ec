import { expect, it } from 'vitest'
import {
  A,
  A_KEY_ENCRYPTED,
  A_KEY_OLD_ENCRYPTED,
  A_KEY_SEC1,
  B,
  CA,
  ED25519,
  K1,
  LEAF,
  MID,
  P384,
  RSA,
  type TestPair,
} from '../../lib/certificates.fixture.js'
import { type TlsSpec, tlsIdentityOf, tlsProblems } from './certificates-spec.js'

const base64 = (pem: string): string => Buffer.from(pem).toString('base64')
const pair = ({ cert, key }: TestPair): TlsSpec => ({
  https: true,
  certBase64: base64(cert),
  keyBase64: base64(key),
})

/** Within the time for which the certificates of the tests are good. */
const NOW = Date.UTC(2030, 0)
const told = (spec: TlsSpec, nowMs = NOW): string[] =>
  tlsProblems(spec, nowMs).map(
    ({ path, message, hint, severity }) =>
      `${severity === 'warning' ? 'warning: ' : ''}${path.join('/')}: ${message}${hint === undefined ? '' : `; ${hint}`}`,
  )

it.each<[name: string, spec: TlsSpec]>([
  ['P-256', pair(A)],
  ['P-384', pair(P384)],
  ['RSA', pair(RSA)],
  ['a key as SEC 1 has it', pair({ cert: A.cert, key: A_KEY_SEC1 })],
  ['a chain', pair({ cert: LEAF.cert + MID, key: LEAF.key })],
  ['text around it', pair({ cert: `subject=CN = a.test\n${A.cert}`, key: A.key })],
  ['line ends of Windows', pair({ cert: A.cert.replaceAll('\n', '\r\n'), key: A.key })],
  ['pairs by name', { https: true, certs: { a: A.cert }, keys: { a: A.key } }],
  ['base64 by name', { https: true, certs: { a: base64(A.cert) }, keys: { a: base64(A.key) } }],
  ['authorities', { ...pair(A), caCertBase64: base64(CA + MID) }],
  ['no TLS, whatever else', { https: false, certBase64: base64('x'), certs: { a: 'x' } }],
])('takes %s', (_name, spec) => {
  expect(told(spec)).toEqual([])
})

it.each<[name: string, spec: TlsSpec, problems: string[]]>([
  ['nothing', { https: true }, ['https: needs certBase64 and keyBase64']],
  [
    'nothing of v2',
    { https: true, certs: {}, keys: {} },
    ['https: needs certBase64 and keyBase64; or a pair in certs and keys'],
  ],
  [
    'no key',
    { https: true, certBase64: base64(A.cert) },
    ['keyBase64: is missing: expected it beside certBase64'],
  ],
  [
    'no certificate',
    { https: true, keyBase64: base64(A.key) },
    ['certBase64: is missing: expected it beside keyBase64'],
  ],
  [
    'half a pair beside a whole one, which Easegress takes for none',
    { https: true, certBase64: base64(A.cert), certs: { a: A.cert }, keys: { a: A.key } },
    ['warning: keyBase64: is missing: expected it beside certBase64'],
  ],
  [
    'no PEM',
    { https: true, certBase64: base64('certificate'), keyBase64: base64('key') },
    [
      'certBase64: expected a certificate in PEM ("-----BEGIN CERTIFICATE-----"), base64-encoded',
      'keyBase64: expected a private key in PEM ("-----BEGIN PRIVATE KEY-----"), base64-encoded',
    ],
  ],
  [
    'key and certificate exchanged',
    pair({ cert: A.key, key: A.cert }),
    [
      'certBase64: expected a certificate in PEM ("-----BEGIN CERTIFICATE-----"), base64-encoded',
      'keyBase64: expected a private key in PEM ("-----BEGIN PRIVATE KEY-----"), base64-encoded',
    ],
  ],
  [
    'the key of another',
    pair({ cert: A.cert, key: B.key }),
    [
      'keyBase64: does not belong to the first certificate of certBase64; expected the key it was made with',
    ],
  ],
  [
    'a chain in the wrong order',
    pair({ cert: MID + LEAF.cert, key: LEAF.key }),
    [
      'keyBase64: does not belong to the first certificate of certBase64; expected the key it was made with',
    ],
  ],
  [
    'an encrypted key',
    pair({ cert: A.cert, key: A_KEY_ENCRYPTED }),
    [
      'keyBase64: is encrypted: expected a key without a passphrase; `openssl pkey -in FILE` writes it without',
    ],
  ],
  [
    'an encrypted key of old',
    pair({ cert: A.cert, key: A_KEY_OLD_ENCRYPTED }),
    [
      'keyBase64: is encrypted: expected a key without a passphrase; `openssl pkey -in FILE` writes it without',
    ],
  ],
  [
    'Ed25519',
    pair(ED25519),
    ['keyBase64: is of a kind that is not served (ed25519); expected RSA or P-256'],
  ],
  [
    'another curve',
    pair(K1),
    [
      'keyBase64: is of a kind that is not served (elliptic curve secp256k1); expected RSA or P-256',
    ],
  ],
  [
    'a certificate without a key',
    { https: true, certs: { a: A.cert, b: B.cert }, keys: { b: B.key } },
    ['certs/a: expected a key "a" in keys'],
  ],
  [
    'a key without a certificate',
    { https: true, certs: { b: B.cert }, keys: { a: A.key, b: B.key } },
    ['warning: keys/a: has no certificate "a" in certs, and is not used'],
  ],
  [
    'a name that objects have',
    { https: true, certs: { toString: A.cert }, keys: {} },
    ['certs/toString: expected a key "toString" in keys'],
  ],
  [
    'authorities that are none',
    { ...pair(A), caCertBase64: base64('x') },
    ['caCertBase64: expected a certificate in PEM ("-----BEGIN CERTIFICATE-----"), base64-encoded'],
  ],
])('%s: says so', (_name, spec, problems) => {
  expect(told(spec)).toEqual(problems)
})

it('bytes that are no certificate in PEM', () => {
  const broken = A.cert.replace(/\n[^\n]{64}\n/, '\n')
  const [problem = ''] = told(pair({ cert: A.cert + broken, key: A.key }))
  expect(problem).toMatch(/^certBase64: certificate 2 of 2 cannot be read: ./)
})

it('a key that cannot be read', () => {
  const broken = A.key.replace(/\n[^\n]{64}\n/, '\n')
  const [problem = ''] = told(pair({ cert: A.cert, key: broken }))
  expect(problem).toMatch(/^keyBase64: cannot be read: ./)
})

it.each<[when: string, nowMs: number, problem: RegExp]>([
  ['expired', Date.UTC(2200, 0), /^warning: certBase64: certificate 1 of 2 expired on \w+ +\d+ /],
  ['not yet', Date.UTC(2020, 0), /^warning: certBase64: certificate 1 of 2 is not valid before \w/],
])('%s: a warning', (_when, nowMs, problem) => {
  const problems = told(pair({ cert: LEAF.cert + MID, key: LEAF.key }), nowMs)
  expect(problems.length).toBe(2)
  expect(problems[0]).toMatch(problem)
})

it('what a server shows: pairs in order, with their names', () => {
  const identity = tlsIdentityOf({
    ...pair(A),
    certs: { b: B.cert, rsa: base64(RSA.cert) },
    keys: { b: B.key, rsa: base64(RSA.key) },
    caCertBase64: base64(CA),
  })
  expect(identity?.pairs.map(({ names }) => names)).toEqual([
    ['a.test'],
    ['b.test', '*.b.test'],
    ['rsa.test'],
  ])
  expect(identity?.clientCa.trim()).toBe(CA.trim())
  for (const each of identity?.pairs ?? []) {
    expect(each.key).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect(each.cert).toMatch(/^-----BEGIN CERTIFICATE-----\n/)
  }
})

it('fingerprints tell identities apart, and only those', () => {
  const of = (spec: TlsSpec): string | undefined => tlsIdentityOf(spec)?.fingerprint
  const different = [
    pair(A),
    pair(B),
    { ...pair(A), caCertBase64: base64(CA) },
    { ...pair(A), certs: { b: B.cert }, keys: { b: B.key } },
    pair({ cert: LEAF.cert, key: LEAF.key }),
    pair({ cert: LEAF.cert + MID, key: LEAF.key }),
  ].map(of)
  expect(new Set(different).size).toBe(different.length)
  expect(of(pair(A))).toBe(of({ https: true, certs: { x: A.cert }, keys: { x: A.key } }))
  expect(tlsIdentityOf({ https: false })).toBe(null)
})
