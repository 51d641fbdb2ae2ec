import { parentPort, workerData } from 'node:worker_threads'
import { NodeCap, type RowSlot } from './rows.js'
import { StatsCells } from './stats.js'
import { wordsAt } from './words.js'

/** What one of the threads that hammer the shared memory is given. */
export interface HammerData {
  readonly worker: number
  readonly rounds: number
  readonly cap: number
  readonly capSlot: RowSlot
  readonly wordSlot: { readonly memory: SharedArrayBuffer; readonly index: number }
  readonly stats: SharedArrayBuffer
  /** Word 0: threads ready; 1: most permits seen out; 2: permits to keep at the end. */
  readonly control: SharedArrayBuffer
  readonly threads: number
  readonly keep: number
}

export interface HammerResult {
  readonly acquired: number
  readonly refused: number
  /** How often each of three servers was picked in turn. */
  readonly picks: readonly number[]
}

const data = workerData as HammerData
const cap = new NodeCap(data.capSlot, data.worker)
const { words, base } = wordsAt(data.wordSlot)
const row = new StatsCells(new Float64Array(data.stats))
const control = new Int32Array(data.control)
const picks = [0, 0, 0]
let acquired = 0
let refused = 0

Atomics.add(control, 0, 1)
Atomics.notify(control, 0)
for (let ready = Atomics.load(control, 0); ready < data.threads; ready = Atomics.load(control, 0)) {
  Atomics.wait(control, 0, ready)
}
for (let round = 0; round < data.rounds; round++) {
  const pick = (Atomics.add(words, base, 1) >>> 0) % 3
  picks[pick] = (picks[pick] as number) + 1
  row.record(200, round % 100, 1, 2)
  if (!cap.acquire(data.cap)) {
    refused += 1
    continue
  }
  acquired += 1
  const total = cap.total
  if (total > Atomics.load(control, 1)) Atomics.store(control, 1, total)
  if (round % 3 === 0 || cap.own > 2) while (cap.own > 0) cap.release()
}
while (cap.own > data.keep) cap.release()
while (cap.own < data.keep) cap.acquire(data.cap)
parentPort?.postMessage({ acquired, refused, picks } satisfies HammerResult)
