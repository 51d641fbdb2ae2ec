/**
 * The board in the memory of the leader: every node sends it what changed, and a beat when nothing
 * did; any node answers by asking it. Nothing here is acknowledged by anybody else, so nothing is
 * lost with a leader that was not going to be said again: each node tells a new leader everything.
 *
 * ## The caller's duties
 *
 * 1. Call {@link EmbeddedBoard.leads} whenever the leader or its term changes (also to null), and
 *    {@link EmbeddedBoard.peerUp} from `LinksHandler.onForwardUp`.
 * 2. Publish this node's heartbeat under `HEARTBEAT_KEY`, so that `last-beats.ts` keeps it.
 */
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Answer, Peer, Rpc } from '../peer/peer.js'
import { type Done, failure, success } from '../store/contract.js'
import {
  BOARD_LIMITS,
  type Board,
  type BoardEntry,
  type BoardLimits,
  type BoardMember,
  type BoardReading,
  entryBytes,
  READ_BYTES_MAX,
} from './board.js'
import {
  type Ack,
  type Batch,
  BOARD_SERVICE,
  type Cursor,
  decodeNotice,
  decodePage,
  decodeRead,
  encodeAck,
  encodeBatch,
  encodePage,
  encodeRead,
} from './messages.js'
import { Publisher } from './publisher.js'
import { Table } from './table.js'

export interface EmbeddedBoardOptions {
  readonly time: Time
  readonly rpc: Pick<Rpc, 'ask' | 'tell' | 'serve'>
  readonly self: BoardMember & { readonly bootId: string }
  /** Default 1000. */
  readonly beatMs?: number
  /** How long a reading may take before what is here must do. Default 1000. */
  readonly readMs?: number
  /** Of each node. Default {@link BOARD_LIMITS}. */
  readonly limits?: BoardLimits
  /** Of the leader, for all nodes together. Default 256 MiB. */
  readonly tableBytesMax?: number
  /** About what goes in one message. Default 256 KiB of changes, 1 MiB of a reading. */
  readonly messageBytes?: { readonly batch: number; readonly page: number }
}

const MESSAGE_BYTES = { batch: 256 * 1024, page: 1024 * 1024 }
const MEMBERS_MAX = 2048
const TABLE_BYTES_MAX = 256 * 1024 * 1024
/** Purged members whose last words may still be on their way. */
const PURGED_MAX = 1024
/** A member that says nothing any more is known for so long. */
const FORGET_MS = 10 * 60 * 1000

export interface BoardStatus {
  /** Incarnation of the leader; null: there is none. */
  readonly leader: string | null
  /** The leader knows all that this node says. */
  readonly isCurrent: boolean
  readonly publishedBytes: number
  readonly tableBytes: number
  /** Batches of members not taken by this node, as leader. */
  readonly refused: number
}

export class EmbeddedBoard implements Board {
  readonly #time: Time
  readonly #rpc: Pick<Rpc, 'ask' | 'tell' | 'serve'>
  readonly #self: BoardMember & { readonly bootId: string }
  readonly #beatMs: number
  readonly #readMs: number
  readonly #messageBytes: { readonly batch: number; readonly page: number }
  readonly #publisher: Publisher
  readonly #table: Table
  /** The latest ones. */
  readonly #purged = new Set<string>()
  #leader: string | null = null
  #term = 0
  #sync = 0
  /** The leader knows everything up to this number. */
  #acked = 0
  /** Nothing is sent before an answer, or the next beat. */
  #waiting = false
  #flush: Timer | null = null
  #beat: Timer
  #closed = false
  #leadingSinceMs = 0

