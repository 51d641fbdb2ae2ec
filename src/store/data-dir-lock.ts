import { closeSync, existsSync, linkSync, openSync, readdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { GatewayError } from '../lib/errors.js'
import { makeDir } from '../lib/make-dir.js'

/** A listening socket, hard-linked under a number; the highest number owns the directory. */
const LOCK = /^lock\.(\d+)$/
const CONNECT_DEADLINE_MS = 2_000

export interface DataDirLock {
  release(): void
}

/**
 * Makes the calling process the only one that uses a data directory, until it releases the lock or
 * ends in whatever way; makes the directory when it is missing. Rejects with STORE_UNAVAILABLE when
 * another process holds it or the directory cannot be written.
 *
 * The lock is a Unix socket: the kernel answers whether its owner lives, also when the owner is
 * stopped or in another container, and forgets it with the process. A file with a process id would
 * be wrong for both. Taking over a dead lock is one `link` to the next number, which succeeds for
 * one process only.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  try {
    makeDir(dataDir)
    return await new Locking(dataDir).lock()
  } catch (thrown) {
    if (thrown instanceof GatewayError) throw thrown
    const { code, message } = thrown as NodeJS.ErrnoException
    throw new GatewayError(
      'STORE_UNAVAILABLE',
      `the data directory ${dataDir} cannot be used: ${message}`,
      { directory: dataDir, errno: code ?? 'UNKNOWN' },
      { cause: thrown },
    )
  }
}

class Locking {
  readonly #dataDir: string
  readonly #folder: number
  /** A short name of the directory: the address of a socket has room for about 100 bytes. */
  readonly #short: string

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#folder = openSync(dataDir, 'r')
    const link = `/proc/self/fd/${this.#folder}`
    this.#short = existsSync(link) ? link : dataDir
  }

  async lock(): Promise<DataDirLock> {
    const aside = `lock.${process.pid}-${process.hrtime.bigint()}`
    const server = await this.#listen(aside)
    try {
      await this.#take(aside)
      // The file stays: were the numbers to begin again, a slow rival could take an old one.
      return {
        release: () => {
          server.close()
          closeSync(this.#folder)
        },
      }
    } catch (thrown) {
      server.close()
      closeSync(this.#folder)
      throw thrown
    } finally {
      rmSync(`${this.#dataDir}/${aside}`, { force: true })
    }
  }

  async #take(aside: string): Promise<void> {
    for (;;) {
      const numbers = this.#numbers()
      const highest = numbers.at(-1) ?? 0
      if (highest > 0 && (await this.#isAlive(highest))) throw this.#held()
      const mine = highest + 1
      if (!this.#link(aside, mine)) continue
      // Another may have gone further while this one looked.
      if (this.#numbers().at(-1) !== mine) {
        rmSync(`${this.#dataDir}/lock.${mine}`, { force: true })
        continue
      }
      for (const old of numbers) rmSync(`${this.#dataDir}/lock.${old}`, { force: true })
      return
    }
  }

  #numbers(): number[] {
    return readdirSync(this.#dataDir)
      .map((name) => LOCK.exec(name)?.[1])
      .filter((digits) => digits !== undefined)
      .map(Number)
      .sort((a, b) => a - b)
  }

  #link(aside: string, number: number): boolean {
    try {
      linkSync(`${this.#dataDir}/${aside}`, `${this.#dataDir}/lock.${number}`)
      return true
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw thrown
    }
  }

  #listen(name: string): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => socket.destroy())
      server.once('error', reject)
      server.listen(`${this.#short}/${name}`, () => {
        // It must not keep a process alive that has nothing else to do.
        server.unref()
        resolve(server)
      })
    })
  }

  /** Refused means nobody listens; anything else, a full backlog too, means somebody does. */
  #isAlive(number: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(`${this.#short}/lock.${number}`)
      const end = (alive: boolean): void => {
        socket.destroy()
        resolve(alive)
      }
      socket.setTimeout(CONNECT_DEADLINE_MS, () => end(true))
      socket.once('connect', () => end(true))
      socket.once('error', (error: NodeJS.ErrnoException) => {
        end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT')
      })
    })
  }

  #held(): GatewayError {
    return new GatewayError(
      'STORE_UNAVAILABLE',
      `the data directory ${this.#dataDir} is in use by another running process; stop that one or choose another directory`,
      { directory: this.#dataDir },
    )
  }
}
