import type { Clock } from '../lib/clock.js'
import { areaAt, areaBytes, areasBroker } from './areas.js'
import type { NodeWords } from './contract.js'
import type { SlotBroker } from './slots.js'

/** One cache line each, so neighbours do not meet. */
export const WORDS_BYTES = areaBytes(0)

/** Hands out slots of `WORDS_PER_SLOT` words. */
export function wordsBroker(clock: Clock): SlotBroker {
  return areasBroker(clock, WORDS_BYTES)
}

/** The words of a slot, as `SlotTable.find` gives it. */
export function wordsAt(slot: {
  readonly memory: SharedArrayBuffer
  readonly index: number
}): NodeWords {
  return areaAt(slot, WORDS_BYTES)
}
