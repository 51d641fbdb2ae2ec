import type { Time } from '../../lib/clock.js'
import type { Disk } from '../../lib/disk.js'
import type { GatewayError } from '../../lib/errors.js'
import type { Prng } from '../../lib/prng.js'
import { type Forward, type Peer, Rpc } from '../../peer/peer.js'
import type { Faults } from '../../raft/faults.js'
import type { ChunkHeader, ChunkReply, Message, Raft } from '../../raft/raft.js'
import type { Logger } from '../../telemetry/log.js'
import type { ConsensusStatus, Founding, MemberIdentity, Replica, Roster } from '../cluster.js'
import type { LogOptions } from '../log/log.js'
import type { SpawnLog } from '../log/messages.js'
import { nodeIdOf } from '../node-id.js'
import { openReplica } from '../open-replica.js'
import type { Seams } from '../raft-sequencer/raft-sequencer.js'
import type { Sequencer } from '../sequencer.js'
import { SimDisk } from '../sim-disk.js'
import type { Companion, CompanionLife } from './companion.js'
import { NodeTime, type SimClock } from './sim-clock.js'
import { simLog } from './sim-log.js'
import type { Net, NetNode } from './sim-net.js'

/** A bug of ours between the parts, to see that the simulation finds it. */
export interface Plant {
  readonly faults?: Faults
  disk?(disk: Disk): Disk
  spawn?(spawn: SpawnLog, time: Time): SpawnLog
  order?(sequencer: Sequencer): Sequencer
  /** Changes what is asked of the leader. */
  ask?(ask: Rpc['ask']): Rpc['ask']
  /** The milliseconds that the store counts for one of the world's. */
  readonly timeRate?: number
  readonly readsAreLocal?: boolean
  readonly doublesForwards?: boolean
  /** False: what comes of a broken promise must show. */
  readonly promisesCount?: boolean
}

export interface SimNodeOptions {
  readonly name: string
  readonly clock: SimClock
  readonly net: Net
  readonly prng: Prng
  readonly plant: Plant
  readonly snapshotAfterBytes: number
  /** Of the core; see `Seams`. */
  readonly limits: NonNullable<Seams['limits']>
  readonly companion: Companion | null
  /** Milliseconds a write takes; default: drawn at each start, some are slow. */
  readonly diskMs?: readonly [min: number, max: number]
  /** Null: it joins. */
  readonly founding: (() => Founding) | null
  readonly events: SimNodeEvents
}

export interface SimNodeEvents {
  /** A store is there, of this life, to be followed from its start. */
  onOpened(node: SimNode): void
  onReady(node: SimNode): void
  /** Its disk is empty, and it is nobody yet. */
  onBlank(node: SimNode): void
  onFailed(node: SimNode, error: GatewayError): void
  onWrite(node: SimNode, request: Parameters<ReturnType<SpawnLog>['tell']>[0]): void
  /** Its core begins, with what its disk gave back. */
  onCore(node: SimNode, raft: Raft): void
  /** It says so, now. */
  onSend(node: SimNode, message: Message): void
  onSendChunk(node: SimNode, to: number): void
}

export const SIM_TICK_MS = 50
export const SIM_ELECTION_TICKS = 10

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

const DISK_KINDS: readonly (readonly [minMs: number, maxMs: number])[] = [
  [0.2, 0.5],
  [0.2, 0.5],
  [1, 8],
  [5, 60],
]

/** A member: its disk, and one life after the other of the process that uses it. */
export class SimNode implements NetNode {
  readonly name: string
  readonly incarnation: string
  readonly nodeId: number
  readonly identity: MemberIdentity
  readonly disk: SimDisk
  life = 0
  pausedUntilMs = 0
  isUp = false
  isOpen = false
  isReady = false
  /** What it was told when it was made a member. */
  joined: Roster | null = null
  replica: Replica | null = null
  raft: Raft | null = null
  consensus: ConsensusStatus | null = null
  failed: GatewayError | null = null
  readonly #options: SimNodeOptions
  readonly #logOptions: LogOptions
  #rpc: Rpc | null = null
  #time: NodeTime | null = null
  #companion: CompanionLife | null = null
  /** Of this life, by incarnation, in monotonic milliseconds. */
  readonly #heardMs = new Map<string, number>()
  #diskMs: readonly [number, number] = [0.2, 0.5]
  peer!: Peer

