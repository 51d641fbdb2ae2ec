import { expect, it } from 'vitest'
import { encode, hmacToken, keyToken, type Part, pemOf, SECRET } from '../../lib/jwt.fixture.js'
import type { Dialect } from '../../spec/document.js'
import { withPipeline } from '../harness.fixture.js'

/*
 * Everybody who takes tokens refuses the same: `jwt` and self-encoded `oauth2`, in both dialects, by a
 * secret and by public keys.
 */

const LEEWAY_S = 60
const nowS = Math.floor(Date.now() / 1_000)

interface Taker {
  readonly name: string
  readonly field: 'jwt' | 'oauth2'
  readonly dialect: Dialect
  /** Of tokens that it takes. */
  readonly alg: string
}

const TAKERS: readonly Taker[] = (['jwt', 'oauth2'] as const).flatMap((field) =>
  (['v1', 'v2'] as const).flatMap((dialect) =>
    ['HS256', 'RS256', 'ES256'].map((alg) => {
      return { name: `${field} of ${dialect} with ${alg}`, field, dialect, alg }
    }),
  ),
)

const PAIRS = { RS256: ['rsa', 'otherRsa'], ES256: ['p256', 'p384'] } as const

function specOf({ field, alg }: Taker): string {
  const key =
    alg === 'HS256'
      ? `secret: ${SECRET}`
      : `publicKey: ${Buffer.from(pemOf(PAIRS[alg as keyof typeof PAIRS][0])).toString('base64')}`
  const jwt = `{algorithm: ${alg}, ${key}, leeway: ${LEEWAY_S}s}`
  return field === 'jwt' ? `jwt: ${jwt}` : `oauth2: {jwt: ${jwt}}`
}

/** As its issuer makes tokens; `header` may say otherwise. */
function made({ alg }: Taker, claims: Part, header: Part = { alg }): string {
  if (alg === 'HS256') return hmacToken(claims, header)
  return keyToken(claims, alg, PAIRS[alg as keyof typeof PAIRS][0], header)
}

function madeByAnother({ alg }: Taker, claims: Part): string {
  if (alg === 'HS256') return hmacToken(claims, { alg }, { secret: 'another' })
  return keyToken(claims, alg, PAIRS[alg as keyof typeof PAIRS][1])
}

const bearer = (token: string): [string, string] => ['authorization', `Bearer ${token}`]
const GOOD = { sub: 'me', exp: nowS + 600 }

const withSignatureOf = (token: string, header: Part): string => {
  const [, claims, signature] = token.split('.')
  return `${encode(header)}.${claims}.${signature}`
}

const ASKED: readonly (readonly [
  name: string,
  headers: (taker: Taker) => readonly [string, string][],
  isTaken: boolean,
])[] = [
  ['a good one', (taker) => [bearer(made(taker, GOOD))], true],
  ['none', () => [], false],
  ['an empty one', () => [bearer('')], false],
  ['it twice', (taker) => [bearer(made(taker, GOOD)), bearer(made(taker, GOOD))], false],
  ['a bad one behind it', (taker) => [bearer(made(taker, GOOD)), bearer('a.b.c')], false],
  ['two in one field', (taker) => [bearer(`${made(taker, GOOD)}, ${made(taker, GOOD)}`)], false],
  ['another scheme', (taker) => [['authorization', `Basic ${made(taker, GOOD)}`]], false],
  ['one that has expired', (taker) => [bearer(made(taker, { exp: nowS - 120 }))], false],
  [
    'one that expired within the leeway',
    (taker) => [bearer(made(taker, { exp: nowS - 30 }))],
    true,
  ],
  ['one that is not yet valid', (taker) => [bearer(made(taker, { nbf: nowS + 120 }))], false],
  ['one that will be valid within it', (taker) => [bearer(made(taker, { nbf: nowS + 30 }))], true],
  ['one of the future', (taker) => [bearer(made(taker, { iat: nowS + 120 }))], false],
  ['one of the future within it', (taker) => [bearer(made(taker, { iat: nowS + 30 }))], true],
  ['one signed by another', (taker) => [bearer(madeByAnother(taker, GOOD))], false],
  ['alg none, unsigned', () => [bearer(`${encode({ alg: 'none' })}.${encode(GOOD)}.`)], false],
  ['alg none, signed', (taker) => [bearer(made(taker, GOOD, { alg: 'none' }))], false],
  [
    'alg none put over it',
    (taker) => [bearer(withSignatureOf(made(taker, GOOD), { alg: 'none' }))],
    false,
  ],
  [
    'another alg put over it',
    (taker) => [bearer(withSignatureOf(made(taker, GOOD), { alg: 'PS256' }))],
    false,
  ],
  ['an alg of many', (taker) => [bearer(made(taker, GOOD, { alg: [taker.alg] }))], false],
  ...(['rsa', 'p256'] as const).flatMap((pair) =>
    [pemOf(pair), pemOf(pair).trim(), Buffer.from(pemOf(pair)).toString('base64')].flatMap(
      (secret) =>
        ['HS256', 'RS256', 'ES256'].map(
          (alg) =>
            [
              `the public key (${pair}) as a secret, as ${alg}`,
              () => [bearer(hmacToken(GOOD, { alg }, { secret }))] as [string, string][],
              false,
            ] as const,
        ),
    ),
  ),
  ['only dots', () => [bearer('..')], false],
  ['five parts', (taker) => [bearer(`${made(taker, GOOD)}.a.b`)], false],
  ['claims that are no JSON', (taker) => [bearer(made(taker, '{"sub":'))], false],
  ['an exp that is no number', (taker) => [bearer(made(taker, { exp: 'never' }))], false],
  [
    'a gigantic one',
    (taker) => [bearer(made(taker, { ...GOOD, a: 'x'.repeat(1_000_000) }))],
    false,
  ],
  ['a gigantic signature', (taker) => [bearer(made(taker, GOOD) + 'A'.repeat(1_000_000))], false],
  ['a million dots', () => [bearer('.'.repeat(1_000_000))], false],
]

it.each(TAKERS)('$name', (taker) =>
  withPipeline(
    `
flow: [{filter: it, jumpIf: {invalid: END}}, {filter: ok}]
filters:
- name: it
  kind: Validator
  ${specOf(taker)}
- {name: ok, kind: Mock, rules: [{code: 299}]}`,
    (harness) => {
      const refusal = taker.dialect === 'v1' ? 403 : 401
      const told: [string, number][] = []
      const wanted: [string, number][] = []
      // Twice: what is remembered of a token must not be kinder.
      for (const _again of [1, 2]) {
        for (const [name, headers, isTaken] of ASKED) {
          told.push([name, harness.start({ headers: headers(taker) }).status])
          wanted.push([name, isTaken ? 299 : refusal])
        }
      }
      expect(told).toEqual(wanted)
    },
    taker.dialect,
  ),
)
