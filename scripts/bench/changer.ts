/** A running server is given another configuration, again and again, while it carries traffic. */
import type { Bench } from './bench.js'
import { runLoadgen } from './loadgen.js'
import { writeMix } from './mixes.js'
import type { Changing } from './site.js'

export const CHANGES_PER_SECOND = 10

export interface Changer {
  /** Changes that were made, and taken. */
  readonly written: number
  /** Begins, for so long. */
  start(seconds: number): void
  /** It is over; rejects when a change was refused. */
  stop(): Promise<void>
}

export function changerOf(bench: Bench, changing: Changing): Changer {
  return 'reload' in changing ? reloading(changing.reload) : writing(bench, changing)
}

/**
 * By requests, over one connection. The load generator does it: whatever else writes takes its core
 * from the load for longer than the change.
 */
function writing(bench: Bench, { port, requests }: Exclude<Changing, { reload(): void }>): Changer {
  const { native, place } = bench
  const mix = writeMix(place.household, requests)
  const load = { connections: 1, rate: CHANGES_PER_SECOND, mix, inTurn: true }
  let under: Promise<void> = Promise.resolve()
  let written = 0
  return {
    get written() {
      return written
    },
    start(seconds) {
      const target = { port, pid: 0 }
      const options = { program: native.loadgen, cores: place.cores.load, target, seconds }
      under = runLoadgen(load, options).then((report) => {
        written += report.ok
      })
      under.catch(() => {}) // awaited by stop()
    },
    stop: () => under,
  }
}

/** By a word to the process. */
function reloading(reload: () => void): Changer {
  let timer: NodeJS.Timeout | null = null
  let written = 0
  return {
    get written() {
      return written
    },
    start(seconds) {
      let left = Math.ceil(seconds * CHANGES_PER_SECOND)
      timer = setInterval(() => {
        if (left === 0) return
        left -= 1
        reload()
        written += 1
      }, 1000 / CHANGES_PER_SECOND)
    },
    stop() {
      if (timer !== null) clearInterval(timer)
      return Promise.resolve()
    },
  }
}
