import type { Peer } from '../../peer/peer.js'
import { CHUNK_BYTES } from '../../peer/peer.js'
import {
  type ChunkHeader,
  type ChunkReply,
  type NodeId,
  SnapshotSender,
  type SnapshotTransfer,
} from '../../raft/raft.js'
import type { FollowerStatus, ReplicaLinks } from '../cluster.js'
import type { LogLink, LogReply } from '../log/messages.js'
import { decodeHead } from '../roster.js'

/** A chunk without an answer is sent again after this, and given up after so many times. */
const RETRY_TICKS = 80
const RETRIES_MAX = 5

interface Sending {
  readonly to: NodeId
  readonly transfer: number
  readonly spec: SnapshotTransfer
  /** Null until the file is open. */
  sender: SnapshotSender | null
  totalBytes: number
  /** Asked of the log. */
  reading: ChunkHeader | null
  /** Read, and waiting for room. */
  held: { readonly header: ChunkHeader; readonly bytes: Uint8Array } | null
}

export interface SnapshotsOutOptions {
  readonly log: LogLink
  readonly links: ReplicaLinks
  /** Numbers transfers: they grow also over restarts, as far as the clock does. */
  readonly wallMs: () => number
  /** A transfer has ended. */
  readonly ended: (to: NodeId, delivered: boolean) => void
}

/** Snapshots on their way to followers: file by file, chunk by chunk, one each at a time. */
export class SnapshotsOut {
  readonly #options: SnapshotsOutOptions
  readonly #sending = new Map<NodeId, Sending>()
  #transfer = 0

  constructor(options: SnapshotsOutOptions) {
    this.#options = options
  }

  begin(spec: SnapshotTransfer): void {
    this.#drop(spec.to)
    this.#transfer = Math.max(this.#transfer + 1, Math.floor(this.#options.wallMs()))
    const transfer = this.#transfer
    const { to } = spec
    const fresh = { sender: null, totalBytes: 0, reading: null, held: null }
    this.#sending.set(to, { to, transfer, spec, ...fresh })
    const { index } = spec.message.snapshot
    this.#options.log.tell({ type: 'send-open', transfer, index })
  }

  onSending({ transfer, snapshot }: LogReply & { type: 'sending' }): void {
    const sending = this.#byTransfer(transfer)
    if (sending === undefined) {
      this.#options.log.tell({ type: 'send-close', transfer })
      return
    }
    if (snapshot === null) {
      this.#end(sending, false)
      return
    }
    const { index, term, bytes, head } = snapshot
    const { message } = sending.spec
    sending.totalBytes = bytes
    sending.sender = new SnapshotSender({
      transfer,
      message: { ...message, snapshot: { index, term, config: decodeHead(head).config } },
      totalBytes: bytes,
      chunkBytes: CHUNK_BYTES,
      // The far side writes and syncs a chunk before it takes another.
      windowChunks: 1,
      retryTicks: RETRY_TICKS,
      retriesMax: RETRIES_MAX,
    })
    this.#advance(sending)
  }

  onBytes({ transfer, offset, bytes }: LogReply & { type: 'send-bytes' }): void {
    const sending = this.#byTransfer(transfer)
    const header = sending?.reading
    if (sending === undefined || header == null || header.offset !== offset) return
    sending.reading = null
    if (bytes === null || bytes.byteLength !== header.length) {
      this.#end(sending, false)
      return
    }
    sending.held = { header, bytes }
    this.#flush(sending)
  }

  onReply(reply: ChunkReply, peer: Peer): void {
    const sending = this.#sending.get(peer.nodeId)
    if (sending?.sender == null) return
    sending.sender.acknowledge(reply)
    this.#advance(sending)
  }

  onRoom(peer: Peer): void {
    const sending = this.#sending.get(peer.nodeId)
    if (sending !== undefined) this.#flush(sending)
  }

  tick(): void {
    for (const sending of [...this.#sending.values()]) {
      sending.sender?.tick()
      this.#advance(sending)
    }
  }

  /** The peer is gone. */
  lost(to: NodeId): void {
    const sending = this.#sending.get(to)
    if (sending !== undefined) this.#end(sending, false)
  }

  /** This node does not lead any more; nobody asks how it ended. */
  clear(): void {
    for (const to of [...this.#sending.keys()]) this.#drop(to)
  }

  progress(to: NodeId): FollowerStatus['snapshot'] {
    const sending = this.#sending.get(to)
    if (sending === undefined) return null
    return { sentBytes: sending.sender?.acknowledgedBytes ?? 0, totalBytes: sending.totalBytes }
  }

  #byTransfer(transfer: number): Sending | undefined {
    return [...this.#sending.values()].find((sending) => sending.transfer === transfer)
  }

  #advance(sending: Sending): void {
    const { sender, transfer } = sending
    if (sender === null) return
    if (sender.state !== 'sending') {
      this.#end(sending, sender.state === 'done')
      return
    }
    if (sending.reading !== null || sending.held !== null) {
      this.#flush(sending)
      return
    }
    const header = sender.next()
    if (header === null) return
    sending.reading = header
    const { offset, length } = header
    this.#options.log.tell({ type: 'send-read', transfer, offset, length })
  }

  #flush(sending: Sending): void {
    const { held, to } = sending
    if (held === null) return
    if (!this.#options.links.sendChunk(to, held.header, held.bytes)) return
    sending.held = null
    this.#advance(sending)
  }

  #end(sending: Sending, delivered: boolean): void {
    this.#drop(sending.to)
    this.#options.ended(sending.to, delivered)
  }

  #drop(to: NodeId): void {
    const sending = this.#sending.get(to)
    if (sending === undefined) return
    this.#sending.delete(to)
    this.#options.log.tell({ type: 'send-close', transfer: sending.transfer })
  }
}
