import { messageProblem } from '../check-message.js'
import { members } from '../config.js'
import type { Faults } from '../faults.js'
import {
  type AppendTask,
  type ConfChange,
  EMPTY_START,
  type Entry,
  foundingStart,
  type Message,
  type NodeId,
  Raft,
  type Ready,
  type SingleChange,
  type StartState,
} from '../raft.js'
import {
  type ChunkHeader,
  type ChunkReply,
  SnapshotReceiver,
  SnapshotSender,
} from '../snapshot-transfer.js'
import { Checker, SafetyViolation } from './checker.js'
import { type DiskFault, SimDisk } from './sim-disk.js'

/** Chances are in per mille of a tick, unless named otherwise. */
export interface Weather {
  readonly dropPercent: number
  readonly doublePercent: number
  /** 0: also none is overtaken. */
  readonly delayTicksMax: number
  readonly diskTicksMax: number
  readonly crash: number
  /** Ticks a crashed node stays away, at most. */
  readonly downTicksMax: number
  readonly partition: number
  readonly heal: number
  readonly propose: number
  readonly read: number
  readonly confChange: number
  readonly snapshot: number
  readonly transfer: number
  readonly meddle: number
}

export const ROUGH: Weather = {
  dropPercent: 5,
  doublePercent: 5,
  delayTicksMax: 3,
  diskTicksMax: 4,
  crash: 12,
  downTicksMax: 25,
  partition: 15,
  heal: 60,
  propose: 400,
  read: 200,
  confChange: 15,
  snapshot: 25,
  transfer: 10,
  meddle: 5,
}

const CALM: Weather = {
  ...ROUGH,
  dropPercent: 0,
  doublePercent: 0,
  delayTicksMax: 0,
  diskTicksMax: 0,
  crash: 0,
  partition: 0,
  propose: 0,
  read: 0,
  confChange: 0,
  snapshot: 0,
  transfer: 0,
  meddle: 0,
}

export interface ClusterOptions {
  readonly random: (below: number) => number
  /** First voters. */
  readonly nodes: number
  /** Nodes there may ever be. */
  readonly nodesMax?: number
  readonly weather?: Partial<Weather>
  readonly faults?: Faults
  readonly diskFault?: DiskFault
  readonly preVote?: boolean
  readonly checkQuorum?: boolean
  /** Default 150: about four entries; 1 makes each entry its own append. */
  readonly appendBytesMax?: number
}

type Packet =
  | { readonly kind: 'raft'; readonly message: Message }
  | {
      readonly kind: 'chunk'
      readonly from: NodeId
      readonly to: NodeId
      header: ChunkHeader
      bytes: Uint8Array
    }
  | { readonly kind: 'chunk-reply'; readonly from: NodeId; readonly to: NodeId; reply: ChunkReply }

interface Node {
  readonly id: NodeId
  readonly disk: SimDisk
  raft: Raft | null
  /** Tick at which a crashed node comes back. */
  backAt: number
  /** Drawn at each start: some disks are slow. */
  diskTicksMax: number
  writes: { task: AppendTask; dueAt: number; bytes: Uint8Array | null }[]
  digest: number
  applied: number
  commitSeen: number
  waiting: Map<number, number>
  reads: Map<number, number>
  /** Who granted a pre-vote for which term. */
  asked: Map<number, Set<NodeId>>
  timeoutNowTerm: number
  heardTicks: number
  /** Newest term this node led. */
  ledFrom: number
  senders: Map<NodeId, { sender: SnapshotSender; bytes: Uint8Array }>
  receivers: Map<NodeId, { receiver: SnapshotReceiver; bytes: number[] }>
  received: Uint8Array | null
}

const ELECTION_TICKS = 10

/**
 * Nodes, disks and links in memory, all chance drawn from one source; equal seeds give equal runs.
 * Every step is held against the {@link Checker}.
 */
