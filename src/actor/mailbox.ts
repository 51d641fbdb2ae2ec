import type { Message } from './actor.js'

/**
 * What happens when a mailbox is full. `refuse`: the newcomer is turned away. `drop-oldest`: the
 * longest waiting is. `latest-wins`: at any time a message replaces a waiting one of the same key
 * (and queues last); messages whose key is null, or new keys when full, are refused.
 */
export type Overflow<M> =
  | { readonly policy: 'refuse' }
  | { readonly policy: 'drop-oldest' }
  | { readonly policy: 'latest-wins'; key(message: M): string | number | null }

/** Why a message left the mailbox without being handled. */
export type Loss = 'refused' | 'dropped' | 'superseded'

export interface MailboxOptions<M> {
  /** Messages that may wait, 1 or more. */
  readonly capacity: number
  readonly overflow: Overflow<M>
}

/** A message that waits, with whatever its owner needs beside it. */
export interface Letter<M> {
  readonly message: M
}

interface Node<L> {
  readonly letter: L
  readonly key: string | number | null
  next: Node<L> | null
  prev: Node<L> | null
}

/**
 * Letters in order of arrival, bounded. A doubly linked list, since both policies that make room
 * take letters from within.
 */
export class Mailbox<M extends Message, L extends Letter<M>> {
  readonly #options: MailboxOptions<M>
  readonly #lost: (letter: L, loss: Loss) => void
  readonly #byKey = new Map<string | number, Node<L>>()
  #first: Node<L> | null = null
  #last: Node<L> | null = null
  #size = 0

  /** `lost` hears of each letter that will not be handled, the newcomer included. */
  constructor(options: MailboxOptions<M>, lost: (letter: L, loss: Loss) => void) {
    this.#options = options
    this.#lost = lost
  }

  get size(): number {
    return this.#size
  }

  /** False when the letter was refused. */
  put(letter: L): boolean {
    const { capacity, overflow } = this.#options
    const key = overflow.policy === 'latest-wins' ? overflow.key(letter.message) : null
    const older = key === null ? undefined : this.#byKey.get(key)
    if (older !== undefined) {
      this.#remove(older)
      this.#append(letter, key)
      this.#lost(older.letter, 'superseded')
      return true
    }
    if (this.#size >= capacity) {
      if (overflow.policy !== 'drop-oldest') {
        this.#lost(letter, 'refused')
        return false
      }
      const oldest = this.#first as Node<L>
      this.#remove(oldest)
      this.#append(letter, key)
      this.#lost(oldest.letter, 'dropped')
      return true
    }
    this.#append(letter, key)
    return true
  }

  take(): L | null {
    const node = this.#first
    if (node === null) return null
    this.#remove(node)
    return node.letter
  }

  #append(letter: L, key: string | number | null): void {
    const node: Node<L> = { letter, key, next: null, prev: this.#last }
    if (this.#last === null) this.#first = node
    else this.#last.next = node
    this.#last = node
    this.#size += 1
    if (key !== null) this.#byKey.set(key, node)
  }

  #remove(node: Node<L>): void {
    if (node.prev === null) this.#first = node.next
    else node.prev.next = node.next
    if (node.next === null) this.#last = node.prev
    else node.next.prev = node.prev
    this.#size -= 1
    if (node.key !== null) this.#byKey.delete(node.key)
  }
}
