/*
 * Caller's duties: make one breaker per rule and worker over an area and permits that equal rules
 * of all workers share; ask `acquire` once a call; then, once, either `record` how the call went or
 * `release` it when nothing can be said of it. Times are those of the node's one clock.
 */
import type { NodeWords } from '../shared/contract.js'
import { Pairs } from '../shared/pairs.js'
import {
  type CallWindow,
  CountWindow,
  countWindowBytes,
  FAILURE,
  type Outcome,
  SLOW,
  STATE_PAIR,
  SUCCESS,
  Tallies,
  TimeWindow,
  timeWindowBytes,
} from './call-window.js'

export interface BreakerPolicy {
  readonly windowType: 'count' | 'time'
  /** Calls or seconds, at least 1. */
  readonly windowSize: number
  /** Calls in the window before rates count, at least 1. */
  readonly callsMin: number
  /** Whole percent, 1..100. */
  readonly failurePercentMax: number
  readonly slowPercentMax: number
  readonly slowMs: number
  /** Calls permitted while half open, at least 1. */
  readonly halfOpenCalls: number
  /** How long it may stay half open once all those are given out; 0: for ever. */
  readonly halfOpenMs: number
  readonly openMs: number
}

/** `NodePermits`, as far as it is used here. */
export interface Permits {
  acquire(round: number, cap: number): boolean
  release(round: number): void
}

const CLOSED = 0
const OPEN = 1
const HALF_OPEN = 2
type State = typeof CLOSED | typeof OPEN | typeof HALF_OPEN

const STATE_NAMES = ['closed', 'open', 'half-open'] as const
export type StateName = (typeof STATE_NAMES)[number]

/** Threads' clocks differ by much less; and no change of state is that old without being noticed. */
const SKEW_MS = 1_000

/** Bytes of shared memory that a breaker needs. */
export function breakerBytes({ windowType, windowSize }: BreakerPolicy): number {
  return windowType === 'time' ? timeWindowBytes(windowSize) : countWindowBytes(windowSize)
}

/**
 * Refuses calls to what mostly fails or is mostly slow (compat/traffic-v1.md §6.9). State, window
 * and permits hold for the node. Each state has an id, one higher in its upper 30 bits than the
 * state before, with the kind of state in the lower two.
 */
export class CircuitBreaker {
  readonly #policy: BreakerPolicy
  readonly #words: Int32Array
  readonly #stateWord: number
  readonly #pairs: Pairs
  readonly #tallies: Tallies
  readonly #window: CallWindow
  readonly #permits: Permits
  readonly #changed: (state: StateName) => void

  /** `changed` hears of what this worker brought about. */
  constructor(
    policy: BreakerPolicy,
    area: NodeWords,
    permits: Permits,
    changed: (state: StateName) => void,
  ) {
    const { windowType, windowSize } = policy
    this.#policy = policy
    this.#words = area.words
    this.#stateWord = area.base + 2 * STATE_PAIR
    this.#pairs = new Pairs(area)
    this.#tallies = new Tallies(new Pairs(area))
    this.#window =
      windowType === 'time'
        ? new TimeWindow(windowSize, area, this.#tallies)
        : new CountWindow(windowSize, area, this.#tallies)
    this.#permits = permits
    this.#changed = changed
  }

  get state(): StateName {
    return STATE_NAMES[this.#id() & 3] as StateName
  }

  /** The id under which the call is permitted, or null. */
  acquire(nowMs: number): number | null {
    for (;;) {
      const id = this.#id()
      const state = id & 3
      if (state === CLOSED) return id
      if (state === HALF_OPEN) return this.#acquireHalfOpen(id, nowMs)
      if (this.#ageMs(nowMs) < this.#policy.openMs) return null
      this.#change(id, HALF_OPEN, nowMs)
    }
  }

  /** Whether a call at `nowMs` might go through; takes no permit and changes no state. */
  admits(nowMs: number): boolean {
    return (this.#id() & 3) !== OPEN || this.#ageMs(nowMs) >= this.#policy.openMs
  }

  /** The call permitted under `id` came to nothing that could be judged. */
  release(id: number): void {
    if ((id & 3) === HALF_OPEN) this.#permits.release(id)
  }

  /** The call permitted under `id` took `durationMs` and ended at `nowMs`. */
  record(id: number, nowMs: number, durationMs: number, isFailure: boolean): void {
    if (this.#id() === id) {
      const { slowMs } = this.#policy
      const outcome: Outcome = isFailure ? FAILURE : durationMs >= slowMs ? SLOW : SUCCESS
      // Counted first and released then, so that no permit is out twice.
      if ((id & 3) === CLOSED) this.#window.push(id, nowMs, outcome)
      else this.#tallies.add(id, outcome)
      this.#judge(id, nowMs)
    }
    this.release(id)
  }

  #id(): number {
    return Atomics.load(this.#words, this.#stateWord)
  }

  #acquireHalfOpen(id: number, nowMs: number): number | null {
    const { halfOpenCalls, halfOpenMs } = this.#policy
    const tallies = this.#tallies
    for (;;) {
      const ended = tallies.total(id)
      if (this.#permits.acquire(id, halfOpenCalls - ended)) {
        if (tallies.total(id) === ended) return id
        this.#permits.release(id) // one that ended meanwhile was counted neither here nor there
      } else if (tallies.total(id) === ended) {
        if (halfOpenMs > 0 && this.#ageMs(nowMs) > halfOpenMs) this.#change(id, OPEN, nowMs)
        return null
      }
    }
  }

  #judge(id: number, nowMs: number): void {
    const policy = this.#policy
    const tallies = this.#tallies
    const isHalfOpen = (id & 3) === HALF_OPEN
    const callsMin = isHalfOpen ? Math.min(policy.callsMin, policy.halfOpenCalls) : policy.callsMin
    const total = tallies.total(id)
    if (total < callsMin) return
    const isBad =
      tallies.failurePercent(id, total) >= policy.failurePercentMax ||
      tallies.slowPercent(id, total) >= policy.slowPercentMax
    if (isBad) this.#change(id, OPEN, nowMs)
    else if (isHalfOpen) this.#change(id, CLOSED, nowMs)
  }

  /** From state `id` on; nothing when another has followed it already. */
  #change(id: number, to: State, nowMs: number): void {
    const pairs = this.#pairs
    const next = (((id >> 2) + 1) << 2) | to
    pairs.load(STATE_PAIR)
    while (pairs.a === id) {
      if (!pairs.replace(STATE_PAIR, next, Math.floor(nowMs) | 0)) continue
      this.#changed(STATE_NAMES[to])
      return
    }
  }

  /** Milliseconds since the state began, modulo 2^32. */
  #ageMs(nowMs: number): number {
    this.#pairs.load(STATE_PAIR)
    const ageMs = (Math.floor(nowMs) - this.#pairs.b) | 0
    return ageMs < 0 && ageMs > -SKEW_MS ? 0 : ageMs >>> 0
  }
}
