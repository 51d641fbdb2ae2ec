import fc from 'fast-check'
import { expect, it } from 'vitest'
import { systemTime, VirtualTime } from './clock.js'

it('time stands still until it is told to move; both clocks move together', () => {
  const time = new VirtualTime(1000)
  expect([time.monotonicMs(), time.wallMs()]).toEqual([0, 1000])
  time.advance(1.5)
  expect([time.monotonicMs(), time.wallMs()]).toEqual([1.5, 1001.5])
})

it('timers fire in the order of their deadlines, equal ones in the order of their setting', () => {
  const delays = fc.array(fc.integer({ min: -3, max: 10 }), { maxLength: 20 })
  fc.assert(
    fc.property(delays, (list) => {
      const time = new VirtualTime()
      const fired: [delayMs: number, order: number][] = []
      list.forEach((delayMs, order) => {
        time.after(delayMs, () => {
          expect(time.monotonicMs()).toBe(Math.max(0, delayMs))
          fired.push([Math.max(0, delayMs), order])
        })
      })
      time.advance(10)
      const want = list.map((delayMs, order): [number, number] => [Math.max(0, delayMs), order])
      expect(fired).toEqual(want.sort(([a, i], [b, j]) => a - b || i - j))
    }),
  )
})

it('a timer set while time moves fires in the same move if it falls due', () => {
  const time = new VirtualTime()
  const fired: number[] = []
  const again = (): void => {
    fired.push(time.monotonicMs())
    time.after(10, again)
  }
  time.after(10, again)
  time.advance(35)
  expect(fired).toEqual([10, 20, 30])
  time.advance(4)
  expect(fired).toHaveLength(3)
})

it('a cancelled timer does not fire, also when cancelled by one that fires first', () => {
  const time = new VirtualTime()
  const fired: string[] = []
  const late = time.after(20, () => fired.push('late'))
  const twin = time.after(10, () => fired.push('cancelled at once'))
  time.after(10, () => {
    fired.push('first')
    late.cancel()
  })
  twin.cancel()
  twin.cancel()
  time.advance(100)
  late.cancel()
  expect(fired).toEqual(['first'])
})

it('the real one fires, not early, and its clock does not run backwards', async () => {
  const startMs = systemTime.monotonicMs()
  const keepAlive = setInterval(() => {}, 1000) // its own timers do not
  await new Promise<void>((resolve) => {
    systemTime.after(5, resolve)
  })
  clearInterval(keepAlive)
  expect(systemTime.monotonicMs() - startMs).toBeGreaterThanOrEqual(4) // Node rounds to whole ms
  const timer = systemTime.after(0, () => expect.fail('cancelled'))
  timer.cancel()
  await new Promise((resolve) => setImmediate(resolve))
})
