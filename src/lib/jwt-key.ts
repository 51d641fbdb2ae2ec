import { constants, createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { decodeBase64url } from './base64url.js'

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

/** Checks the signature of `input`, bytes as Latin-1; as text it is base64url, RFC 7515 §2. */
export interface SignatureVerifier {
  verify(input: string, signature: string | Uint8Array): boolean
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
/** Tokens of one issuer differ in length by less. */
const BEGINNINGS = 64
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
  const digest = `sha${algorithm.slice(2)}`
  if (isHmac(algorithm)) return new HmacVerifier(digest, Buffer.from(key.secret, 'hex'))
  const publicKey = createPublicKey(pemOf(key.publicKey) ?? '')
  const curve = CURVES[algorithm]
  if (algorithm === 'EdDSA') return new KeyVerifier(null, { key: publicKey }, null)
  if (curve !== undefined) {
    return new KeyVerifier(digest, { key: publicKey, dsaEncoding: 'ieee-p1363' }, curve[1])
  }
  const rsa = algorithm.startsWith('PS')
    ? {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      }
    : { padding: constants.RSA_PKCS1_PADDING }
  return new KeyVerifier(digest, { key: publicKey, ...rsa }, null)
}

/**
 * RFC 2104, out of two hashes in one go each: `createHmac` took 2.6 times as long for a token, most
 * of it for making the object.
 */
class HmacVerifier implements SignatureVerifier {
  readonly #digest: string
  readonly #blockBytes: number
  /** The key for the inner hash, and room for what is signed. */
  #inner: Buffer
  /** Its beginnings of some lengths: to make one takes as long as to hash two blocks. */
  readonly #beginnings: Buffer[]
  /** The key for the outer hash, and room for the inner one. */
  readonly #outer: Buffer

  constructor(digest: string, secret: Buffer) {
    const blockBytes = digest === 'sha256' ? 64 : 128
    const key = secret.byteLength > blockBytes ? hash(digest, secret, 'buffer') : secret
    this.#digest = digest
    this.#blockBytes = blockBytes
    this.#inner = Buffer.alloc(blockBytes + 1_024, 0x36)
    this.#beginnings = new Array<Buffer>(BEGINNINGS).fill(this.#inner)
    this.#outer = Buffer.alloc(blockBytes + hash(digest, '', 'buffer').byteLength, 0x5c)
    for (const [index, byte] of key.entries()) {
      this.#inner[index] = byte ^ 0x36
      this.#outer[index] = byte ^ 0x5c
    }
  }

  verify(input: string, signature: string | Uint8Array): boolean {
    const end = this.#blockBytes + input.length
    if (end > this.#inner.byteLength) this.#grow(2 * end)
    this.#inner.write(input, this.#blockBytes, 'latin1')
    const inside = hash(this.#digest, this.#beginning(end), 'binary')
    this.#outer.write(inside, this.#blockBytes, 'latin1')
    const wanted = hash(this.#digest, this.#outer, 'base64url')
    return isSame(wanted, typeof signature === 'string' ? signature : encode(signature))
  }

  #grow(bytes: number): void {
    this.#inner = Buffer.concat([this.#inner], bytes)
    this.#beginnings.fill(this.#inner)
  }

  #beginning(bytes: number): Buffer {
    const index = bytes % BEGINNINGS
    const known = this.#beginnings[index] as Buffer
    if (known.byteLength === bytes) return known
    const beginning = this.#inner.subarray(0, bytes)
    this.#beginnings[index] = beginning
    return beginning
  }
}

const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

/** How long it takes says nothing of where two texts of equal length differ. */
function isSame(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

interface KeyOptions {
  readonly key: KeyObject
  readonly padding?: number
  readonly saltLength?: number
  readonly dsaEncoding?: 'ieee-p1363'
}

class KeyVerifier implements SignatureVerifier {
  readonly #digest: string | null
  readonly #options: KeyOptions
  readonly #signatureBytes: number | null

  constructor(digest: string | null, options: KeyOptions, signatureBytes: number | null) {
    this.#digest = digest
    this.#options = options
    this.#signatureBytes = signatureBytes
  }

  verify(input: string, given: string | Uint8Array): boolean {
    const signature = typeof given === 'string' ? decodeBase64url(given) : given
    const bytes = this.#signatureBytes
    if (signature === null || (bytes !== null && signature.byteLength !== bytes)) return false
    try {
      return verify(this.#digest, Buffer.from(input, 'latin1'), this.#options, signature)
    } catch {
      return false // OpenSSL would not even look at it
    }
  }
}
