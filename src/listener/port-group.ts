import { type BpfInstruction, type Libc, libc } from '../lib/libc.js'
import { listenDescriptor } from '../lib/listen-sockets.js'
import type { NodeWords } from '../shared/contract.js'
import { type ListenAddress, PLACES_BYTES } from './contract.js'

const LOCK = 0
const COUNT = 1
const ENTRIES = 2
const ENTRY_WORDS = 2
const ENTRIES_MAX = (PLACES_BYTES / Int32Array.BYTES_PER_ELEMENT - ENTRIES) / ENTRY_WORDS
/** In place of a number: an order that is not known stays so. */
const UNKNOWN = -1

const LOCK_TRIES = 40
const LOCK_WAIT_MS = 5

const LEAVES = 1
const SERIAL_MAX = 0xffff
let lastSerial = 0

/** A listen socket's place among those of its port. */
export interface Place {
  /**
   * Leads new connections to the other sockets of the port, so that this one can be closed without
   * cutting those that wait in its queue: they are taken within milliseconds. False where there is
   * no other socket, or no way to tell the kernel.
   */
  leave(): boolean
  /** Closes the socket by `close`. */
  left(close: () => void): void
}

/**
 * The sockets that workers have open on one port, in the kernel's order. A socket that listens
 * behind the others; when one is closed, the last takes its place (`reuseport_detach_sock` in
 * Linux). A program that decides where new connections go names sockets by their place in this
 * order, and there is no way to ask for it; so all who open and close note it here, in memory that
 * the workers share, under a lock that is held for as long as the system call takes.
 *
 * Words: lock (0, or the holder's worker + 1), number of entries, then two for each entry: who, and
 * which address with a bit for "leaves". Sockets of different addresses are different groups.
 */
export class PortGroup {
  readonly #words: Int32Array
  readonly #base: number
  readonly #worker: number
  readonly #address: ListenAddress
  readonly #tag: number
  readonly #libc: () => Libc | null

  constructor(places: NodeWords, worker: number, address: ListenAddress, from = libc) {
    this.#words = places.words
    this.#base = places.base
    this.#worker = worker
    this.#address = address
    this.#tag = tagOf(address.host)
    this.#libc = from
  }

  /**
   * Opens a socket by `listen`. One that did not open must not be noted: then `listen` throws, or says
   * false.
   */
  join(listen: () => boolean): Place {
    lastSerial = (lastSerial + 1) & SERIAL_MAX
    const id = (this.#worker << 16) | lastSerial
    this.#locked(() => {
      if (listen()) this.#append(id)
    })
    return {
      leave: () => this.#locked(() => this.#leave(id)) === true,
      left: (close) => this.#locked(() => this.#left(id, close)),
    }
  }

  #leave(id: number): boolean {
    const at = this.#indexOf(id)
    if (at < 0) return false
    this.#put(at, 1, this.#at(at, 1) | LEAVES)
    if (this.#steer()) return true
    this.#put(at, 1, this.#at(at, 1) & ~LEAVES)
    return false
  }

  #left(id: number, close: () => void): void {
    const at = this.#indexOf(id)
    if (at < 0) {
      close()
      return
    }
    const own = this.#own()
    const last = own[own.length - 1] as number
    // Closing changes the place of the last one: until that is told, only others are named.
    const wasLeaving = (this.#at(at, 1) & LEAVES) !== 0
    if (wasLeaving && own.length > 2) this.#steer(last)
    close()
    for (const word of [0, 1]) this.#put(at, word, this.#at(last, word))
    this.#drop(last)
    if (wasLeaving) this.#steer()
  }

  /**
   * Tells the kernel who stays, without the entry `but`. False when nobody does, or it could not be
   * told.
   */
  #steer(but = -1): boolean {
    const own = this.#own()
    const staying = own.flatMap((at, index) =>
      at !== but && (this.#at(at, 1) & LEAVES) === 0 ? [index] : [],
    )
    if (staying.length === 0) return false
    const system = this.#libc()
    if (system === null) return false
    const fd = listenDescriptor(this.#address.host, this.#address.port)
    if (fd < 0) return false
    return staying.length === own.length
      ? system.detachReusePortProgram(fd)
      : system.attachReusePortProgram(fd, programFor(staying))
  }

  // -- the table ---------------------------------------------------------------------------------

  /** Indices of the entries of this address, in order. */
  #own(): number[] {
    const count = Math.max(0, this.#words[this.#base + COUNT] as number)
    return Array.from({ length: count }, (_, at) => at).filter(
      (at) => this.#at(at, 1) >> 1 === this.#tag,
    )
  }

  #indexOf(id: number): number {
    return this.#own().find((at) => this.#at(at, 0) === id) ?? -1
  }

  #append(id: number): void {
    const count = this.#words[this.#base + COUNT] as number
    if (count === UNKNOWN) return
    if (count === ENTRIES_MAX) {
      this.#words[this.#base + COUNT] = UNKNOWN
      return
    }
    this.#put(count, 0, id)
    this.#put(count, 1, this.#tag << 1)
    this.#words[this.#base + COUNT] = count + 1
  }

  /** Takes an entry out; the others keep their order. */
  #drop(at: number): void {
    const count = this.#words[this.#base + COUNT] as number
    const from = this.#base + ENTRIES + at * ENTRY_WORDS
    const end = this.#base + ENTRIES + count * ENTRY_WORDS
    this.#words.copyWithin(from, from + ENTRY_WORDS, end)
    this.#words[this.#base + COUNT] = count - 1
  }

  #at(at: number, word: number): number {
    return this.#words[this.#base + ENTRIES + at * ENTRY_WORDS + word] as number
  }

  #put(at: number, word: number, value: number): void {
    this.#words[this.#base + ENTRIES + at * ENTRY_WORDS + word] = value
  }

  /** Runs `run` alone among the workers. One that cannot wait any longer makes the order unknown. */
  #locked<T>(run: () => T): T {
    const lock = this.#base + LOCK
    let isHeld = false
    for (let tries = 0; !isHeld && tries < LOCK_TRIES; tries++) {
      const holder = Atomics.compareExchange(this.#words, lock, 0, this.#worker + 1)
      if (holder === 0) isHeld = true
      else Atomics.wait(this.#words, lock, holder, LOCK_WAIT_MS)
    }
    if (!isHeld) this.#words[this.#base + COUNT] = UNKNOWN
    try {
      return run()
    } finally {
      if (isHeld) {
        Atomics.store(this.#words, lock, 0)
        Atomics.notify(this.#words, lock)
      }
    }
  }
}

/** Thirty bits that tell addresses apart. */
function tagOf(host: string): number {
  let hash = 0
  for (let i = 0; i < host.length; i++) hash = (Math.imul(hash, 31) + host.charCodeAt(i)) | 0
  return hash & 0x3fff_ffff
}

// Classic BPF, linux/bpf_common.h and linux/filter.h.
const LOAD_WORD = 0x20
const RANDOM = -0x1000 + 56
const MODULO = 0x94
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06

/** One of `indices` by chance. */
export function programFor(indices: readonly number[]): BpfInstruction[] {
  const last = indices.length - 1
  return [
    { code: LOAD_WORD, k: RANDOM },
    { code: MODULO, k: indices.length },
    ...indices.slice(0, last).flatMap((index, i): BpfInstruction[] => [
      { code: JUMP_IF_EQUAL, jt: 0, jf: 1, k: i },
      { code: RETURN, k: index },
    ]),
    { code: RETURN, k: indices[last] as number },
  ]
}
