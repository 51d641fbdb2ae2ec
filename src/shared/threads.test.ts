import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { systemTime } from '../lib/clock.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import type { HammerData, HammerResult } from './hammer.fixture.js'
import { clearRows, NodeCap, rowsBroker } from './rows.js'
import type { SlotBroker } from './slots.js'
import { mergeRows } from './stats.js'
import { ROW_BYTES } from './stats-layout.js'
import { wordsBroker } from './words.js'

const url = await compileThreadFixture(new URL('./hammer.fixture.ts', import.meta.url))
const THREADS = 2
const ROUNDS = 300_000
const CAP = 3

function slotOf(broker: SlotBroker, key: string) {
  const [place] = broker.claim(0, [key])
  const memory = broker.segments[place?.segment as number] as SharedArrayBuffer
  return { memory, index: place?.index as number }
}

function hammer(data: HammerData): Promise<HammerResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(url, { workerData: data })
    let result: HammerResult | null = null
    worker.on('message', (message: HammerResult) => {
      result = message
    })
    worker.on('error', reject)
    worker.on('exit', () => (result === null ? reject(new Error('no result')) : resolve(result)))
  })
}

it('two threads never hold more permits than the cap, pick in turn, and lose no count', async () => {
  const caps = rowsBroker(systemTime, THREADS)
  const capSlot = slotOf(caps, 'connections')
  const wordSlot = slotOf(wordsBroker(systemTime), 'round robin')
  const control = new SharedArrayBuffer(16)
  const stats = Array.from({ length: THREADS }, () => new SharedArrayBuffer(ROW_BYTES))
  const results = await Promise.all(
    stats.map((row, worker) =>
      hammer({
        worker,
        rounds: ROUNDS,
        cap: CAP,
        capSlot,
        wordSlot,
        stats: row,
        control,
        threads: THREADS,
        keep: worker === 1 ? 1 : 0,
      }),
    ),
  )
  const most = new Int32Array(control)[1] as number
  expect(most).toBeLessThanOrEqual(CAP)
  expect(most).toBeGreaterThan(1)
  for (const { acquired, refused } of results) expect(acquired + refused).toBe(ROUNDS)
  const picks = [0, 1, 2].map((server) =>
    results.reduce((sum, each) => sum + (each.picks[server] as number), 0),
  )
  expect(picks).toEqual(Array(3).fill((THREADS * ROUNDS) / 3))
  const snapshot = mergeRows(stats.map((row) => new Float64Array(row)))
  expect(snapshot).toMatchObject({ count: THREADS * ROUNDS, bytesOut: 2 * THREADS * ROUNDS })
  // The second thread ended with a permit in hand.
  const cap = new NodeCap(capSlot, 0)
  expect(cap.total).toBe(1)
  clearRows(caps.segments, 1)
  expect(cap.total).toBe(0)
})
