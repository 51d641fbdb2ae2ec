import { createServer } from 'node:net'
import type { PortGrant } from '../protocol/worker.js'

interface Held {
  readonly workers: Set<number>
  /** A probe under way; whoever asks meanwhile waits for the same one. */
  probe: Promise<string> | null
}

/**
 * Which worker may bind which address. Workers share ports among themselves (SO_REUSEPORT), and
 * the kernel would let a second process of the same user share them too and split the traffic; so
 * an address that no worker of ours holds is first bound here without that option.
 */
export class PortBroker {
  readonly #held = new Map<string, Held>()
  /** How often each worker has ended. */
  readonly #ends = new Map<number, number>()

  async claim(worker: number, host: string, port: number): Promise<PortGrant> {
    const key = `${host} ${port}`
    let held = this.#held.get(key)
    if (held === undefined) {
      held = { workers: new Set(), probe: null }
      this.#held.set(key, held)
    }
    if (held.workers.size === 0) {
      const ends = this.#ends.get(worker)
      held.probe ??= probe(host, port)
      const reason = await held.probe
      held.probe = null
      if (this.#ends.get(worker) !== ends) return { granted: false, reason: 'the worker has ended' }
      if (reason !== '') return { granted: false, reason }
    }
    held.workers.add(worker)
    return { granted: true, reason: '' }
  }

  release(worker: number, host: string, port: number): void {
    const key = `${host} ${port}`
    const held = this.#held.get(key)
    held?.workers.delete(worker)
    if (held?.workers.size === 0 && held.probe === null) this.#held.delete(key)
  }

  workerGone(worker: number): void {
    this.#ends.set(worker, (this.#ends.get(worker) ?? 0) + 1)
    for (const { workers } of this.#held.values()) workers.delete(worker)
  }
}

/** Binds and closes again. An empty text when that worked, else why it did not. */
function probe(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(reasonOf(error, host, port)))
    server.listen({ ...(host === '' ? {} : { host }), port, exclusive: true }, () =>
      server.close(() => resolve('')),
    )
  })
}

function reasonOf(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another process`
    case 'EACCES':
      return `port ${port} needs a privilege that this process does not have`
    case 'EADDRNOTAVAIL':
      return `address ${host} is not one of this machine`
    default:
      return `cannot listen on ${host} port ${port}: ${error.message}`
  }
}
