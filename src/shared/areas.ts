import { assert } from '../lib/assert.js'
import type { Clock } from '../lib/clock.js'
import { type NodeWords, WORDS_PER_SLOT } from './contract.js'
import { SlotBroker } from './slots.js'

const BYTES_MIN = WORDS_PER_SLOT * Int32Array.BYTES_PER_ELEMENT
/** Largest area there is. */
export const AREA_BYTES_MAX = 4 * 1024 * 1024
/** Small areas share segments of this size; larger ones have a segment each. */
const SEGMENT_BYTES = 16 * 1024

/** Areas come in powers of two from 64 bytes: the smallest of those that hold `bytes`. */
export function areaBytes(bytes: number): number {
  assert(bytes <= AREA_BYTES_MAX, `no shared area is as large as ${bytes} bytes`)
  let size = BYTES_MIN
  while (size < bytes) size *= 2
  return size
}

/** Hands out areas of `bytes`, a size that {@link areaBytes} gave. */
export function areasBroker(clock: Clock, bytes: number): SlotBroker {
  const slotsPerSegment = Math.max(1, SEGMENT_BYTES / bytes)
  return new SlotBroker({
    clock,
    slotsPerSegment,
    segmentBytes: slotsPerSegment * bytes,
    zero: (memory, index) => new Uint8Array(memory, index * bytes, bytes).fill(0),
  })
}

/** The words of an area of `bytes`, as `SlotTable.find` gives it. */
export function areaAt(
  slot: { readonly memory: SharedArrayBuffer; readonly index: number },
  bytes: number,
): NodeWords {
  const base = (slot.index * bytes) / Int32Array.BYTES_PER_ELEMENT
  return { words: new Int32Array(slot.memory), base }
}
