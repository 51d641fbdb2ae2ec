import type { Time, Timer } from '../../lib/clock.js'

/** Whose code an event runs; it does not run while its owner is stopped, nor in a later life. */
export interface Owner {
  /** Grows with every start. */
  life: number
  /** Stopped by a signal until then; 0: it is not. */
  pausedUntilMs: number
}

interface Event {
  atMs: number
  order: number
  readonly owner: Owner | null
  readonly life: number
  fire: (() => void) | null
}

/** All that will happen, in order: a heap, so that a second of many nodes costs little. */
export class SimClock {
  nowMs = 0
  /** Events that happened. */
  count = 0
  #order = 0
  readonly #heap: Event[] = []
  readonly #after: (owner: Owner) => void

  /** `after` is called after each event of an owner. */
  constructor(after: (owner: Owner) => void) {
    this.#after = after
  }

  /** `life`: of the owner at that time; any other and nothing happens. */
  at(atMs: number, owner: Owner | null, fire: () => void): Timer {
    const event: Event = { atMs, order: 0, owner, life: owner?.life ?? 0, fire }
    this.#put(event)
    return {
      cancel: () => {
        event.fire = null
      },
    }
  }

  /** The next event happens; false: there is none before `untilMs`, which it is then. */
  step(untilMs: number): boolean {
    const event = this.#heap[0]
    if (event === undefined || event.atMs > untilMs) {
      this.nowMs = untilMs
      return false
    }
    this.#drop()
    const { owner, fire } = event
    if (fire === null || (owner !== null && owner.life !== event.life)) return true
    this.nowMs = event.atMs
    if (owner !== null && owner.pausedUntilMs > this.nowMs) {
      event.atMs = owner.pausedUntilMs
      this.#put(event)
      return true
    }
    this.count += 1
    fire()
    if (owner !== null) this.#after(owner)
    return true
  }

  #put(event: Event): void {
    this.#order += 1
    event.order = this.#order
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up] as Event
      if (!isBefore(event, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = event
  }

  #drop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down >= heap.length) break
      if (down + 1 < heap.length && isBefore(heap[down + 1] as Event, heap[down] as Event))
        down += 1
      const child = heap[down] as Event
      if (!isBefore(child, last)) break
      heap[at] = child
      at = down
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/** The clocks of one life of a node: they run a little fast or slow, and the wall's is set wrong. */
export class NodeTime implements Time {
  readonly #clock: SimClock
  readonly #owner: Owner
  readonly #rate: number
  /** Of its wall clock. */
  skewMs: number

  /** `rate`: its milliseconds for one of the world's. */
  constructor(clock: SimClock, owner: Owner, rate: number, skewMs: number) {
    this.#clock = clock
    this.#owner = owner
    this.#rate = rate
    this.skewMs = skewMs
  }

  monotonicMs(): number {
    return this.#clock.nowMs * this.#rate
  }

  wallMs(): number {
    return 1_600_000_000_000 + this.#clock.nowMs + this.skewMs
  }

  after(delayMs: number, fire: () => void): Timer {
    const atMs = this.#clock.nowMs + Math.max(0, delayMs) / this.#rate
    return this.#clock.at(atMs, this.#owner, fire)
  }
}
