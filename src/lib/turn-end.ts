/** After at most so many pieces one is put off again. */
const DECLINED_MAX = 31

/**
 * Work put off to the end of the running turn of the event loop, so that all of its kind is done
 * together. Where each piece is a system call that wakes somebody, that costs far less than the same
 * pieces one by one between other work: who was woken is still awake when the next arrives, and the
 * code of the kernel is in the caches.
 *
 * To be called at the end of a turn costs about a microsecond, as much as one such wake-up. So where
 * turns have had one piece each lately, only one piece in many is put off, to see whether that is
 * still so.
 */
export class TurnEnd<T> {
  readonly #act: (item: T) => void
  /** So many at once: the first shall not wait for all of a crowd. */
  readonly #most: number
  readonly #items: (T | null)[] = []
  /** So many pieces are not worth putting off now, and how many will not be when the next is alone. */
  #declined = 0
  #declinedNext = 0
  #count = 0
  #isActing = false
  readonly #onTurnEnd = (): void => this.flush()

  /** `act` must not throw. */
  constructor(most: number, act: (item: T) => void) {
    this.#act = act
    this.#most = most
  }

  /**
   * Whether to put the next piece off, to be asked once for each: false when turns are empty, and
   * then the piece is best done at once.
   */
  invites(): boolean {
    if (this.#count > 0 || this.#declined === 0) return true
    this.#declined -= 1
    return false
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
    if (this.#count > 1) this.#declinedNext = 0
    else if (this.#count === 1) {
      this.#declinedNext = Math.min(2 * this.#declinedNext + 1, DECLINED_MAX)
      this.#declined = this.#declinedNext
    }
    this.#count = 0
    this.#isActing = false
  }
}
