import type { BreakerPolicy, StateName } from './circuit-breaker.js'

interface Result {
  readonly second: number
  readonly isFailure: boolean
  readonly isSlow: boolean
}

/** A call that the model permitted. */
export interface ModelCall {
  readonly worker: number
  readonly stateId: number
}

/**
 * §6.9 of compat/traffic-v1.md in the most obvious way: lists of results, counted each time. The
 * permits of calls that came to nothing, and of dead workers, can be given out again.
 */
export class BreakerModel {
  readonly #policy: BreakerPolicy
  state: StateName = 'closed'
  #stateId = 0
  #sinceMs = 0
  #window: Result[] = []
  readonly #out = new Set<ModelCall>()

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  acquire(nowMs: number, worker: number): ModelCall | null {
    const { openMs, halfOpenMs, halfOpenCalls } = this.#policy
    const ageMs = nowMs - this.#sinceMs
    if (this.state === 'open') {
      if (ageMs < openMs) return null
      this.#enter('half-open', nowMs)
    } else if (this.state === 'half-open') {
      const out = [...this.#out].filter((call) => call.stateId === this.#stateId).length
      if (this.#window.length + out >= halfOpenCalls) {
        if (halfOpenMs > 0 && ageMs > halfOpenMs) this.#enter('open', nowMs)
        return null
      }
    }
    const call = { worker, stateId: this.#stateId }
    this.#out.add(call)
    return call
  }

  release(call: ModelCall): void {
    this.#out.delete(call)
  }

  workerGone(worker: number): void {
    for (const call of this.#out) if (call.worker === worker) this.#out.delete(call)
  }

  record(call: ModelCall, nowMs: number, durationMs: number, isFailure: boolean): void {
    this.#out.delete(call)
    if (call.stateId !== this.#stateId) return
    const second = Math.floor(nowMs / 1_000)
    this.#window.push({
      second,
      isFailure,
      isSlow: !isFailure && durationMs >= this.#policy.slowMs,
    })
    this.#forget(second)
    this.#judge(nowMs)
  }

  #forget(second: number): void {
    const { windowType, windowSize } = this.#policy
    if (this.state === 'half-open') return
    if (windowType === 'count') this.#window = this.#window.slice(-windowSize)
    else this.#window = this.#window.filter((each) => each.second > second - windowSize)
  }

  #judge(nowMs: number): void {
    const { callsMin, halfOpenCalls, failurePercentMax, slowPercentMax } = this.#policy
    const total = this.#window.length
    const isHalfOpen = this.state === 'half-open'
    if (total < (isHalfOpen ? Math.min(callsMin, halfOpenCalls) : callsMin)) return
    const percent = (isIn: (result: Result) => boolean): number =>
      Math.floor((this.#window.filter(isIn).length * 100) / total)
    if (
      percent((result) => result.isFailure) >= failurePercentMax ||
      percent((result) => result.isSlow) >= slowPercentMax
    ) {
      this.#enter('open', nowMs)
    } else if (isHalfOpen) this.#enter('closed', nowMs)
  }

  #enter(state: StateName, nowMs: number): void {
    this.state = state
    this.#stateId += 1
    this.#sinceMs = nowMs
    this.#window = []
  }
}
