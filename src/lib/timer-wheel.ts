import type { Clock, Timer, Timers } from './clock.js'

/** Slot width. Nothing on the data path needs finer time. */
const SLOT_MS = 4
const SLOTS = 1024
/** Longer delays are taken as this one, 34 years: "never" stays a number. */
const DELAY_MAX_MS = 2 ** 40
/** Longest rest between two turns, 248 ms. */
const REST_SLOTS_MAX = 62

/**
 * A deadline that can be started and stopped many times without allocating: embed one in whatever
 * has deadlines. `fire` gets the owner, so no closure is needed.
 */
export class WheelTimer<Owner = unknown> {
  readonly #fire: (owner: Owner) => void
  readonly #owner: Owner
  /** Kept by the wheel. */
  next: WheelTimer | null = null
  prev: WheelTimer | null = null
  slot = -1
  dueTick = 0

  constructor(owner: Owner, fire: (owner: Owner) => void) {
    this.#owner = owner
    this.#fire = fire
  }

  get isRunning(): boolean {
    return this.slot >= 0
  }

  /** Called by the wheel. */
  fire(): void {
    this.#fire(this.#owner)
  }
}

/**
 * All deadlines of one worker behind one real timer: hashed timing wheel (Varghese and Lauck 1987,
 * scheme 6). Start and stop cost a few stores. A deadline fires up to one slot late, never early;
 * {@link driveWheel} turns it when something is due.
 */
export class TimerWheel {
  readonly #clock: Clock
  readonly #heads: (WheelTimer | null)[] = new Array<WheelTimer | null>(SLOTS).fill(null)
  /**
   * The clock as it was last read through this wheel, in milliseconds: at most a quarter of a second
   * behind on a loop that turns, and hardly at all where requests come in, as each reads it. For
   * what happens on every request and need not be told apart that finely.
   */
  coarseMs: number
  /** Called when a timer starts that is due before the turn that {@link restMs} asked for. */
  sooner: (() => void) | null = null
  #wakeTick = Number.POSITIVE_INFINITY
  #tick: number
  #running = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.coarseMs = clock.monotonicMs()
    this.#tick = Math.floor(this.coarseMs / SLOT_MS)
  }

  /** The clock's monotonic milliseconds, not rounded to slots. */
  get nowMs(): number {
    this.coarseMs = this.#clock.monotonicMs()
    return this.coarseMs
  }

  get runningCount(): number {
    return this.#running
  }

  /**
   * (Re)starts `timer`; it fires once, after at least `delayMs`. What is no delay (negative, not a
   * number) fires at the next chance.
   */
  start(timer: WheelTimer, delayMs: number): void {
    if (timer.slot >= 0) this.stop(timer)
    const delay = delayMs > 0 ? Math.min(delayMs, DELAY_MAX_MS) : 0
    const due = Math.floor((this.nowMs + delay) / SLOT_MS) + 1
    timer.dueTick = Math.max(due, this.#tick + 1)
    const slot = timer.dueTick % SLOTS
    const head = this.#heads[slot] as WheelTimer | null
    timer.slot = slot
    timer.prev = null
    timer.next = head
    if (head !== null) head.prev = timer
    this.#heads[slot] = timer
    this.#running += 1
    if (timer.dueTick < this.#wakeTick) {
      this.#wakeTick = timer.dueTick
      this.sooner?.()
    }
  }

  /** Milliseconds until the next {@link advance} has to come; a whole number. */
  restMs(): number {
    const last = this.#tick + REST_SLOTS_MAX
    let tick = this.#running === 0 ? last : this.#tick + 1
    while (tick < last && this.#heads[tick % SLOTS] === null) tick += 1
    this.#wakeTick = tick
    return Math.max(0, Math.ceil(tick * SLOT_MS - this.nowMs))
  }

  stop(timer: WheelTimer): void {
    if (timer.slot < 0) return
    if (timer.prev !== null) timer.prev.next = timer.next
    else this.#heads[timer.slot] = timer.next
    if (timer.next !== null) timer.next.prev = timer.prev
    timer.next = null
    timer.prev = null
    timer.slot = -1
    this.#running -= 1
  }

  /**
   * Fires what is due. Timers started meanwhile wait for a later advance. Should one throw, the
   * rest of its slot is fired by the next advance.
   */
  advance(): void {
    const now = Math.floor(this.nowMs / SLOT_MS)
    const from = Math.max(this.#tick + 1, now - SLOTS + 1)
    for (let tick = from; tick <= now; tick++) {
      this.#fireSlot(tick % SLOTS, now)
      this.#tick = tick
    }
  }

  #fireSlot(slot: number, now: number): void {
    let timer = this.#heads[slot] as WheelTimer | null
    let due: WheelTimer[] | null = null
    for (; timer !== null; timer = timer.next) {
      if (timer.dueTick > now) continue
      if (due === null) due = []
      due.push(timer)
    }
    if (due === null) return
    // One that fires may stop another that was due in the same slot.
    for (const each of due) {
      if (each.slot < 0 || each.dueTick > now) continue
      this.stop(each)
      each.fire()
    }
  }
}

/**
 * Turns `wheel` by `timers` whenever something is due, and a few times a second when nothing is: a
 * turn every slot cost an idle worker 1.5 % of a core. Returns what ends it.
 */
export function driveWheel(wheel: TimerWheel, timers: Timers): () => void {
  let timer: Timer
  const plan = (): void => {
    timer = timers.after(wheel.restMs(), turn)
  }
  const turn = (): void => {
    try {
      wheel.advance()
    } finally {
      plan()
    }
  }
  wheel.sooner = () => {
    timer.cancel()
    plan()
  }
  plan()
  return () => {
    wheel.sooner = null
    timer.cancel()
  }
}
