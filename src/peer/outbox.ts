interface Item {
  frame: Uint8Array
  readonly key: string | null
}

export interface OutboxLimits {
  /** Urgent frames waiting; above it the oldest is dropped. */
  readonly urgentMax: number
  /** Bytes of other frames waiting; above it new ones are not taken. */
  readonly bytesMax: number
}

/**
 * What waits for a connection, in two lanes. The urgent one goes first: votes, heartbeats, answers,
 * all small. The other one refuses what is new when it is full: a queue of appends that lost its
 * oldest would be worth nothing, as each builds upon the one before.
 */
export class Outbox {
  readonly #limits: OutboxLimits
  readonly #urgent = new Lane()
  readonly #bulk = new Lane()
  readonly #byKey = new Map<string, Item>()
  #bulkBytes = 0

  constructor(limits: OutboxLimits) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return this.#urgent.length + this.#bulk.length === 0
  }

  /** Half of the room for frames that are not urgent is free. */
  get isHalfEmpty(): boolean {
    return this.#bulkBytes * 2 <= this.#limits.bytesMax
  }

  /** Bytes of the frames that are not urgent. */
  get bytes(): number {
    return this.#bulkBytes
  }

  /**
   * A frame with a key takes the place of a waiting one with the same key. Returns how many frames
   * are lost by this.
   */
  pushUrgent(frame: Uint8Array, key: string | null): number {
    const waiting = key === null ? undefined : this.#byKey.get(key)
    if (waiting !== undefined) {
      waiting.frame = frame
      return 0
    }
    const item: Item = { frame, key }
    if (key !== null) this.#byKey.set(key, item)
    this.#urgent.push(item)
    if (this.#urgent.length <= this.#limits.urgentMax) return 0
    this.#shiftUrgent()
    return 1
  }

  /** False: full, the frame was not taken. An empty lane takes a frame of any size. */
  push(frame: Uint8Array): boolean {
    const bytes = this.#bulkBytes + frame.byteLength
    if (this.#bulk.length > 0 && bytes > this.#limits.bytesMax) return false
    this.#bulkBytes = bytes
    this.#bulk.push({ frame, key: null })
    return true
  }

  /** The next frame to be sent. */
  shift(): Uint8Array | null {
    if (this.#urgent.length > 0) return this.#shiftUrgent()
    const item = this.#bulk.shift()
    if (item === null) return null
    this.#bulkBytes -= item.frame.byteLength
    return item.frame
  }

  #shiftUrgent(): Uint8Array | null {
    const item = this.#urgent.shift()
    if (item === null) return null
    if (item.key !== null) this.#byKey.delete(item.key)
    return item.frame
  }
}

/** A queue whose `shift` does not move the rest. */
class Lane {
  #items: (Item | null)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | null {
    const item = this.#items[this.#head]
    if (item === undefined) return null
    this.#items[this.#head++] = null
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}
