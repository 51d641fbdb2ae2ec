import { getHeapSpaceStatistics } from 'node:v8'
import { expect, it } from 'vitest'
import { VirtualTime } from './clock.js'
import { collectGarbage, IdleCollector } from './idle-collector.js'

const MB = 2 ** 20

/** A thread of which the test says how busy it is and how much it holds. */
class Thread {
  readonly time = new VirtualTime()
  readonly #loop = { idle: 0, active: 0 }
  readonly #keptBytes: number
  heapBytes = 0
  /** Of a core, what other threads of the process use. */
  othersShare = 0
  #processMs = 0
  /** When garbage was collected, in seconds. */
  readonly collectedAt: number[] = []

  constructor(keptBytes = 10 * MB) {
    this.#keptBytes = keptBytes
    new IdleCollector({
      time: this.time,
      restShare: 0.05,
      loopTimes: () => ({ ...this.#loop }),
      processMs: () => this.#processMs,
      heapBytes: () => this.heapBytes,
      collect: (collected) => {
        this.collectedAt.push(this.time.monotonicMs() / 1000)
        this.heapBytes = Math.min(this.heapBytes, this.#keptBytes)
        collected()
      },
    }).start()
  }

  /** `share` of each of so many seconds is work. */
  run(seconds: number, share: number): void {
    for (let second = 0; second < seconds; second++) {
      this.#loop.active += share * 1000
      this.#loop.idle += (1 - share) * 1000
      this.#processMs += (share + this.othersShare) * 1000
      this.time.advance(1000)
    }
  }
}

it('collects once a thread has rested for six seconds, and not again for nothing', () => {
  const thread = new Thread()
  thread.heapBytes = 30 * MB
  thread.run(4, 0.8)
  thread.run(60, 0.01)
  expect(thread.collectedAt).toEqual([10])
})

it('waits while other threads of the process are busy', () => {
  const thread = new Thread()
  thread.heapBytes = 30 * MB
  thread.othersShare = 0.5
  thread.run(60, 0.01)
  expect(thread.collectedAt).toEqual([])
  thread.othersShare = 0.1
  thread.run(60, 0.01)
  expect(thread.collectedAt).toEqual([66])
})

it.each<[name: string, run: (thread: Thread) => void]>([
  ['under load', (thread) => thread.run(60, 0.06)],
  [
    'with a request now and then that keeps it busy',
    (thread) => {
      for (let i = 0; i < 10; i++) {
        thread.run(4, 0)
        thread.run(2, 0.2)
      }
    },
  ],
])('does nothing %s', (_name, run) => {
  const thread = new Thread()
  thread.heapBytes = 60 * MB
  run(thread)
  expect(thread.collectedAt).toEqual([])
})

it.each<[grownMb: number, want: number[]]>([
  [3.9, [6]],
  [4, [6, 36]],
])('%s MB more since the last time: collected at %j', (grownMb, want) => {
  const thread = new Thread()
  thread.heapBytes = 30 * MB
  thread.run(20, 0)
  thread.heapBytes = 10 * MB + grownMb * MB
  thread.run(40, 0)
  expect(thread.collectedAt).toEqual(want)
})

it('leaves half a minute between two collections, however much a thread at rest grows', () => {
  const thread = new Thread()
  for (let second = 0; second < 70; second++) {
    thread.heapBytes += 2 * MB
    thread.run(1, 0)
  }
  expect(thread.collectedAt).toEqual([6, 36, 66])
})

it('lets a large heap be', () => {
  const thread = new Thread()
  thread.heapBytes = 97 * MB
  thread.run(60, 0)
  expect(thread.collectedAt).toEqual([])
  thread.heapBytes = 96 * MB
  thread.run(2, 0)
  expect(thread.collectedAt).toEqual([62])
})

it('what cannot be collected is no reason to try again', () => {
  const thread = new Thread(96 * MB)
  thread.heapBytes = 90 * MB
  thread.run(60, 0)
  expect(thread.collectedAt).toEqual([6])
})

it('a thread goes on after a collection', async () => {
  for (let round = 0; round < 2; round++) {
    await new Promise<void>((resolve) => collectGarbage(resolve))
  }
})

const youngBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    ?.physical_space_size ?? 0

it('gives the young generation back, and the thread goes on', async () => {
  let kept: unknown[] = []
  for (let i = 0; i < 300_000; i++) kept.push({ i })
  expect(youngBytes()).toBeGreaterThan(3 * MB)
  expect(kept).toHaveLength(300_000)
  kept = []
  await new Promise<void>(collectGarbage)
  expect(youngBytes()).toBeLessThan(3 * MB)
  await new Promise<void>((resolve) => setTimeout(resolve, 1))
})
