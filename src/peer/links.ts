/**
 * All connections of this node to its peers: three for each pair of members, one to guests and
 * readers. It decides who dials whom, keeps them up, bounds what waits for them, and lets nobody
 * speak for another.
 *
 * ## The caller's duties
 *
 * 1. Hand every connection that comes in on a peer port to {@link Links.accept}.
 * 2. Call {@link Links.setMembers} with every other member (and its address) whenever that list
 *    changes, and {@link Links.refresh} whenever what `local()` or `membership()` say has changed
 *    in another way: cluster id, own number, a purge, the level.
 * 3. In `onPeerUp`, compare `peer.logEnd` with what that peer once acknowledged and refuse it as a
 *    voter if it lost any of it (fifth duty of `raft.ts`).
 * 4. Feed `onRaft` to `Raft.step` and `onUnreachable` to `Raft.reportUnreachable`, both later than
 *    within the call that caused them: nothing here waits for it.
 *
 * Who dials: the member with the lower number, at once; a reader or newcomer dials members. The
 * other side dials too once it has been without a connection for `fallbackMs`, as the one that
 * should may not know of it yet. Of two connections for one purpose that of the rightful dialer
 * stays if it still answers (within `probeMs`, a young one until it is as old as `handshakeMs`),
 * and of two of the same dialer the newer.
 */
import type { Time, Timer } from '../lib/clock.js'
import type { ChunkHeader, ChunkReply, Message, NodeId } from '../raft/raft.js'
import type { Logger } from '../telemetry/log.js'
import { Dial } from './dial.js'
import { Handshake, type Remote } from './handshake.js'
import {
  CHANNEL,
  CHANNEL_NAMES,
  CHANNELS,
  type Channel,
  type Introduction,
  type Peer,
  refusal,
} from './identity.js'
import { judge, type Membership, type Verdict } from './judge.js'
import {
  type GuestDial,
  LINK_TIMING,
  type LinkStatus,
  type LinksHandler,
  type LinksOptions,
  type LinksStats,
  type LinkTiming,
  type MemberAddress,
  type PeerStatus,
} from './links-contract.js'
import type { OutboxLimits } from './outbox.js'
import { Pair, type Slot, type Target } from './pair.js'
import {
  type Ending,
  newSessionStats,
  Session,
  type SessionHandler,
  type SessionStats,
} from './session.js'
import type { Forward, Traffic } from './traffic.js'
import type { Connection, ConnectionHandler } from './transport.js'

/** Connections coming in whose handshake is not done; above it the oldest is cut off. */
const HALF_OPEN_MAX = 64
/** Peers that are no members. */
const GUESTS_MAX = 64
const PEERS_MAX = 2048
/** Raft bounds what is on its way to a follower to 8 MiB; this is above it. */
const OUTBOX: readonly OutboxLimits[] = [
  { urgentMax: 1024, bytesMax: 12 * 1024 * 1024 },
  { urgentMax: 64, bytesMax: 2 * 1024 * 1024 },
  { urgentMax: 64, bytesMax: 16 * 1024 * 1024 },
]

export class Links {
  readonly #options: LinksOptions
  readonly #time: Time
  readonly #log: Logger
  readonly #handler: LinksHandler
  readonly #timing: LinkTiming
  readonly #pairs = new Map<string, Pair>()
  readonly #byNodeId = new Map<NodeId, Pair>()
  readonly #halfOpen = new Set<Session>()
  readonly #guestDials = new Set<Target>()
  /** Attempts and dialed connections, with what they were dialed for. */
  readonly #targets = new Map<Session, Target>()
  readonly #refused = new Map<string, number>()
  readonly #faults = new Map<string, number>()
  #closed = false

  constructor(options: LinksOptions) {
    this.#options = options
    this.#time = options.time
    this.#log = options.log
    this.#handler = options.handler
    this.#timing = { ...LINK_TIMING, ...options.timing }
  }

  // ---- connections -----------------------------------------------------------------------------

