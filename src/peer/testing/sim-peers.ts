import { VirtualTime } from '../../lib/clock.js'
import { Prng } from '../../lib/prng.js'
import type { ChunkHeader, ChunkReply, Message } from '../../raft/raft.js'
import { MemoryLogger } from '../../telemetry/memory-log.js'
import type { Introduction, Peer } from '../identity.js'
import { Links } from '../links.js'
import type {
  DialFailedEvent,
  LinksHandler,
  LinksOptions,
  MemberAddress,
  RefusedEvent,
} from '../links-contract.js'
import type { Forward } from '../traffic.js'
import { SimNetwork, type SimNetworkOptions } from './sim-network.js'

export const addressOf = (name: string): string => `http://${name}:2380`

/** A member of a cluster of `a`, `b`, `c` and so on, which have the numbers 1, 2, 3. */
export function introduction(name: string, changes: Partial<Introduction> = {}): Introduction {
  return {
    name,
    incarnation: `inc-${name}`,
    bootId: `boot-${name}`,
    nodeId: name.charCodeAt(0) - 96,
    clusterName: 'prod',
    clusterId: 'c1',
    admittedAt: 1,
    level: 1,
    levelMin: 1,
    clusterLevel: 1,
    logEnd: { index: 1, term: 1 },
    ...changes,
  }
}

export const newcomer = (name: string, changes: Partial<Introduction> = {}): Introduction =>
  introduction(name, { nodeId: 0, clusterId: null, admittedAt: 0, clusterLevel: 0, ...changes })

/** A node that has nothing but its links, and remembers what it hears. */
export class SimPeer implements LinksHandler {
  readonly name: string
  readonly links: Links
  readonly log = new MemoryLogger()
  local: Introduction
  members: readonly MemberAddress[] = []
  purged = new Set<string>()
  knownUpTo = 10
  readonly up: string[] = []
  readonly events: string[] = []
  readonly raft: Message[] = []
  readonly raftAtMs: number[] = []
  readonly chunks: ChunkHeader[] = []
  readonly chunkReplies: ChunkReply[] = []
  readonly forwarded: { readonly from: string; readonly traffic: Forward }[] = []
  readonly refused: RefusedEvent[] = []
  readonly dialFailures: DialFailedEvent[] = []
  readonly unreachable: number[] = []
  onRoom: (peer: Peer) => void = () => {}
  onTraffic: (traffic: Forward, peer: Peer) => void = () => {}
  onDown: (peer: Peer) => void = () => {}
  onUp: (peer: Peer) => void = () => {}
  readonly #time: VirtualTime

  constructor(world: SimWorld, local: Introduction, options: Partial<LinksOptions>) {
    this.name = local.name
    this.local = local
    this.#time = world.time
    this.links = new Links({
      time: world.time,
      random: (below) => world.prng.below(below),
      nonce: () => Uint8Array.from(world.prng.ints(32, 256)),
      transport: world.network.transport(this.name),
      log: this.log,
      local: () => this.local,
      membership: () => this.#membership(),
      secret: Uint8Array.from(Buffer.from('secret')),
      allowInsecure: false,
      handler: this,
      ...options,
    })
    world.network.listen(this.name, addressOf(this.name), (connection, channels) =>
      this.links.accept(connection, channels),
    )
  }

  get connected(): string[] {
    return this.links
      .status()
      .flatMap((peer) =>
        peer.links.flatMap((link) => (link.connected ? [`${peer.name} ${link.channel}`] : [])),
      )
      .sort()
  }

  #membership() {
    const all = [
      ...this.members,
      ...(this.local.clusterId === null ? [] : [{ ...this.local, address: null }]),
    ]
    return {
      self: this.local,
      knownUpTo: this.knownUpTo,
      member: (name: string) => all.find((member) => member.name === name) ?? null,
      nameOf: (nodeId: number) => all.find((member) => member.nodeId === nodeId)?.name ?? null,
      isPurged: (incarnation: string) => this.purged.has(incarnation),
      liveBoot: () => null,
    }
  }

  onPeerUp(peer: Peer): void {
    this.up.push(peer.name)
    this.events.push(`up ${peer.name}`)
  }

  onPeerDown(peer: Peer): void {
    this.events.push(`down ${peer.name}`)
  }

  onRaft(message: Message): void {
    this.raft.push(message)
    this.raftAtMs.push(this.#time.monotonicMs())
  }

  onUnreachable(nodeId: number): void {
    this.unreachable.push(nodeId)
  }

  onChunk(header: ChunkHeader): void {
    this.chunks.push(header)
  }

  onChunkReply(reply: ChunkReply): void {
    this.chunkReplies.push(reply)
  }

  onChunkRoom(peer: Peer): void {
    this.onRoom(peer)
  }

  onForward(traffic: Forward, peer: Peer): void {
    this.forwarded.push({ from: peer.name, traffic })
    this.onTraffic(traffic, peer)
  }

  onForwardUp(peer: Peer): void {
    this.events.push(`forward ${peer.name}`)
    this.onUp(peer)
  }

  onForwardDown(peer: Peer): void {
    this.events.push(`forward-down ${peer.name}`)
    this.onDown(peer)
  }

  onDialFailed(event: DialFailedEvent): void {
    this.dialFailures.push(event)
  }

  onRefused(event: RefusedEvent): void {
    this.refused.push(event)
  }
}

export class SimWorld {
  readonly time = new VirtualTime()
  readonly prng: Prng
  readonly network: SimNetwork
  readonly peers = new Map<string, SimPeer>()

  constructor(seed = 1, options: Partial<SimNetworkOptions> = {}) {
    this.prng = new Prng(seed)
    const random = (below: number): number => this.prng.below(below)
    this.network = new SimNetwork({ time: this.time, random, ...options })
  }

  add(local: Introduction, options: Partial<LinksOptions> = {}): SimPeer {
    const peer = new SimPeer(this, local, options)
    this.peers.set(local.name, peer)
    return peer
  }

  /** Members that know each other. */
  cluster(names: readonly string[], options: Partial<LinksOptions> = {}): SimPeer[] {
    const peers = names.map((name) => this.add(introduction(name), options))
    this.acquaint(names)
    return peers
  }

  acquaint(names: readonly string[]): void {
    for (const name of names) {
      const peer = this.peers.get(name) as SimPeer
      peer.members = names
        .filter((other) => other !== name)
        .map((other) => ({ ...introduction(other), address: addressOf(other) }))
      peer.links.setMembers(peer.members)
    }
  }

  /** Stops a process dead. */
  kill(name: string): void {
    this.peers.get(name)?.links.close()
    this.peers.delete(name)
    this.network.kill(name)
  }
}

export const heartbeat = (from: number, to: number, commit: number): Message => ({
  type: 'heartbeat',
  from,
  to,
  term: 1,
  commit,
  round: 0,
})

/** One entry of `bytes` bytes. */
export const append = (from: number, to: number, index: number, bytes: number): Message => ({
  type: 'append',
  from,
  to,
  term: 1,
  prevIndex: index - 1,
  prevTerm: 1,
  commit: 0,
  entries: [{ index, term: 1, data: new Uint8Array(bytes), change: null }],
})
