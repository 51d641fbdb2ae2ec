import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { Heartbeat, heartbeatMemory, Watchdog } from './heartbeat.js'

class Ward {
  readonly time = new VirtualTime()
  readonly memory = heartbeatMemory(3)
  readonly watchdog = new Watchdog(this.memory, this.time)
  readonly hearts = [0, 1, 2].map((worker) => new Heartbeat(this.memory, worker, this.time, 1000))

  /** `seconds` pass; the given workers beat and the watchdog looks once in each. */
  pass(seconds: number, beating: readonly number[]): number[] {
    let silent: number[] = []
    for (let second = 0; second < seconds; second++) {
      this.time.advance(1000)
      for (const worker of beating) this.hearts[worker]?.beat()
      silent = this.watchdog.check()
    }
    return silent
  }
}

it.each<[string, seconds: number, beating: number[], want: number[]]>([
  ['all beat', 60, [0, 1, 2], []],
  ['one is silent for less than 5 s', 4, [0, 2], []],
  ['one is silent for 5 s', 5, [0, 2], [1]],
  ['it stays reported', 9, [0, 2], [1]],
  ['two are silent', 6, [1], [0, 2]],
])('Watchdog: %s', (_name, seconds, beating, want) => {
  const ward = new Ward()
  for (const worker of [2, 0, 1]) ward.watchdog.watch(worker)
  ward.pass(1, [0, 1, 2])
  expect(ward.pass(seconds, beating)).toEqual(want)
})

it('a beat ends the silence; who is not watched may be silent', () => {
  const ward = new Ward()
  ward.watchdog.watch(0)
  ward.watchdog.watch(1)
  ward.pass(1, [0, 1])
  expect(ward.pass(6, [])).toEqual([0, 1])
  expect(ward.pass(1, [0])).toEqual([1])
  ward.watchdog.unwatch(1)
  expect(ward.pass(4, [])).toEqual([])
  expect(ward.pass(1, [])).toEqual([0])
})

it('a new incarnation has 20 s from when it is watched, whatever the old one counted', () => {
  const ward = new Ward()
  ward.watchdog.watch(0)
  ward.pass(10, [0])
  ward.watchdog.watch(0)
  expect(ward.watchdog.check()).toEqual([])
  expect(ward.pass(19, [])).toEqual([])
  expect(ward.pass(1, [])).toEqual([0])
  expect(ward.pass(1, [0])).toEqual([])
  expect(ward.pass(5, [])).toEqual([0])
})

it('a watchdog that was held up itself accuses nobody', () => {
  const ward = new Ward()
  ward.watchdog.watch(0)
  ward.pass(1, [0])
  ward.time.advance(60_000) // the whole process was stopped
  expect(ward.watchdog.check()).toEqual([])
  expect(ward.pass(5, [])).toEqual([0])
})

it('a beat says how late it came', () => {
  const ward = new Ward()
  ward.time.advance(1000)
  ward.hearts[1]?.beat()
  expect(ward.watchdog.lateMs(1)).toBe(0)
  ward.time.advance(1250)
  ward.hearts[1]?.beat()
  expect(ward.watchdog.lateMs(1)).toBe(250)
  expect(ward.watchdog.lateMs(0)).toBe(0)
})