  constructor(options: EmbeddedBoardOptions) {
    const limits = options.limits ?? BOARD_LIMITS
    this.#time = options.time
    this.#rpc = options.rpc
    this.#self = options.self
    this.#beatMs = options.beatMs ?? 1000
    this.#readMs = options.readMs ?? 1000
    this.#messageBytes = options.messageBytes ?? MESSAGE_BYTES
    this.#publisher = new Publisher(limits)
    this.#table = new Table({
      member: limits,
      membersMax: MEMBERS_MAX,
      bytesMax: options.tableBytesMax ?? TABLE_BYTES_MAX,
    })
    this.#rpc.serve(BOARD_SERVICE, {
      onNotice: (body, peer) => this.#onNotice(body, peer),
      onRequest: (body, _peer, answer) => answer(this.#onRead(body)),
    })
    this.#beat = this.#time.after(this.#beatMs, () => this.#onBeat())
  }

  publish(key: string, value: Uint8Array, ttlMs: number): void {
    if (this.#publisher.publish(key, value, ttlMs)) this.#soon()
  }

  withdraw(key: string): void {
    if (this.#publisher.withdraw(key)) this.#soon()
  }

  read(prefix: string, done: Done<BoardReading>): void {
    const reading = new Reading(prefix, done)
    this.#readPage(reading, this.#time.monotonicMs() + this.#readMs, null)
  }

  /** `leader`: its incarnation, which may be this node's; null: nobody leads. */
  leads(leader: string | null, term: number): void {
    if (this.#closed || (leader === this.#leader && term === this.#term)) return
    this.#leader = leader
    this.#term = term
    if (this.isLeading) {
      // What was known in an earlier term may have been withdrawn since.
      this.#table.clear()
      this.#leadingSinceMs = this.#time.monotonicMs()
    }
    this.#startAnew()
    this.#send()
  }

  /** A connection for requests to that peer stands. */
  peerUp(peer: Peer): void {
    if (peer.incarnation !== this.#leader) return
    // What was under way on the connection before is lost.
    this.#waiting = false
    this.#send()
  }

  get isLeading(): boolean {
    return this.#leader === this.#self.incarnation
  }

  /** Monotonic time since when this node leads; meaningless unless it does. */
  get leadingSinceMs(): number {
    return this.#leadingSinceMs
  }

  /** As leader: monotonic time of a member's last beat; null: none was heard in this term. */
  lastBeatMs(incarnation: string): number | null {
    return this.#table.lastBeatMs(incarnation)
  }

  /** As leader: what a member said last under that key, even if its time is over. */
  lastSaid(incarnation: string, key: string): Uint8Array | null {
    return this.#table.get(incarnation, key)
  }

  /** A member was purged: what it said goes with it, and it is not heard any more. */
  forget(incarnation: string): void {
    this.#table.forget(incarnation)
    this.#purged.delete(incarnation)
    this.#purged.add(incarnation)
    if (this.#purged.size > PURGED_MAX) {
      const [oldest] = this.#purged
      this.#purged.delete(oldest as string)
    }
  }

  status(): BoardStatus {
    return {
      leader: this.#leader,
      isCurrent: this.#leader !== null && this.#acked === this.#publisher.seq,
      publishedBytes: this.#publisher.bytes,
      tableBytes: this.#table.bytes,
      refused: this.#table.refused,
    }
  }

  close(): void {
    this.#closed = true
    this.#beat.cancel()
    this.#flush?.cancel()
  }

  // ---- saying ----------------------------------------------------------------------------------

  /** What is published in one turn goes out together. */
  #soon(): void {
    if (this.#flush !== null || this.#waiting || this.#closed) return
    this.#flush = this.#time.after(0, () => {
      this.#flush = null
      if (!this.#waiting && this.#acked !== this.#publisher.seq) this.#send()
    })
  }

  #onBeat(): void {
    const nowMs = this.#time.monotonicMs()
    this.#beat = this.#time.after(this.#beatMs, () => this.#onBeat())
    this.#send()
    this.#table.expire(nowMs, nowMs - FORGET_MS)
  }

  #startAnew(): void {
    this.#sync += 1
    this.#acked = 0
    this.#waiting = false
  }

  #send(): void {
    const leader = this.#leader
    if (leader === null || this.#closed) return
    if (!this.#publisher.canContinue(this.#acked)) this.#startAnew()
    const batch = this.#publisher.batch(this.#sync, this.#acked, this.#messageBytes.batch)
    if (leader === this.#self.incarnation) {
      const ack = this.#accept(this.#self, this.#self.bootId, batch)
      if (ack !== null) this.#onAck(ack)
      return
    }
    this.#waiting =
      this.#rpc.tell(leader, BOARD_SERVICE, encodeBatch(batch)) && batch.to > batch.from
  }

  #onAck(ack: Ack): void {
    if (ack.sync !== this.#sync || ack.have === this.#acked) return
    // The leader may know less than it did: it forgot what outlived its time, or another led.
    if (ack.have === 0) this.#startAnew()
    else this.#acked = Math.min(ack.have, this.#publisher.seq)
    this.#waiting = false
    if (this.#acked !== this.#publisher.seq) this.#soon()
  }

  // ---- the leader's side -----------------------------------------------------------------------

  #onNotice(body: Uint8Array, peer: Peer): void {
    const notice = decodeNotice(body)
    if (notice === null || this.#closed) return
    if ('ack' in notice) {
      if (peer.incarnation === this.#leader) this.#onAck(notice.ack)
      return
    }
    if (!this.isLeading || this.#purged.has(peer.incarnation)) return
    const ack = this.#accept(peer, peer.bootId, notice.batch)
    if (ack !== null) this.#rpc.tell(peer.incarnation, BOARD_SERVICE, encodeAck(ack))
  }

  #accept(member: BoardMember, bootId: string, batch: Batch): Ack | null {
    return this.#table.accept(member, bootId, batch, this.#time.monotonicMs())
  }

  #onRead(body: Uint8Array): Answer {
    const request = decodeRead(body)
    if (request === null) {
      const error = new GatewayError('REQUEST_INVALID', 'a reading of the board is malformed')
      return { ok: false, error }
    }
    if (!this.isLeading) {
      return { ok: false, error: new GatewayError('NOT_LEADER', 'this node does not lead') }
    }
    const nowMs = this.#time.monotonicMs()
    const page = this.#table.page(request.prefix, request.after, this.#messageBytes.page, nowMs)
    return { ok: true, body: encodePage(page) }
  }

  // ---- reading ---------------------------------------------------------------------------------

  #readPage(reading: Reading, untilMs: number, after: Cursor | null): void {
    const leader = this.#leader
    const nowMs = this.#time.monotonicMs()
    if (leader === null || nowMs >= untilMs || this.#closed) {
      this.#readHere(reading)
      return
    }
    if (this.isLeading) {
      const page = this.#table.page(reading.prefix, null, Number.POSITIVE_INFINITY, nowMs)
      reading.restart()
      reading.add(page)
      reading.finish('leader')
      return
    }
    const request = encodeRead({ prefix: reading.prefix, after })
    this.#rpc.ask(leader, BOARD_SERVICE, request, Math.ceil(untilMs - nowMs), (answer) => {
      const page = answer.ok ? decodePage(answer.body) : null
      if (page === null) {
        reading.restart()
        // Another one may lead by now; the same one will not know better.
        if (this.#leader !== leader) this.#readPage(reading, untilMs, null)
        else this.#readHere(reading)
      } else if (!reading.add(page)) reading.fail()
      else if (page.next === null) reading.finish('leader')
      else this.#readPage(reading, untilMs, page.next)
    })
  }

  #readHere(reading: Reading): void {
    const { name, incarnation } = this.#self
    const nowMs = this.#time.monotonicMs()
    reading.restart()
    const kept = this.#table.page(reading.prefix, null, Number.POSITIVE_INFINITY, nowMs)
    reading.add(kept, incarnation)
    const own = [...this.#publisher.entries(reading.prefix)]
    reading.add({
      members: [[name, incarnation, 0]],
      entries: own.map(([key, value]) => [0, key, value] as const),
      next: null,
    })
    reading.finish('local')
  }
}

