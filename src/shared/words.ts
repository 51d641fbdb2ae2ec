import type { Clock } from '../lib/clock.js'
import { type NodeWords, WORDS_PER_SLOT } from './contract.js'
import { SlotBroker } from './slots.js'

const SLOTS_PER_SEGMENT = 256

/** Hands out slots of {@link WORDS_PER_SLOT} words: one cache line each, so neighbours do not meet. */
export function wordsBroker(clock: Clock): SlotBroker {
  return new SlotBroker({
    clock,
    slotsPerSegment: SLOTS_PER_SEGMENT,
    segmentBytes: SLOTS_PER_SEGMENT * WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT,
    zero: (memory, index) => {
      const { words, base } = wordsAt({ memory, index })
      words.fill(0, base, base + WORDS_PER_SLOT)
    },
  })
}

/** The words of a slot, as `SlotTable.find` gives it. */
export function wordsAt(slot: {
  readonly memory: SharedArrayBuffer
  readonly index: number
}): NodeWords {
  return { words: new Int32Array(slot.memory), base: slot.index * WORDS_PER_SLOT }
}
