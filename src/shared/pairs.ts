/**
 * Pairs of 32-bit words, each pair changed in one step (a 64-bit compare-and-swap, 37 ns): a count
 * with the tag that says what it counts, a state with the time of its beginning. Pair `i` is the
 * words 2i and 2i + 1 of the slot.
 */
export class Pairs {
  /** The halves that `load` or a failed `replace` saw last. */
  a = 0
  b = 0
  readonly #cells: BigInt64Array
  readonly #halves = new Int32Array(2)
  readonly #whole = new BigInt64Array(this.#halves.buffer)
  #seen = 0n

  /** `base`: an even index into `words`. */
  constructor({ words, base }: { readonly words: Int32Array; readonly base: number }) {
    const offset = words.byteOffset + base * Int32Array.BYTES_PER_ELEMENT
    this.#cells = new BigInt64Array(words.buffer, offset)
  }

  load(pair: number): void {
    this.#adopt(Atomics.load(this.#cells, pair))
  }

  /**
   * Puts `a` and `b` where `load` has just seen other values; false, having loaded anew, when they
   * have been changed since.
   */
  replace(pair: number, a: number, b: number): boolean {
    const seen = this.#seen
    this.#halves[0] = a
    this.#halves[1] = b
    const before = Atomics.compareExchange(this.#cells, pair, seen, this.#whole[0] as bigint)
    if (before === seen) return true
    this.#adopt(before)
    return false
  }

  #adopt(whole: bigint): void {
    this.#seen = whole
    this.#whole[0] = whole
    this.a = this.#halves[0] as number
    this.b = this.#halves[1] as number
  }
}

/** Whether tag `a` was made before tag `b`. Tags count up and wrap around. */
export function isOlder(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}
