import { isIPv6 } from 'node:net'
import type { ServerOptions, UpstreamClient, UpstreamServer } from './contract.js'

const ORIGINS_MAX = 256

/**
 * Back ends that requests name themselves: held as long as they are among those asked last. Those
 * that are let go finish what they are at.
 */
export class OriginCache {
  readonly #client: UpstreamClient
  readonly #options: Partial<ServerOptions>
  readonly #max: number
  /** By scheme, host and port; the one asked last is the last. */
  readonly #servers = new Map<string, UpstreamServer>()

  constructor(client: UpstreamClient, options: Partial<ServerOptions>, max = ORIGINS_MAX) {
    this.#client = client
    this.#options = options
    this.#max = max
  }

  /** The server of a URL of http or https. */
  get({ protocol, hostname, port }: Pick<URL, 'protocol' | 'hostname' | 'port'>): UpstreamServer {
    const scheme = protocol === 'https:' ? 'https' : 'http'
    const key = `${scheme} ${hostname} ${port}`
    let server = this.#servers.get(key)
    if (server === undefined) {
      const bare = hostname.replace(/^\[(.*)\]$/, '$1')
      const host = isIPv6(bare) ? bare : hostname
      const number = port === '' ? (scheme === 'https' ? 443 : 80) : Number(port)
      server = this.#client.acquire({ scheme, host, port: number }, this.#options)
    } else this.#servers.delete(key)
    this.#servers.set(key, server)
    if (this.#servers.size > this.#max) {
      const [oldest, gone] = this.#servers.entries().next().value as [string, UpstreamServer]
      this.#servers.delete(oldest)
      gone.release()
    }
    return server
  }

  close(): void {
    for (const server of this.#servers.values()) server.release()
    this.#servers.clear()
  }
}