  constructor(options: SimNodeOptions) {
    const { name, prng } = options
    this.#options = options
    this.name = name
    this.incarnation = `inc-${name}`
    this.nodeId = nodeIdOf(this.incarnation)
    this.identity = { name, incarnation: this.incarnation, peerUrl: `http://${name}:2380` }
    this.disk = new SimDisk(prng)
    this.#logOptions = { salt: prng.uint32(), segmentBytes: 32 * 1024, reserveBytes: 1024 }
  }

  start(): void {
    const { clock, net, prng, plant, events, founding, snapshotAfterBytes } = this.#options
    const { limits, companion } = this.#options
    this.life += 1
    this.isUp = true
    this.isOpen = false
    this.isReady = false
    this.failed = null
    this.pausedUntilMs = 0
    this.#diskMs = this.#options.diskMs ?? prng.pick(DISK_KINDS)
    // Clocks that are as wrong as cheap ones are.
    const rate = 0.995 + prng.float() * 0.01
    const time = new NodeTime(
      clock,
      this,
      rate * (plant.timeRate ?? 1),
      prng.below(120_000) - 60_000,
    )
    const rpc = new Rpc({
      time,
      links: { sendForward: (to, traffic) => net.forward(this, to, traffic) },
    })
    this.#rpc = rpc
    this.#time = time
    this.#heardMs.clear()
    this.#companion = companion?.start(this, time, rpc) ?? null
    const disk = plant.disk?.(this.disk) ?? this.disk
    const log = simLog(disk, time, this.#logOptions, (request) =>
      request.type === 'write' || request.type === 'receive' ? this.#serviceMs() : 0.02,
    )
    const spawn: SpawnLog = (receive, exited) => {
      const link = log(receive, exited)
      return {
        tell: (request) => {
          events.onWrite(this, request)
          link.tell(request)
        },
      }
    }
    const random = (below: number): number => prng.below(below)
    const replica = openReplica(
      {
        time,
        log: silent,
        random,
        defer: (task) => time.after(0, task),
        self: this.identity,
        spawnLog: plant.spawn?.(spawn, time) ?? spawn,
        snapshotAfterBytes,
        timing: { tickMs: SIM_TICK_MS, heartbeatTicks: 2, electionTicks: SIM_ELECTION_TICKS },
        rpc: plant.ask === undefined ? rpc : asking(rpc, plant.ask),
        links: {
          sendRaft: (message) => {
            net.raft(this, message)
            events.onSend(this, message)
          },
          sendChunk: (to, header, bytes) => {
            events.onSendChunk(this, to)
            return net.chunk(this, to, header, bytes)
          },
          sendChunkReply: (to, reply) => net.chunkReply(this, to, reply),
        },
        listener: {
          onReady: () => {
            this.isOpen = true
            this.isReady = true
            events.onReady(this)
          },
          onFailed: (error) => {
            this.failed = error
            events.onFailed(this, error)
          },
          onStopped: () => {},
          onBlank: () => {
            this.isOpen = true
            if (founding !== null) replica.found(founding())
            else if (this.joined !== null) replica.join(this.joined)
            else events.onBlank(this)
          },
          onConsensus: (status) => {
            this.consensus = status
            net.statusChanged(this)
            this.#companion?.onConsensus(status)
          },
          onMembers: (roster) => {
            this.isOpen = true
            net.rosterChanged(this)
            this.#companion?.onMembers(roster)
          },
        },
      },
      {
        limits,
        ...(plant.faults === undefined ? {} : { faults: plant.faults }),
        order: (sequencer) => plant.order?.(sequencer) ?? sequencer,
        watch: (raft) => {
          this.raft = raft
          events.onCore(this, raft)
        },
      },
    )
    this.replica = replica
    this.peer = { ...this.introduction(), nodeId: this.nodeId }
    events.onOpened(this)
    net.up(this, time)
  }

