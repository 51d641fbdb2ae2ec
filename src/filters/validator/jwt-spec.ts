import { checkJwtKey, JWT_ALGORITHMS } from '../../lib/jwt-key.js'
import {
  checked,
  duration,
  object,
  oneOf,
  type SpecOf,
  type SpecProblem,
  string,
} from '../../spec/schema.js'

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
}

export function checkKey(spec: JwtKeySpec): SpecProblem[] {
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
