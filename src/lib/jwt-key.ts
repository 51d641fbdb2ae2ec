import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'

/** What a JSON Web Token may be signed with: RFC 7518 §3.1, RFC 8037 §3.1. Never `none`. */
export const JWT_ALGORITHMS = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number]

/** Checks the signature of `input`, bytes as Latin-1. */
export interface SignatureVerifier {
  verify(input: string, signature: Uint8Array): boolean
}

export interface JwtKey {
  readonly algorithm: JwtAlgorithm
  /** For HS algorithms, in hex; empty for none. */
  readonly secret: string
  /** For all others: PEM, or PEM in base64 or in hex; empty for none. */
  readonly publicKey: string
}

/** RFC 7518 §3.3. */
const RSA_BITS_MIN = 2048
/** By algorithm: curve as OpenSSL calls it, and length of a signature (RFC 7518 §3.4). */
const CURVES: Readonly<Record<string, readonly [curve: string, signatureBytes: number]>> = {
  ES256: ['prime256v1', 64],
  ES384: ['secp384r1', 96],
  ES512: ['secp521r1', 132],
}
const PEM_START = '-----BEGIN '

const isHmac = (algorithm: JwtAlgorithm): boolean => algorithm.startsWith('HS')

/** What is wrong with a key, and with which of its fields; null when it can be used. */
export function checkJwtKey(
  key: JwtKey,
): { readonly field: 'secret' | 'publicKey'; readonly message: string } | null {
  const { algorithm, secret, publicKey } = key
  if (isHmac(algorithm)) {
    // One that is meant for a public key but says HS would take signatures that anybody can make.
    if (publicKey !== '') {
      return { field: 'publicKey', message: `${algorithm} has a secret, and no public key` }
    }
    return /^([0-9A-Fa-f]{2})+$/.test(secret)
      ? null
      : { field: 'secret', message: `expected the key of ${algorithm}: hex digits, two for a byte` }
  }
  if (secret !== '') return { field: 'secret', message: `${algorithm} has a publicKey, no secret` }
  const message = publicKeyProblem(algorithm, publicKey)
  return message === null ? null : { field: 'publicKey', message }
}

function publicKeyProblem(algorithm: JwtAlgorithm, text: string): string | null {
  const pem = pemOf(text)
  if (pem === null) return `expected the public key of ${algorithm}: PEM, or PEM in base64`
  if (pem.includes('PRIVATE KEY')) return 'expected a public key; this one is private'
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    return 'expected a public key in PEM; this one cannot be read'
  }
  return isKeyFor(algorithm, key) ? null : `expected ${wantedKey(algorithm)} for ${algorithm}`
}

function isKeyFor(algorithm: JwtAlgorithm, key: KeyObject): boolean {
  const type = key.asymmetricKeyType ?? ''
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  if (algorithm === 'EdDSA') return type === 'ed25519' || type === 'ed448'
  const curve = CURVES[algorithm]
  if (curve !== undefined) return type === 'ec' && namedCurve === curve[0]
  const isRsa = type === 'rsa' || (type === 'rsa-pss' && algorithm.startsWith('PS'))
  return isRsa && modulusLength >= RSA_BITS_MIN
}

function wantedKey(algorithm: JwtAlgorithm): string {
  if (algorithm === 'EdDSA') return 'an Ed25519 or Ed448 key'
  const curve = CURVES[algorithm]
  return curve === undefined
    ? `an RSA key of at least ${RSA_BITS_MIN} bits`
    : `a key on the curve ${curve[0]}`
}

/** PEM from PEM, from base64 of it, or from hex of it as Easegress v2 wants it; else null. */
function pemOf(text: string): string | null {
  const trimmed = text.trim()
  if (trimmed.startsWith(PEM_START)) return trimmed
  for (const encoding of ['hex', 'base64'] as const) {
    const decoded = Buffer.from(trimmed, encoding).toString('latin1').trim()
    if (decoded.startsWith(PEM_START)) return decoded
  }
  return null
}

/** Prepares a key that {@link checkJwtKey} has nothing against. */
export function jwtSignatureVerifier(key: JwtKey): SignatureVerifier {
  const { algorithm } = key
  const hash = `sha${algorithm.slice(2)}`
  if (isHmac(algorithm)) return new HmacVerifier(hash, Buffer.from(key.secret, 'hex'))
  const publicKey = createPublicKey(pemOf(key.publicKey) ?? '')
  const curve = CURVES[algorithm]
  if (algorithm === 'EdDSA') return new KeyVerifier(null, { key: publicKey }, null)
  if (curve !== undefined) {
    return new KeyVerifier(hash, { key: publicKey, dsaEncoding: 'ieee-p1363' }, curve[1])
  }
  const rsa = algorithm.startsWith('PS')
    ? {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : { padding: constants.RSA_PKCS1_PADDING }
  return new KeyVerifier(hash, { key: publicKey, ...rsa }, null)
}

class HmacVerifier implements SignatureVerifier {
  readonly #hash: string
  readonly #key: KeyObject

  constructor(hash: string, secret: Buffer) {
    this.#hash = hash
    this.#key = createSecretKey(secret)
  }

  verify(input: string, signature: Uint8Array): boolean {
    const digest = createHmac(this.#hash, this.#key).update(input, 'latin1').digest()
    return digest.byteLength === signature.byteLength && timingSafeEqual(digest, signature)
  }
}

interface KeyOptions {
  readonly key: KeyObject
  readonly padding?: number
  readonly saltLength?: number
  readonly dsaEncoding?: 'ieee-p1363'
}

class KeyVerifier implements SignatureVerifier {
  readonly #hash: string | null
  readonly #options: KeyOptions
  readonly #signatureBytes: number | null

  constructor(hash: string | null, options: KeyOptions, signatureBytes: number | null) {
    this.#hash = hash
    this.#options = options
    this.#signatureBytes = signatureBytes
  }

  verify(input: string, signature: Uint8Array): boolean {
    const bytes = this.#signatureBytes
    if (bytes !== null && signature.byteLength !== bytes) return false
    try {
      return verify(this.#hash, Buffer.from(input, 'latin1'), this.#options, signature)
    } catch {
      return false // OpenSSL would not even look at it
    }
  }
}