/** Puts the pages of one reading together. */
class Reading {
  readonly prefix: string
  readonly #done: Done<BoardReading>
  #entries: BoardEntry[] = []
  #bytes = 0

  constructor(prefix: string, done: Done<BoardReading>) {
    this.prefix = prefix
    this.#done = done
  }

  restart(): void {
    this.#entries = []
    this.#bytes = 0
  }

  /** False: too much. */
  add(
    page: {
      readonly members: readonly (readonly [string, string, number])[]
      readonly entries: readonly (readonly [number, string, Uint8Array])[]
      readonly next: Cursor | null
    },
    without: string | null = null,
  ): boolean {
    const members = page.members.map(([name, incarnation]) => ({ name, incarnation }))
    for (const [place, key, value] of page.entries) {
      const member = members[place] as BoardMember
      if (member.incarnation === without) continue
      const ageMs = (page.members[place] as readonly [string, string, number])[2]
      this.#entries.push({ key, value, member, ageMs })
      this.#bytes += entryBytes(key, value)
    }
    return this.#bytes <= READ_BYTES_MAX
  }

  finish(source: BoardReading['source']): void {
    this.#done(success({ source, entries: this.#entries }))
  }

  fail(): void {
    const message = `what the board holds under "${this.prefix}" is more than ${READ_BYTES_MAX} bytes`
    this.#done(failure(new GatewayError('OVERLOADED', message)))
  }
}
