/**
 * Work put off to the end of the running turn of the event loop, so that all of its kind is done
 * together. Where each piece is a system call that wakes somebody, that costs far less than the same
 * pieces one by one between other work: who was woken is still awake when the next arrives, and the
 * code of the kernel is in the caches. On a loop with nothing else to do the turn ends at once.
 */
export class TurnEnd<T> {
  readonly #act: (item: T) => void
  /** So many at once: the first shall not wait for all of a crowd. */
  readonly #most: number
  readonly #items: (T | null)[] = []
  #count = 0
  #isActing = false
  readonly #onTurnEnd = (): void => this.flush()

  /** `act` must not throw. */
  constructor(most: number, act: (item: T) => void) {
    this.#act = act
    this.#most = most
  }

  /** Its place among those that wait, from 0. It is never that of another that waits. */
  put(item: T): number {
    if (this.#count >= this.#most && !this.#isActing) this.flush()
    if (this.#count === 0) setImmediate(this.#onTurnEnd)
    const place = this.#count++
    this.#items[place] = item
    return place
  }

  /** Acts now, in the order in which they came; also on those that come meanwhile. */
  flush(): void {
    if (this.#isActing) return
    this.#isActing = true
    for (let place = 0; place < this.#count; place++) {
      const item = this.#items[place] as T
      this.#items[place] = null
      this.#act(item)
    }
    this.#count = 0
    this.#isActing = false
  }
}