export class SimCluster {
  readonly checker = new Checker()
  readonly #random: (below: number) => number
  readonly #options: ClusterOptions
  readonly #nodes = new Map<NodeId, Node>()
  readonly #nodesMax: number
  #weather: Weather
  #now = 0
  #packets = new Map<number, Packet[]>()
  /** Directed links that are cut, as `from * 100 + to`. */
  readonly #cut = new Set<number>()
  #nextPayload = 0
  #nextRead = 0
  #nextTransfer = 0
  #acknowledgedWrites = 0
  #servedReads = 0
  #transfersDone = 0
  #changes = 0

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#random = options.random
    this.#weather = { ...ROUGH, ...options.weather }
    this.#nodesMax = options.nodesMax ?? 7
    const voters = Array.from({ length: options.nodes }, (_, at) => at + 1)
    for (const id of voters) this.#addNode(id, foundingStart(voters))
    this.checker.commits(0, 1, 1, 1)
    this.checker.applied(0, 1, 1)
  }

  get counts() {
    return {
      writes: this.#acknowledgedWrites,
      reads: this.#servedReads,
      transfers: this.#transfersDone,
      changes: this.#changes,
      commitMax: this.checker.commitMax,
    }
  }

  /** One tick of time at every node, with whatever the weather brings. */
  tick(): void {
    this.#now += 1
    this.#stir()
    const arrived = this.#packets.get(this.#now) ?? []
    if (this.#weather.delayTicksMax > 0) this.#shuffled(arrived)
    for (const packet of arrived) this.#deliver(packet)
    this.#packets.delete(this.#now)
    for (const node of this.#shuffled([...this.#nodes.values()])) {
      if (node.raft === null) {
        if (this.#now >= node.backAt) this.#boot(node)
        continue
      }
      // Clocks differ: now and then one misses a tick.
      if (this.#random(20) > 0) {
        node.heardTicks += 1
        node.raft.tick()
        for (const [to, { sender }] of node.senders) this.#pumpSender(node, to, sender, true)
      }
      this.#finishWrites(node)
      this.#work(node)
    }
  }

  /** Faults stop: everyone is back, all links work, disks are fast. */
  heal(): void {
    this.#weather = CALM
    this.#cut.clear()
    for (const node of this.#nodes.values()) {
      node.backAt = this.#now
      node.diskTicksMax = 0
    }
  }

  /**
   * After {@link heal}: a leader is found, an entry is committed and every member applies it, and
   * all reads are answered. Throws when that takes more than `ticksMax`.
   */
  recover(ticksMax: number): void {
    let goal: { index: number; term: number } | null = null
    for (let tick = 0; tick < ticksMax; tick++) {
      this.tick()
      const leader = this.#leader()
      if (leader === null) continue
      const status = leader.raft!.status()
      if (goal === null || this.#lost(goal)) {
        const result = leader.raft!.propose(new Uint8Array([255]))
        this.#work(leader)
        goal = result.ok ? { index: result.index, term: result.term } : null
        continue
      }
      const all = members(status.config)
      const { index } = goal
      if (
        all.every((id) => (this.#nodes.get(id)?.applied ?? 0) >= index) &&
        [...this.#nodes.values()].every((node) => node.reads.size === 0)
      ) {
        return
      }
    }
    throw new SafetyViolation(`liveness: not recovered after ${ticksMax} ticks: ${this.describe()}`)
  }

  #lost(goal: { index: number; term: number }): boolean {
    const leader = this.#leader()
    return leader !== null && leader.raft!.termAtForTest(goal.index) === -1
  }

  describe(): string {
    return [...this.#nodes.values()]
      .map((node) => {
        const s = node.raft?.status()
        if (s === undefined) return `${node.id} down`
        return `${node.id} ${s.role} t${s.term} c${s.commit} a${s.applied} l${s.lastIndex} cfg ${s.config.voters}/${s.config.outgoing}/${s.config.learners} reads ${node.reads.size}`
      })
      .join('; ')
  }

  // ---------------------------------------------------------------- weather

  #chance(perMille: number): boolean {
    return perMille > 0 && this.#random(1000) < perMille
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random(items.length)]!
  }

  #shuffled<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#random(i + 1)
      const held = items[i]!
      items[i] = items[j]!
      items[j] = held
    }
    return items
  }

  #alive(): Node[] {
    return [...this.#nodes.values()].filter((node) => node.raft !== null)
  }

  #leader(): Node | null {
    let best: Node | null = null
    let highest = 0
    for (const node of this.#alive()) {
      const { role, term } = node.raft!.status()
      if (role !== 'leader' || term <= highest) continue
      highest = term
      best = node
    }
    return best
  }

  #stir(): void {
    const weather = this.#weather
    const alive = this.#alive()
    if (alive.length === 0) return
    if (this.#chance(weather.crash)) {
      this.#crash(this.#pick(alive))
      return
    }
    if (this.#chance(weather.partition)) this.#partition()
    if (this.#chance(weather.heal)) this.#cut.clear()
    if (this.#chance(weather.propose)) this.#propose()
    if (this.#chance(weather.read)) this.#read(this.#pick(alive))
    if (this.#chance(weather.confChange)) this.#changeConfig()
    if (this.#chance(weather.snapshot)) this.#snapshot(this.#pick(alive))
    if (this.#chance(weather.transfer)) {
      const raft = this.#pick(alive).raft
      raft?.transferLeadership(this.#pick(alive).id)
    }
    if (this.#chance(weather.meddle)) this.#meddle(this.#pick(alive))
  }

  #meddle(node: Node): void {
    const raft = node.raft
    if (raft === null) return
    const what = this.#random(4)
    if (what === 0) raft.forgetLeader()
    else if (what === 1) raft.resign()
    else if (what === 2) raft.reportUnreachable(this.#pick([...this.#nodes.keys()]))
    else raft.campaign()
  }

  #partition(): void {
    const ids = [...this.#nodes.keys()]
    const kind = this.#random(3)
    if (kind === 0) {
      // Two halves.
      const left = new Set(ids.filter(() => this.#random(2) === 0))
      for (const a of ids) {
        for (const b of ids) if (left.has(a) !== left.has(b)) this.#cut.add(a * 100 + b)
      }
    } else if (kind === 1) {
      // One-way: nobody hears this one, or it hears nobody.
      const id = this.#pick(ids)
      const mute = this.#random(2) === 0
      for (const other of ids) this.#cut.add(mute ? id * 100 + other : other * 100 + id)
    } else {
      for (const a of ids) {
        for (const b of ids) if (this.#random(3) === 0) this.#cut.add(a * 100 + b)
      }
    }
  }

  // ---------------------------------------------------------------- clients

  #propose(): void {
    const leaders = this.#alive().filter((node) => node.raft!.status().role === 'leader')
    if (leaders.length === 0) return
    const node = this.#pick(leaders)
    for (let count = 1 + this.#random(3); count > 0; count--) {
      this.#nextPayload += 1
      const data = new Uint8Array([this.#nextPayload & 255, this.#nextPayload >> 8])
      const result = node.raft!.propose(data)
      if (result.ok) node.waiting.set(result.index, result.term)
    }
  }

  #read(node: Node): void {
    this.#nextRead += 1
    if (node.raft!.readIndex(this.#nextRead)) node.reads.set(this.#nextRead, this.checker.visible)
  }

  #changeConfig(): void {
    const leader = this.#leader()
    if (leader === null) return
    const raft = leader.raft!
    const { config } = raft.status()
    if (config.outgoing.length > 0 && !config.autoLeave) {
      raft.proposeConfChange({ changes: [], transition: 'auto' })
      return
    }
    const changes: SingleChange[] = []
    const wanted = this.#random(3) === 0 ? 2 + this.#random(2) : 1
    for (let at = 0; at < wanted; at++) {
      const id = 1 + this.#random(this.#nodesMax)
      const op = this.#pick(['add-voter', 'add-voter', 'add-learner', 'remove'] as const)
      changes.push({ op, id })
    }
    const transition = this.#pick(['auto', 'auto', 'joint-auto', 'joint-explicit'] as const)
    const change: ConfChange = { changes, transition }
    if (raft.proposeConfChange(change).ok) {
      for (const { id } of changes) if (!this.#nodes.has(id)) this.#addNode(id, EMPTY_START)
    }
  }

  #snapshot(node: Node): void {
    const raft = node.raft!
    const status = raft.status()
    if (status.applied !== node.applied || status.applied <= node.disk.snapshot.meta.index) return
    const meta = raft.snapshotMeta()
    if (meta === null) return
    node.disk.storeSnapshot({ meta, bytes: encodeState(node.digest) })
    raft.snapshotTaken(meta)
    raft.compact(this.#random(2) === 0 ? meta.index : Math.max(0, meta.index - this.#random(8)))
  }

  // ---------------------------------------------------------------- nodes

  #addNode(id: NodeId, start: StartState): void {
    const node: Node = {
      id,
      disk: new SimDisk(start, encodeState(start.snapshot.index), this.#options.diskFault ?? null),
      raft: null,
      backAt: 0,
      diskTicksMax: 0,
      writes: [],
      digest: 0,
      applied: 0,
      commitSeen: 0,
      waiting: new Map(),
      reads: new Map(),
      asked: new Map(),
      timeoutNowTerm: 0,
      heardTicks: 0,
      ledFrom: 0,
      senders: new Map(),
      receivers: new Map(),
      received: null,
    }
    this.#nodes.set(id, node)
    this.#boot(node)
  }

  #boot(node: Node): void {
    node.diskTicksMax = this.#random(this.#weather.diskTicksMax + 1)
    const start = node.disk.start()
    const { meta, bytes } = node.disk.snapshot
    node.digest = decodeState(bytes)
    node.applied = meta.index
    node.commitSeen = meta.index
    const { preVote = true, checkQuorum = true, faults = {} } = this.#options
    node.raft = new Raft({
      id: node.id,
      start,
      random: this.#random,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 2,
      preVote,
      checkQuorum,
      // Small, so that the limits are met all the time.
      appendBytesMax: this.#options.appendBytesMax ?? 150,
      inflightCountMax: 3,
      inflightBytesMax: 400,
      uncommittedBytesMax: 1500,
      applyBytesMax: 200,
      faults,
      trace: (event) => {
        if (event.type === 'log-lost') {
          throw new SafetyViolation(`${node.id} lost ${event.acknowledged}, has ${event.last}`)
        }
        if (event.type !== 'role') return
        if (event.role === 'leader') {
          this.#noteCommits(node)
          node.ledFrom = event.term
          this.checker.leads(node.id, event.term, node.raft!)
        }
        if (event.role === 'candidate' && preVote && node.timeoutNowTerm !== event.term - 1) {
          const asked = node.asked.get(event.term) ?? new Set()
          this.checker.campaigns(node.id, event.term, node.raft!.status().config, asked)
        }
      },
    })
    this.checker.holds(node.id, start.entries, start.snapshot.term)
    this.#noteCommits(node)
    this.#work(node)
  }

  #crash(node: Node): void {
    const tasks = node.writes.map(({ task, bytes }) => ({ task, bytes }))
    node.disk.crash(tasks, (parts) => this.#random(parts + 1))
    node.raft = null
    node.writes = []
    node.waiting.clear()
    node.reads.clear()
    node.asked.clear()
    node.timeoutNowTerm = 0
    node.heardTicks = 0
    node.senders.clear()
    node.receivers.clear()
    node.received = null
    node.backAt = this.#now + 1 + this.#random(this.#weather.downTicksMax)
  }

  #work(node: Node): void {
    for (let ready = node.raft?.ready() ?? null; ready !== null; ready = node.raft!.ready()) {
      this.#treat(node, ready)
    }
  }

  #treat(node: Node, ready: Ready): void {
    const raft = node.raft!
    const { append } = ready
    for (const message of ready.messages) this.#send({ kind: 'raft', message })
    if (append !== null) {
      if (append.entries.length > 0) {
        const before = append.entries[0]!.index - 1
        this.checker.holds(node.id, append.entries, raft.termAtForTest(before))
      }
      const bytes = append.snapshot === null ? null : node.received
      const dueAt = this.#now + this.#random(node.diskTicksMax + 1)
      node.writes.push({ task: append, dueAt, bytes })
    }
    for (const { to, message } of ready.transfers) {
      const { snapshot } = node.disk
      const sender = new SnapshotSender({
        transfer: ++this.#nextTransfer,
        message: { ...message, snapshot: snapshot.meta },
        totalBytes: snapshot.bytes.length,
        chunkBytes: 3,
        windowChunks: 2,
        retryTicks: 5,
        retriesMax: 3,
      })
      node.senders.set(to, { sender, bytes: snapshot.bytes })
      this.#pumpSender(node, to, sender, false)
    }
    this.#noteCommits(node)
    for (const entry of ready.committed) this.#apply(node, entry)
    const last = ready.committed.at(-1)
    if (last !== undefined) raft.applied(last.index)
    for (const { id, index } of ready.reads) {
      const expected = node.reads.get(id)
      node.reads.delete(id)
      if (index === null || expected === undefined) continue
      this.checker.claim(node.applied >= index, () => `read ${id} was served before ${index}`)
      this.checker.read(node.id, node.applied, expected)
      this.#servedReads += 1
    }
    this.#finishWrites(node)
  }

  #noteCommits(node: Node): void {
    const { commit, role, term: inTerm } = node.raft!.status()
    if (role === 'leader' && node.ledFrom === inTerm && commit > node.commitSeen) {
      const own = node.raft!.termAtForTest(commit)
      this.checker.claim(
        own === inTerm,
        () => `paper §5.4.2: ${node.id} commits ${commit}@${own} in ${inTerm}`,
      )
    }
    for (let index = node.commitSeen + 1; index <= commit; index++) {
      const term = node.raft!.termAtForTest(index)
      if (term >= 0) this.checker.commits(node.id, index, term, inTerm)
    }
    node.commitSeen = Math.max(node.commitSeen, commit)
  }

  #apply(node: Node, entry: Entry): void {
    this.checker.claim(
      entry.index === node.applied + 1,
      () => `${node.id} applies ${entry.index} after ${node.applied}`,
    )
    node.applied = entry.index
    node.digest = (Math.imul(node.digest, 31) + entry.term) | 0
    for (const byte of entry.data) node.digest = (Math.imul(node.digest, 31) + byte) | 0
    this.checker.applied(node.id, entry.index, node.digest)
    this.checker.commits(node.id, entry.index, entry.term, node.raft!.status().term)
    if (entry.change !== null) this.#changes += 1
    if (node.waiting.get(entry.index) === entry.term) {
      this.checker.visible = Math.max(this.checker.visible, entry.index)
      this.#acknowledgedWrites += 1
    }
    node.waiting.delete(entry.index)
  }

  #finishWrites(node: Node): void {
    while (node.raft !== null && node.writes.length > 0 && node.writes[0]!.dueAt <= this.#now) {
      const { task, bytes } = node.writes.shift()!
      node.disk.write(task, bytes)
      if (task.snapshot !== null) {
        node.digest = decodeState(bytes!)
        node.applied = task.snapshot.index
        node.commitSeen = Math.max(node.commitSeen, node.applied)
        this.checker.applied(node.id, node.applied, node.digest)
        this.#transfersDone += 1
      }
      for (const message of task.messages) this.#send({ kind: 'raft', message })
      node.raft.appended(task.seq)
    }
  }

  // ---------------------------------------------------------------- links

  #send(packet: Packet): void {
    const { from, to } = packet.kind === 'raft' ? packet.message : packet
    const { dropPercent, doublePercent, delayTicksMax } = this.#weather
    if (this.#cut.has(from * 100 + to) || this.#random(100) < dropPercent) return
    for (let copies = this.#random(100) < doublePercent ? 2 : 1; copies > 0; copies--) {
      const at = this.#now + 1 + this.#random(delayTicksMax + 1)
      const queue = this.#packets.get(at)
      if (queue === undefined) this.#packets.set(at, [packet])
      else queue.push(packet)
    }
  }

  #deliver(packet: Packet): void {
    const { to } = packet.kind === 'raft' ? packet.message : packet
    const node = this.#nodes.get(to)
    if (node?.raft == null) return
    if (packet.kind === 'raft') this.#step(node, packet.message)
    else if (packet.kind === 'chunk') this.#receiveChunk(node, packet)
    else {
      const underway = node.senders.get(packet.from)
      underway?.sender.acknowledge(packet.reply)
      if (underway !== undefined) this.#pumpSender(node, packet.from, underway.sender, false)
    }
    // Sometimes several messages are handled before what follows from them is done.
    if (this.#random(2) === 0) this.#work(node)
  }

  #step(node: Node, message: Message): void {
    const raft = node.raft!
    const before = raft.status()
    const problem = messageProblem(message)
    this.checker.claim(problem === null, () => `${message.type} has no good form: ${problem}`)
    if (message.type === 'pre-vote-reply' && message.granted) {
      const asked = node.asked.get(message.term) ?? new Set()
      node.asked.set(message.term, asked.add(message.from))
    } else if (message.type === 'timeout-now') node.timeoutNowTerm = message.term
    raft.step(message)
    if (message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot') {
      if (message.term >= before.term) node.heardTicks = 0
    } else if (message.type === 'vote' && !message.transfer) {
      const after = raft.status()
      const sticky = before.leader !== 0 && node.heardTicks < ELECTION_TICKS
      const voted = after.vote === message.from && before.vote !== message.from
      const checked = this.#options.checkQuorum ?? true
      this.checker.claim(
        !(checked && sticky && voted),
        () => `stickiness: ${node.id} votes for ${message.from} although ${before.leader} lives`,
      )
    }
  }

  #pumpSender(node: Node, to: NodeId, sender: SnapshotSender, tick: boolean): void {
    if (tick) sender.tick()
    for (let header = sender.next(); header !== null; header = sender.next()) {
      const all = node.senders.get(to)!.bytes
      const bytes = all.slice(header.offset, header.offset + header.length)
      this.#send({ kind: 'chunk', from: node.id, to, header, bytes })
    }
    if (sender.state === 'sending') return
    node.senders.delete(to)
    node.raft!.reportSnapshot(to, sender.state === 'done')
  }

  #receiveChunk(node: Node, packet: Packet & { kind: 'chunk' }): void {
    const { from, header, bytes } = packet
    let slot = node.receivers.get(from)
    if (slot === undefined) {
      slot = { receiver: new SnapshotReceiver(), bytes: [] }
      node.receivers.set(from, slot)
    }
    const verdict = slot.receiver.accept(header)
    if (verdict.do === 'reply') {
      this.#send({ kind: 'chunk-reply', from: node.id, to: from, reply: verdict.reply })
      return
    }
    if (verdict.fresh) slot.bytes = []
    slot.bytes.push(...bytes)
    const done = slot.receiver.written(header)!
    if (done.complete !== null) {
      // Kept under the index: the core decides whether it installs it.
      const held = node.received
      node.received = Uint8Array.from(slot.bytes)
      const before = node.raft!.status().commit
      node.raft!.step(done.complete)
      this.#work(node)
      if (node.raft!.status().commit === before) node.received = held
    }
    this.#send({ kind: 'chunk-reply', from: node.id, to: from, reply: done.reply })
  }
}

function encodeState(digest: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ digest }))
}

function decodeState(bytes: Uint8Array): number {
  return (JSON.parse(new TextDecoder().decode(bytes)) as { digest: number }).digest
}
