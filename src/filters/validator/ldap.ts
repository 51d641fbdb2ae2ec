import { Client, InvalidCredentialsError, InvalidDNSyntaxError, NoSuchObjectError } from 'ldapts'
import type { CredentialJudge } from './basic-auth.js'
import type { LdapSpec } from './basic-auth-spec.js'

/** For connecting, and for each answer. */
const TIMEOUT_MS = 5_000
/** Asking at the same time; more are told to come back. */
const ASKING_MAX = 64

/** Users that a server knows: whoever can bind with the password is one (RFC 4513 §5.1.3). */
export class LdapUsers implements CredentialJudge {
  readonly #spec: LdapSpec
  readonly #tls: Record<string, unknown>
  #asking = 0

  constructor(spec: LdapSpec) {
    this.#spec = spec
    const own =
      spec.certBase64 === ''
        ? {}
        : {
            cert: Buffer.from(spec.certBase64, 'base64'),
            key: Buffer.from(spec.keyBase64, 'base64'),
          }
    this.#tls = {
      rejectUnauthorized: !spec.insecure,
      servername: spec.serverName || spec.host,
      ...own,
    }
  }

  async verify(user: string, password: string): Promise<boolean> {
    if (this.#asking >= ASKING_MAX) throw new Error('too many ask the server')
    this.#asking += 1
    const { host, port, useSSL, skipTLS, uid, baseDN } = this.#spec
    const address = host.includes(':') ? `[${host}]` : host
    const client = new Client({
      url: `${useSSL ? 'ldaps' : 'ldap'}://${address}:${port}`,
      timeout: TIMEOUT_MS,
      connectTimeout: TIMEOUT_MS,
      ...(useSSL ? { tlsOptions: this.#tls } : {}),
    })
    try {
      if (!useSSL && !skipTLS) await client.startTLS(this.#tls)
      // An empty password would bind as nobody, and succeed: those never come here.
      await client.bind(`${uid}=${escapeDn(user)},${baseDN}`, password)
      return true
    } catch (thrown) {
      if (
        thrown instanceof InvalidCredentialsError ||
        thrown instanceof NoSuchObjectError ||
        thrown instanceof InvalidDNSyntaxError
      ) {
        return false
      }
      throw thrown
    } finally {
      this.#asking -= 1
      await client.unbind().catch(() => {})
    }
  }

  retire(): void {
    // Every question has a connection of its own.
  }
}

/** A value in a distinguished name (RFC 4514 §2.4): a user cannot write himself into another. */
export function escapeDn(value: string): string {
  return [...value]
    .map((character, index, all) => {
      if ('"+,;<>\\='.includes(character)) return `\\${character}`
      if (character === '\0') return '\\00'
      const isAtEnd = index === 0 || index === all.length - 1
      if (character === ' ' && isAtEnd) return '\\ '
      return character === '#' && index === 0 ? '\\#' : character
    })
    .join('')
}
