import type { Peer } from '../../peer/peer.js'
import {
  type ChunkHeader,
  type ChunkReply,
  type NodeId,
  type SnapshotMessage,
  SnapshotReceiver,
} from '../../raft/raft.js'
import type { ReplicaLinks } from '../cluster.js'
import type { LogLink, LogReply } from '../log/messages.js'

interface Incoming {
  readonly key: number
  readonly header: ChunkHeader
  readonly from: NodeId
  readonly receiver: SnapshotReceiver
  /** What to answer once all that came was checked. */
  whole: { readonly reply: ChunkReply; readonly message: SnapshotMessage } | null
}

/** What comes from one life of a peer: in its next one it may number transfers lower. */
interface Receiving {
  readonly bootId: string
  readonly receiver: SnapshotReceiver
}

export interface SnapshotInOptions {
  readonly log: LogLink
  readonly links: ReplicaLinks
  /** It is there, whole: step the message. True: it is being installed. */
  readonly whole: (message: SnapshotMessage) => boolean
}

/**
 * A snapshot on its way here. There is one file for it: a newer leader's takes the place of an
 * older one's, and none is touched while it is being installed.
 */
export class SnapshotIn {
  readonly #options: SnapshotInOptions
  /** By peer, for as long as it is connected. */
  readonly #receivers = new Map<NodeId, Receiving>()
  #keys = 0
  /** The newest chunk, under way to the disk or on it. */
  #current: Incoming | null = null
  #isInstalling = false

  constructor(options: SnapshotInOptions) {
    this.#options = options
  }

  onChunk(header: ChunkHeader, bytes: Uint8Array, peer: Peer): void {
    const from = peer.nodeId
    const { transfer } = header
    if (this.#isInstalling) {
      this.#answer(from, { transfer, offset: 0, refused: false })
      return
    }
    const receiver = this.#receiverOf(peer)
    const verdict = receiver.accept(header)
    if (verdict.do === 'reply') {
      this.#answer(from, verdict.reply)
      return
    }
    const current = this.#current
    const isOthers = current !== null && current.from !== from
    const isOld = isOthers && current.header.message.term > header.message.term
    if (isOld || (isOthers && !verdict.fresh)) {
      receiver.reset()
      this.#answer(from, { transfer, offset: 0, refused: true })
      return
    }
    if (isOthers) current.receiver.reset()
    this.#keys += 1
    const key = this.#keys
    this.#current = { key, header, from, receiver, whole: null }
    // The buffer is given away, and others may have a part of it.
    const copy = new Uint8Array(bytes)
    const { offset } = header
    this.#options.log.tell({ type: 'receive', key, fresh: verdict.fresh, offset, bytes: copy })
  }

  onReceived({ key, problem }: LogReply & { type: 'received' }): void {
    const current = this.#current
    if (current === null || current.key !== key) return
    const { header, from, receiver } = current
    if (problem !== null) {
      this.#giveUp(current)
      return
    }
    const written = receiver.written(header)
    if (written === null) return
    if (written.complete === null) {
      this.#answer(from, written.reply)
      return
    }
    current.whole = { reply: written.reply, message: written.complete }
    const { index, term } = written.complete.snapshot
    this.#options.log.tell({ type: 'receive-check', key, index, term })
  }

  onChecked({ key, whole }: LogReply & { type: 'receive-checked' }): void {
    const current = this.#current
    if (current === null || current.key !== key || current.whole === null) return
    if (!whole) {
      this.#giveUp(current)
      return
    }
    this.#current = null
    const { reply, message } = current.whole
    this.#isInstalling = this.#options.whole(message)
    if (!this.#isInstalling) this.#options.log.tell({ type: 'receive-drop' })
    this.#answer(current.from, reply)
  }

  installed(): void {
    this.#isInstalling = false
  }

  /** Its next connection counts transfers anew. */
  lost(from: NodeId): void {
    this.#receivers.delete(from)
    if (this.#current?.from === from) this.#current = null
  }

  #receiverOf({ nodeId, bootId }: Peer): SnapshotReceiver {
    const known = this.#receivers.get(nodeId)
    if (known?.bootId === bootId) return known.receiver
    const receiver = new SnapshotReceiver()
    this.#receivers.set(nodeId, { bootId, receiver })
    return receiver
  }

  #giveUp(incoming: Incoming): void {
    const { header, from, receiver } = incoming
    this.#current = null
    receiver.reset()
    this.#answer(from, { transfer: header.transfer, offset: 0, refused: true })
  }

  #answer(to: NodeId, reply: ChunkReply): void {
    this.#options.links.sendChunkReply(to, reply)
  }
}
