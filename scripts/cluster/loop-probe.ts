/**
 * Loaded into a server by `--import`, in every thread of it: in a worker's it writes down how long
 * the event loop stood still, in lines of `from to pause busy` for each {@link EVERY_MS}: wall clock
 * in ms, and of the longest pause by the clock and the longest by the processor time that the thread
 * used meanwhile. The second is what the loop itself is to blame for; the rest of the first it
 * waited for a processor. It wakes the loop a thousand times a second: for measuring alone.
 */
import { appendFileSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { workerData } from 'node:worker_threads'

const EVERY_MS = 100
const TICK_MS = 1

function watch(file: string): void {
  const schedstat = openSync('/proc/thread-self/schedstat', 'r')
  const bytes = Buffer.alloc(128)
  // The first figure: time on a processor, in nanoseconds.
  const busyNow = (): number =>
    Number.parseInt(bytes.toString('latin1', 0, readSync(schedstat, bytes, 0, 128, 0)), 10) / 1e6
  let fromMs = Date.now()
  let tickMs = performance.now()
  let tickBusyMs = busyNow()
  let pauseMs = 0
  let mostBusyMs = 0
  setInterval(() => {
    const nowMs = performance.now()
    const busyMs = busyNow()
    pauseMs = Math.max(pauseMs, nowMs - tickMs - TICK_MS)
    mostBusyMs = Math.max(mostBusyMs, busyMs - tickBusyMs)
    tickMs = nowMs
    tickBusyMs = busyMs
    const wallMs = Date.now()
    if (wallMs - fromMs < EVERY_MS) return
    appendFileSync(file, `${fromMs} ${wallMs} ${pauseMs.toFixed(2)} ${mostBusyMs.toFixed(2)}\n`)
    fromMs = wallMs
    pauseMs = 0
    mostBusyMs = 0
  }, TICK_MS)
}

const worker: unknown = workerData?.data?.worker
const dir = process.env['EASEGRESS_LOOP_DIR']
if (typeof worker === 'number' && dir !== undefined) watch(join(dir, `pauses-of-worker-${worker}`))
