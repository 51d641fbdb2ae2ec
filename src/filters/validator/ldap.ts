import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from 'node:tls'
import { Client, InvalidCredentialsError, InvalidDNSyntaxError, NoSuchObjectError } from 'ldapts'
import type { CredentialJudge } from './basic-auth.js'
import type { LdapSpec } from './basic-auth-spec.js'

/** For connecting, for TLS, and for each answer. */
const TIMEOUT_MS = 5_000
/** Asking at the same time; more are told to come back. */
const ASKING_MAX = 64

/** Users that a server knows: whoever can bind with the password is one (RFC 4513 §5.1.3). */
export class LdapUsers implements CredentialJudge {
  readonly #spec: LdapSpec
  readonly #tls: ConnectionOptions
  readonly #timeoutMs: number
  #asking = 0

  /** `ca`: PEM of the authorities to trust in place of the system's; for tests. */
  constructor(spec: LdapSpec, ca = '', timeoutMs = TIMEOUT_MS) {
    const { host, serverName, insecure, certBase64, keyBase64 } = spec
    const name = serverName || host
    this.#spec = spec
    this.#timeoutMs = timeoutMs
    this.#tls = {
      rejectUnauthorized: !insecure,
      checkServerIdentity: (_host, cert) => checkServerIdentity(name, cert),
      // An address is not sent as a name (RFC 6066 §3).
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(ca === '' ? {} : { ca }),
      ...(certBase64 === ''
        ? {}
        : { cert: Buffer.from(certBase64, 'base64'), key: Buffer.from(keyBase64, 'base64') }),
    }
  }

  async verify(user: string, password: string): Promise<boolean> {
    if (this.#asking >= ASKING_MAX) throw new Error('too many ask the server')
    this.#asking += 1
    const { host, port, useSSL, skipTLS, uid, baseDN } = this.#spec
    const address = host.includes(':') ? `[${host}]` : host
    const client = new Client({
      url: `${useSSL ? 'ldaps' : 'ldap'}://${address}:${port}`,
      timeout: this.#timeoutMs,
      connectTimeout: this.#timeoutMs,
      createSecureConnection: ((first: ConnectionOptions | number) =>
        this.#secured(typeof first === 'number' ? { host, port } : first)) as typeof connect,
      ...(useSSL ? { tlsOptions: this.#tls } : {}),
    })
    try {
      if (!useSSL && !skipTLS) await client.startTLS()
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

  /** `over`: an address, or a connection that is there. Its handshake has no time limit but this. */
  #secured(over: ConnectionOptions): TLSSocket {
    const socket = connect({ ...over, ...this.#tls })
    return socket.setTimeout(this.#timeoutMs, () => {
      socket.destroy(new Error(`the server did not answer within ${this.#timeoutMs} ms`))
    })
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
