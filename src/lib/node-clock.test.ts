import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { nodeMs } from './node-clock.js'
import { compileThreadFixture } from './thread-fixture.js'

const url = await compileThreadFixture(new URL('./node-clock.fixture.ts', import.meta.url))

it('never runs backwards, and runs as fast as the clock of the thread', () => {
  const startMs = performance.now()
  const start = nodeMs()
  let last = start
  for (let i = 0; i < 1_000; i++) {
    const now = nodeMs()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
  expect(last - start).toBeLessThanOrEqual(performance.now() - startMs)
})

it('says the same in two threads, each reading between two readings of the other', async () => {
  const shared = new Float64Array(new SharedArrayBuffer(16))
  const turn = new Int32Array(shared.buffer, 8)
  const worker = new Worker(url, { workerData: shared.buffer })
  await new Promise((resolve) => worker.once('message', resolve))
  for (let round = 0; round < 20; round++) {
    const beforeMs = nodeMs()
    Atomics.store(turn, 0, 1)
    Atomics.notify(turn, 0)
    Atomics.wait(turn, 0, 1)
    const afterMs = nodeMs()
    expect(shared[0]).toBeGreaterThan(beforeMs - 0.05)
    expect(shared[0]).toBeLessThan(afterMs + 0.05)
  }
  await worker.terminate()
})
