import { expect, it } from 'vitest'
import { type Exchange, OK, RERUN, type Scope, SUSPENDED, UNCHANGED } from '../http/exchange.js'
import { Prng } from '../lib/prng.js'
import { flowOf, node, Step, Wrap } from './flow.fixture.js'
import { END, STOP } from './pipeline.js'

/*
 * Random flows, run by the engine and by a twin that says what Easegress v1 does in the most
 * obvious way: filters as nested calls (compat/traffic-v1.md §4.1).
 */

interface Part {
  readonly wraps: boolean
  /** Targets of results 1 and 2. */
  readonly to: readonly number[]
  /** What its calls give, in order; the last for ever. */
  readonly results: readonly number[]
  /** What its `leave` gives, in order; the last for ever. */
  readonly leaves: readonly number[]
}

function randomFlow(prng: Prng): Part[] {
  const count = prng.below(7)
  return Array.from({ length: count }, (_, at) => ({
    wraps: prng.chance(40),
    to: [0, 1].map(() => {
      const ahead = count - at - 1
      return ahead > 0 && prng.chance(50) ? at + 1 + prng.below(ahead) : prng.pick([END, STOP])
    }),
    results: prng.ints(3, 6).map((n) => Math.max(0, n - 3)),
    leaves: [prng.pick([RERUN, UNCHANGED, OK, 1]), prng.pick([RERUN, UNCHANGED, 2]), UNCHANGED],
  }))
}

/** Gives out what a part is to give, call by call. */
class Script {
  readonly #calls: number[]
  readonly #leaves: number[]
  readonly #parts: readonly Part[]

  constructor(parts: readonly Part[]) {
    this.#parts = parts
    this.#calls = parts.map(() => 0)
    this.#leaves = parts.map(() => 0)
  }

  result(at: number): number {
    return nth((this.#parts[at] as Part).results, (this.#calls[at] as number)++)
  }

  leave(at: number): number {
    return nth((this.#parts[at] as Part).leaves, (this.#leaves[at] as number)++)
  }
}

function nth(list: readonly number[], index: number): number {
  return list[Math.min(index, list.length - 1)] as number
}

/** The twin: each filter calls what follows it. Gives 0, or 1 when a result stopped the flow. */
function runSlowly(parts: readonly Part[]): string[] {
  const script = new Script(parts)
  const trace: string[] = []
  const follow = (at: number, result: number): number => {
    if (result === OK) return run(at + 1)
    const target = (parts[at] as Part).to[result - 1] as number
    if (target === STOP) return 1
    return target === END ? 0 : run(target)
  }
  const run = (at: number): number => {
    const part = parts[at]
    if (part === undefined) return 0
    trace.push(part.wraps ? `${at} enter` : `${at}`)
    const result = script.result(at)
    if (!part.wraps || result !== OK) return follow(at, result)
    for (let attempt = 1; ; attempt++) {
      const inside = run(at + 1)
      trace.push(`${at} leave ${inside} attempt ${attempt}`)
      const verdict = script.leave(at)
      if (verdict === RERUN) continue
      return verdict === UNCHANGED || verdict === OK ? inside : follow(at, verdict)
    }
  }
  run(0)
  return trace
}

/** What may be resumed, and tickets that must not move anything any more. */
interface Waiting {
  readonly ticket: number
  readonly code: number
}

class Run {
  readonly trace: string[] = []
  readonly dead: number[] = []
  readonly client
  readonly flow
  #waiting: Waiting | null = null
  readonly #prng: Prng

  constructor(parts: readonly Part[], prng: Prng) {
    this.#prng = prng
    const script = new Script(parts)
    this.flow = flowOf(
      parts.map((part, at) => {
        const give = (ex: Exchange): number => this.#give(ex, script.result(at))
        const leave = (ex: Exchange, _scope: Scope): number => this.#give(ex, script.leave(at))
        const filter = part.wraps
          ? new Wrap(`${at}`, this.trace, { enter: give, leave })
          : new Step(`${at}`, this.trace, give)
        return node(filter, { to: part.to })
      }),
    )
    this.client = this.flow.start()
  }

  get isWaiting(): boolean {
    return this.#waiting !== null
  }

  resume(): void {
    const { ticket, code } = this.#waiting as Waiting
    this.#waiting = null
    this.dead.push(ticket)
    this.client.ex.resume(ticket, code)
  }

  /** The same result by one of the three ways there are. */
  #give(ex: Exchange, code: number): number {
    const way = this.#prng.below(3)
    if (way === 0) return code
    const ticket = ex.suspend()
    if (way === 1) {
      ex.resume(ticket, code)
      this.dead.push(ticket)
    } else this.#waiting = { ticket, code }
    return SUSPENDED
  }
}

it('runs random flows as nested calls would', () => {
  const prng = new Prng(0xea5e)
  for (let round = 0; round < 4_000; round++) {
    const parts = randomFlow(prng)
    const run = new Run(parts, prng)
    while (run.isWaiting) {
      for (const ticket of run.dead) run.client.ex.resume(ticket, 1)
      run.resume()
    }
    const about = `round ${round}: ${JSON.stringify(parts)}`
    expect(run.trace, about).toEqual(runSlowly(parts))
    expect([run.client.sends, run.flow.pipeline.pinCount], about).toEqual([1, 0])
    expect(run.client.ex.scopes, about).toHaveLength(0)
  }
})

it('aborted at any wait, random flows go no further and every scope hears of it', () => {
  const prng = new Prng(0xab0)
  let aborts = 0
  for (let round = 0; round < 4_000; round++) {
    const parts = randomFlow(prng)
    const run = new Run(parts, prng)
    for (let waits = prng.below(4); run.isWaiting && waits > 0; waits--) run.resume()
    if (!run.isWaiting) continue
    aborts += 1
    const before = [...run.trace]
    const scopes = run.client.ex.scopes.map((scope) => `${scope.node} cancelled`)
    const waits = parts[run.client.ex.pc]?.wraps === true ? [] : [`${run.client.ex.pc} cancelled`]
    run.client.abort()
    run.resume()
    for (const ticket of run.dead) run.client.ex.resume(ticket, OK)
    const about = `round ${round}: ${JSON.stringify(parts)}`
    expect(run.trace, about).toEqual([...before, ...waits, ...scopes.reverse()])
    expect(before, about).toEqual(runSlowly(parts).slice(0, before.length))
    expect([run.client.sends, run.flow.pipeline.pinCount], about).toEqual([0, 0])
  }
  expect(aborts).toBeGreaterThan(1_000)
})
