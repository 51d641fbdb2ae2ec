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
  /** Word 0: threads ready; 1: most permits ever out; 2: permits out, counted by the threads. */
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

const MOST = 1
const OUT = 2
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
function acquire(): boolean {
  if (!cap.acquire(data.cap)) return false
  const out = Atomics.add(control, OUT, 1) + 1
  for (let most = Atomics.load(control, MOST); out > most; most = Atomics.load(control, MOST)) {
    Atomics.compareExchange(control, MOST, most, out)
  }
  return true
}

function release(): void {
  Atomics.sub(control, OUT, 1)
  cap.release()
}

for (let round = 0; round < data.rounds; round++) {
  const pick = (Atomics.add(words, base, 1) >>> 0) % 3
  picks[pick] = (picks[pick] as number) + 1
  row.record(200, round % 100, 1, 2)
  if (acquire()) acquired += 1
  else refused += 1
  if (round % 3 === 0 || cap.own > 2) while (cap.own > 0) release()
}
while (cap.own > data.keep) release()
while (cap.own < data.keep) acquire()
parentPort?.postMessage({ acquired, refused, picks } satisfies HammerResult)
