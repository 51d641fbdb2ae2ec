import { randomBytes } from 'node:crypto'
import { bearerToken, cookieValues } from '../../http/credentials.js'
import { type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { isFieldValue, toLatin1 } from '../../http/headers.js'
import { parseJsonObject } from '../../lib/json-object.js'
import { tokenHeader } from '../../lib/jwks.js'
import type { Fetch, FetchOutcome } from '../../upstream/fetch.js'
import type { Filter, FilterContext } from '../contract.js'
import { idTokenClaims, isSymmetric } from './id-token.js'
import type { Spec } from './kind.js'
import { type Endpoints, Provider } from './provider.js'
import { type Login, SealedState } from './sealed-state.js'

const FILTERED = 1
const LOGIN_VALID_MS = 600_000
const NONCE_BYTES = 16

/** An exchange that waits for the provider. */
interface Visit {
  readonly ex: Exchange
  readonly ticket: number
  fetch: Fetch | null
}

interface Tokens {
  readonly access: string
  /** Empty: none. */
  readonly id: string
}

class OidcAdaptor implements Filter {
  readonly #spec: Spec
  readonly #provider: Provider
  readonly #state: SealedState
  readonly #callbackPath: string
  readonly #visits = new Map<Exchange, Visit>()

  constructor(spec: Spec, context: FilterContext) {
    this.#spec = spec
    this.#provider = new Provider(spec, context)
    this.#state = new SealedState(spec.clientSecret, spec.clientId, LOGIN_VALID_MS)
    this.#callbackPath = new URL(spec.redirectURI, 'http://localhost').pathname
  }

  handle(ex: Exchange): number {
    if (!ex.response.isPresent) ex.response.status = 200
    if (this.#isLoggedIn(ex)) return OK
    const isCallback = ex.request.path === this.#callbackPath
    if (isCallback) return this.#callback(ex)
    const known = this.#provider.known(Date.now())
    if (known !== null) return this.#redirect(ex, known)
    return this.#wait(ex, (visit) =>
      this.#provider.endpoints(Date.now(), (endpoints, failure) => {
        guarded(visit, () => {
          this.#go(
            visit,
            endpoints === null ? refuse(ex, 500, failure) : this.#redirect(ex, endpoints),
          )
        })
      }),
    )
  }

  cancel(ex: Exchange): void {
    const visit = this.#visits.get(ex)
    this.#visits.delete(ex)
    if (visit?.fetch) this.#provider.cancel(visit.fetch)
  }

  retire(): void {
    this.#provider.retire()
  }

  #isLoggedIn(ex: Exchange): boolean {
    const { cookieName } = this.#spec
    const { headers } = ex.request
    if (cookieName !== '') return cookieValues(headers, cookieName).length > 0
    return bearerToken(headers) !== null
  }

  #redirect(ex: Exchange, endpoints: Endpoints): number {
    const { request, response } = ex
    const nonce = randomBytes(NONCE_BYTES).toString('hex')
    const url = `${originOf(ex)}${request.target}`
    const to = new URL(endpoints.authorization)
    const add = (name: string, value: string): void => to.searchParams.append(name, value)
    add('client_id', this.#spec.clientId)
    add('state', this.#state.seal({ url, nonce }, Date.now()))
    add('nonce', nonce)
    add('response_type', 'code')
    add('scope', endpoints.scopes.length > 0 ? endpoints.scopes.join(' ') : 'user')
    add('redirect_uri', this.#redirectUri(ex))
    response.body = null
    response.status = 302
    response.headers.set('location', to.href)
    response.headers.set('cache-control', 'no-store')
    return FILTERED
  }

  /** Users come back to where they were sent: both requests have the same host. */
  #redirectUri(ex: Exchange): string {
    const { redirectURI } = this.#spec
    return redirectURI.startsWith('/') ? `${originOf(ex)}${redirectURI}` : redirectURI
  }

  #callback(ex: Exchange): number {
    const query = new URLSearchParams(ex.request.query)
    const login = this.#state.open(query.get('state') ?? '', Date.now())
    if (login === null) return refuse(ex, 403, 'the login is unknown or took too long: start again')
    const error = query.get('error')
    if (error !== null) return refuse(ex, 403, `the provider refused the login: ${error}`)
    const code = query.get('code') ?? ''
    if (code === '') return refuse(ex, 403, 'the provider sent no code')
    const state = query.get('state') as string
    return this.#wait(ex, (visit) =>
      this.#provider.endpoints(Date.now(), (endpoints, failure) => {
        guarded(visit, () => {
          if (endpoints === null) this.#go(visit, refuse(ex, 500, failure))
          else this.#askForTokens(visit, endpoints, login, code, state)
        })
      }),
    )
  }

  #askForTokens(
    visit: Visit,
    endpoints: Endpoints,
    login: Login,
    code: string,
    state: string,
  ): void {
    const { clientId, clientSecret } = this.#spec
    const form = new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      code,
      grant_type: 'authorization_code',
      state,
      redirect_uri: this.#redirectUri(visit.ex),
    })
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64')
    const headers = ['content-type', 'application/x-www-form-urlencoded']
    headers.push('accept', 'application/json', 'authorization', `Basic ${basic}`)
    const request = { method: 'POST', body: Buffer.from(form.toString()), headers }
    visit.fetch = this.#provider.ask(endpoints.token, request, (outcome) => {
      guarded(visit, () => {
        const tokens = tokensIn(outcome)
        if (tokens === null) {
          this.#go(visit, refuse(visit.ex, 500, `no token: ${reason(outcome)}`))
        } else if (tokens.id === '') this.#askForUser(visit, endpoints, login, tokens)
        else this.#checkIdToken(visit, endpoints, login, tokens)
      })
    })
  }

  #checkIdToken(visit: Visit, endpoints: Endpoints, login: Login, tokens: Tokens): void {
    const { ex } = visit
    const { alg, kid } = tokenHeader(tokens.id) ?? { alg: '', kid: undefined }
    const expected = { ...this.#spec, issuer: endpoints.issuer, nonce: login.nonce }
    const judge = (keys: Parameters<typeof idTokenClaims>[2], failure: string): void => {
      guarded(visit, () => {
        const claims = idTokenClaims(tokens.id, alg, keys, expected, Date.now())
        const why = failure === '' ? 'the id token is not valid' : failure
        const code =
          claims === null
            ? refuse(ex, 401, why)
            : succeed(ex, tokens, login, JSON.stringify(claims))
        this.#go(visit, code)
      })
    }
    if (isSymmetric(alg)) judge(null, '')
    else this.#provider.keys(endpoints, kid, Date.now(), judge)
  }

  #askForUser(visit: Visit, endpoints: Endpoints, login: Login, tokens: Tokens): void {
    const { ex } = visit
    if (endpoints.userinfo === '') {
      this.#go(visit, refuse(ex, 500, 'no id token, and the provider has no user information'))
      return
    }
    const headers = ['accept', 'application/json', 'authorization', `Bearer ${tokens.access}`]
    const request = { method: 'GET', body: null, headers }
    visit.fetch = this.#provider.ask(endpoints.userinfo, request, (outcome) => {
      guarded(visit, () => {
        const info = outcome.status === 200 ? parseJsonObject(outcome.body) : null
        const code =
          info === null
            ? refuse(ex, 500, `no user information: ${reason(outcome)}`)
            : succeed(ex, tokens, login, JSON.stringify(info))
        this.#go(visit, code)
      })
    })
  }

  #wait(ex: Exchange, start: (visit: Visit) => void): number {
    const visit: Visit = { ex, ticket: ex.suspend(), fetch: null }
    this.#visits.set(ex, visit)
    start(visit)
    return SUSPENDED
  }

  #go(visit: Visit, code: number): void {
    this.#visits.delete(visit.ex)
    visit.ex.resume(visit.ticket, code)
  }
}

