/**
 * Both ends of a snapshot on its way, as two small state machines without I/O: which bytes to send
 * next, and which received bytes to keep. The transport may lose, double and reorder chunks.
 *
 * Sender: `next()` until null, send each chunk with its bytes; `acknowledge` what comes back;
 * `tick` now and then; when `done` or `failed`, tell `Raft.reportSnapshot`.
 * Receiver: one `SnapshotReceiver` for each connection of a peer; `accept` each chunk, write it when told to, then
 * `written` and send the acknowledgement; when it says so, sync the file and step the message.
 */

import { assert } from './assert.js'
import type { SnapshotMessage } from './message.js'

/** A piece of a snapshot; its bytes travel with it. */
export interface ChunkHeader {
  /** Names the transfer; on one connection the numbers only grow. */
  readonly transfer: number
  /** What the receiver steps in the end. */
  readonly message: SnapshotMessage
  readonly offset: number
  readonly length: number
  readonly totalBytes: number
}

/** The receiver holds all bytes before `offset`. `refused`: this transfer is of no use to it. */
export interface ChunkReply {
  readonly transfer: number
  readonly offset: number
  readonly refused: boolean
}

export interface SenderOptions {
  readonly transfer: number
  readonly message: SnapshotMessage
  readonly totalBytes: number
  /** Bytes of one chunk, the last one excepted. */
  readonly chunkBytes: number
  /** Chunks sent ahead of the last acknowledgement, 1 at least. */
  readonly windowChunks: number
  /** Ticks without an acknowledgement before sending again from the last one. */
  readonly retryTicks: number
  /** Times in a row to send again before giving up. */
  readonly retriesMax: number
}

export class SnapshotSender {
  readonly #options: SenderOptions
  #acknowledged = 0
  #sent = 0
  #silentTicks = 0
  #retries = 0
  #state: 'sending' | 'done' | 'failed' = 'sending'
  /** A snapshot of no bytes still takes one chunk, which carries the message. */
  #opened = false

  constructor(options: SenderOptions) {
    assert(options.totalBytes >= 0, 'totalBytes: expected 0 or more')
    assert(options.chunkBytes >= 1, 'chunkBytes: expected at least 1')
    assert(options.windowChunks >= 1, 'windowChunks: expected at least 1')
    this.#options = options
  }

  get transfer(): number {
    return this.#options.transfer
  }

  get state(): 'sending' | 'done' | 'failed' {
    return this.#state
  }

  /** Bytes the receiver has confirmed, for progress reports. */
  get acknowledgedBytes(): number {
    return this.#acknowledged
  }

  /** The next chunk to send, or null while the window is full or nothing is left. */
  next(): ChunkHeader | null {
    const { transfer, message, totalBytes, chunkBytes, windowChunks } = this.#options
    if (this.#state !== 'sending') return null
    if (this.#opened && this.#sent >= totalBytes) return null
    if (this.#sent - this.#acknowledged >= chunkBytes * windowChunks) return null
    const offset = this.#sent
    const length = Math.min(chunkBytes, totalBytes - offset)
    this.#sent += length
    this.#opened = true
    return { transfer, message, offset, length, totalBytes }
  }

  acknowledge(reply: ChunkReply): void {
    const { transfer, totalBytes } = this.#options
    if (reply.transfer !== transfer || this.#state !== 'sending') return
    if (reply.refused) {
      this.#state = 'failed'
      return
    }
    if (reply.offset > this.#acknowledged) {
      this.#acknowledged = Math.min(reply.offset, totalBytes)
      this.#sent = Math.max(this.#sent, this.#acknowledged)
      this.#silentTicks = 0
      this.#retries = 0
    }
    if (this.#opened && reply.offset >= totalBytes) this.#state = 'done'
  }

  tick(): void {
    if (this.#state !== 'sending') return
    this.#silentTicks += 1
    if (this.#silentTicks < this.#options.retryTicks) return
    this.#silentTicks = 0
    this.#retries += 1
    if (this.#retries > this.#options.retriesMax) {
      this.#state = 'failed'
      return
    }
    this.#sent = this.#acknowledged
    this.#opened = false
  }

  /** Leadership was lost, the peer is gone or the snapshot cannot be read: no more of it. */
  abort(): void {
    if (this.#state === 'sending') this.#state = 'failed'
  }
}

export type ChunkVerdict =
  /** Write the bytes at their offset (`fresh`: begin a new file), then call `written`. */
  | { readonly do: 'write'; readonly fresh: boolean }
  /** Nothing to keep; answer with `reply`. */
  | { readonly do: 'reply'; readonly reply: ChunkReply }

export class SnapshotReceiver {
  #transfer = 0
  #message: SnapshotMessage | null = null
  #received = 0
  #totalBytes = 0
  #writing = false
  #complete = false

  /** Bytes of the present transfer that are kept. */
  get receivedBytes(): number {
    return this.#received
  }

  /**
   * A chunk came. Only the one that continues what is here is kept: the sender goes back to the
   * last acknowledgement, so nothing has to be buffered. A newer transfer replaces an older one.
   */
  accept(chunk: ChunkHeader): ChunkVerdict {
    const { transfer } = chunk
    if (transfer < this.#transfer) {
      return { do: 'reply', reply: { transfer, offset: 0, refused: true } }
    }
    const fresh = transfer > this.#transfer
    const sound =
      chunk.offset >= 0 && chunk.length >= 0 && chunk.offset + chunk.length <= chunk.totalBytes
    const same =
      fresh ||
      (chunk.totalBytes === this.#totalBytes &&
        chunk.message.snapshot.index === this.#message?.snapshot.index)
    if (!sound || !same) return { do: 'reply', reply: { transfer, offset: 0, refused: true } }
    // Without its beginning there is nothing to begin with; the sender will come back to it.
    if (fresh && chunk.offset !== 0) {
      return { do: 'reply', reply: { transfer, offset: 0, refused: false } }
    }
    if (fresh) {
      this.#transfer = transfer
      this.#message = chunk.message
      this.#totalBytes = chunk.totalBytes
      this.#received = 0
      this.#writing = false
      this.#complete = false
    }
    if (this.#writing || this.#complete || chunk.offset !== this.#received) {
      return { do: 'reply', reply: { transfer, offset: this.#received, refused: false } }
    }
    this.#writing = true
    return { do: 'write', fresh }
  }

  /**
   * The bytes of the chunk are written (not necessarily synced). Null when a newer transfer took
   * over meanwhile. With `complete` set, sync the file and step that message; send the reply in
   * either case, but after the message was stepped, as the sender stops caring then.
   */
  written(chunk: ChunkHeader): { reply: ChunkReply; complete: SnapshotMessage | null } | null {
    if (chunk.transfer !== this.#transfer || !this.#writing) return null
    this.#writing = false
    this.#received = chunk.offset + chunk.length
    this.#complete = this.#received === this.#totalBytes
    return {
      reply: { transfer: chunk.transfer, offset: this.#received, refused: false },
      complete: this.#complete ? this.#message : null,
    }
  }

  /** The bytes could not be written, or the sender is gone: what is here is worthless. */
  reset(): void {
    this.#message = null
    this.#received = 0
    this.#totalBytes = -1
    this.#writing = false
    this.#complete = false
  }
}
