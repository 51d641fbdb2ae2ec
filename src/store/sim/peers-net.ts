import type { Time } from '../../lib/clock.js'
import type { Prng } from '../../lib/prng.js'
import {
  type Channel,
  type Forward,
  type Introduction,
  Links,
  type LinksHandler,
  type Membership,
} from '../../peer/peer.js'
import { SimNetwork } from '../../peer/testing/sim-network.js'
import type { ChunkHeader, ChunkReply, Message } from '../../raft/raft.js'
import type { Logger } from '../../telemetry/log.js'
import type { SimClock } from './sim-clock.js'
import { CALM, type Net, type NetNode, type NetWeather } from './sim-net.js'

const SECRET = new Uint8Array(Buffer.from('a secret of the cluster'))

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

/**
 * The real connections of `src/peer/`, from the handshake to the frames, over streams of bytes that
 * are slow, cut, broken and now and then damaged.
 */
export class PeersNet implements Net {
  doublesForwards = false
  #weather: NetWeather = CALM
  readonly #clock: SimClock
  readonly #prng: Prng
  readonly #network: SimNetwork
  readonly #nodes: NetNode[] = []
  readonly #links = new Map<NetNode, Links>()

  constructor(clock: SimClock, prng: Prng) {
    this.#clock = clock
    this.#prng = prng
    const time: Time = {
      monotonicMs: () => clock.nowMs,
      wallMs: () => clock.nowMs,
      after: (delayMs, fire) => clock.at(clock.nowMs + Math.max(0, delayMs), null, fire),
    }
    const latencyMs = prng.pick([[0, 1] as const, [1, 3] as const, [2, 30] as const])
    this.#network = new SimNetwork({ time, random: (below) => prng.below(below), latencyMs })
  }

  get weather(): NetWeather {
    return this.#weather
  }

  /** What loses single messages elsewhere breaks connections here. */
  set weather(weather: NetWeather) {
    this.#weather = weather
    if (weather.lossPercent > 0) this.#network.breakSome(weather.lossPercent)
    if (weather.doublePercent > 0) this.#network.damageNext()
  }

  add(node: NetNode): void {
    this.#nodes.push(node)
  }

  up(node: NetNode, time: Time): void {
    const links = new Links({
      time,
      random: (below) => this.#prng.below(below),
      nonce: () => Uint8Array.from(this.#prng.ints(32, 256)),
      transport: this.#network.transport(node.name),
      log: silent,
      local: () => introductionOf(node),
      membership: () => membershipOf(node),
      secret: SECRET,
      allowInsecure: false,
      handler: this.#handlerOf(node),
    })
    this.#links.set(node, links)
    const accept = (connection: Parameters<Links['accept']>[0], channels?: readonly Channel[]) =>
      links.accept(connection, channels)
    for (const address of addressesOf(node.name)) this.#network.listen(node.name, address, accept)
  }

  down(node: NetNode): void {
    this.#links.delete(node)
    this.#network.kill(node.name)
  }

  cut(from: NetNode, to: NetNode): void {
    this.#network.cut(from.name, to.name)
  }

  breakOff(a: NetNode, b: NetNode): void {
    // Every one of them; which does not matter to a network.
    this.#network.lose(this.#prng.chance(50) ? a.name : b.name)
  }

  heal(): void {
    this.#network.heal()
  }

  rosterChanged(node: NetNode): void {
    const others = (node.roster()?.members ?? []).filter(({ nodeId }) => nodeId !== node.nodeId)
    this.#links.get(node)?.setMembers(
      others.map(({ name, incarnation, nodeId, peerUrl }) => {
        return { name, incarnation, nodeId, address: peerUrl }
      }),
    )
  }

  statusChanged(node: NetNode): void {
    this.#links.get(node)?.refresh()
  }

  raft(from: NetNode, message: Message): void {
    this.#links.get(from)?.sendRaft(message)
  }

  chunk(from: NetNode, to: number, header: ChunkHeader, bytes: Uint8Array): boolean {
    return this.#links.get(from)?.sendChunk(to, header, bytes) ?? false
  }

  chunkReply(from: NetNode, to: number, reply: ChunkReply): void {
    this.#links.get(from)?.sendChunkReply(to, reply)
  }

  forward(from: NetNode, incarnation: string, traffic: Forward): ReturnType<Net['forward']> {
    return this.#links.get(from)?.sendForward(incarnation, traffic) ?? 'down'
  }

  /** Each call is an event of the node: one that is stopped hears it when it goes on. */
  #handlerOf(node: NetNode): LinksHandler {
    const soon = (call: () => void): void => {
      this.#clock.at(this.#clock.nowMs, node, call)
    }
    return {
      onPeerUp: (peer) => soon(() => node.onPeerUp(peer)),
      onPeerDown: (peer) => soon(() => node.onPeerDown(peer)),
      onRaft: (message, peer) => soon(() => node.onRaft(message, peer)),
      onUnreachable: (nodeId) => soon(() => node.onUnreachable(nodeId)),
      onChunk: (header, bytes, peer) => soon(() => node.onChunk(header, bytes, peer)),
      onChunkReply: (reply, peer) => soon(() => node.onChunkReply(reply, peer)),
      onChunkRoom: (peer) => soon(() => node.onChunkRoom(peer)),
      onForward: (traffic, peer) => soon(() => node.onForward(traffic, peer)),
      onForwardUp: (peer) => soon(() => node.onForwardUp(peer)),
      onForwardDown: (peer) => soon(() => node.onForwardDown(peer)),
      onRefused: () => {},
      onDialFailed: () => {},
    }
  }
}

/** Members move between the two. */
export function addressesOf(name: string): readonly [string, string] {
  return [`http://${name}:2380`, `http://${name}:2382`]
}

function introductionOf(node: NetNode): Introduction {
  return { ...node.introduction(), bootId: `${node.life}` }
}

function membershipOf(node: NetNode): Membership {
  const roster = node.roster()
  const members = roster?.members ?? []
  return {
    self: introductionOf(node),
    knownUpTo: node.appliedIndex(),
    member: (name) => members.find((member) => member.name === name) ?? null,
    nameOf: (nodeId) => members.find((member) => member.nodeId === nodeId)?.name ?? null,
    isPurged: (incarnation) =>
      roster?.removed.some((member) => member.incarnation === incarnation) === true,
    liveBoot: () => null,
  }
}
