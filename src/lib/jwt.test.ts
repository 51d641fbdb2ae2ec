import { expect, it } from 'vitest'
import {
  encode,
  hmacToken,
  keyToken,
  type PairName,
  pemOf,
  privatePemOf,
  SECRET,
} from './jwt.fixture.js'
import { JwtVerifier, TOKEN_CHARS_MAX } from './jwt.js'
import { checkJwtKey, type JwtAlgorithm } from './jwt-key.js'

const NOW_S = 1_700_000_000
const NOW_MS = NOW_S * 1_000
const CLAIMS = { sub: 'me' }

const hs256 = (leewayMs = 0) =>
  new JwtVerifier({ algorithm: 'HS256', secret: SECRET, publicKey: '' }, leewayMs)
const withKey = (algorithm: JwtAlgorithm, publicKey: string) =>
  new JwtVerifier({ algorithm, secret: '', publicKey }, 0)

/** RFC 7515 A.1: key, token and the claims in it. */
const RFC_SECRET = Buffer.from(
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'base64url',
).toString('hex')
const RFC_TOKEN =
  'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'

it('takes the example of RFC 7515 while it is valid', () => {
  const verifier = new JwtVerifier({ algorithm: 'HS256', secret: RFC_SECRET, publicKey: '' }, 0)
  expect(verifier.verify(RFC_TOKEN, 1_300_819_379_999)).toMatchObject({ iss: 'joe' })
  expect(verifier.verify(RFC_TOKEN, 1_300_819_380_000)).toBeNull()
})

it.each([
  ['HS256', 'sha256'],
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
] as const)('%s', (algorithm, hash) => {
  const verifier = new JwtVerifier({ algorithm, secret: SECRET, publicKey: '' }, 0)
  const token = hmacToken(CLAIMS, { alg: algorithm }, { hash })
  expect(verifier.verify(token, NOW_MS)).toEqual(CLAIMS)
  expect(
    verifier.verify(hmacToken(CLAIMS, { alg: algorithm }, { hash, secret: 'no' }), 0),
  ).toBeNull()
  const truncated = token.slice(0, -4)
  expect(verifier.verify(truncated, NOW_MS)).toBeNull()
})

const PAIR_OF: [JwtAlgorithm, PairName][] = [
  ['RS256', 'rsa'],
  ['RS384', 'rsa'],
  ['RS512', 'rsa'],
  ['PS256', 'rsa'],
  ['PS384', 'rsa'],
  ['PS512', 'rsa'],
  ['ES256', 'p256'],
  ['ES384', 'p384'],
  ['ES512', 'p521'],
  ['EdDSA', 'ed25519'],
  ['EdDSA', 'ed448'],
]

it.each(PAIR_OF)('%s with %s', (algorithm, name) => {
  const pem = pemOf(name)
  const token = keyToken(CLAIMS, algorithm, name)
  for (const encoding of ['latin1', 'base64', 'hex'] as const) {
    const publicKey = Buffer.from(pem).toString(encoding)
    expect(checkJwtKey({ algorithm, secret: '', publicKey })).toBeNull()
    expect(withKey(algorithm, publicKey).verify(token, NOW_MS)).toEqual(CLAIMS)
  }
  const verifier = withKey(algorithm, pem)
  const [header, , signature] = token.split('.') as [string, string, string]
  for (const forged of [
    `${header}.${encode({ sub: 'other' })}.${signature}`,
    `${header}.${encode(CLAIMS)}.`,
    `${header}.${encode(CLAIMS)}.${encode('short')}`,
    `${header}.${encode(CLAIMS)}.${Buffer.alloc(Buffer.from(signature, 'base64url').length).toString('base64url')}`,
  ]) {
    expect(verifier.verify(forged, NOW_MS)).toBeNull()
  }
})

it('a signature by another key is none', () => {
  expect(withKey('RS256', pemOf('rsa')).verify(keyToken(CLAIMS, 'RS256', 'otherRsa'), 0)).toBeNull()
})