  /** A connection came in on a port that carries `channels`. */
  accept(connection: Connection, channels: readonly Channel[] = CHANNELS): ConnectionHandler {
    const session = this.#newSession(false, channels)
    session.attach(connection)
    if (this.#closed) {
      session.close('shutting down')
      return session
    }
    this.#halfOpen.add(session)
    if (this.#halfOpen.size > HALF_OPEN_MAX) {
      const [oldest] = this.#halfOpen
      this.#count(this.#refused, 'overloaded')
      oldest?.close('too many connections at once')
    }
    return session
  }

  /** Every other member. Who is no longer in the list is cut off. */
  setMembers(members: readonly MemberAddress[]): void {
    if (this.#closed) return
    const kept = new Set(members.map((member) => member.incarnation))
    for (const pair of [...this.#pairs.values()]) {
      if (pair.member === null || kept.has(pair.incarnation)) continue
      pair.member = null
      for (const slot of pair.slots) {
        this.#undial(slot)
        slot.session?.close('no longer a member')
      }
      this.#forget(pair)
    }
    for (const member of members) {
      const pair = this.#pair(member.incarnation)
      const before = pair.member
      pair.member = member
      if (before !== null && before.nodeId !== member.nodeId) this.#byNodeId.delete(before.nodeId)
      if (member.nodeId !== 0) this.#byNodeId.set(member.nodeId, pair)
      if (before?.address !== member.address || before.nodeId !== member.nodeId) {
        for (const slot of pair.slots) this.#undial(slot)
      }
    }
    this.refresh()
  }

  /** Looks again at every connection: what this node is or knows may have changed. */
  refresh(): void {
    if (this.#closed) return
    const local = this.#options.local()
    for (const pair of [...this.#pairs.values()]) {
      for (const slot of pair.slots) {
        const { session } = slot
        if (session !== null && this.#isOutdated(session, local))
          session.close('the membership changed')
      }
      for (const channel of CHANNELS) this.#redial(pair, channel, 0)
    }
    for (const target of this.#guestDials) {
      const { session } = target
      if (session !== null && this.#isOutdated(session, local))
        session.close('the membership changed')
    }
  }

  /**
   * Keeps a connection for requests to whoever is at `address`: how a newcomer finds a cluster.
   * Ends by {@link GuestDial.close} alone.
   */
  dialGuest(address: string, name: string | null): GuestDial {
    const expect = name === null ? null : { name, incarnation: null }
    const target = this.#newTarget(address, expect, CHANNEL.FORWARD)
    this.#guestDials.add(target)
    target.dial.start(0)
    return {
      close: () => {
        this.#guestDials.delete(target)
        target.dial.stop()
        // What stands may serve others; an attempt serves nobody.
        if (target.session !== null && target.session.peer === null)
          target.session.close('not wanted')
      },
    }
  }

  /** Closes everything for good. */
  close(): void {
    this.#closed = true
    for (const target of this.#guestDials) target.dial.stop()
    this.#guestDials.clear()
    for (const session of [...this.#halfOpen]) session.close('shutting down')
    for (const pair of [...this.#pairs.values()]) {
      for (const slot of pair.slots) {
        this.#undial(slot)
        slot.session?.close('shutting down')
      }
    }
    for (const session of [...this.#targets.keys()]) session.close('shutting down')
  }

  // ---- sending ---------------------------------------------------------------------------------

  /**
   * May be lost, as every message of Raft may: when there is no connection, or too much waits. A
   * heartbeat takes the place of one that waits.
   */
  sendRaft(message: Message): void {
    const session = this.#byNodeId.get(message.to)?.slots[CHANNEL.RAFT]?.session ?? null
    if (session === null) return
    if (message.type === 'append' || message.type === 'propose') {
      if (session.send({ type: 'raft', message }) === 'sent') {
        // Followers have the longest way to go: they begin before this node does.
        session.flush()
        return
      }
      this.#time.after(0, () => this.#handler.onUnreachable(message.to))
      return
    }
    const isBeat = message.type === 'heartbeat' || message.type === 'heartbeat-reply'
    session.sendUrgent({ type: 'raft', message }, isBeat ? message.type : null)
  }

  /** False: no connection or no room; `onChunkRoom` tells when to try again. */
  sendChunk(to: NodeId, header: ChunkHeader, bytes: Uint8Array): boolean {
    const session = this.#byNodeId.get(to)?.slots[CHANNEL.BULK]?.session ?? null
    return session !== null && session.send({ type: 'chunk', header, bytes }) === 'sent'
  }

  /** May be lost, with the connection. */
  sendChunkReply(to: NodeId, reply: ChunkReply): void {
    const session = this.#byNodeId.get(to)?.slots[CHANNEL.BULK]?.session ?? null
    session?.sendUrgent({ type: 'chunk-reply', reply }, null)
  }

  /** `down`, `full`, `too-long`: nothing was sent. */
  sendForward(incarnation: string, traffic: Forward): 'sent' | 'down' | 'full' | 'too-long' {
    const session = this.#pairs.get(incarnation)?.slots[CHANNEL.FORWARD]?.session ?? null
    return session === null ? 'down' : session.send(traffic)
  }

  // ---- what there is ---------------------------------------------------------------------------

  /** Of a member or guest with a connection; null: there is none. */
  peer(incarnation: string): Peer | null {
    const pair = this.#pairs.get(incarnation)
    return pair?.isConnected === true ? pair.peer : null
  }

  incarnationOf(nodeId: NodeId): string | null {
    return this.#byNodeId.get(nodeId)?.incarnation ?? null
  }

  /** Milliseconds since something was heard of it, on any connection; null: not connected. */
  silentMs(incarnation: string): number | null {
    const slots = this.#pairs.get(incarnation)?.slots ?? []
    const heard = slots.flatMap((slot) => (slot.session === null ? [] : [slot.session.lastHeardMs]))
    return heard.length === 0 ? null : this.#time.monotonicMs() - Math.max(...heard)
  }

  /**
   * Monotonic time at which something was last heard of a member, also when it is not connected any
   * more; null: never, since this node started.
   */
  lastHeardMs(incarnation: string): number | null {
    const pair = this.#pairs.get(incarnation)
    const silentMs = this.silentMs(incarnation)
    return silentMs === null ? (pair?.lastHeardMs ?? null) : this.#time.monotonicMs() - silentMs
  }

  /** One for each member, and each guest that is connected. */
  status(): PeerStatus[] {
    return [...this.#pairs.values()].map((pair) => ({
      name: pair.member?.name ?? pair.peer?.name ?? '',
      incarnation: pair.incarnation,
      nodeId: pair.member?.nodeId ?? pair.peer?.nodeId ?? 0,
      guest: pair.peer?.guest ?? false,
      links: CHANNELS.map((channel) => this.#linkStatus(pair.slots[channel] as Slot, channel)),
    }))
  }

  stats(): LinksStats {
    return {
      halfOpen: this.#halfOpen.size,
      peers: this.#pairs.size,
      refused: Object.fromEntries(this.#refused),
      faults: Object.fromEntries(this.#faults),
    }
  }

  #linkStatus(slot: Slot, channel: Channel): LinkStatus {
    const { session, past } = slot
    const now = session?.stats ?? newSessionStats()
    return {
      channel: CHANNEL_NAMES[channel] as string,
      connected: session !== null,
      queuedBytes: session?.queuedBytes ?? 0,
      connects: slot.connects,
      silentMs: session === null ? null : this.#time.monotonicMs() - session.lastHeardMs,
      failure: slot.failure,
      bytesIn: past.bytesIn + now.bytesIn,
      bytesOut: past.bytesOut + now.bytesOut,
      framesIn: past.framesIn + now.framesIn,
      framesOut: past.framesOut + now.framesOut,
      dropped: past.dropped + now.dropped,
      rttMs: now.rttMs,
      clockOffsetMs: now.clockOffsetMs,
    }
  }

  // ---- dialing ---------------------------------------------------------------------------------

  #newTarget(address: string, expect: Target['expect'], channel: Channel): Target {
    const target: Target = {
      address,
      expect,
      channel,
      session: null,
      lastFailure: null,
      metBefore: null,
      dial: new Dial({
        time: this.#time,
        random: this.#options.random,
        backOff: this.#timing,
        attempt: () => this.#attempt(target),
      }),
    }
    return target
  }

  #attempt(target: Target): void {
    const { metBefore } = target
    if (metBefore !== null && this.#slot(metBefore, target.channel)?.session != null) {
      target.dial.start(this.#timing.lastMs)
      return
    }
    const session = this.#newSession(true, CHANNELS)
    target.session = session
    this.#targets.set(session, target)
    session.attach(this.#options.transport.connect(target.address, session))
  }

  /** Makes sure that what should be dialed is, `delayMs` from now if it has to begin. */
  #redial(pair: Pair, channel: Channel, delayMs: number): void {
    const slot = pair.slots[channel] as Slot
    const { member } = pair
    if (this.#closed || member === null || slot.session !== null || slot.target !== null) return
    const local = this.#options.local()
    if (member.address === null || member.nodeId === 0) return
    // Readers and newcomers are no part of Raft.
    if (local.nodeId === 0 && channel !== CHANNEL.FORWARD) return
    const expect = { name: member.name, incarnation: member.incarnation }
    slot.target = this.#newTarget(member.address, expect, channel)
    slot.target.dial.start(local.nodeId < member.nodeId ? delayMs : this.#timing.fallbackMs)
  }

  /**
   * A peer that is back is back on all its connections. Left to itself each would wait out its own
   * back-off, and a member that hears no leader for so long begins to ask for votes. Whose part it is
   * to dial does, so that the two do not dial each other.
   */
  #hurry({ member, slots }: Pair): void {
    if (member === null || this.#options.local().nodeId >= member.nodeId) return
    for (const slot of slots) slot.target?.dial.hurry()
  }

  #undial(slot: Slot): void {
    const { target } = slot
    if (target === null) return
    slot.target = null
    target.dial.stop()
    const attempt = target.session
    target.session = null
    if (attempt !== null && attempt !== slot.session) attempt.close('not wanted')
  }

  // ---- sessions --------------------------------------------------------------------------------

  #newSession(isDialed: boolean, channels: readonly Channel[]): Session {
    const handler: SessionHandler = {
      handshake: (session, remote) => this.#handshake(session, remote, channels),
      onEstablished: (session) => this.#onEstablished(session),
      onTraffic: (session, traffic) => this.#onTraffic(session, traffic),
      onDrained: (session) => this.#onDrained(session),
      onEnded: (session, ending) => this.#onEnded(session, ending),
    }
    const limitsOf = (channel: Channel) => OUTBOX[channel] as OutboxLimits
    return new Session({ time: this.#time, timing: this.#timing, handler, limitsOf, isDialed })
  }

  #handshake(session: Session, remote: Remote, channels: readonly Channel[]): Handshake {
    const { nonce, secret, allowInsecure } = this.#options
    const self = this.#options.local()
    session.introduced(self)
    const target = this.#targets.get(session)
    const common = {
      self,
      nonce: nonce(),
      secret,
      allowInsecure,
      remote,
      judge: (peer: Introduction) => this.#judge(peer, target),
    }
    if (target === undefined) return Handshake.accept({ ...common, channels })
    const { channel, expect } = target
    return Handshake.dial({ ...common, channel, expect })
  }

  #judge(peer: Introduction, target: Target | undefined): Verdict {
    const membership = this.#options.membership()
    const view: Membership = {
      self: membership.self,
      knownUpTo: membership.knownUpTo,
      member: (name) => membership.member(name),
      nameOf: (nodeId) => membership.nameOf(nodeId),
      isPurged: (incarnation) => membership.isPurged(incarnation),
      liveBoot: (incarnation) => this.#liveBoot(incarnation) ?? membership.liveBoot(incarnation),
    }
    const verdict = judge(peer, view)
    if (!verdict.ok) {
      // The process that had the incarnation may be gone without a word.
      if (verdict.refusal.code === 'copied') this.#probe(peer.incarnation)
      return verdict
    }
    if (this.#pairs.has(peer.incarnation) || target !== undefined) return verdict
    const guests = [...this.#pairs.values()].filter((pair) => pair.peer?.guest === true).length
    const isFull = this.#pairs.size >= PEERS_MAX || (verdict.guest && guests >= GUESTS_MAX)
    if (!isFull) return verdict
    return { ok: false, refusal: refusal('overloaded', 'this node has too many peers; try later') }
  }

  #liveBoot(incarnation: string): string | null {
    const slots = this.#pairs.get(incarnation)?.slots ?? []
    for (const { session } of slots) if (session?.peer != null) return session.peer.bootId
    return null
  }

  #probe(incarnation: string): void {
    const slots = this.#pairs.get(incarnation)?.slots ?? []
    for (const { session } of slots) session?.probe(this.#timing.probeMs)
  }

  /** The other side should hear something else by now than what the handshake said. */
  #isOutdated(session: Session, local: Introduction): boolean {
    const { peer, introduction } = session
    if (peer === null || introduction === null) return false
    if (introduction.clusterId !== local.clusterId || introduction.nodeId !== local.nodeId)
      return true
    const membership = this.#options.membership()
    const known = membership.member(peer.name)
    // It was made a member while it was a guest, and will know by the time it is back.
    if (peer.guest && known?.incarnation === peer.incarnation && local.clusterId !== null) {
      return peer.clusterId !== null
    }
    const verdict = judge(peer, { ...viewOf(membership), liveBoot: () => null })
    return !verdict.ok || verdict.guest !== peer.guest
  }

  #onEstablished(session: Session): void {
    this.#halfOpen.delete(session)
    const peer = session.peer as Peer
    const channel = session.channel as Channel
    if (this.#isOutdated(session, this.#options.local())) {
      // It changed while the two were still introducing themselves.
      session.close('the membership changed')
      return
    }
    if (this.#refusesChannel(session, peer, channel)) return
    const target = this.#targets.get(session)
    if (target !== undefined && this.#guestDials.has(target)) target.metBefore = peer.incarnation
    const pair = this.#pair(peer.incarnation)
    const slot = pair.slots[channel] as Slot
    const older = slot.session
    const live = this.#liveBoot(peer.incarnation)
    const isCopy = live !== null && live !== peer.bootId
    const isLess =
      older !== null && this.#isRightful(older, peer) && !this.#isRightful(session, peer)
    if (isCopy || isLess) {
      if (slot.target?.session === session) {
        slot.target.session = null
        this.#undial(slot)
      }
      session.close('another connection for the same purpose stands')
      // Who dials in our stead may have lost it, without a word to this side. While it is young the
      // two may just have dialed each other: it gets the time of a handshake, however slow the way.
      const { handshakeMs, probeMs } = this.#timing
      if (isLess) older.probe(Math.max(probeMs, handshakeMs - older.stoodMs))
      this.#redial(pair, channel, 0)
      return
    }
    const wasConnected = pair.isConnected
    slot.session = session
    slot.connects += 1
    pair.peer = peer
    if (peer.nodeId !== 0 && !peer.guest) this.#byNodeId.set(peer.nodeId, pair)
    if (slot.target !== null && slot.target.session !== session) this.#undial(slot)
    // Only now: the end of the older one must not look like the end of the peer.
    if (older !== null) older.close('replaced by a newer connection')
    if (!wasConnected) {
      this.#log.info('peer connected', { peer: peer.name, incarnation: peer.incarnation })
      this.#handler.onPeerUp(peer)
      this.#hurry(pair)
    }
    if (slot.session !== session) return
    if (channel === CHANNEL.BULK) this.#handler.onChunkRoom(peer)
    if (channel === CHANNEL.FORWARD) this.#handler.onForwardUp(peer)
  }

  #refusesChannel(session: Session, peer: Peer, channel: Channel): boolean {
    const isRaft = channel !== CHANNEL.FORWARD
    const local = this.#options.local()
    if (!isRaft || (!peer.guest && peer.nodeId !== 0 && local.nodeId !== 0)) return false
    session.violation('only members that take part in Raft have this connection')
    return true
  }

  /** Dialed by the one who should. */
  #isRightful(session: Session, peer: Peer): boolean {
    const local = this.#options.local()
    const weShould =
      local.nodeId === peer.nodeId
        ? local.incarnation < peer.incarnation
        : local.nodeId < peer.nodeId
    return session.isDialed === weShould
  }

  #onTraffic(session: Session, traffic: Traffic): void {
    const peer = session.peer as Peer
    if (traffic.type === 'raft') {
      const problem = speaksForItself(traffic.message, session, peer)
      if (problem === null) this.#handler.onRaft(traffic.message, peer)
      else session.violation(problem)
    } else if (traffic.type === 'chunk') {
      const problem = speaksForItself(traffic.header.message, session, peer)
      if (problem === null) this.#handler.onChunk(traffic.header, traffic.bytes, peer)
      else session.violation(problem)
    } else if (traffic.type === 'chunk-reply') this.#handler.onChunkReply(traffic.reply, peer)
    else if (traffic.type !== 'ping' && traffic.type !== 'pong') {
      this.#handler.onForward(traffic, peer)
    }
  }

  #onDrained(session: Session): void {
    if (session.channel === CHANNEL.BULK) this.#handler.onChunkRoom(session.peer as Peer)
  }

  #onEnded(session: Session, ending: Ending): void {
    this.#halfOpen.delete(session)
    const target = this.#targets.get(session)
    this.#targets.delete(session)
    this.#report(session, ending, target)
    const { peer, channel } = session
    const pair = peer === null ? undefined : this.#pairs.get(peer.incarnation)
    const slot = channel === null ? undefined : pair?.slots[channel]
    if (slot !== undefined && slot.session === session) {
      slot.session = null
      slot.failure = describe(ending)
      const heardMs = Math.max(pair?.lastHeardMs ?? 0, session.lastHeardMs)
      if (pair !== undefined) pair.lastHeardMs = heardMs
      add(slot.past, session.stats)
    }
    if (target?.session === session) {
      target.session = null
      // One that did not stand for long counts as another failure.
      if (session.stoodMs > this.#timing.lastMs) target.dial.worked()
      const isWanted = this.#guestDials.has(target) || this.#isTarget(target)
      if (isWanted && !this.#closed) target.dial.failed()
    }
    if (pair === undefined || peer === null || slot?.session !== null) return
    if (channel === CHANNEL.RAFT && peer.nodeId !== 0) this.#handler.onUnreachable(peer.nodeId)
    if (channel === CHANNEL.FORWARD) this.#handler.onForwardDown(peer)
    this.#redial(pair, channel as Channel, this.#options.random(this.#timing.firstMs))
    if (pair.isConnected) return
    this.#log.info('peer disconnected', { peer: peer.name, reason: describe(ending) })
    this.#handler.onPeerDown(peer)
    if (pair.member === null && !pair.isConnected) this.#forget(pair)
  }

  #isTarget(target: Target): boolean {
    const incarnation = target.expect?.incarnation ?? null
    const pair = incarnation === null ? undefined : this.#pairs.get(incarnation)
    return pair?.slots[target.channel]?.target === target
  }

  #report(session: Session, ending: Ending, target: Target | undefined): void {
    const message = describe(ending)
    if (ending.type === 'refused') this.#count(this.#refused, ending.outcome.refusal.code)
    else if (ending.type === 'fault') this.#count(this.#faults, ending.code)
    if (target !== undefined) {
      const slot = this.#pairs.get(target.expect?.incarnation ?? '')?.slots[target.channel]
      if (slot !== undefined && session.peer === null) slot.failure = message
    }
    // A peer that keeps trying says the same thing again and again.
    const isNews = target === undefined ? this.#isFirst(message) : target.lastFailure !== message
    if (target !== undefined) target.lastFailure = message
    const fields = { reason: message, address: target?.address, peer: session.peer?.name }
    if (ending.type === 'refused' || ending.type === 'fault') {
      if (isNews) this.#log.warn('peer connection refused', fields)
    } else if (ending.type === 'lost' && ending.cause === 'other' && session.peer === null) {
      // Not that it is down: it is there, and something is wrong, such as a certificate.
      if (isNews && target !== undefined) this.#log.warn('peer cannot be reached', fields)
    } else if (this.#log.debugOn) this.#log.debug('peer connection ended', fields)
    if (target !== undefined && session.peer === null && ending.type !== 'refused') {
      const cause = ending.type === 'lost' ? ending.cause : 'other'
      if (ending.type !== 'closed') {
        this.#handler.onDialFailed({ address: target.address, cause, message })
      }
    }
    if (ending.type !== 'refused') return
    const { refusal, by, trusted, claimed } = ending.outcome
    this.#handler.onRefused({ refusal, by, trusted, claimed, address: target?.address ?? null })
  }

  #lastStranger = ''
  #strangerTimer: Timer | null = null

  /** Once a minute for the same sentence in a row, whoever knocks. */
  #isFirst(message: string): boolean {
    if (this.#lastStranger === message) return false
    this.#lastStranger = message
    this.#strangerTimer?.cancel()
    this.#strangerTimer = this.#time.after(60_000, () => {
      this.#lastStranger = ''
    })
    return true
  }

  #slot(incarnation: string, channel: Channel): Slot | undefined {
    return this.#pairs.get(incarnation)?.slots[channel]
  }

  #pair(incarnation: string): Pair {
    const known = this.#pairs.get(incarnation)
    if (known !== undefined) return known
    const pair = new Pair(incarnation)
    this.#pairs.set(incarnation, pair)
    return pair
  }

  #forget(pair: Pair): void {
    if (pair.member !== null || pair.isConnected) return
    this.#pairs.delete(pair.incarnation)
    for (const [nodeId, other] of this.#byNodeId) {
      if (other === pair) this.#byNodeId.delete(nodeId)
    }
  }

  #count(counts: Map<string, number>, code: string): void {
    // Codes of a refusal come from the peer.
    const key = counts.has(code) || counts.size < 64 ? code : 'other'
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}

/**
 * Null, or in whose name the peer wrote to whom. This node's number is the one it introduced itself
 * with: whoever knew it by another number is disconnected when it changes.
 */
function speaksForItself(message: Message, session: Session, peer: Peer): string | null {
  const nodeId = session.introduction?.nodeId ?? 0
  if (message.from !== peer.nodeId) {
    return `member "${peer.name}" (number ${peer.nodeId}) sent a message from ${message.from}`
  }
  return message.to === nodeId ? null : `a message for ${message.to} came to ${nodeId}`
}

function viewOf(membership: Membership): Membership {
  return {
    self: membership.self,
    knownUpTo: membership.knownUpTo,
    member: (name) => membership.member(name),
    nameOf: (nodeId) => membership.nameOf(nodeId),
    isPurged: (incarnation) => membership.isPurged(incarnation),
    liveBoot: (incarnation) => membership.liveBoot(incarnation),
  }
}

function describe(ending: Ending): string {
  if (ending.type !== 'refused') return ending.message
  const { by, refusal } = ending.outcome
  return by === 'us' ? refusal.message : `refused by the peer: ${refusal.message}`
}

function add(sum: SessionStats, stats: SessionStats): void {
  sum.bytesIn += stats.bytesIn
  sum.bytesOut += stats.bytesOut
  sum.framesIn += stats.framesIn
  sum.framesOut += stats.framesOut
  sum.dropped += stats.dropped
}
