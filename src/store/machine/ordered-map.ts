import { compareKeys } from './key-order.js'

/** Blocks split when they grow beyond this; an insert moves at most as many references. */
const BLOCK_SIZE_MAX = 512

/** Anything that has a key. */
export interface Keyed {
  readonly key: string
}

/** Where an item stands, whichever it is at the moment. */
interface Slot<T> {
  readonly key: string
  item: T
}

/**
 * Items by key, in key order: a list of sorted blocks. Look-up is a hash, and so is putting another
 * item in the place of one of the same key (with a search for the place, it was a third of what
 * applying a write cost); insert and delete are a binary search and a short move, a range is a walk.
 */
export class OrderedMap<T extends Keyed> {
  readonly #byKey = new Map<string, Slot<T>>()
  #blocks: Slot<T>[][] = []

  get size(): number {
    return this.#byKey.size
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key)?.item
  }

  /** Replaces the item of the same key. */
  set(item: T): void {
    const known = this.#byKey.get(item.key)
    if (known !== undefined) {
      known.item = item
      return
    }
    const slot = { key: item.key, item }
    this.#byKey.set(item.key, slot)
    const at = Math.max(0, this.#blockOf(item.key))
    const block = this.#blocks[at]
    if (block === undefined) {
      this.#blocks.push([slot])
      return
    }
    block.splice(lowerBound(block, item.key), 0, slot)
    if (block.length > BLOCK_SIZE_MAX) {
      this.#blocks.splice(at + 1, 0, block.splice(block.length >> 1))
    }
  }

  delete(key: string): boolean {
    if (!this.#byKey.delete(key)) return false
    const at = this.#blockOf(key)
    const block = this.#blocks[at] as Slot<T>[]
    block.splice(lowerBound(block, key), 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
    return true
  }

  /** Items whose key starts with `prefix`, in order: a copy that later changes do not touch. */
  withPrefix(prefix: string): T[] {
    const found: T[] = []
    if (this.#blocks.length === 0) return found
    const first = Math.max(0, this.#blockOf(prefix))
    for (let at = first; at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as Slot<T>[]
      for (let i = at === first ? lowerBound(block, prefix) : 0; i < block.length; i++) {
        const { key, item } = block[i] as Slot<T>
        // In key order whatever shares a prefix stands together, right after the prefix itself.
        if (!key.startsWith(prefix)) return found
        found.push(item)
      }
    }
    return found
  }

  /** Index of the last block that starts at or before `key`; -1 when there is none. */
  #blockOf(key: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >> 1
      const head = (this.#blocks[middle] as Slot<T>[])[0] as Slot<T>
      if (compareKeys(head.key, key) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Index of the first item whose key is not below `key`. */
function lowerBound(block: readonly Keyed[], key: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys((block[middle] as Keyed).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
