import { isUtf8 } from 'node:buffer'
import { type Cancellable, type Exchange, OK, SUSPENDED } from '../../http/exchange.js'
import { type Headers, isFieldValue, toLatin1 } from '../../http/headers.js'
import { INVALID } from './token-judge.js'

const USER = 'x-auth-user'
/** Of the field: names and passwords are short. */
const FIELD_CHARS_MAX = 4_096
/** It cannot be checked now. */
const UNAVAILABLE = 503

/** Knows users; a promise that rejects says that nobody knows at the moment. */
export interface CredentialJudge {
  verify(user: string, password: string): boolean | Promise<boolean>
  retire(): void
}

/** Name and password that have to be there and right (RFC 7617); the back end is told the name. */
export class BasicAuthCheck {
  readonly #judge: CredentialJudge
  readonly #refusal: number

  constructor(judge: CredentialJudge, refusal: number) {
    this.#judge = judge
    this.#refusal = refusal
  }

  check(ex: Exchange): number {
    const credentials = credentialsIn(ex.request.headers)
    if (credentials === null) return this.#refuse(ex, this.#refusal)
    const { user, password } = credentials
    const verdict = this.#judge.verify(user, password)
    if (typeof verdict === 'boolean') return this.#judged(ex, user, verdict)
    const waiting = new Waiting(ex)
    verdict.then(
      (isRight) => waiting.goOn((later) => this.#judged(later, user, isRight)),
      () => waiting.goOn((later) => this.#refuse(later, UNAVAILABLE)),
    )
    return SUSPENDED
  }

  retire(): void {
    this.#judge.retire()
  }

  #judged(ex: Exchange, user: string, isRight: boolean): number {
    if (!isRight) return this.#refuse(ex, this.#refusal)
    ex.request.headers.set(USER, toLatin1(user))
    return OK
  }

  #refuse(ex: Exchange, status: number): number {
    ex.respond(status)
    return INVALID
  }
}

/** What a client says of itself is worth nothing. */
export function removeUser(headers: Headers): void {
  headers.delete(USER)
}

class Waiting implements Cancellable {
  readonly #ex: Exchange
  readonly #ticket: number

  constructor(ex: Exchange) {
    this.#ex = ex
    this.#ticket = ex.suspend(this)
  }

  goOn(judge: (ex: Exchange) => number): void {
    if (!this.#ex.isLive(this.#ticket)) return
    this.#ex.enter((ex, then) => ex.resume(this.#ticket, then(ex)), judge)
  }

  cancel(): void {
    // The verdict finds a dead ticket.
  }
}

/** Of the one Authorization field; null when there is none, or none that could be right. */
function credentialsIn(headers: Headers): { user: string; password: string } | null {
  const fields = headers.values('authorization')
  const [field = ''] = fields
  // Of two, the back end may read the other.
  if (fields.length !== 1 || field.length > FIELD_CHARS_MAX) return null
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(field)?.[1]
  if (encoded === undefined) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (!isUtf8(bytes)) return null
  const text = bytes.toString()
  // Only a name may have no colon in it.
  const colon = text.indexOf(':')
  const user = text.slice(0, colon)
  const password = text.slice(colon + 1)
  if (colon < 1 || password === '' || !isFieldValue(toLatin1(user)) || user.trim() !== user) {
    return null
  }
  return { user, password }
}
