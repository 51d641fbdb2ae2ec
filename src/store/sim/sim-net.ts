import type { Time } from '../../lib/clock.js'
import type { Prng } from '../../lib/prng.js'
import type { Forward, LinksHandler, Peer } from '../../peer/peer.js'
import type { ChunkHeader, ChunkReply, Message } from '../../raft/raft.js'
import type { Roster } from '../cluster.js'
import type { Owner, SimClock } from './sim-clock.js'

/** What the network sees of a node. */
export interface NetNode extends Owner, Omit<LinksHandler, 'onRefused' | 'onDialFailed'> {
  readonly name: string
  readonly incarnation: string
  readonly nodeId: number
  readonly isUp: boolean
  /** What it says of itself is known: it makes connections and takes them. */
  readonly isOpen: boolean
  /** What it said when its connections began. */
  readonly peer: Peer
  introduction(): Peer
  roster(): Roster | null
  appliedIndex(): number
}

export interface NetWeather {
  readonly lossPercent: number
  readonly doublePercent: number
  /** One way; now and then ten times as much. */
  readonly delayMsMax: number
  /** Chunks of snapshots are so much slower, at most. */
  readonly bulkDelayMsMax: number
}

export const CALM: NetWeather = {
  lossPercent: 0,
  doublePercent: 0,
  delayMsMax: 1,
  bulkDelayMsMax: 0,
}

/** Whoever has met nobody tries again so often. */
const DIAL_MS = 10

/** What lies between the nodes. */
export interface Net {
  weather: NetWeather
  /** For tests: a request arrives twice. */
  doublesForwards: boolean
  add(node: NetNode): void
  /** A process began. */
  up(node: NetNode, time: Time): void
  /** A process ended; with it, at once or much later, its connections. */
  down(node: NetNode, isNoticed: boolean): void
  /** One way. */
  cut(from: NetNode, to: NetNode): void
  /** Connections between two are lost, and made again at once. Each side may notice alone. */
  breakOff(a: NetNode, b: NetNode): void
  heal(): void
  rosterChanged(node: NetNode): void
  statusChanged(node: NetNode): void
  raft(from: NetNode, message: Message): void
  chunk(from: NetNode, to: number, header: ChunkHeader, bytes: Uint8Array): boolean
  chunkReply(from: NetNode, to: number, reply: ChunkReply): void
  forward(
    from: NetNode,
    incarnation: string,
    traffic: Forward,
  ): 'sent' | 'down' | 'full' | 'too-long'
}

/**
 * Messages between nodes, each on its own: lost, doubled, late and overtaken, which streams would
 * not do, so it is harder on what stands on it than `peer/` is. Requests and chunks are lost at
 * most, as with a connection.
 */
export class SimNet implements Net {
  weather: NetWeather = CALM
  readonly #clock: SimClock
  readonly #prng: Prng
  readonly #nodes = new Map<number, NetNode>()
  /** One-way cuts, as in `1>2`. */
  readonly #cuts = new Set<string>()
  doublesForwards = false

  constructor(clock: SimClock, prng: Prng) {
    this.#clock = clock
    this.#prng = prng
  }

  add(node: NetNode): void {
    this.#nodes.set(node.nodeId, node)
  }

  cut(from: NetNode, to: NetNode): void {
    this.#cuts.add(`${from.nodeId}>${to.nodeId}`)
  }

  breakOff(a: NetNode, b: NetNode): void {
    const noticed = this.#prng.below(3)
    if (noticed !== 0) this.#lose(a, b)
    if (noticed !== 1) this.#lose(b, a)
  }

