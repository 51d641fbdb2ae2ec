import { checked, object, type SpecOf, type SpecProblem, string, url } from '../../spec/schema.js'
import { defineFilterKind } from '../contract.js'

const fields = object({
  clientId: string({ doc: 'Who we are to the provider.', min: 1 }),
  clientSecret: string({
    doc: 'Proves it. The key that protects a login under way is derived from it too.',
    min: 1,
  }),
  redirectURI: string({
    doc: 'Where the provider sends users back to, a URL or a path alone: then with scheme and host of the request. Its path marks the callback.',
    pattern: /^(?:https?:\/\/[^\s\\/?#@]+(?:[/?][^\s\\#]*)?|\/(?:[^\s\\/#][^\s\\#]*)?)$/,
    expected: 'a URL such as "https://host/path", or a path such as "/callback"',
  }),
  cookieName: string({
    doc: 'A request with this cookie passes; empty: one with a bearer token does. Neither is checked here.',
    default: '',
  }),
  discovery: url({
    doc: 'Document that names the endpoints (`/.well-known/openid-configuration`).',
    optional: true,
  }),
  authorizationEndpoint: url({ doc: 'Where users log in.', optional: true }),
  tokenEndpoint: url({ doc: 'Where codes are changed for tokens.', optional: true }),
  userinfoEndpoint: url({
    doc: 'Where to ask about a user when there is no id token.',
    optional: true,
  }),
})
export type Spec = SpecOf<typeof fields>

const spec = checked(fields, (oidc): SpecProblem[] => {
  if (oidc.discovery !== undefined) return []
  return (['authorizationEndpoint', 'tokenEndpoint', 'userinfoEndpoint'] as const).flatMap(
    (name) =>
      oidc[name] === undefined ? [{ path: [name], message: 'expected it, or discovery' }] : [],
  )
})

export const oidcAdaptor = defineFilterKind<Spec>({
  kind: 'OIDCAdaptor',
  summary: 'Sends users to an OpenID Connect or OAuth 2 provider to log in.',
  results: ['oidcFiltered'],
  spec,
  load: () => import('./oidc-adaptor.js'),
})