it('PKCS #1 and PSS are not taken for each other', () => {
  const header = { alg: 'PS256' }
  expect(withKey('PS256', pemOf('rsa')).verify(keyToken({}, 'RS256', 'rsa', header), 0)).toBeNull()
})

it.each<[name: string, token: string]>([
  ['nothing', ''],
  ['one part', 'a'],
  ['two parts', hmacToken({}).split('.').slice(0, 2).join('.')],
  ['four parts', `${hmacToken({})}.`],
  ['five parts, as encrypted tokens have', `${hmacToken({})}.a.b`],
  ['only dots', '..'],
  ['no header', `.${hmacToken({}).split('.').slice(1).join('.')}`],
  ['no signature', `${hmacToken({}).split('.').slice(0, 2).join('.')}.`],
  ['padding', `${hmacToken({})}=`],
  ['a blank in front', ` ${hmacToken({})}`],
  ['a line break at the end', `${hmacToken({})}\n`],
  ['plain base64', hmacToken({ sub: '???>>>' }).replaceAll('_', '/').replaceAll('-', '+')],
  ['bits left over', `${hmacToken({}).slice(0, -1)}${hmacToken({}).endsWith('A') ? 'B' : 'z'}`],
  ['alg none', `${encode({ alg: 'none' })}.${encode(CLAIMS)}.`],
  ['alg none, signed', hmacToken(CLAIMS, { alg: 'none' })],
  ['alg NONE', `${encode({ alg: 'NONE' })}.${encode(CLAIMS)}.`],
  ['alg in another case', hmacToken(CLAIMS, { alg: 'hs256' })],
  ['no alg', hmacToken(CLAIMS, { typ: 'JWT' })],
  ['alg is a list', hmacToken(CLAIMS, { alg: ['HS256'] })],
  ['another alg of the same key', hmacToken(CLAIMS, { alg: 'HS512' }, { hash: 'sha512' })],
  ['says another alg', hmacToken(CLAIMS, { alg: 'HS512' })],
  ['crit', hmacToken(CLAIMS, { alg: 'HS256', crit: ['exp'], exp: NOW_S + 9 })],
  ['crit, empty', hmacToken(CLAIMS, { alg: 'HS256', crit: [] })],
  ['crit, null', hmacToken(CLAIMS, { alg: 'HS256', crit: null })],
  ['header is a list', hmacToken(CLAIMS, ['HS256'])],
  ['header is null', hmacToken(CLAIMS, 'null')],
  ['header is no JSON', hmacToken(CLAIMS, '{"alg":"HS256"')],
  ['header is JSON twice', hmacToken(CLAIMS, '{"alg":"HS256"}{}')],
  ['claims are no JSON', hmacToken('{"sub":')],
  ['claims are empty', hmacToken('')],
  ['claims are a list', hmacToken([])],
  ['claims are null', hmacToken('null')],
  ['claims are text', hmacToken('"sub"')],
  ['claims are nested beyond reason', hmacToken('['.repeat(9_000))],
  ['exp is text', hmacToken({ exp: `${NOW_S + 60}` })],
  ['exp is null', hmacToken({ exp: null })],
  ['exp is a list', hmacToken({ exp: [NOW_S + 60] })],
  ['nbf is text', hmacToken({ nbf: '0' })],
  ['iat is true', hmacToken({ iat: true })],
  ['gigantic', hmacToken({ sub: 'x'.repeat(TOKEN_CHARS_MAX) })],
  ['signed with an empty key', hmacToken(CLAIMS, undefined, { secret: '' })],
  ['signed with the hex text of the key', hmacToken(CLAIMS, undefined, { secret: SECRET })],
])('refused: %s', (_name, token) => {
  expect(hs256().verify(token, NOW_MS)).toBeNull()
  // Nor is it after a good one with a header that is known by then.
  const verifier = hs256()
  expect(verifier.verify(hmacToken(CLAIMS), NOW_MS)).toEqual(CLAIMS)
  expect(verifier.verify(token, NOW_MS)).toBeNull()
})

