import { assert } from '../lib/assert.js'
import type { Clock } from '../lib/clock.js'

/** Where a slot lies: the segment's number and the slot's number within it. */
export interface SlotPlace {
  readonly segment: number
  readonly index: number
}

export interface SlotBrokerOptions {
  readonly clock: Clock
  readonly slotsPerSegment: number
  readonly segmentBytes: number
  /** Makes a slot as good as new; called before it is given to another key. */
  zero(memory: SharedArrayBuffer, index: number): void
}

interface Slot {
  readonly place: SlotPlace
  readonly holders: Set<number>
  /** Since when nobody holds it; meaningless while somebody does. */
  idleSinceMs: number
}

/** A slot is kept this long after its last holder: a restarted worker finds its state again. */
const IDLE_MS = 60_000

/**
 * Says which slot of shared memory belongs to which key. Equal keys get the same slot, whichever
 * worker asks; a key keeps its slot while any worker holds it and for 60 s after that. Runs where
 * the memory is owned (root supervisor). Segments are added as needed and never given back.
 */
export class SlotBroker {
  readonly #options: SlotBrokerOptions
  readonly #segments: SharedArrayBuffer[] = []
  readonly #slots = new Map<string, Slot>()
  readonly #keysOf = new Map<number, Set<string>>()
  readonly #idle = new Set<string>()
  readonly #free: SlotPlace[] = []

  constructor(options: SlotBrokerOptions) {
    this.#options = options
  }

  get segments(): readonly SharedArrayBuffer[] {
    return this.#segments
  }

  /** Keys that have a slot, held or idle. */
  get size(): number {
    return this.#slots.size
  }

  /** The slots of `keys`, in their order, held by `worker` from now on. Claiming again is free. */
  claim(worker: number, keys: readonly string[]): SlotPlace[] {
    this.#collect()
    let held = this.#keysOf.get(worker)
    if (held === undefined) {
      held = new Set()
      this.#keysOf.set(worker, held)
    }
    const places: SlotPlace[] = []
    for (const key of keys) {
      const slot = this.#slots.get(key) ?? this.#make(key)
      slot.holders.add(worker)
      held.add(key)
      this.#idle.delete(key)
      places.push(slot.place)
    }
    return places
  }

  /** `worker` retired the last generation that names `keys`. Keys it does not hold are ignored. */
  release(worker: number, keys: readonly string[]): void {
    const held = this.#keysOf.get(worker)
    for (const key of keys) if (held?.delete(key)) this.#leave(worker, key)
  }

  /** `worker` has ended: it holds nothing any more. */
  workerGone(worker: number): void {
    const held = this.#keysOf.get(worker) ?? []
    this.#keysOf.delete(worker)
    for (const key of held) this.#leave(worker, key)
  }

  #leave(worker: number, key: string): void {
    const slot = this.#slots.get(key)
    assert(slot !== undefined, `held key without a slot: ${key}`)
    slot.holders.delete(worker)
    if (slot.holders.size > 0) return
    slot.idleSinceMs = this.#options.clock.monotonicMs()
    this.#idle.add(key)
  }

  /** Frees what has been idle for long enough; `#idle` is in the order of becoming idle. */
  #collect(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const key of this.#idle) {
      const slot = this.#slots.get(key) as Slot
      if (nowMs - slot.idleSinceMs < IDLE_MS) return
      this.#idle.delete(key)
      this.#slots.delete(key)
      this.#free.push(slot.place)
    }
  }

  #make(key: string): Slot {
    if (this.#free.length === 0) this.#addSegment()
    const place = this.#free.pop() as SlotPlace
    this.#options.zero(this.#segments[place.segment] as SharedArrayBuffer, place.index)
    const slot: Slot = { place, holders: new Set(), idleSinceMs: 0 }
    this.#slots.set(key, slot)
    return slot
  }

  #addSegment(): void {
    const { segmentBytes, slotsPerSegment } = this.#options
    const segment = this.#segments.length
    this.#segments.push(new SharedArrayBuffer(segmentBytes))
    for (let index = slotsPerSegment - 1; index >= 0; index--) this.#free.push({ segment, index })
  }
}

/**
 * A worker's side of a {@link SlotBroker}: counts, for each key, how many of its generations use
 * it, so that the broker hears of the first and the last only.
 */
export class SlotTable {
  readonly #segments: SharedArrayBuffer[] = []
  readonly #held = new Map<string, { readonly place: SlotPlace; uses: number }>()

  /** Segments known; the owner sends those from here on with its answer. */
  get segmentCount(): number {
    return this.#segments.length
  }

  /** Those of `keys` that must be claimed before they can be used. */
  missing(keys: Iterable<string>): string[] {
    return [...new Set(keys)].filter((key) => !this.#held.has(key))
  }

  /** Takes the answer to a claim: places in the order of `keys`, segments from `from` on. */
  add(
    keys: readonly string[],
    places: readonly SlotPlace[],
    segments: readonly SharedArrayBuffer[],
    from: number,
  ): void {
    segments.forEach((segment, i) => {
      this.#segments[from + i] ??= segment
    })
    keys.forEach((key, i) => {
      if (!this.#held.has(key)) this.#held.set(key, { place: places[i] as SlotPlace, uses: 0 })
    })
  }

  /** One more generation uses `keys`, all of which are held. */
  use(keys: Iterable<string>): void {
    for (const key of keys) this.#entry(key).uses += 1
  }

  /** One generation less does. Returns the keys to release at the broker: nobody uses them now. */
  drop(keys: Iterable<string>): string[] {
    const unused: string[] = []
    for (const key of keys) {
      const entry = this.#entry(key)
      entry.uses -= 1
      if (entry.uses > 0) continue
      this.#held.delete(key)
      unused.push(key)
    }
    return unused
  }

  /** Where `key` lies; it must be held. */
  find(key: string): { readonly memory: SharedArrayBuffer; readonly index: number } {
    const { place } = this.#entry(key)
    const memory = this.#segments[place.segment]
    assert(memory !== undefined, `segment ${place.segment} was never handed over`)
    return { memory, index: place.index }
  }

  #entry(key: string): { readonly place: SlotPlace; uses: number } {
    const entry = this.#held.get(key)
    assert(entry !== undefined, `key was not claimed: ${key}`)
    return entry
  }
}
