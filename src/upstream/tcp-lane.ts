import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { TurnEnd } from '../lib/turn-end.js'

/** A write that the kernel did not take at once; node keeps it until it is done. */
interface WriteRequest {
  oncomplete: (status: number) => void
}

/** What node's own streams are built on, as far as it is used here. */
interface TcpHandle {
  reading: boolean
  onread: (buffer?: ArrayBuffer) => unknown
  readStop(): number
  writeLatin1String(request: WriteRequest, text: string): number
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/**
 * The straight way between a plain TCP socket and the kernel. The stream in between costs a proxied
 * request 0.7 µs of 18, for a queue, events and states that an exchange of one head for one answer
 * has no use for. It is left in charge of all that is rare: connecting, ends and errors, closing,
 * and whatever is not text of a head.
 *
 * This is node's inside, not its interface: each part is looked at before it is relied on, and where
 * one is not as expected there is no lane, and the stream does everything.
 */
export class TcpLane {
  /** Null when this socket, or this version of node, has none. */
  static over(
    socket: Socket,
    turnEnd: TurnEnd<TcpLane>,
    onRead: (bytes: number) => boolean,
    onDrain: () => void,
  ): TcpLane | null {
    const handle = handleOf(socket)
    if (binding === null || handle === null) return null
    return new TcpLane(binding, socket, handle, turnEnd, onRead, onDrain)
  }

  readonly #binding: StreamBinding
  readonly #state: Int32Array
  readonly #readAt: number
  readonly #asyncAt: number
  readonly #socket: Socket
  readonly #handle: TcpHandle
  readonly #turnEnd: TurnEnd<TcpLane>
  readonly #onDrain: () => void
  /** For the next write; node takes it only when the write has to wait. */
  #request: WriteRequest
  #isWaiting = false
  /** Leaves at the end of the turn. */
  #held = ''

  private constructor(
    from: StreamBinding,
    socket: Socket,
    handle: TcpHandle,
    turnEnd: TurnEnd<TcpLane>,
    onRead: (bytes: number) => boolean,
    onDrain: () => void,
  ) {
    this.#binding = from
    this.#state = from.streamBaseState
    this.#readAt = from.kReadBytesOrError
    this.#asyncAt = from.kLastWriteWasAsync
    this.#socket = socket
    this.#handle = handle
    this.#turnEnd = turnEnd
    this.#onDrain = onDrain
    this.#request = new from.WriteWrap()
    const byStream = handle.onread
    handle.onread = (buffer) => {
      const bytes = this.#state[this.#readAt] as number
      if (bytes <= 0) return byStream.call(handle, buffer)
      if (!onRead(bytes)) this.#stopReading()
      return undefined
    }
  }

  /** Some of what was written is not with the kernel yet. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** Whether {@link write} may be used now: the stream holds nothing back, nor do we. */
  get isFree(): boolean {
    return !this.#isWaiting && this.#socket.writableLength === 0
  }

  /** Something waits for the end of the turn. */
  get isHolding(): boolean {
    return this.#held !== ''
  }

  /** Whether to hold the next text, to be asked once for each: see {@link TurnEnd.invites}. */
  mayHold(): boolean {
    return this.#turnEnd.invites()
  }

  /**
   * As {@link write}, at the end of the turn, together with what others hold; anything that is
   * written before takes it along. Only while nothing is held.
   */
  hold(text: string): void {
    this.#held = text
    this.#turnEnd.put(this)
  }

  /** Writes what is held, if anything is: called at the end of the turn. */
  letGo(): void {
    const text = this.#held
    if (text === '') return
    this.#held = ''
    if (!this.#socket.destroyed) this.write(text)
  }

  /** What is held is not wanted any more. */
  drop(): void {
    this.#held = ''
  }

  /**
   * Writes units up to 0xFF. False when the caller should wait for `onDrain`. On a socket that has
   * been destroyed it does nothing, and on one that is broken, the stream tells of it.
   */
  write(text: string): boolean {
    const request = this.#request
    const failure = this.#handle.writeLatin1String(request, text)
    if (failure !== 0) {
      this.#fail(failure)
      return true
    }
    if (this.#state[this.#asyncAt] === 0) return true
    this.#isWaiting = true
    request.oncomplete = (status) => this.#written(status)
    this.#request = new this.#binding.WriteWrap()
    return false
  }

  #written(status: number): void {
    this.#isWaiting = false
    if (status < 0) this.#fail(status)
    else if (!this.#socket.destroyed) this.#onDrain()
  }

  #fail(failure: number): void {
    if (this.#socket.destroyed) return
    const code = getSystemErrorName(failure)
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code }))
  }

  #stopReading(): void {
    if (this.#socket.destroyed) return
    this.#handle.reading = false
    this.#handle.readStop()
  }
}

function handleOf(socket: Socket): TcpHandle | null {
  const handle = (socket as { _handle?: Partial<TcpHandle> | null })._handle
  if (handle === null || handle === undefined) return null
  const isAsExpected =
    typeof handle.onread === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.reading === 'boolean' &&
    typeof handle.writeLatin1String === 'function'
  return isAsExpected ? (handle as TcpHandle) : null
}

function findBinding(): StreamBinding | null {
  try {
    const { binding: find } = process as unknown as { binding(name: string): unknown }
    const found = find('stream_wrap') as Partial<StreamBinding>
    const isAsExpected =
      typeof found.WriteWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isAsExpected ? (found as StreamBinding) : null
  } catch {
    return null
  }
}

const binding = findBinding()
