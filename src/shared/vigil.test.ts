import { expect, it } from 'vitest'
import { type Time, type Timer, VirtualTime } from '../lib/clock.js'
import { VIGIL, Vigil, vigilMemory } from './vigil.js'

/** What one thread sees of time; its loop turns in `advance` alone. */
class Loop implements Time {
  readonly #time = new VirtualTime()
  #sleptMs = 0

  monotonicMs(): number {
    return this.#time.monotonicMs() + this.#sleptMs
  }

  wallMs(): number {
    return this.#time.wallMs() + this.#sleptMs
  }

  after(delayMs: number, fire: () => void): Timer {
    return this.#time.after(delayMs, fire)
  }

  advance(ms: number): void {
    this.#time.advance(ms)
  }

  /** Time that the thread did not get to use. */
  sleep(ms: number): void {
    this.#sleptMs += ms
  }
}

/** Two threads of one process. */
class Pair {
  readonly said: string[] = []
  readonly main = new Loop()
  readonly coordinator = new Loop()
  readonly #mains: Vigil
  readonly #coordinators: Vigil

  constructor() {
    const memory = vigilMemory()
    const of = (time: Loop, own: number, other: number, silent: string): Vigil => {
      return new Vigil({ time, memory, own, other, silent: () => this.said.push(silent) })
    }
    this.#mains = of(this.main, VIGIL.MAIN, VIGIL.COORDINATOR, 'coordinator')
    this.#coordinators = of(this.coordinator, VIGIL.COORDINATOR, VIGIL.MAIN, 'main')
    for (const each of [this.#mains, this.#coordinators]) {
      each.watch()
      each.start()
    }
  }

  /** Of those that are given the loops turn for so long. */
  pass(seconds: number, ...turning: Loop[]): void {
    for (let second = 0; second < seconds; second++) for (const time of turning) time.advance(1000)
  }

  restartCoordinator(): void {
    this.#mains.unwatch()
    this.#mains.watch()
  }

  close(): void {
    this.#mains.close()
    this.#coordinators.close()
  }
}

it('while both loops turn nobody is accused', () => {
  const pair = new Pair()
  pair.pass(600, pair.main, pair.coordinator)
  expect(pair.said).toEqual([])
})

it.each<[who: 'main' | 'coordinator', other: 'main' | 'coordinator']>([
  ['main', 'coordinator'],
  ['coordinator', 'main'],
])('%s hangs: the other says so after 12 s, once', (who, other) => {
  const pair = new Pair()
  pair.pass(10, pair.main, pair.coordinator)
  pair.pass(11, pair[other])
  expect(pair.said).toEqual([])
  pair.pass(2, pair[other])
  expect(pair.said).toEqual([who])
  pair.pass(100, pair[other])
  expect(pair.said).toEqual([who])
})

it('who never beat has 60 s, again after each start', () => {
  const pair = new Pair()
  pair.pass(55, pair.main)
  pair.restartCoordinator()
  pair.pass(55, pair.main)
  expect(pair.said).toEqual([])
  pair.pass(6, pair.main)
  expect(pair.said).toEqual(['coordinator'])
})

it('a machine that slept, or a process that was stopped, proves nothing', () => {
  const pair = new Pair()
  pair.pass(5, pair.main, pair.coordinator)
  for (let i = 0; i < 10; i++) {
    // One thread comes to its turn long before the other, as on a machine with too much to do.
    pair.coordinator.sleep(3_600_000)
    pair.pass(11, pair.coordinator)
    pair.main.sleep(3_600_000)
    pair.pass(3, pair.main)
  }
  expect(pair.said).toEqual([])
})

it('a loop that turns seldom, but turns, is left alone', () => {
  const pair = new Pair()
  for (let i = 0; i < 20; i++) {
    pair.pass(11, pair.coordinator)
    pair.main.advance(1000)
  }
  expect(pair.said).toEqual([])
})

it('after its close nothing is looked at any more', () => {
  const pair = new Pair()
  pair.pass(5, pair.main, pair.coordinator)
  pair.close()
  pair.pass(100, pair.main)
  expect(pair.said).toEqual([])
})
