/**
 * Seeded pseudo-random numbers (xoshiro128**, Blackman and Vigna 2018), so that whatever is drawn
 * can be drawn again. Not for secrets.
 */
export class Prng {
  #a: number
  #b: number
  #c: number
  #d: number

  /** `seed`: any integer; equal seeds give equal sequences. */
  constructor(seed: number) {
    // splitmix32 spreads the seed over the four words, which must not all be zero.
    let state = seed | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let z = state ^ (state >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z ^= z >>> 15
      z = Math.imul(z, 0x735a2d97)
      return z ^ (z >>> 15)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
  }

  /** A whole number in 0..2^32-1. */
  uint32(): number {
    const rotated = Math.imul(this.#b, 5)
    const result = Math.imul((rotated << 7) | (rotated >>> 25), 9)
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }

  /** A number in [0, 1). */
  float(): number {
    return this.uint32() / 0x1_0000_0000
  }

  /** A whole number in 0..limit-1; `limit` is at least 1. */
  below(limit: number): number {
    return Math.floor(this.float() * limit)
  }

  /** `count` whole numbers, each below `limit`. */
  ints(count: number, limit: number): number[] {
    return Array.from({ length: count }, () => this.below(limit))
  }

  chance(percent: number): boolean {
    return this.float() * 100 < percent
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}