it('claims that are no UTF-8 are refused', () => {
  const header = encode({ alg: 'HS256' })
  const payload = Buffer.from('{"sub":"\xff"}', 'latin1').toString('base64url')
  const good = hmacToken('{"sub":"\u00ff"}', { alg: 'HS256' })
  expect(hs256().verify(good, 0)).toEqual({ sub: '\u00ff' })
  expect(hs256().verify(`${header}.${payload}.${good.split('.')[2]}`, 0)).toBeNull()
})

it('a public key is no HMAC secret', () => {
  const pem = pemOf('rsa')
  const verifier = withKey('RS256', pem)
  for (const secret of [pem, pem.trim(), Buffer.from(pem).toString('base64')]) {
    expect(verifier.verify(hmacToken(CLAIMS, { alg: 'HS256' }, { secret }), NOW_MS)).toBeNull()
    expect(verifier.verify(hmacToken(CLAIMS, { alg: 'RS256' }, { secret }), NOW_MS)).toBeNull()
  }
})

it('a key that a token brings along is not used', () => {
  const jwk = { kty: 'oct', k: encode('own key') }
  const header = { alg: 'HS256', jwk, jku: 'http://127.0.0.1/', kid: '../../dev/null' }
  expect(hs256().verify(hmacToken(CLAIMS, header, { secret: 'own key' }), 0)).toBeNull()
  expect(hs256().verify(hmacToken(CLAIMS, header), 0)).toEqual(CLAIMS)
})

it.each<[name: string, claims: object, leewayMs: number, isValid: boolean]>([
  ['exp to come', { exp: NOW_S + 1 }, 0, true],
  ['exp is now', { exp: NOW_S }, 0, false],
  ['exp with a fraction', { exp: NOW_S + 0.5 }, 0, true],
  ['exp gone by', { exp: NOW_S - 1 }, 0, false],
  ['exp 0', { exp: 0 }, 0, false],
  ['exp below 0', { exp: -1 }, 0, false],
  ['exp gone by, within the leeway', { exp: NOW_S - 1 }, 2_000, true],
  ['exp gone by, at the leeway', { exp: NOW_S - 2 }, 2_000, false],
  ['exp for ever', { exp: 1e300 }, 0, true],
  ['nbf is now', { nbf: NOW_S }, 0, true],
  ['nbf to come', { nbf: NOW_S + 1 }, 0, false],
  ['nbf to come, within the leeway', { nbf: NOW_S + 2 }, 2_000, true],
  ['nbf to come, beyond it', { nbf: NOW_S + 3 }, 2_000, false],
  ['iat is now', { iat: NOW_S }, 0, true],
  ['iat to come', { iat: NOW_S + 1 }, 0, false],
  ['iat to come, within the leeway', { iat: NOW_S + 2 }, 2_000, true],
  ['all three', { iat: NOW_S - 9, nbf: NOW_S - 9, exp: NOW_S + 9 }, 0, true],
  ['one of three', { iat: NOW_S + 9, nbf: NOW_S - 9, exp: NOW_S + 99 }, 0, false],
  ['none, and aud and iss of others', { aud: 'x', iss: 'y' }, 0, true],
])('times: %s', (_name, claims, leewayMs, isValid) => {
  expect(hs256(leewayMs).verify(hmacToken(claims), NOW_MS) !== null).toBe(isValid)
})

it('a token that is remembered expires all the same, and is forgotten in time', () => {
  const verifier = hs256()
  const token = hmacToken({ exp: NOW_S + 10, nbf: NOW_S })
  const once = verifier.verify(token, NOW_MS)
  const first = verifier.verify(token, NOW_MS)
  // It is remembered when it has come twice.
  expect(first).toEqual(once)
  expect(first).not.toBe(once)
  expect(verifier.verify(token, NOW_MS + 9_999)).toBe(first)
  expect(verifier.verify(token, NOW_MS + 10_000)).toBeNull()
  expect(verifier.verify(token, NOW_MS - 1)).toBeNull()
  // Tokens that come once take nobody's place.
  for (let i = 0; i < 1_200; i++) expect(verifier.verify(hmacToken({ i }), NOW_MS)).toEqual({ i })
  expect(verifier.verify(token, NOW_MS)).toBe(first)
  for (let i = 0; i < 4_000; i++) {
    const other = hmacToken({ i, twice: true })
    for (const _each of [1, 2]) expect(verifier.verify(other, NOW_MS)).toMatchObject({ i })
  }
  const again = verifier.verify(token, NOW_MS)
  expect(again).toEqual(first)
  expect(again).not.toBe(first)
})

