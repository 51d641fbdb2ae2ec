import { createHash } from 'node:crypto'
import { JobPool } from '../../jobs/pool.js'
import { isPassword, isSlow } from './password-hash.js'

/** Checks a password off this thread; rejects when it cannot be checked now. */
export type SlowCheck = (kept: string, password: string) => Promise<boolean>

/** Pairs of password and hash that were right, remembered: one check of bcrypt takes 80 ms. */
const REMEMBERED_MAX = 1_024
const REMEMBERED_MS = 10 * 60_000

/** Passwords of users, as files and stores keep them. */
export class Passwords {
  readonly #check: SlowCheck
  readonly #known = new Map<string, number>()

  constructor(check: SlowCheck) {
    this.#check = check
  }

  /** Whether `password` is what `kept` stands for; at once where that is quick or known. */
  verify(kept: string, password: string, nowMs: number): boolean | Promise<boolean> {
    if (!isSlow(kept)) return isPassword(kept, password)
    const key = createHash('sha256').update(`${kept}\0${password}`).digest('base64')
    const untilMs = this.#known.get(key)
    if (untilMs !== undefined && nowMs < untilMs) return true
    return this.#check(kept, password).then((isRight) => {
      if (isRight) this.#remember(key, nowMs)
      return isRight
    })
  }

  #remember(key: string, nowMs: number): void {
    this.#known.delete(key)
    const oldest = this.#known.keys().next()
    if (this.#known.size >= REMEMBERED_MAX && oldest.done !== true) {
      this.#known.delete(oldest.value)
    }
    this.#known.set(key, nowMs + REMEMBERED_MS)
  }
}

/** One for all filters of the worker: more than one thread would take time from requests. */
let pool: JobPool | null = null
let users = 0

export interface SlowChecker {
  readonly check: SlowCheck
  close(): void
}

export function openSlowChecker(): SlowChecker {
  pool ??= new JobPool({
    url: new URL('./password-job.js', import.meta.url),
    threadsMax: 1,
    queueMax: 64,
    timeoutMs: 5_000,
  })
  users += 1
  let isOpen = true
  return {
    check: (kept, password) =>
      pool === null
        ? Promise.reject(new Error('closed'))
        : pool.run<boolean>('checkPassword', { kept, password }),
    close: () => {
      if (!isOpen) return
      isOpen = false
      users -= 1
      if (users > 0 || pool === null) return
      const closing = pool
      pool = null
      closing.close().catch(() => {})
    },
  }
}
