import {
  boolean,
  checked,
  duration,
  object,
  type SpecOf,
  type SpecProblem,
  string,
  url,
} from '../../spec/schema.js'
import { isServiceUrl } from '../../upstream/server-url.js'
import { checkKey, jwtKeyFields } from './jwt-spec.js'

const tokenIntrospect = checked(
  object(
    {
      endPoint: url({ doc: 'Where to ask (RFC 7662): scheme://host[:port]/path[?query].' }),
      clientId: string({ doc: 'Our id there, sent in the form.', default: '' }),
      clientSecret: string({ doc: 'And our secret.', default: '' }),
      basicAuth: string({
        doc: 'Base64 of `id:secret`, sent as `Authorization: Basic`; only without `clientId`.',
        pattern: /^[\x21-\x7e]*$/,
        expected: 'base64 of "id:secret"',
        default: '',
      }),
      insecureTls: boolean({ doc: 'Take any certificate of the server.', default: false }),
      timeout: duration({
        doc: 'How long asking may take, then 403. Not in Easegress.',
        min: '1ms',
        max: '5m',
        default: '10s',
      }),
      cacheTime: duration({
        doc: 'How long an answer that a token is active is used again, at most until its `exp`; `0s` to ask for every request. A token that is revoked is let in for so long. Not in Easegress.',
        max: '1h',
        default: '0s',
      }),
    },
    { doc: 'Ask a server about the token; goes before `jwt`.', optional: true },
  ),
  ({ endPoint }): SpecProblem[] =>
    isServiceUrl(endPoint)
      ? []
      : [{ path: ['endPoint'], message: 'expected no user and no fragment in it, and no port 0' }],
)
export type IntrospectSpec = Exclude<SpecOf<typeof tokenIntrospect>, undefined>

export const oauth2 = checked(
  object(
    {
      tokenIntrospect,
      jwt: checked(
        object(jwtKeyFields, {
          doc: 'The token says all itself: a JSON Web Token.',
          optional: true,
        }),
        checkKey,
      ),
    },
    { doc: 'Check of an OAuth 2 token.', optional: true },
  ),
  (spec): SpecProblem[] =>
    spec.tokenIntrospect === undefined && spec.jwt === undefined
      ? [{ path: [], message: 'expected tokenIntrospect or jwt' }]
      : [],
)
export type OAuth2Spec = Exclude<SpecOf<typeof oauth2>, undefined>
