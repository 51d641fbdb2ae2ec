import { randomBytes, randomInt } from 'node:crypto'
import { EmbeddedBoard } from '../board/embedded-board.js'
import { LastBeats } from '../board/last-beats.js'
import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { NodeDisk } from '../lib/node-disk.js'
import type { Peer, RefusedEvent } from '../peer/peer.js'
import type { ClusterSetup } from '../root/threads.js'
import type { ConsensusStatus, Replica, Roster } from '../store/cluster.js'
import { type NodeIdentity, openIdentity } from '../store/identity.js'
import { openReplica } from '../store/open-replica.js'
import { foundingOf } from '../store/roster.js'
import { spawnLogThread } from '../store/spawn-log-thread.js'
import type { Logger } from '../telemetry/log.js'
import { bootstrap } from './bootstrap.js'
import { ClusterService, initialText } from './cluster-service.js'
import { PeerClusterView } from './cluster-view.js'
import { Founder } from './founder.js'
import { LeaderWrites } from './leader-writes.js'
import { checkIdentityIsThere, isMarked, logIsGone, mark } from './member-mark.js'
import { MembershipKeeper } from './membership-keeper.js'
import { PeerNetwork } from './peer-network.js'
import { VERSION_KEY } from './record.js'

const BOOTSTRAP_RETRY_MS = 50

export interface ClusterNodeOptions {
  readonly time: Time
  readonly log: Logger
  readonly name: string
  /** Start-up options as `--print-config` shows them. */
  readonly memberOptions: Readonly<Record<string, unknown>>
  readonly dataDir: string
  readonly setup: ClusterSetup
  readonly isFirstLife: boolean
  /** What this node ever knew can be read, and the configuration has a version. */
  onReady(): void
  /** Before `onReady`: it cannot start. After it: nothing is written any more. */
  onFailed(error: GatewayError): void
  onStopped(): void
  /** It belongs to no cluster yet, and waits for others. */
  onWaiting(why: string): void
  /** It was taken out of its cluster and must not go on. */
  onPurged(why: string): void
  onQuorum(): void
}

/** This node as a member of its cluster: network, replicated store, board, and how it gets in. */
export class ClusterNode {
  readonly view: PeerClusterView
  readonly replica: Replica
  readonly writes: LeaderWrites
  readonly #options: ClusterNodeOptions
  readonly #disk: NodeDisk
  readonly #identity: NodeIdentity
  readonly #network: PeerNetwork
  readonly #service: ClusterService
  readonly #board: EmbeddedBoard
  readonly #lastBeats: LastBeats
  readonly #keeper: MembershipKeeper
  #founder: Founder | null = null
  /** As the connections were told last. */
  #introduced = ''
  #isPurged = false
  #isStopping = false

