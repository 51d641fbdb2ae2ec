import type { Clock } from '../lib/clock.js'
import { heartbeatMemory } from './heartbeat.js'
import { clearRows, rowsBroker } from './rows.js'
import type { SlotBroker } from './slots.js'
import { wordsBroker } from './words.js'

/**
 * All memory that the workers of the node share. The root supervisor makes one, answers claims by
 * message and outlives every worker and the coordinator.
 */
export class NodeMemory {
  /** Slots of words, see `wordsAt`. */
  readonly words: SlotBroker
  /** Slots for `NodeGauge`. */
  readonly gauges: SlotBroker
  /** Slots for `NodeCap`. */
  readonly caps: SlotBroker
  /** For `Heartbeat` and `Watchdog`. */
  readonly heartbeats: SharedArrayBuffer

  /** `workers`: how many there will ever be; they are numbered from 0. */
  constructor(clock: Clock, workers: number) {
    this.words = wordsBroker(clock)
    this.gauges = rowsBroker(clock, workers)
    this.caps = rowsBroker(clock, workers)
    this.heartbeats = heartbeatMemory(workers)
  }

  /**
   * The thread of `worker` has ended: what it counted is undone and its slots are let go. Call it
   * on the thread's `exit` event, before its successor starts.
   */
  workerGone(worker: number): void {
    clearRows(this.gauges.segments, worker)
    clearRows(this.caps.segments, worker)
    for (const broker of [this.words, this.gauges, this.caps]) broker.workerGone(worker)
  }
}
