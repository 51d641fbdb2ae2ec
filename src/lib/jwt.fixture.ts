import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** Of tests: 32 bytes. */
export const SECRET = '6b6579206f66206120746573742c20333220627974657320696e20616c6c2e2e'

export type Part = object | string

/** What is no text is JSON. */
export function encode(part: Part): string {
  const text = typeof part === 'string' ? part : JSON.stringify(part)
  return Buffer.from(text).toString('base64url')
}

/** A token signed by HMAC with `secret`, whatever its header says. */
export function hmacToken(
  payload: Part,
  header: Part = { alg: 'HS256', typ: 'JWT' },
  { secret = Buffer.from(SECRET, 'hex') as Buffer | string, hash = 'sha256' } = {},
): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

export interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

const PAIRS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  otherRsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  shortRsa: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  ed25519: generateKeyPairSync('ed25519'),
  ed448: generateKeyPairSync('ed448'),
} satisfies Record<string, Pair>
export type PairName = keyof typeof PAIRS

export function pemOf(name: PairName): string {
  return PAIRS[name].publicKey.export({ type: 'spki', format: 'pem' }).toString()
}

export function privatePemOf(name: PairName): string {
  return PAIRS[name].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A token signed with the private key of a pair, in the way of `algorithm`. */
export function keyToken(
  payload: Part,
  algorithm: string,
  name: PairName,
  header: Part = { alg: algorithm },
): string {
  const input = `${encode(header)}.${encode(payload)}`
  const key = PAIRS[name].privateKey
  const hash = algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`
  const pss = {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  const signature = sign(hash, Buffer.from(input), {
    key,
    dsaEncoding: 'ieee-p1363',
    ...(algorithm.startsWith('PS') ? pss : {}),
  })
  return `${input}.${signature.toString('base64url')}`
}
