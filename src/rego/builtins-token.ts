import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto'
import { decodeBase64url } from '../lib/base64url.js'
import { parseJsonObject } from '../lib/json-object.js'
import {
  checkJwtKey,
  JWT_ALGORITHMS,
  type JwtAlgorithm,
  jwtSignatureVerifier,
} from '../lib/jwt-key.js'
import type { BuiltinTable } from './builtins.js'
import type { Run } from './code.js'
import { fromJson, isArray, RegoObject, type Value } from './value.js'

interface Token {
  readonly header: Value
  readonly payload: Value
  readonly signed: string
  readonly signature: Buffer
}

function read(token: Value | undefined): Token | null {
  if (typeof token !== 'string') return null
  const parts = token.split('.')
  if (parts.length !== 3) return null
  const [header, payload, signature] = parts.map(decodeBase64url) as (Buffer | null)[]
  if (!header || !payload || !signature) return null
  const head = parseJsonObject(header)
  const claims = parseJsonObject(payload)
  if (head === null || claims === null) return null
  const signed = token.slice(0, token.lastIndexOf('.'))
  return { header: fromJson(head), payload: fromJson(claims), signed, signature }
}

/** In PEM, from PEM of a certificate or a key, or from a JWK or a set of them in JSON. */
function publicKeysOf(text: string): readonly string[] {
  const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string
  try {
    if (text.includes('-----BEGIN CERTIFICATE')) return [pem(new X509Certificate(text).publicKey)]
    if (text.includes('-----BEGIN ')) return [pem(createPublicKey(text))]
    const parsed = JSON.parse(text) as { keys?: JsonWebKey[] }
    const jwks = parsed.keys ?? [parsed as JsonWebKey]
    return jwks.map((key) => pem(createPublicKey({ key, format: 'jwk' })))
  } catch {
    return []
  }
}

function isSigned(token: Token, algorithm: JwtAlgorithm, key: string): boolean {
  const candidates = algorithm.startsWith('HS')
    ? [{ algorithm, secret: Buffer.from(key).toString('hex'), publicKey: '' }]
    : publicKeysOf(key).map((publicKey) => ({ algorithm, secret: '', publicKey }))
  return candidates.some(
    (one) =>
      checkJwtKey(one) === null && jwtSignatureVerifier(one).verify(token.signed, token.signature),
  )
}

function verifier(algorithm: JwtAlgorithm): BuiltinTable[string] {
  return [
    2,
    ([text, key]) => {
      const token = read(text)
      return token === null || typeof key !== 'string' ? undefined : isSigned(token, algorithm, key)
    },
  ]
}

const field = (value: Value, name: string): Value | undefined =>
  value instanceof RegoObject ? value.get(name) : undefined

const REFUSED: Value = [false, RegoObject.of([]), RegoObject.of([])]

function decodeVerify(text: Value | undefined, constraints: Value, run: Run): Value | undefined {
  const token = read(text)
  if (token === null || !(constraints instanceof RegoObject)) return undefined
  const wanted = (name: string): Value | undefined => constraints.get(name)
  const algorithm = field(token.header, 'alg')
  if (!JWT_ALGORITHMS.some((one) => one === algorithm)) return REFUSED
  if (wanted('alg') !== undefined && wanted('alg') !== algorithm) return REFUSED
  const isHmac = (algorithm as string).startsWith('HS')
  const key = wanted(isHmac ? 'secret' : 'cert')
  if (typeof key !== 'string' || !isSigned(token, algorithm as JwtAlgorithm, key)) return REFUSED
  if (wanted('iss') !== undefined && wanted('iss') !== field(token.payload, 'iss')) return REFUSED
  if (!isFor(wanted('aud'), field(token.payload, 'aud'))) return REFUSED
  const given = wanted('time')
  const nowSeconds = typeof given === 'number' ? given / 1e9 : run.nowMs / 1000
  const expires = field(token.payload, 'exp')
  const begins = field(token.payload, 'nbf')
  if (expires !== undefined && !(typeof expires === 'number' && nowSeconds < expires))
    return REFUSED
  if (begins !== undefined && !(typeof begins === 'number' && begins <= nowSeconds)) return REFUSED
  return [true, token.header, token.payload]
}

/** A token with an audience must be asked for it, one without must not. */
function isFor(wanted: Value | undefined, audience: Value | undefined): boolean {
  if (wanted === undefined || audience === undefined) return wanted === audience
  return isArray(audience) ? audience.includes(wanted) : audience === wanted
}

/** JSON Web Tokens. */
export const tokenBuiltins: BuiltinTable = {
  'io.jwt.decode': [
    1,
    ([text]) => {
      const token = read(text)
      return token === null
        ? undefined
        : [token.header, token.payload, token.signature.toString('hex')]
    },
  ],
  'io.jwt.decode_verify': [
    2,
    ([text, constraints], run) => decodeVerify(text, constraints as Value, run),
  ],
  ...Object.fromEntries(
    JWT_ALGORITHMS.map((name) => [`io.jwt.verify_${name.toLowerCase()}`, verifier(name)]),
  ),
}