  /** Throws GatewayError when data directory or certificates cannot be used. */
  constructor(options: ClusterNodeOptions) {
    this.#options = options
    const { time, log, name, dataDir, setup } = options
    const syncs = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    this.#disk = new NodeDisk(dataDir, () => void Atomics.add(syncs, 0, 1))
    checkIdentityIsThere(this.#disk, name)
    this.#identity = openIdentity(this.#disk, name, randomBytes(8).toString('hex'))
    const { incarnation } = this.#identity
    const self = { name, incarnation, bootId: randomBytes(8).toString('hex') }
    this.#network = new PeerNetwork({
      time,
      log,
      setup,
      self,
      isFirstLife: options.isFirstLife,
      onMeeting: (peer) => this.#onMeeting(peer),
      onDialFailed: (event) => this.#founder?.onDialFailed(event),
      onRefused: (event) => this.#onRefused(event),
      onPortFailed: (error) => options.onFailed(error),
    })
    const { links, rpc } = this.#network
    const initial = setup.start.type === 'found' ? initialText(setup.start.members) : ''
    let made: Replica | null = null
    this.#service = new ClusterService({ rpc, replica: () => made, url: setup.peerUrl, initial })
    this.#board = new EmbeddedBoard({ time, rpc, self })
    this.replica = openReplica({
      time,
      log: log.child('store'),
      random: (below) => randomInt(below),
      defer: (task) => void setImmediate(task),
      self: { name, incarnation, peerUrl: setup.peerUrl },
      // The root holds the lock of the directory, over all lives of the coordinator.
      spawnLog: spawnLogThread(dataDir, { locked: true, syncs }),
      links,
      rpc,
      listener: {
        onBlank: () => this.#onBlank(),
        onConsensus: (status) => this.#onConsensus(status),
        onMembers: (roster) => this.#onMembers(roster),
        onReady: () => {
          if (!this.#mark()) return
          this.#network.open(this.replica)
          this.#bootstrap()
        },
        onFailed: (error) => options.onFailed(error),
        onStopped: () => options.onStopped(),
      },
    })
    made = this.replica
    this.writes = new LeaderWrites({
      rpc,
      incarnation,
      consensus: () => this.replica.consensus(),
    })
    this.view = new PeerClusterView({
      time,
      log: log.child('cluster'),
      syncs: () => Atomics.load(syncs, 0) >>> 0,
      replica: this.replica,
      links,
      board: this.#board,
      self: { name, incarnation, options: options.memberOptions, startedMs: time.wallMs() },
    })
    this.#lastBeats = new LastBeats({
      time,
      log,
      board: this.#board,
      store: this.replica.store,
      members: () => this.replica.roster().members,
      lastHeardMs: (of) => links.lastHeardMs(of),
      self,
    })
    const { replica } = this
    this.#keeper = new MembershipKeeper({
      time,
      log,
      replica,
      incarnation,
      peerUrl: setup.peerUrl,
    })
  }

  get incarnation(): string {
    return this.#identity.incarnation
  }

  reloadCertificates(): void {
    try {
      this.#network.reloadCertificates()
    } catch (thrown) {
      const { message } = GatewayError.from(thrown)
      this.#options.log.error('certificates not reloaded', { error: message })
    }
  }

  /** Hands leadership over, closes the log; leads to `onStopped`. */
  stop(): void {
    this.#isStopping = true
    this.#founder?.close()
    this.#keeper.close()
    this.#lastBeats.close()
    this.view.close()
    this.replica.store.stop()
  }

  #onBlank(): void {
    const { time, log, name, dataDir, setup, onWaiting, onFailed } = this.#options
    const { incarnation } = this.#identity
    if (isMarked(this.#disk)) {
      onFailed(logIsGone(dataDir, name))
      return
    }
    this.#founder = new Founder({
      time,
      log,
      self: { name, incarnation, peerUrl: setup.peerUrl },
      setup,
      service: this.#service,
      dialGuest: (address, of) => this.#network.dialGuest(address, of),
      found: (members) => {
        if (this.#mark()) this.replica.found(foundingOf(members))
      },
      foundAgain: (founding) => {
        if (this.#mark()) this.replica.found(founding)
      },
      // Marked once it is ready: until it has a snapshot it has promised nothing.
      join: (roster) => this.replica.join(roster),
      waiting: onWaiting,
    })
    // The replica, and with it this object, is complete in a moment.
    setImmediate(() => {
      if (this.#isStopping) return
      this.#network.open(this.replica)
      this.#founder?.start()
    })
  }

  /** From here on an empty log is one that was lost; see `member-mark.ts`. */
  #mark(): boolean {
    try {
      mark(this.#disk)
      return true
    } catch (thrown) {
      this.#options.onFailed(GatewayError.from(thrown))
      return false
    }
  }

  #onMeeting(peer: Peer): void {
    this.#board.peerUp(peer)
    this.#founder?.onMeeting(peer)
  }

  #onRefused(event: RefusedEvent): void {
    this.#founder?.onRefused(event)
    const { refusal, by, trusted } = event
    if (refusal.code !== 'purged' || by !== 'peer' || !trusted || this.#isPurged) return
    this.#isPurged = true
    this.#options.onPurged(refusal.message)
  }

  #onMembers(roster: Roster): void {
    this.#network.open(this.replica)
    this.#network.onMembers(roster)
    this.#keeper.look()
    this.#forgetPurged(roster)
  }

  #forgetPurged(roster: Roster): void {
    for (const { incarnation } of roster.removed) this.#board.forget(incarnation)
  }

  #onConsensus(status: ConsensusStatus): void {
    const introduced = `${status.nodeId} ${status.clusterId} ${status.admittedAt}`
    if (introduced !== this.#introduced) {
      this.#introduced = introduced
      this.#network.refresh()
    }
    this.#board.leads(status.hasQuorum ? status.leaderIncarnation : null, status.term)
    this.#keeper.look()
    this.#options.onQuorum()
  }

  /** A cluster has a configuration version from its first moments; whoever comes first writes it. */
  #bootstrap(): void {
    const { time, onReady, onWaiting } = this.#options
    const { store } = this.replica
    let waitedMs = 0
    const look = (): void => {
      if (this.#isStopping) return
      store.get(VERSION_KEY, 'local', (outcome) => {
        if (outcome.ok && outcome.value.kv !== null) onReady()
        else if (this.replica.consensus().hasQuorum) bootstrap(store, time.wallMs(), later)
        else later()
      })
    }
    const later = (): void => {
      waitedMs += BOOTSTRAP_RETRY_MS
      if (waitedMs % 2_000 === 0) onWaiting(this.view.quorumProblem())
      time.after(waitedMs === BOOTSTRAP_RETRY_MS ? 0 : BOOTSTRAP_RETRY_MS, look)
    }
    look()
  }
}
