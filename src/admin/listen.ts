import { lookup } from 'node:dns/promises'
import type { AddressInfo, Server } from 'node:net'
import { isIP } from 'node:net'
import { isLoopbackAddress } from '../lib/loopback.js'

/** Why the admin API cannot listen, in a sentence for the operator. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

export interface HostPort {
  /** Empty for all addresses. */
  readonly host: string
  readonly port: number
}

/** Attempts to find a port that is free on all addresses when the system may choose. */
const FREE_PORT_ATTEMPTS = 10

/** Addresses behind `host`; null stands for all of this machine. Throws {@link ListenError}. */
export async function resolveHost(host: string): Promise<readonly (string | null)[]> {
  if (host === '') return [null]
  if (isIP(host) !== 0) return [host]
  try {
    const found = await lookup(host, { all: true, verbatim: true })
    return [...new Set(found.map(({ address }) => address))]
  } catch (thrown) {
    throw new ListenError(`api-addr: cannot resolve ${host}`, { cause: thrown })
  }
}

/** True when only this machine can reach all of `addresses`. */
export function areLoopback(addresses: readonly (string | null)[]): boolean {
  return addresses.every((address) => address !== null && isLoopbackAddress(address))
}

/**
 * Listens on every address, one server each, all on one port: `localhost` is 127.0.0.1 and ::1,
 * and clients try either. An address that this machine does not have is left out as long as
 * another works. Throws {@link ListenError}, with nothing left listening.
 */
export async function listenOnAll(
  addresses: readonly (string | null)[],
  { host, port }: HostPort,
  createServer: () => Server,
): Promise<{ readonly servers: readonly Server[]; readonly port: number }> {
  const name = `${host === '' ? 'all addresses' : host}:${port}`
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = []
    let chosen = port
    let failure: NodeJS.ErrnoException | null = null
    for (const address of addresses) {
      const server = createServer()
      const error = await listenOn(server, address, chosen)
      if (error === null) {
        servers.push(server)
        chosen = (server.address() as AddressInfo).port
      } else if (error.code !== 'EADDRNOTAVAIL' && error.code !== 'EAFNOSUPPORT') {
        failure = error
        break
      } else failure ??= error
    }
    const isMissingOnly = failure === null || isMissing(failure)
    if (servers.length > 0 && isMissingOnly) return { servers, port: chosen }
    await Promise.all(servers.map(closed))
    if (port === 0 && failure?.code === 'EADDRINUSE' && attempt < FREE_PORT_ATTEMPTS) continue
    throw new ListenError(`api-addr: cannot listen on ${name}: ${reasonOf(failure)}`, {
      cause: failure,
    })
  }
}

function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}

function reasonOf(failure: NodeJS.ErrnoException | null): string {
  if (failure?.code === 'EADDRINUSE') {
    return 'the port is taken; is another easegress-server running?'
  }
  if (failure?.code === 'EACCES') return 'permission denied'
  if (failure?.code === 'EADDRNOTAVAIL') return 'this machine does not have the address'
  return failure?.message ?? 'the host has no address'
}

function listenOn(
  server: Server,
  address: string | null,
  port: number,
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => resolve(error)
    server.once('error', onError)
    // Without a host node listens on ::, IPv4 included, or on 0.0.0.0 where there is no IPv6.
    server.listen({ port, ...(address === null ? {} : { host: address }) }, () => {
      server.off('error', onError)
      resolve(null)
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
