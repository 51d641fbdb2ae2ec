import { checkJwtKey, JWT_ALGORITHMS } from '../../lib/jwt-key.js'
import {
  checked,
  duration,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
  url,
} from '../../spec/schema.js'
import { isServiceUrl } from '../../upstream/server-url.js'

/** Key of a token's signature, and how strictly its times are taken. */
export const jwtKeyFields = {
  algorithm: oneOf(JWT_ALGORITHMS, {
    doc: 'What tokens are signed with; one that says otherwise is refused. Beyond HS: not in Easegress v1.',
  }),
  secret: string({ doc: 'Key for HS256, HS384 and HS512, in hex.', default: '' }),
  publicKey: string({
    doc: 'Public key for all others: PEM, or PEM in base64 (hex is taken, too). Not in Easegress v1.',
    default: '',
  }),
  jwksUrl: url({
    doc: 'Where public keys are published (RFC 7517), in place of `publicKey`; those for `algorithm` are used. Fetched when first needed, when a token names a key that is not known, and every `jwksRefresh`. Not in Easegress v1.',
    optional: true,
  }),
  jwksRefresh: duration({
    doc: 'How old what `jwksUrl` gave may become: keys that are gone from it are trusted for so long.',
    min: '10s',
    max: '24h',
    default: '10m',
  }),
  leeway: duration({
    doc: 'By how much clocks may differ when `exp`, `nbf` and `iat` are checked. Not in Easegress.',
    default: '0s',
    max: '1h',
  }),
}

export interface JwtKeySpec {
  readonly algorithm: (typeof JWT_ALGORITHMS)[number]
  readonly secret: string
  readonly publicKey: string
  readonly jwksUrl?: string | undefined
  readonly jwksRefresh: number
  readonly leeway: number
}

export function checkKey(spec: JwtKeySpec): SpecProblem[] {
  const { algorithm, secret, publicKey, jwksUrl } = spec
  if (jwksUrl !== undefined) {
    const path = ['jwksUrl']
    if (algorithm.startsWith('HS')) {
      return [{ path, message: `${algorithm} has a secret, which nobody publishes` }]
    }
    if (secret !== '' || publicKey !== '') {
      return [{ path, message: 'expected one of publicKey and jwksUrl, and no secret' }]
    }
    return isServiceUrl(jwksUrl)
      ? []
      : [{ path, message: 'expected no user and no fragment in it, and no port 0' }]
  }
  const problem = checkJwtKey(spec)
  return problem === null ? [] : [{ path: [problem.field], message: problem.message }]
}

export const jwt = checked(
  object(
    {
      ...jwtKeyFields,
      cookieName: string({
        doc: 'Cookie with the token; without it, or when it is empty, `Authorization: Bearer` has it.',
        default: '',
      }),
    },
    { doc: 'Check of a JSON Web Token.', optional: true },
  ),
  checkKey,
)
export type JwtSpec = Exclude<SpecOf<typeof jwt>, undefined>
