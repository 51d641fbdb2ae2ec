import type { Time } from '../lib/clock.js'
import type { SharedKeys } from '../objects/contract.js'
import type { DataPart } from '../protocol/worker.js'
import type { CustomDataView } from '../shared/contract.js'

/** Longest wait of an object for its data; then it starts without, and gets it when it is there. */
const ARRIVAL_MS = 2_000

class View implements CustomDataView {
  version = 0
  users = 0
  isHere = false
  #shown = new Map<string, string>()
  #coming: Map<string, string> | null = null

  get(key: string): string | undefined {
    return this.#shown.get(key)
  }

  entries(): Iterable<readonly [key: string, json: string]> {
    return this.#shown
  }

  take({ part, isLast, puts, deletes }: DataPart): void {
    if (part === 'first') this.#coming = new Map()
    const into = part === 'change' ? this.#shown : this.#coming
    if (into === null) return // the beginning was for a life before this one
    for (const [key, json] of puts) into.set(key, json)
    for (const key of deletes) into.delete(key)
    if (!isLast) return
    this.#shown = into
    this.#coming = null
    this.isHere = true
    this.version += 1
  }
}

/** The custom data that the objects of this worker look things up in, by prefix. */
export class DataViews {
  readonly #time: Time
  /** Tells the coordinator all prefixes that are wanted. */
  readonly #want: (prefixes: readonly string[]) => void
  readonly #views = new Map<string, View>()
  #waiting: (() => void)[] = []
  #hasAsked = false

  constructor(time: Time, want: (prefixes: readonly string[]) => void) {
    this.#time = time
    this.#want = want
  }

  /** A prefix that is in use. */
  view(prefix: string): CustomDataView {
    const view = this.#views.get(prefix)
    if (view === undefined) throw new Error(`custom data ${prefix} was not asked for`)
    return view
  }

  /** One more generation of an object uses these. */
  use({ data = [] }: SharedKeys): void {
    let isNew = false
    for (const prefix of data) {
      let view = this.#views.get(prefix)
      if (view === undefined) {
        view = new View()
        this.#views.set(prefix, view)
        isNew = true
      }
      view.users += 1
    }
    if (isNew) this.ask()
  }

  /** One generation less does. */
  drop({ data = [] }: SharedKeys): void {
    let isGone = false
    for (const prefix of data) {
      const view = this.#views.get(prefix)
      if (view === undefined) continue
      view.users -= 1
      if (view.users > 0) continue
      this.#views.delete(prefix)
      isGone = true
    }
    if (isGone) this.ask()
  }

  /** Says what is wanted: after a change of it, and to every new coordinator. */
  ask(): void {
    if (this.#views.size > 0 || this.#hasAsked) this.#want([...this.#views.keys()])
    this.#hasAsked = this.#views.size > 0
  }

  take(part: DataPart): void {
    this.#views.get(part.prefix)?.take(part)
    if (!this.#isComplete) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  /** Resolves when all that is in use is here, or after a while; then it says that it is not. */
  async arrived(): Promise<boolean> {
    if (this.#isComplete) return true
    return await new Promise((resolve) => {
      const timer = this.#time.after(ARRIVAL_MS, () => resolve(false))
      this.#waiting.push(() => {
        timer.cancel()
        resolve(true)
      })
    })
  }

  get #isComplete(): boolean {
    for (const view of this.#views.values()) if (!view.isHere) return false
    return true
  }
}
