import { setFlagsFromString } from 'node:v8'

/**
 * How V8 collects garbage in this process: so that requests wait for it as little as can be. To be
 * called before any thread is made.
 *
 * - Threads collect their young generation by themselves. With helpers that give way to all others
 *   (`thread-priority.ts`) a worker waited for them up to 20 ms when the cores were busy; a request
 *   costs the same without them.
 * - V8 does not reduce memory on its own some seconds after a thread came to rest, which held a worker
 *   with 10,000 objects for 20 to 70 ms, whoever asked it then. `idle-collector.ts` does that for
 *   heaps that are small enough, and looks at the load first.
 */
export function collectGently(): void {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--no-memory-reducer')
}
