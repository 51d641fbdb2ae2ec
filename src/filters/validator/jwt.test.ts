import { expect, it } from 'vitest'
import { hmacToken, keyToken, pemOf, privatePemOf, SECRET } from '../../lib/jwt.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const flow = (jwt: string): string => `
flow:
- {filter: validator, jumpIf: {invalid: END}}
- {filter: ok}
filters:
- name: validator
  kind: Validator
  jwt: ${jwt}
- {name: ok, kind: Mock, rules: [{code: 299}]}
`
const HS256 = flow(`{algorithm: HS256, secret: ${SECRET}, cookieName: token}`)

const nowS = Math.floor(Date.now() / 1_000)
const GOOD = hmacToken({ sub: 'me', iat: nowS - 60, nbf: nowS - 60, exp: nowS + 600 })
const BAD = hmacToken({ sub: 'me', exp: nowS - 1 })
const auth = (token: string): [string, string] => ['authorization', `Bearer ${token}`]

it.each<[name: string, headers: [string, string][], status: number]>([
  ['in the header', [auth(GOOD)], 299],
  ['in the cookie', [['cookie', `a=b; token=${GOOD}`]], 299],
  ['a cookie goes first', [['cookie', `token=${GOOD}`], auth(BAD)], 299],
  ['an empty cookie is none', [['cookie', 'token='], auth(GOOD)], 299],
  ['another cookie', [['cookie', `Token=${BAD}`], auth(GOOD)], 299],
  ['none', [], 403],
  ['a bad cookie is not made up for', [['cookie', `token=${BAD}`], auth(GOOD)], 403],
  ['a cookie twice', [['cookie', `token=${GOOD}; token=${GOOD}`]], 403],
  [
    'a cookie twice, in two fields',
    [
      ['cookie', `token=${GOOD}`],
      ['cookie', `token=${BAD}`],
    ],
    403,
  ],
  ['a cookie twice, the first empty', [['cookie', `token=; token=${GOOD}`]], 403],
  ['the header twice', [auth(GOOD), auth(GOOD)], 403],
  ['the header twice, the second bad', [auth(GOOD), auth(BAD)], 403],
  ['scheme in another case', [['authorization', `bearer ${GOOD}`]], 403],
  ['no scheme', [['authorization', GOOD]], 403],
  ['two blanks', [['authorization', `Bearer  ${GOOD}`]], 403],
  ['expired', [auth(BAD)], 403],
  ['not yet valid', [auth(hmacToken({ nbf: nowS + 600 }))], 403],
  ['issued in the future', [auth(hmacToken({ iat: nowS + 600 }))], 403],
  ['alg none', [auth(`${hmacToken({}, { alg: 'none' }).split('.', 2).join('.')}.`)], 403],
  ['another alg', [auth(hmacToken({}, { alg: 'HS512' }, { hash: 'sha512' }))], 403],
  ['another key', [auth(hmacToken({}, undefined, { secret: 'no' }))], 403],
  ['malformed', [auth('a.b.c')], 403],
  ['gigantic', [auth(hmacToken({ a: 'x'.repeat(100_000) }))], 403],
  ['only dots, gigantic', [auth('.'.repeat(100_000))], 403],
  ['bytes beyond ASCII', [auth('\xff\xfe.\xff.\xff')], 403],
])('a token: %s', (_name, headers, status) =>
  withPipeline(HS256, (harness) => {
    const client = harness.start({ headers })
    expect([client.status, client.text]).toEqual([status, ''])
  }),
)

it('a public key: its tokens pass, and none that is signed with it as a secret', () =>
  withPipeline(
    flow(`{algorithm: RS256, publicKey: ${Buffer.from(pemOf('rsa')).toString('base64')}}`),
    (harness) => {
      const claims = { exp: nowS + 600 }
      const statusOf = (token: string) => harness.start({ headers: [auth(token)] }).status
      expect(statusOf(keyToken(claims, 'RS256', 'rsa'))).toBe(299)
      expect(statusOf(keyToken(claims, 'RS256', 'otherRsa'))).toBe(403)
      for (const alg of ['HS256', 'RS256']) {
        expect(statusOf(hmacToken(claims, { alg }, { secret: pemOf('rsa') }))).toBe(403)
      }
    },
  ))

it('a leeway is kept', () =>
  withPipeline(flow(`{algorithm: HS256, secret: ${SECRET}, leeway: 2m}`), (harness) => {
    const statusOf = (claims: object) =>
      harness.start({ headers: [auth(hmacToken(claims))] }).status
    expect(statusOf({ exp: nowS - 60 })).toBe(299)
    expect(statusOf({ exp: nowS - 300 })).toBe(403)
  }))

it('headers are checked before the token', () =>
  withPipeline(HS256.replace('jwt:', 'headers: {A: {values: [b]}}\n  jwt:'), (harness) => {
    expect(harness.start({ headers: [auth(BAD)] }).status).toBe(400)
    expect(harness.start({ headers: [auth(BAD), ['a', 'b']] }).status).toBe(403)
    expect(harness.start({ headers: [auth(GOOD), ['a', 'b']] }).status).toBe(299)
  }))

it.each<[name: string, fields: string, problem: string]>([
  ['nothing', '{}', 'filters/0/jwt/algorithm'],
  ['an unknown algorithm', '{algorithm: HS128, secret: "00"}', 'filters/0/jwt/algorithm: expected'],
  ['algorithm none', '{algorithm: none, secret: "00"}', 'filters/0/jwt/algorithm: expected one of'],
  ['another case', '{algorithm: hs256, secret: "00"}', 'filters/0/jwt/algorithm: expected one of'],
  ['no secret', '{algorithm: HS256}', 'filters/0/jwt/secret: expected the key of HS256'],
  ['no hex', '{algorithm: HS256, secret: xy}', 'line 6, column 35: filters/0/jwt/secret'],
  ['half a byte', '{algorithm: HS256, secret: abc}', 'filters/0/jwt/secret: expected'],
  ['a number', '{algorithm: HS256, secret: 1234}', 'put it in quotes: "1234"'],
  ['no public key', '{algorithm: ES256}', 'filters/0/jwt/publicKey: expected the public key of'],
  ['a secret', '{algorithm: ES256, secret: "00"}', 'filters/0/jwt/secret: ES256 has a publicKey'],
  ['no PEM', '{algorithm: EdDSA, publicKey: AAAA}', 'filters/0/jwt/publicKey: expected the public'],
  [
    'a private key',
    `{algorithm: RS256, publicKey: ${Buffer.from(privatePemOf('rsa')).toString('base64')}}`,
    'this one is private',
  ],
  ['a negative leeway', '{algorithm: HS256, secret: "00", leeway: -1s}', 'jwt/leeway: expected'],
  ['a leeway of a day', '{algorithm: HS256, secret: "00", leeway: 24h}', 'jwt/leeway: expected'],
  ['a leeway without unit', '{algorithm: HS256, secret: "00", leeway: 5}', 'jwt/leeway: expected'],
  ['an unknown field', '{algorithm: HS256, secret: "00", cookiename: a}', 'cookieName'],
  ['text', 'HS256', 'filters/0/jwt: expected a mapping'],
])('a jwt spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Validator', `jwt: ${fields}`)).toContain(problem)
})