  /** The process is gone, and with it all that was not on the disk or in the page cache. */
  end(isNoticed: boolean): void {
    this.isUp = false
    this.isOpen = false
    this.life += 1
    this.#options.net.down(this, isNoticed)
    this.#companion?.ended()
    this.#companion = null
    this.#time = null
    this.replica = null
    this.raft = null
    this.consensus = null
    this.#rpc = null
    this.isReady = false
  }

  /** By a signal, for so long, or for longer if it is stopped already: what waits keeps its time. */
  stop(ms: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.#options.clock.nowMs + ms)
  }

  /** Somebody set its wall clock. */
  setWallClock(skewMs: number): void {
    if (this.#time !== null) this.#time.skewMs = skewMs
  }

  /** By its monotonic clock, as `Links.lastHeardMs` knows it; null: never in this life. */
  lastHeardMs(incarnation: string): number | null {
    return this.#heardMs.get(incarnation) ?? null
  }

  #heard(from: Peer): void {
    if (this.#time !== null) this.#heardMs.set(from.incarnation, this.#time.monotonicMs())
  }

  #serviceMs(): number {
    const [min, max] = this.#diskMs
    return min + this.#options.prng.float() * (max - min)
  }

  roster(): Roster | null {
    return this.replica?.roster() ?? null
  }

  appliedIndex(): number {
    return this.replica?.consensus().appliedIndex ?? 0
  }

  introduction(): Peer {
    const status = this.replica?.consensus()
    const logEnd = status?.logEnd ?? { index: 0, term: 0 }
    const nodeId = status?.nodeId ?? this.nodeId
    const clusterId = status?.clusterId ?? ''
    const { name, incarnation } = this
    return {
      name,
      incarnation,
      nodeId,
      bootId: `${this.life}`,
      clusterName: 'sim',
      clusterId: clusterId === '' ? null : clusterId,
      admittedAt: status?.admittedAt ?? 0,
      level: 1,
      levelMin: 1,
      clusterLevel: 1,
      logEnd,
      guest: false,
    }
  }

  onRaft(message: Message, from: Peer): void {
    this.#heard(from)
    this.replica?.inbound.onRaft(message, from)
  }

  onUnreachable(nodeId: number): void {
    this.replica?.inbound.onUnreachable(nodeId)
  }

  onChunk(header: ChunkHeader, bytes: Uint8Array, from: Peer): void {
    this.replica?.inbound.onChunk(header, bytes, from)
  }

  onChunkReply(reply: ChunkReply, from: Peer): void {
    this.replica?.inbound.onChunkReply(reply, from)
  }

  onForward(traffic: Forward, from: Peer): void {
    this.#heard(from)
    this.#rpc?.receive(traffic, from)
  }

  onPeerUp(peer: Peer): void {
    this.replica?.inbound.onPeerUp(peer)
  }

  onChunkRoom(peer: Peer): void {
    this.replica?.inbound.onChunkRoom(peer)
  }

  onForwardUp(peer: Peer): void {
    this.#companion?.onForwardUp(peer)
  }

  onForwardDown(peer: Peer): void {
    this.#rpc?.peerDown(peer)
  }

  onPeerDown(peer: Peer): void {
    this.replica?.inbound.onPeerDown(peer)
  }
}

function asking(rpc: Rpc, change: NonNullable<Plant['ask']>): Pick<Rpc, 'ask' | 'serve'> {
  return {
    ask: change((...args) => rpc.ask(...args)),
    serve: (name, service) => rpc.serve(name, service),
  }
}
