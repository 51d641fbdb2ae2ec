import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { expect, it } from 'vitest'
import { JwksVerifier, tokenHeader } from './jwks.js'

const NOW = 1_700_000_000_000
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(header: object, claims: object, key: KeyObject | string): string {
  const input = `${encode(header)}.${encode(claims)}`
  const signature =
    typeof key === 'string'
      ? createHmac('sha256', key).update(input).digest()
      : sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

const jwk = (key: KeyObject, more: object): object => ({
  ...key.export({ format: 'jwk' }),
  ...more,
})

const setOf = (...keys: object[]): JwksVerifier | null =>
  JwksVerifier.of(Buffer.from(JSON.stringify({ keys })), 0)

const verifier = setOf(
  jwk(rsa.publicKey, { kid: 'r', use: 'sig' }),
  jwk(curve.publicKey, { kid: 'c', alg: 'ES256' }),
  { kty: 'oct', kid: 'o', k: 'c2VjcmV0' },
  { kty: 'RSA', kid: 'broken' },
) as JwksVerifier

const claims = { sub: 'ann' }
const passes = (text: string): boolean => verifier.verify(text, NOW) !== null

it.each([
  ['the named key', token({ alg: 'RS256', kid: 'r' }, claims, rsa.privateKey), true],
  ['no name', token({ alg: 'RS256' }, claims, rsa.privateKey), true],
  ['a curve', token({ alg: 'ES256', kid: 'c' }, claims, curve.privateKey), true],
  ['another name', token({ alg: 'RS256', kid: 'x' }, claims, rsa.privateKey), false],
  ['the name of another key', token({ alg: 'RS256', kid: 'c' }, claims, rsa.privateKey), false],
  ['a key that is not there', token({ alg: 'RS256', kid: 'r' }, claims, other.privateKey), false],
  ['a symmetric key of the set', token({ alg: 'HS256', kid: 'o' }, claims, 'secret'), false],
  [
    'the public key as a secret',
    token(
      { alg: 'HS256', kid: 'r' },
      claims,
      rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string,
    ),
    false,
  ],
  ['none', `${encode({ alg: 'none', kid: 'r' })}.${encode(claims)}.`, false],
  [
    'what is over',
    token({ alg: 'RS256', kid: 'r' }, { exp: NOW / 1000 - 1 }, rsa.privateKey),
    false,
  ],
  ['nothing', '', false],
  ['no token', 'a.b.c', false],
  ['a giant', `${'a'.repeat(100_000)}.b.c`, false],
])('a token with %s', (_name, text, wanted) => {
  expect(passes(text)).toBe(wanted)
})

it.each(
  [['', '{}', '[]', '{"keys": 1}', '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}']].flat(),
)('no set of keys: %j', (json) => {
  expect(JwksVerifier.of(Buffer.from(json), 0)).toBeNull()
})

it('tells which keys it has, for who wonders whether to fetch anew', () => {
  expect([verifier.has('r'), verifier.has('o'), verifier.has('new')]).toEqual([true, false, false])
  expect(tokenHeader(token({ alg: 'RS256', kid: 'r' }, claims, rsa.privateKey))).toEqual({
    alg: 'RS256',
    kid: 'r',
  })
  expect(tokenHeader('nothing')).toBeNull()
})

it('a key for encryption signs nothing', () => {
  expect(setOf(jwk(rsa.publicKey, { use: 'enc' }))).toBeNull()
})
