import { expect, it } from 'vitest'
import { ArcCache } from './arc.js'
import { Prng } from './prng.js'

/** The pseudo-code of the paper (figure 4) on plain arrays, newest last; keys only. */
class PaperArc {
  readonly #c: number
  #p = 0
  t1: number[] = []
  t2: number[] = []
  b1: number[] = []
  b2: number[] = []

  constructor(c: number) {
    this.#c = c
  }

  has(x: number): boolean {
    return this.t1.includes(x) || this.t2.includes(x)
  }

  request(x: number): void {
    const { b1, b2 } = this
    if (this.has(x)) this.#toT2(x)
    else if (b1.includes(x)) {
      this.#p = Math.min(this.#c, this.#p + (b1.length >= b2.length ? 1 : b2.length / b1.length))
      this.#replace(x)
      this.#toT2(x)
    } else if (b2.includes(x)) {
      this.#p = Math.max(0, this.#p - (b2.length >= b1.length ? 1 : b1.length / b2.length))
      this.#replace(x)
      this.#toT2(x)
    } else {
      const l1 = this.t1.length + this.b1.length
      const l2 = this.t2.length + this.b2.length
      if (l1 === this.#c) {
        if (this.t1.length < this.#c) {
          this.b1.shift()
          this.#replace(x)
        } else this.t1.shift()
      } else if (l1 + l2 >= this.#c) {
        if (l1 + l2 === 2 * this.#c) this.b2.shift()
        this.#replace(x)
      }
      this.t1.push(x)
    }
  }

  #replace(x: number): void {
    const n = this.t1.length
    if (n >= 1 && ((this.b2.includes(x) && n === this.#p) || n > this.#p)) {
      this.b1.push(this.t1.shift() as number)
    } else this.b2.push(this.t2.shift() as number)
  }

  #toT2(x: number): void {
    for (const list of [this.t1, this.t2, this.b1, this.b2]) {
      if (list.includes(x)) list.splice(list.indexOf(x), 1)
    }
    this.t2.push(x)
  }
}

it('holds what the pseudo-code of the paper holds', () => {
  const prng = new Prng(0xa2c)
  for (let round = 0; round < 80; round++) {
    const capacity = 1 + prng.below(12)
    const cache = new ArcCache<number, number>(capacity)
    const paper = new PaperArc(capacity)
    const keys = 1 + prng.below(4 * capacity)
    for (let step = 0; step < 300; step++) {
      // Half of the requests go to few keys, so that both lists are in use.
      const key = prng.chance(50) ? prng.below(keys) : prng.below(Math.ceil(keys / 4))
      const hit = cache.get(key)
      expect(hit !== undefined, `round ${round} step ${step}`).toBe(paper.has(key))
      if (hit === undefined) cache.set(key, key * 10)
      else expect(hit).toBe(key * 10)
      paper.request(key)
      expect(cache.size).toBe(paper.t1.length + paper.t2.length)
      expect(cache.size).toBeLessThanOrEqual(capacity)
    }
  }
})

it('replaces the value of a key that is held', () => {
  const cache = new ArcCache<string, number>(2)
  cache.set('a', 1)
  cache.set('a', 2)
  expect(cache.get('a')).toBe(2)
  expect(cache.size).toBe(1)
})

it('a scan of keys seen once does not wash out keys seen often', () => {
  const cache = new ArcCache<number, number>(10)
  for (let key = 0; key < 5; key++) {
    cache.set(key, key)
    cache.get(key)
  }
  for (let key = 100; key < 1100; key++) cache.set(key, key)
  for (let key = 0; key < 5; key++) expect(cache.get(key)).toBe(key)
  expect(cache.size).toBe(10)
})

it('works with room for one', () => {
  const cache = new ArcCache<string, number>(1)
  for (const key of ['a', 'b', 'a', 'a', 'b', 'c', 'b']) {
    if (cache.get(key) === undefined) cache.set(key, 1)
    expect(cache.size).toBe(1)
    expect(cache.get(key)).toBe(1)
  }
})