/** What the provider's answers lead to: a throw costs the visit, if it is still there. */
function guarded({ ex, ticket }: Visit, then: () => void): void {
  if (ex.isLive(ticket)) ex.enter(then, null)
}

/** Scheme and host as the client knows them. */
function originOf(ex: Exchange): string {
  return `${ex.scheme === 'https' ? 'https' : 'http'}://${ex.request.host}`
}

function refuse(ex: Exchange, status: number, message: string): number {
  ex.response.body = Buffer.from(message)
  ex.response.status = status
  return FILTERED
}

function succeed(ex: Exchange, tokens: Tokens, login: Login, info: string): number {
  const { headers } = ex.request
  const set = (name: string, value: string): void => {
    const text = toLatin1(value)
    if (isFieldValue(text)) headers.set(name, text)
    else headers.delete(name)
  }
  if (!headers.has('x-access-token')) set('x-access-token', tokens.access)
  set('x-origin-request-url', login.url)
  if (tokens.id === '') headers.delete('x-id-token')
  else set('x-id-token', tokens.id)
  set('x-user-info', Buffer.from(info).toString('base64'))
  return OK
}

function tokensIn(outcome: FetchOutcome): Tokens | null {
  if (outcome.status !== 200) return null
  const { access_token: access, id_token: id = '' } = parseJsonObject(outcome.body) ?? {}
  if (typeof access !== 'string' || typeof id !== 'string') return null
  return /^[\x21-\x7e]+$/.test(access) ? { access, id } : null
}

function reason({ status, failure }: FetchOutcome): string {
  if (status === 0) return failure
  return status === 200 ? "the provider's answer cannot be read" : `the provider answered ${status}`
}

export const create = (spec: Spec, context: FilterContext): Filter => new OidcAdaptor(spec, context)
