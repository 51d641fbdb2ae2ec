/** Tokens for what checks them: signed when the bench runs, so that no key is in the repository. */
import {
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBy,
} from 'node:crypto'

/** As a fragment asks for them. */
export interface TokenWish {
  readonly algorithm: 'HS256' | 'RS256' | 'ES256'
  /** How many different ones. More than a filter remembers (1,024) are each seen for the first time. */
  readonly count: number
}

export interface Tokens {
  /** Fields of the filter's `jwt`. */
  readonly jwt: Readonly<Record<string, string>>
  readonly tokens: readonly string[]
}

const KEY_BYTES = 32

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A key, and tokens that are signed with it. */
export function issueTokens({ algorithm, count }: TokenWish): Tokens {
  const { jwt, sign } = issuer(algorithm)
  const head = encoded({ alg: algorithm, typ: 'JWT' })
  const tokens = Array.from({ length: count }, (_, i) => {
    const claims = { sub: `bench-${i}`, name: 'a user of the bench', iat: 1_700_000_000 }
    const input = `${head}.${encoded(claims)}`
    return `${input}.${sign(Buffer.from(input)).toString('base64url')}`
  })
  return { jwt: { algorithm, ...jwt }, tokens }
}

interface Issuer {
  readonly jwt: Readonly<Record<string, string>>
  sign(input: Buffer): Buffer
}

function issuer(algorithm: TokenWish['algorithm']): Issuer {
  if (algorithm === 'HS256') {
    const secret = randomBytes(KEY_BYTES)
    return {
      jwt: { secret: secret.toString('hex') },
      sign: (input) => createHmac('sha256', secret).update(input).digest(),
    }
  }
  const { publicKey, privateKey } =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { jwt: { publicKey: published(publicKey) }, sign: (input) => signedBy(privateKey, input) }
}

const published = (key: KeyObject): string =>
  Buffer.from(key.export({ type: 'spki', format: 'pem' })).toString('base64')

/** In the form of RFC 7518 §3.4, which plain ECDSA signatures of OpenSSL have not. */
const signedBy = (key: KeyObject, input: Buffer): Buffer =>
  signBy('sha256', input, { key, dsaEncoding: 'ieee-p1363' })