it('nothing passes for a token that is remembered', () => {
  const verifier = hs256()
  const tokens = Array.from({ length: 50 }, (_, i) => hmacToken({ i }))
  for (const token of tokens) {
    for (const _each of [1, 2, 3]) expect(verifier.verify(token, NOW_MS)).not.toBeNull()
  }
  for (const token of tokens) {
    const end = token.lastIndexOf('.') + 1
    const other = tokens[0] === token ? (tokens[1] as string) : (tokens[0] as string)
    const forged = `${other.slice(0, other.lastIndexOf('.') + 1)}${token.slice(end)}`
    for (const _each of [1, 2, 3]) expect(verifier.verify(forged, NOW_MS)).toBeNull()
  }
  for (const text of ['', '.', '..', 'AAAAAA', '\0'.repeat(43), 'A'.repeat(43)]) {
    for (const _each of [1, 2, 3]) expect(verifier.verify(text, NOW_MS), text).toBeNull()
  }
})

it('as many as 400 that come in turn are all remembered', () => {
  const verifier = hs256()
  const tokens = Array.from({ length: 400 }, (_, i) => hmacToken({ user: i }))
  const round = () => tokens.map((token) => verifier.verify(token, NOW_MS))
  for (const _each of [1, 2, 3]) round()
  const [before, after] = [round(), round()]
  const known = after.filter((claims, i) => claims !== null && claims === before[i])
  expect(known.length).toBeGreaterThan(390)
})

it('no change of a single character of a token passes', () => {
  const verifier = hs256()
  const token = hmacToken({ sub: 'me', exp: NOW_S + 60 })
  expect(verifier.verify(token, NOW_MS)).not.toBeNull()
  for (let at = 0; at < token.length; at++) {
    for (const other of 'Aa0_-.=') {
      if (token[at] === other) continue
      const changed = token.slice(0, at) + other + token.slice(at + 1)
      expect(verifier.verify(changed, NOW_MS), changed).toBeNull()
    }
  }
})

it.each<[algorithm: JwtAlgorithm, secret: string, publicKey: string, problem: string]>([
  ['HS256', '', '', 'secret'],
  ['HS256', 'abc', '', 'secret'],
  ['HS256', 'xy', '', 'secret'],
  ['HS256', ' 00', '', 'secret'],
  ['HS256', '', pemOf('rsa'), 'no public key'],
  ['HS256', '00', pemOf('rsa'), 'no public key'],
  ['RS256', '00', pemOf('rsa'), 'no secret'],
  ['RS256', '', '', 'PEM'],
  ['RS256', '', 'AAAA', 'PEM'],
  ['RS256', '', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'cannot be read'],
  ['RS256', '', privatePemOf('rsa'), 'private'],
  ['RS256', '', pemOf('shortRsa'), 'at least 2048 bits'],
  ['RS256', '', pemOf('p256'), 'RSA'],
  ['PS256', '', pemOf('ed25519'), 'RSA'],
  ['ES256', '', pemOf('p384'), 'prime256v1'],
  ['ES384', '', pemOf('p256'), 'secp384r1'],
  ['ES512', '', pemOf('rsa'), 'secp521r1'],
  ['EdDSA', '', pemOf('p256'), 'Ed25519'],
])('a key is refused: %s, %s, %s', (algorithm, secret, publicKey, problem) => {
  const found = checkJwtKey({ algorithm, secret, publicKey })
  expect(`${found?.field}: ${found?.message}`).toContain(problem)
})
