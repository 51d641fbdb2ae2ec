import { parentPort, workerData } from 'node:worker_threads'
import { nodeMs } from './node-clock.js'

/** A double: what the clock said; then a word: 1 when it is to be read. */
const memory = workerData as SharedArrayBuffer
const reading = new Float64Array(memory, 0, 1)
const turn = new Int32Array(memory, 8, 1)

parentPort?.postMessage('ready')
for (;;) {
  Atomics.wait(turn, 0, 0)
  reading[0] = nodeMs()
  Atomics.store(turn, 0, 0)
  Atomics.notify(turn, 0)
}
