import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Slice } from './slice.js'
import type { YoungCollector } from './young-collector.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'setImmediate'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function rested(slice: Slice): Promise<boolean> {
  let isOver = false
  void slice.rest().then(() => {
    isOver = true
  })
  await Promise.resolve()
  await Promise.resolve()
  return isOver
}

it('goes on until a slice is used up', async () => {
  const slice = new Slice()
  expect(await rested(slice)).toBe(true)
  vi.advanceTimersByTime(1)
  expect(await rested(slice)).toBe(false)
  expect(vi.getTimerCount()).toBe(1)
})

it('where others are served it rests, else it only gives the loop back', async () => {
  for (const isServing of [true, false]) {
    vi.clearAllTimers()
    const slice = new Slice({ isServing })
    vi.advanceTimersByTime(1)
    let isOver = false
    void slice.rest().then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(0)
    expect(isOver).toBe(!isServing)
    await vi.advanceTimersByTimeAsync(1)
    expect(isOver).toBe(true)
  }
})

it('collects what is young in a turn of its own, every few slices', async () => {
  const run = vi.fn()
  const slice = new Slice({ young: { run } as unknown as YoungCollector })
  for (let i = 0; i < 12; i++) {
    vi.advanceTimersByTime(1)
    const resting = slice.rest()
    await vi.runAllTimersAsync()
    await resting
  }
  expect(run).toHaveBeenCalledTimes(2)
})
