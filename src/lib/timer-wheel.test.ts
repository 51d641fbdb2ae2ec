import fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualTime } from './clock.js'
import { driveWheel, TimerWheel, WheelTimer } from './timer-wheel.js'

const SLOT_MS = 4
/** A whole turn of the wheel: longer delays pass their slot more than once. */
const TURN_MS = 4096

class Bench {
  readonly time = new VirtualTime()
  readonly wheel = new TimerWheel(this.time)
  readonly fired: string[] = []

  timer(name: string, onFire: () => void = () => {}): WheelTimer {
    return new WheelTimer(name, (owner) => {
      this.fired.push(`${owner}@${this.time.monotonicMs()}`)
      onFire()
    }) as WheelTimer
  }

  pass(ms: number): string[] {
    this.fired.length = 0
    this.time.advance(ms)
    this.wheel.advance()
    return [...this.fired]
  }
}

it.each([
  0,
  0.1,
  1,
  3.999,
  4,
  5,
  100,
  TURN_MS - 1,
  TURN_MS,
  TURN_MS + 1,
  3 * TURN_MS + 7,
  3_600_000,
])('a delay of %d ms: never early, at most a slot late, once', (delayMs) => {
  const bench = new Bench()
  bench.pass(1234.5)
  const timer = bench.timer('t')
  bench.wheel.start(timer, delayMs)
  const dueMs = bench.time.monotonicMs() + delayMs
  let firedMs: number | null = null
  // Steps of a millisecond only around the deadline: an hour would take long.
  if (delayMs > 100) {
    for (let left = delayMs - 50; left > 0; left -= 1000) {
      expect(bench.pass(Math.min(left, 1000))).toEqual([])
    }
  }
  for (let ms = 0; ms < 200; ms++) {
    if (bench.pass(1).length === 0) continue
    expect(firedMs).toBeNull()
    firedMs = bench.time.monotonicMs()
  }
  expect(firedMs).not.toBeNull()
  expect(firedMs).toBeGreaterThanOrEqual(dueMs)
  expect(firedMs).toBeLessThanOrEqual(dueMs + SLOT_MS + 1)
  expect(timer.isRunning).toBe(false)
  expect(bench.wheel.runningCount).toBe(0)
})

it.each([
  ['negative', -5],
  ['not a number', Number.NaN],
])('a delay that is %s fires at the next chance', (_name, delayMs) => {
  const bench = new Bench()
  bench.wheel.start(bench.timer('t'), delayMs)
  expect(bench.pass(2 * SLOT_MS)).toHaveLength(1)
})

it('a stopped timer does not fire; stopping one that is not running does no harm', () => {
  const bench = new Bench()
  const timer = bench.timer('t')
  bench.wheel.stop(timer)
  bench.wheel.start(timer, 10)
  expect(timer.isRunning).toBe(true)
  bench.wheel.stop(timer)
  bench.wheel.stop(timer)
  expect(bench.wheel.runningCount).toBe(0)
  expect(bench.pass(1000)).toEqual([])
})

it('starting again moves the deadline, either way', () => {
  const bench = new Bench()
  const timer = bench.timer('t')
  bench.wheel.start(timer, 10)
  bench.wheel.start(timer, 100)
  expect(bench.wheel.runningCount).toBe(1)
  expect(bench.pass(50)).toEqual([])
  bench.wheel.start(timer, 10)
  expect(bench.pass(20)).toHaveLength(1)
})

it('a timer that starts itself when it fires waits for a later advance', () => {
  const bench = new Bench()
  const timer: WheelTimer = bench.timer('t', () => bench.wheel.start(timer, 0))
  bench.wheel.start(timer, 0)
  expect(bench.pass(100)).toHaveLength(1)
  expect(bench.pass(100)).toHaveLength(1)
})

it('one that fires may stop or restart others due in the same slot', () => {
  const bench = new Bench()
  const others = ['a', 'b', 'c'].map((name) => bench.timer(name))
  const [a, b] = others as [WheelTimer, WheelTimer]
  const killer = bench.timer('killer', () => {
    bench.wheel.stop(a)
    bench.wheel.start(b, 1000)
  })
  for (const timer of [...others, killer]) bench.wheel.start(timer, 10)
  const names = bench.pass(20).map((entry) => entry.split('@')[0])
  const after = names.slice(names.indexOf('killer'))
  expect(names).toContain('c')
  expect(after).not.toContain('a')
  expect(after).not.toContain('b')
  expect([a.isRunning, b.isRunning]).toEqual([false, true])
})

it('one that throws does not hold up the others of its slot', () => {
  const bench = new Bench()
  const bad = bench.timer('bad', () => {
    throw new Error('planted')
  })
  const good = ['before', 'after'].map((name) => bench.timer(name)) as [WheelTimer, WheelTimer]
  bench.wheel.start(good[0], 10)
  bench.wheel.start(bad, 10)
  bench.wheel.start(good[1], 10)
  bench.time.advance(20)
  expect(() => bench.wheel.advance()).toThrow('planted')
  bench.wheel.advance()
  expect(bench.fired.map((entry) => entry.split('@')[0]).sort()).toEqual(['after', 'bad', 'before'])
})

