import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../lib/clock.js'

/** How long an answer is used: a change of the name's addresses is followed this fast. */
const FOUND_MS = 5_000
/** Short, or a name that has just been made stays unknown; long enough to spare the resolver. */
const FAILED_MS = 1_000
const NAMES_MAX = 4_096

type Done = (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void
/** As node's `dns.lookup` with `all: true`. */
export type SystemLookup = (
  name: string,
  options: { all: true; family: 0; hints: number },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

interface Entry {
  error: NodeJS.ErrnoException | null
  addresses: readonly LookupAddress[]
  freshUntilMs: number
  /** Who waits for the answer; null while nobody asks. */
  waiting: Done[] | null
}

/** Names to addresses through the system's resolver, remembered for a few seconds. */
export class SystemResolver {
  readonly #clock: Clock
  readonly #lookup: SystemLookup
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock, systemLookup: SystemLookup = lookup as SystemLookup) {
    this.#clock = clock
    this.#lookup = systemLookup
  }

  /** Calls `done` later or at once; concurrent questions about one name are asked once. */
  resolve(name: string, done: Done): void {
    const now = this.#clock.monotonicMs()
    let entry = this.#entries.get(name)
    if (entry === undefined) {
      if (this.#entries.size >= NAMES_MAX) this.#forgetOld(now)
      entry = { error: null, addresses: [], freshUntilMs: 0, waiting: null }
      this.#entries.set(name, entry)
    }
    if (entry.waiting !== null) entry.waiting.push(done)
    else if (now < entry.freshUntilMs) done(entry.error, entry.addresses)
    else this.#ask(name, entry, done)
  }

  /** For the `lookup` option of `net.connect`. */
  readonly lookup: LookupFunction = (name, options: LookupOptions, callback) => {
    this.resolve(name, (error, addresses) => {
      if (error !== null) callback(error, '', 0)
      else if (options.all === true) callback(null, [...addresses])
      else {
        const [first] = addresses
        callback(null, first?.address ?? '', first?.family ?? 0)
      }
    })
  }

  #ask(name: string, entry: Entry, done: Done): void {
    const waiting: Done[] = [done]
    entry.waiting = waiting
    this.#lookup(name, { all: true, family: 0, hints: 0 }, (error, addresses) => {
      const isEmpty = error === null && addresses.length === 0
      entry.error = isEmpty ? notFound(name) : error
      entry.addresses = error === null ? addresses : []
      const keepMs = entry.error === null ? FOUND_MS : FAILED_MS
      entry.freshUntilMs = this.#clock.monotonicMs() + keepMs
      entry.waiting = null
      for (const each of waiting) each(entry.error, entry.addresses)
    })
  }

  #forgetOld(now: number): void {
    for (const [name, entry] of this.#entries) {
      if (entry.waiting === null && entry.freshUntilMs <= now) this.#entries.delete(name)
    }
  }
}

function notFound(name: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`no address for ${name}`)
  error.code = 'ENOTFOUND'
  return error
}
