import { compareKeys } from './key-order.js'

/** Blocks split when they grow beyond this; an insert moves at most as many references. */
const BLOCK_SIZE_MAX = 512

/** Anything that has a key. */
export interface Keyed {
  readonly key: string
}

/**
 * Items by key, in key order: a list of sorted blocks. Look-up is a hash, insert and delete are a
 * binary search and a short move, a range is a walk.
 */
export class OrderedMap<T extends Keyed> {
  readonly #byKey = new Map<string, T>()
  #blocks: T[][] = []

  get size(): number {
    return this.#byKey.size
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key)
  }

  /** Replaces the item of the same key. */
  set(item: T): void {
    const exists = this.#byKey.has(item.key)
    this.#byKey.set(item.key, item)
    const at = Math.max(0, this.#blockOf(item.key))
    const block = this.#blocks[at]
    if (block === undefined) {
      this.#blocks.push([item])
      return
    }
    const slot = lowerBound(block, item.key)
    block.splice(slot, exists ? 1 : 0, item)
    if (block.length > BLOCK_SIZE_MAX) {
      this.#blocks.splice(at + 1, 0, block.splice(block.length >> 1))
    }
  }

  delete(key: string): boolean {
    if (!this.#byKey.delete(key)) return false
    const at = this.#blockOf(key)
    const block = this.#blocks[at] as T[]
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
      const block = this.#blocks[at] as T[]
      for (let slot = at === first ? lowerBound(block, prefix) : 0; slot < block.length; slot++) {
        const item = block[slot] as T
        // In key order whatever shares a prefix stands together, right after the prefix itself.
        if (!item.key.startsWith(prefix)) return found
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
      const head = (this.#blocks[middle] as T[])[0] as T
      if (compareKeys(head.key, key) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Index of the first item whose key is not below `key`. */
function lowerBound<T extends Keyed>(block: readonly T[], key: string): number {
  let low = 0
  let high = block.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys((block[middle] as T).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