it('a delay of for ever is a delay, and can be stopped', () => {
  const bench = new Bench()
  const timer = bench.timer('t')
  bench.wheel.start(timer, Number.POSITIVE_INFINITY)
  expect(bench.pass(86_400_000)).toEqual([])
  bench.wheel.stop(timer)
  expect(bench.wheel.runningCount).toBe(0)
})

it('agrees with a list of deadlines: never early, at most one slot and one advance late', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('start' as const),
      timer: fc.integer({ min: 0, max: 5 }),
      delayMs: fc.oneof(
        fc.double({ min: 0, max: 30, noNaN: true }),
        fc.integer({ min: 0, max: 3 * TURN_MS }),
      ),
    }),
    fc.record({ do: fc.constant('stop' as const), timer: fc.integer({ min: 0, max: 5 }) }),
    fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.integer({ min: 0, max: 3 * TURN_MS }), // the event loop was busy
      ),
    }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const time = new VirtualTime()
      const wheel = new TimerWheel(time)
      const deadlines = new Map<number, number>()
      const timers = Array.from({ length: 6 }, (_, i) => {
        return new WheelTimer(i, (owner) => {
          const dueMs = deadlines.get(owner)
          expect(dueMs, `timer ${owner} fires though it does not run`).toBeDefined()
          expect(time.monotonicMs()).toBeGreaterThanOrEqual(dueMs as number)
          deadlines.delete(owner)
        }) as WheelTimer
      })
      for (const each of steps) {
        if (each.do === 'start') {
          wheel.start(timers[each.timer] as WheelTimer, each.delayMs)
          deadlines.set(each.timer, time.monotonicMs() + each.delayMs)
        } else if (each.do === 'stop') {
          wheel.stop(timers[each.timer] as WheelTimer)
          deadlines.delete(each.timer)
        } else {
          time.advance(each.ms)
          wheel.advance()
          for (const [timer, dueMs] of deadlines) {
            expect(dueMs, `timer ${timer} is late`).toBeGreaterThan(time.monotonicMs() - SLOT_MS)
          }
        }
        expect(wheel.runningCount).toBe(deadlines.size)
        for (const [i, timer] of timers.entries()) expect(timer.isRunning).toBe(deadlines.has(i))
      }
    }),
    { numRuns: 500 },
  )
})

/** A wheel that drives itself, and how often it turned. */
function driven(): { bench: Bench; turns: () => number; stop: () => void } {
  const bench = new Bench()
  let turns = 0
  const advance = bench.wheel.advance.bind(bench.wheel)
  bench.wheel.advance = () => {
    turns += 1
    advance()
  }
  const stop = driveWheel(bench.wheel, bench.time)
  return { bench, turns: () => turns, stop }
}

it.each([0, 0.5, 3, 4, 247, 248, 249, 1_000, TURN_MS + 3])(
  'driven: a delay of %d ms is over on time, whatever else was planned',
  (delayMs) => {
    const { bench } = driven()
    bench.time.advance(1_000.3)
    bench.wheel.start(bench.timer('long'), 60_000)
    bench.wheel.start(bench.timer('t'), delayMs)
    const dueMs = bench.time.monotonicMs() + delayMs
    while (bench.fired.length === 0 && bench.time.monotonicMs() < dueMs + 10)
      bench.time.advance(0.5)
    expect(bench.fired).toHaveLength(1)
    const lateMs = bench.time.monotonicMs() - dueMs
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(lateMs).toBeLessThanOrEqual(SLOT_MS + 1.5)
  },
)

it('driven: an idle wheel turns a few times a second', () => {
  const { bench, turns } = driven()
  bench.wheel.start(bench.timer('far'), 3_600_000)
  bench.time.advance(10_000)
  expect(turns()).toBeLessThan(50)
  expect(bench.time.monotonicMs() - bench.wheel.coarseMs).toBeLessThanOrEqual(250)
})

it('driven: a timer that throws does not stop the wheel', () => {
  const { bench } = driven()
  const bad = bench.timer('bad', () => {
    throw new Error('bad')
  })
  bench.wheel.start(bad, 10)
  bench.wheel.start(bench.timer('good'), 20)
  expect(() => bench.time.advance(16)).toThrow('bad')
  bench.time.advance(20)
  expect(bench.fired.map((text) => text.split('@')[0])).toEqual(['bad', 'good'])
})

it('driven: nothing turns after the end', () => {
  const { bench, turns, stop } = driven()
  stop()
  bench.wheel.start(bench.timer('t'), 1)
  bench.time.advance(1_000)
  expect(turns()).toBe(0)
})