  /** `node` loses the connections to `other`, and has new ones a little later. */
  #lose(node: NetNode, other: NetNode): void {
    const { peer } = other
    this.#clock.at(this.#clock.nowMs + this.#prng.below(5), node, () => {
      node.onForwardDown(peer)
      node.onPeerDown(peer)
      this.#meet(node, other)
    })
  }

  heal(): void {
    this.#cuts.clear()
  }

  rosterChanged(): void {}

  statusChanged(): void {}

  /** Its connections stand a little later. */
  up(node: NetNode): void {
    for (const other of this.#nodes.values()) {
      if (other === node || !other.isUp) continue
      this.#meet(node, other)
      this.#meet(other, node)
    }
  }

  down(node: NetNode, isNoticed: boolean): void {
    const { peer } = node
    for (const other of this.#nodes.values()) {
      if (other === node || !other.isUp) continue
      const delayMs = isNoticed ? 1 + this.#prng.below(5) : 4000
      const { life } = node
      this.#clock.at(this.#clock.nowMs + delayMs, other, () => {
        // It may be back, on new connections.
        if (node.life !== life || node.isUp) return
        other.onForwardDown(peer)
        other.onPeerDown(peer)
      })
    }
  }

  raft(from: NetNode, message: Message): void {
    const to = this.#nodes.get(message.to)
    if (to === undefined) return
    const { lossPercent, doublePercent } = this.weather
    if (!this.#passes(from, to) || this.#prng.chance(lossPercent)) {
      if (message.type === 'append' && this.#prng.chance(20)) {
        this.#clock.at(this.#clock.nowMs, from, () => from.onUnreachable(to.nodeId))
      }
      return
    }
    const { peer } = from
    const copies = this.#prng.chance(doublePercent) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) this.#deliver(to, () => to.onRaft(message, peer))
  }

  chunk(from: NetNode, toId: number, header: ChunkHeader, bytes: Uint8Array): boolean {
    const to = this.#nodes.get(toId)
    if (to === undefined || !to.isUp) return false
    if (!this.#passes(from, to) || this.#prng.chance(this.weather.lossPercent)) return true
    const { peer } = from
    const lateMs = this.#prng.float() * this.weather.bulkDelayMsMax
    this.#deliver(to, () => to.onChunk(header, new Uint8Array(bytes), peer), lateMs)
    return true
  }

  chunkReply(from: NetNode, toId: number, reply: ChunkReply): void {
    const to = this.#nodes.get(toId)
    if (to === undefined || !this.#passes(from, to)) return
    if (this.#prng.chance(this.weather.lossPercent)) return
    const { peer } = from
    this.#deliver(to, () => to.onChunkReply(reply, peer))
  }

  forward(from: NetNode, incarnation: string, traffic: Forward): 'sent' | 'down' {
    const to = [...this.#nodes.values()].find((node) => node.incarnation === incarnation)
    if (to === undefined || !to.isUp) return 'down'
    if (!this.#passes(from, to) || this.#prng.chance(this.weather.lossPercent)) return 'sent'
    const { peer } = from
    const copies = this.doublesForwards && traffic.type === 'request' ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const again = copy === 0 ? traffic : { ...traffic, id: (traffic as { id: number }).id + 0.5 }
      this.#deliver(to, () => to.onForward(again as Forward, peer))
    }
    return 'sent'
  }

  #meet(node: NetNode, other: NetNode, delayMs = 1 + this.#prng.below(20)): void {
    this.#clock.at(this.#clock.nowMs + delayMs, node, () => {
      if (!other.isUp) return
      // Who is stopped or still reads its log introduces itself to nobody.
      if (!node.isOpen || !other.isOpen || other.pausedUntilMs > this.#clock.nowMs) {
        this.#meet(node, other, DIAL_MS)
        return
      }
      const { nodeId } = other
      const peer = { ...other.introduction(), nodeId }
      node.onPeerUp(peer)
      node.onForwardUp(peer)
    })
  }

  #passes(from: NetNode, to: NetNode): boolean {
    return to.isUp && !this.#cuts.has(`${from.nodeId}>${to.nodeId}`)
  }

  #deliver(to: NetNode, arrive: () => void, lateMs = 0): void {
    const { delayMsMax } = this.weather
    const slow = this.#prng.chance(2) ? 10 : 1
    const delayMs = lateMs + 0.1 + this.#prng.float() * delayMsMax * slow
    this.#clock.at(this.#clock.nowMs + delayMs, to, arrive)
  }
}
