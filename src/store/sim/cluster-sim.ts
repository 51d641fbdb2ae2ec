/**
 * One seed of a cluster's life, in virtual time: real raft, store, log and requests between nodes,
 * with clients, and whatever may go wrong. Everything is drawn from one source: a seed that fails
 * fails again, the same way.
 *
 * Checked after each event: election safety, leader completeness, log matching, state machine
 * safety (`raft/testing/checker.ts`, `history.ts`), and that nobody takes back what it promised
 * (`promises.ts`). At the end all faults stop, the cluster must come to life again, and the history
 * of the clients must be linearizable with nothing lost.
 */
import { Prng } from '../../lib/prng.js'
import type { Entry, Message, Raft } from '../../raft/raft.js'
import { Checker } from '../../raft/testing/checker.js'
import type { Founding, Roster } from '../cluster.js'
import type { Done, KeyValue, Watch } from '../contract.js'
import { fromLogEntry } from '../entries.js'
import { type LogRequest, unpackEntries } from '../log/messages.js'
import { foundingOf } from '../roster.js'
import { CRASH_MODES } from '../sim-disk.js'
import { Adversary, PLOTS, type Plot } from './adversary.js'
import { Clients } from './clients.js'
import type { CalmWorld, Companion, SimWorld } from './companion.js'
import { Digest } from './digest.js'
import { History, HistoryViolation } from './history.js'
import { addressesOf, PeersNet } from './peers-net.js'
import { Promises } from './promises.js'
import { type Owner, SimClock } from './sim-clock.js'
import { CALM, type Net, SimNet } from './sim-net.js'
import { type Plant, SimNode, type SimNodeOptions } from './sim-node.js'

export interface SimOptions {
  readonly seed: number
  /** Virtual seconds with faults; default 20. */
  readonly seconds?: number
  /** First voters; default: drawn from 1..7, most often 3. */
  readonly nodes?: number
  /** Over the real connections of `src/peer/`; default: some seeds are. */
  readonly peers?: boolean
  /** Default: half of the seeds have one. */
  readonly plot?: Plot
  readonly companion?: Companion
  readonly plant?: Plant
  /** Hears what happens, for a person who replays a seed. */
  readonly trace?: (line: string) => void
}

export interface SimReport {
  readonly virtualSeconds: number
  readonly events: number
  readonly acks: number
  readonly ops: number
  readonly elections: number
  readonly crashes: number
  readonly snapshotsInstalled: number
  readonly membershipChanges: number
  /** Any difference between two runs would change it. */
  readonly digest: string
}

/** What a seed found wrong. */
export class SimViolation extends Error {
  override readonly name = 'SimViolation'
}

const HEAL_MS = 40_000

const MESSAGE_CODES: Readonly<Record<Message['type'], number>> = {
  vote: 1,
  'vote-reply': 2,
  'pre-vote': 3,
  'pre-vote-reply': 4,
  append: 5,
  'append-reply': 6,
  heartbeat: 7,
  'heartbeat-reply': 8,
  snapshot: 9,
  'timeout-now': 10,
  propose: 11,
  transfer: 12,
  'read-index': 13,
  'read-index-reply': 14,
}

export class ClusterSim {
  readonly history = new History()
  readonly #options: SimOptions
  readonly #prng: Prng
  readonly #plant: Plant
  readonly #clock: SimClock
  readonly #net: Net
  readonly #nodes: SimNode[] = []
  readonly #byOwner = new Map<Owner, SimNode>()
  readonly #checker = new Checker()
  readonly #promises: Promises | null
  readonly #digest = new Digest()
  readonly #world: SimWorld
  readonly #adversary: Adversary
  readonly #clients: Clients
  readonly #founders: number
  readonly #shape: Pick<SimNodeOptions, 'snapshotAfterBytes' | 'limits'>
  /** Of each node, terms of the entries that it has, or was told to write in this life, by index. */
  readonly #terms = new Map<SimNode, Map<number, number>>()
  readonly #seen = new Map<SimNode, { raft: Raft; commit: number; leads: number }>()
  readonly #watches = new Map<SimNode, Watch>()
  #founding: Founding | null = null
  #violation: Error | null = null
  #isHealing = false
  #calmSinceMs = 0
  /** All faults are over, and what they left behind too. */
  #isSettled = false
  #elections = 0
  #crashes = 0
  #installs = 0
  #changes = 0

  constructor(options: SimOptions) {
    const { seed, companion } = options
    this.#options = options
    this.#prng = new Prng(seed)
    const prng = this.#prng
    this.#plant = options.plant ?? {}
    this.#promises = this.#plant.promisesCount === false ? null : new Promises()
    this.#clock = new SimClock((owner) => this.#afterEvent(owner))
    // Some over the real connections, the others over something worse.
    const isReal = options.peers ?? prng.chance(20)
    this.#net = new (isReal ? PeersNet : SimNet)(this.#clock, prng)
    this.#net.doublesForwards = this.#plant.doublesForwards === true
    const drawn = prng.chance(50) ? prng.pick(PLOTS) : null
    const plot = options.plot ?? drawn
    const isPlay = plot === 'figure-eight' || plot === 'two-changes'
    const founders = prng.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7])
    this.#founders = options.nodes ?? (isPlay ? 3 : founders)
    this.#shape = {
      snapshotAfterBytes: prng.pick([1500, 4000, 12_000, 1_000_000]),
      limits: {
        // A wide window of short appends that overtake each other is refused one by one, and sent
        // again: no stream does that, and it takes a minute to watch.
        ...prng.pick([
          {},
          {},
          { appendBytesMax: 1, inflightCountMax: 16 },
          { appendBytesMax: 300, inflightCountMax: 16 },
        ]),
        ...(plot === 'figure-eight' ? { appendBytesMax: 1 } : {}),
        ...prng.pick([{}, { inflightCountMax: 2 }]),
        ...prng.pick([{}, { trailingEntries: 0 }, { trailingEntries: 5 }]),
      },
    }
    this.#world = this.#makeWorld(isReal)
    this.#adversary = new Adversary(
      {
        world: this.#world,
        net: this.#net,
        isOver: () => this.#isHealing,
        down: (node, isPowerLoss, awayMs) => this.#down(node, isPowerLoss, awayMs),
        change: () => this.#change(),
      },
      prng,
      plot,
    )
    this.#clients = new Clients({
      prng,
      history: this.history,
      nodes: this.#nodes,
      pauseMs: prng.pick(isPlay ? [5, 40] : [5, 40, 200, 600]),
      readsAreLocal: this.#plant.readsAreLocal === true,
      nowMs: () => this.#clock.nowMs,
      isOver: () => this.#isHealing,
      at: this.#world.at,
      on: this.#world.on,
      onAck: () => this.#adversary.onAck(),
      fail: this.#world.fail,
    })
    companion?.begin(this.#world)
  }

  /** Throws what was found wrong. */
  run(): SimReport {
    const seconds = this.#options.seconds ?? 20
    for (let n = 1; n <= this.#founders; n++) this.#add(`n${n}`, true)
    this.#founding = foundingOf(this.#nodes.map((node) => node.identity))
    for (const node of this.#nodes) {
      this.#world.at(this.#prng.below(300), () => this.#start(node))
    }
    this.#clients.begin()
    this.#adversary.begin()
    this.#runUntil(seconds * 1000)
    this.#heal()
    this.#digest.addText(JSON.stringify(this.history.ops))
    return {
      virtualSeconds: this.#clock.nowMs / 1000,
      events: this.#clock.count,
      acks: this.history.acks,
      ops: this.history.ops.length,
      elections: this.#elections,
      crashes: this.#crashes,
      snapshotsInstalled: this.#installs,
      membershipChanges: this.#changes,
      digest: this.#digest.hex,
    }
  }

  // ---- the world -------------------------------------------------------------------------------

  #makeWorld(isOverLinks: boolean): SimWorld {
    const clock = this.#clock
    return {
      nodes: this.#nodes,
      isOverLinks,
      get nowMs() {
        return clock.nowMs
      },
      at: (delayMs, fire) => {
        clock.at(clock.nowMs + delayMs, null, fire)
      },
      on: (node, fire) => {
        clock.at(clock.nowMs, node, fire)
      },
      say: (node, what) => this.#say(node, what),
      fail: (error) => {
        this.#violation ??= error
      },
    }
  }

  #add(name: string, isFounder: boolean): SimNode {
    const node = new SimNode({
      name,
      clock: this.#clock,
      net: this.#net,
      prng: this.#prng,
      plant: this.#plant,
      ...this.#shape,
      companion: this.#options.companion ?? null,
      founding: isFounder ? () => this.#founding as Founding : null,
      events: {
        onOpened: (opened) => this.#follow(opened, 1),
        onReady: (ready) => this.#onReady(ready),
        onBlank: (blank) => this.#join(blank),
        onFailed: (failed) => this.#onFailed(failed),
        onWrite: (writer, request) => this.#onWrite(writer, request),
        onCore: (begun, raft) => this.#onCore(begun, raft),
        onSend: (sender, message) => this.#onSend(sender, message),
        onSendChunk: (sender, to) => this.#adversary.onSendChunk(sender, to),
      },
    })
    this.#nodes.push(node)
    this.#byOwner.set(node, node)
    this.#terms.set(node, new Map())
    this.#net.add(node)
    return node
  }

  #say(node: SimNode, what: string): void {
    this.#options.trace?.(`${this.#clock.nowMs.toFixed(2).padStart(10)} ${node.name} ${what}`)
  }

  #runUntil(untilMs: number): void {
    try {
      while (this.#clock.step(untilMs)) if (this.#violation !== null) throw this.#violation
    } catch (thrown) {
      throw this.#named(thrown)
    }
  }

  #named(thrown: unknown): Error {
    if (thrown instanceof SimViolation) return thrown
    const { seed } = this.#options
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    const name = thrown instanceof Error ? thrown.name : 'Error'
    const at = (this.#clock.nowMs / 1000).toFixed(3)
    return new SimViolation(`seed ${seed} at ${at} s: ${name}: ${message}`, { cause: thrown })
  }

  // ---- checks ----------------------------------------------------------------------------------

  #afterEvent(owner: Owner): void {
    const node = this.#byOwner.get(owner) as SimNode
    if (node.isUp && node.disk.isCrashed) {
      this.#down(node, true)
      return
    }
    const { raft } = node
    if (raft === null) return
    let seen = this.#seen.get(node)
    if (seen === undefined || seen.raft !== raft) {
      seen = { raft, commit: 0, leads: 0 }
      this.#seen.set(node, seen)
    }
    const { role, term, commit, firstIndex } = raft.standingForTest()
    if (role === 'leader' && seen.leads !== term) {
      seen.leads = term
      this.#elections += 1
      this.#say(node, `leads term ${term}`)
      this.#checker.leads(node.nodeId, term, raft)
      this.#adversary.onLeads(node)
    }
    if (commit < seen.commit) {
      throw new HistoryViolation(`${node.name} takes back its commit ${seen.commit}, has ${commit}`)
    }
    for (let index = Math.max(seen.commit + 1, firstIndex); index <= commit; index++) {
      this.#checker.commits(node.nodeId, index, raft.termAtForTest(index), term)
    }
    if (commit > seen.commit) this.#say(node, `commit ${commit}`)
    seen.commit = commit
    this.#digest.add(Math.round(this.#clock.nowMs * 1000))
    this.#digest.add(node.nodeId)
    this.#digest.add(term)
    this.#digest.add(commit)
  }

  #onSend(node: SimNode, message: Message): void {
    if (node.raft !== null) this.#promises?.said(message, node.raft)
    this.#adversary.onSend(node, message)
    this.#digest.add(MESSAGE_CODES[message.type])
    this.#digest.add(message.to)
    this.#digest.add(message.term)
  }

  /** What its disk gave back is what it holds: some that it was told to write may be lost. */
  #onCore(node: SimNode, raft: Raft): void {
    this.#promises?.begins(raft)
    const base = raft.standingForTest().firstIndex - 1
    const entries: Entry[] = []
    for (let index = base + 1; index <= raft.lastIndex; index++) {
      entries.push(raft.entryForTest(index) as Entry)
    }
    const baseTerm = raft.termAtForTest(base)
    this.#checker.holds(node.nodeId, entries, baseTerm)
    const terms = entries.map(({ index, term }) => [index, term] as const)
    this.#terms.set(node, new Map([[base, baseTerm], ...terms]))
  }

  /** Log matching: what a node is told to write follows what everybody knows to precede it. */
  #onWrite(node: SimNode, request: LogRequest): void {
    if (request.type === 'found') this.#terms.get(node)?.set(request.index, request.term)
    if (request.type !== 'write') return
    const terms = this.#terms.get(node) as Map<number, number>
    if (request.install !== null) {
      this.#installs += 1
      terms.set(request.install.index, request.install.term)
    }
    const entries: Entry[] = unpackEntries(request.entries).map(fromLogEntry)
    const { hardState, install, commit } = request
    const range = entries.map(
      ({ index, term, change }) => `${index}@${term}${change === null ? '' : '*'}`,
    )
    const state = hardState === null ? '' : `term ${hardState.term} vote ${hardState.vote} `
    const installs = install === null ? '' : `install ${install.index}@${install.term} `
    if (hardState !== null && hardState.vote !== '') this.#adversary.onVoteWritten(node)
    this.#say(node, `write ${request.seq}: ${state}${installs}${range.join(' ')} commit ${commit}`)
    // Tasks that share a write may replace what came earlier in it.
    for (const entry of entries) {
      const before = terms.get(entry.index - 1)
      if (before !== undefined) {
        this.#checker.holds(node.nodeId, [entry], before)
        const known = terms.get(entry.index)
        const isOther = known !== undefined && known !== entry.term
        if (isOther) this.#promises?.replaces(node.nodeId, { index: entry.index - 1, term: before })
      }
      terms.set(entry.index, entry.term)
    }
  }

  /** Every change that a node applies, from its start on. */
  #follow(node: SimNode, fromRevision: number): void {
    const { replica } = node
    if (replica === null) return
    let nextRevision = fromRevision
    const watch = replica.store.watch('', fromRevision, {
      onBatch: (batch) => {
        if (batch.revision !== nextRevision) {
          const message = `the watch of ${node.name} is at ${batch.revision}, not ${nextRevision}`
          this.#violation ??= new HistoryViolation(message)
        }
        nextRevision = batch.revision + 1
        this.history.applied(node.name, batch.revision, batch.events)
        for (const event of batch.events) {
          if (event.type === 'delete') this.#clients.deleted(event.key)
        }
      },
      onCompacted: () => {
        replica.store.range('', 'local', (outcome) => {
          if (!outcome.ok) return
          const { revision, kvs } = outcome.value
          this.history.restored(node.name, revision, kvs as KeyValue[])
          this.#follow(node, revision + 1)
        })
      },
      onFailed: () => {},
    })
    this.#watches.set(node, watch)
  }

  // ---- nodes -----------------------------------------------------------------------------------

  #start(node: SimNode): void {
    if (node.isUp) return
    node.start()
    this.#say(node, `starts, number ${node.nodeId}`)
    if (this.#isHealing || !this.#prng.chance(30)) return
    // Power goes at some write to come.
    node.disk.crashAt = node.disk.changeCount + 1 + this.#prng.below(400)
  }

  #onReady(node: SimNode): void {
    this.#say(node, `is ready, applied ${node.replica?.store.status().appliedIndex}`)
  }

  /** Of the disk or the log: the process ends, and another begins. */
  #onFailed(node: SimNode): void {
    const { failed } = node
    this.#say(node, `failed: ${failed?.message}`)
    const isDisk = /EIO|ENODEV|ENOSPC/.test(failed?.message ?? '')
    if (!isDisk && !node.disk.isCrashed) {
      this.#violation ??= new HistoryViolation(`${node.name} failed: ${failed?.message}`)
    }
    const { life } = node
    this.#world.at(50, () => {
      if (node.isUp && node.life === life) this.#down(node, false)
    })
  }

  #down(node: SimNode, isPowerLoss: boolean, awayMs?: number): void {
    this.#crashes += 1
    this.#say(node, isPowerLoss ? 'loses power' : 'is killed')
    this.#watches.get(node)?.cancel()
    this.#clients.lost(node)
    node.end(!isPowerLoss || this.#prng.chance(50))
    if (isPowerLoss) {
      node.disk.crash()
      node.disk.restart(this.#prng.pick(CRASH_MODES))
    } else node.disk.killProcess()
    const drawnMs = 20 + this.#prng.below(this.#prng.chance(30) ? 8000 : 800)
    const backMs = this.#isHealing ? 100 : (awayMs ?? drawnMs)
    this.#world.at(backMs, () => this.#start(node))
  }

  /** A newcomer asks somebody to make it a member, again and again, until it is one. */
  #join(node: SimNode): void {
    const { life } = node
    if (this.#isSettled) return
    const isBlank = (): boolean => node.isUp && node.life === life && node.joined === null
    this.#world.at(1000, () => {
      if (isBlank()) this.#join(node)
    })
    const others = this.#nodes.filter((other) => other.isReady && other !== node)
    if (others.length === 0) return
    const { replica } = this.#prng.pick(others)
    replica?.changeMembership({ type: 'add-learner', member: node.identity }, (outcome) => {
      if (!outcome.ok || !isBlank()) return
      this.#changes += 1
      node.joined = outcome.value
      node.replica?.join(outcome.value)
    })
  }

  #change(): void {
    const prng = this.#prng
    const asked = prng.pick(this.#nodes)
    const { replica } = asked
    if (replica === null || !asked.isReady) return
    const done: Done<Roster> = (outcome) => {
      if (outcome.ok) this.#changes += 1
    }
    const { members } = replica.roster()
    const learner = members.find(({ suffrage }) => suffrage === 'learner')
    const voters = members.filter(({ suffrage }) => suffrage === 'voter')
    if (learner !== undefined && prng.chance(60)) {
      replica.changeMembership({ type: 'promote', incarnation: learner.incarnation }, done)
    } else if (voters.length > 2 && prng.chance(30)) {
      const { incarnation } = prng.pick(voters)
      replica.changeMembership({ type: 'remove', incarnation }, done)
    } else if (this.#nodes.length < 9 && members.length < 7) {
      const node = this.#add(`n${this.#nodes.length + 1}`, false)
      this.#start(node)
    } else {
      const { incarnation, name } = prng.pick(members)
      const peerUrl = prng.pick(addressesOf(name))
      replica.changeMembership({ type: 'move', incarnation, peerUrl }, done)
    }
  }

  // ---- the end ---------------------------------------------------------------------------------

  /** All faults stop; a write and a read must succeed, and everybody must come to the same. */
  #heal(): void {
    this.#isHealing = true
    this.#calmSinceMs = this.#clock.nowMs
    this.#net.heal()
    this.#net.weather = CALM
    for (const node of this.#nodes) {
      node.disk.crashAt = Number.POSITIVE_INFINITY
      node.disk.failWhen = () => false
      node.disk.capacityBytes = Number.POSITIVE_INFINITY
    }
    // Who is far behind gets entry by entry, when appends are short and its disk is slow.
    const endMs = this.#clock.nowMs + HEAL_MS + this.history.revisionMax * 70
    let finalRevision = -1
    let seenRevision = 0
    const attempt = (): void => {
      const members = this.#nodes.filter((node) => node.isReady && this.#isMember(node))
      const node = members.length === 0 ? null : this.#prng.pick(members)
      const op = this.history.begin(['a'], `final${this.#clock.nowMs}`, undefined)
      const value = Buffer.from(op.value as string)
      if (node === null) {
        this.history.end(op, 'none')
        this.#world.at(200, attempt)
        return
      }
      seenRevision = this.history.revisionMax
      node.replica?.store.txn([], [{ type: 'put', key: 'a', value }], [], (outcome) => {
        this.#clients.wrote(op, outcome)
        if (outcome.ok) finalRevision = outcome.value.revision
        else this.#world.at(200, attempt)
      })
    }
    this.#world.at(100, attempt)
    const isSettled = (): boolean =>
      finalRevision >= 0 && this.#nodes.every((node) => this.#hasCaughtUp(node, finalRevision))
    while (!isSettled() && this.#clock.nowMs < endMs) {
      this.#runUntil(Math.min(endMs, this.#clock.nowMs + 250))
    }
    try {
      if (finalRevision < 0) throw new HistoryViolation('no write succeeded after all faults ended')
      this.#isSettled = true
      if (!isSettled()) throw new HistoryViolation(`not all have caught up: ${this.#standings()}`)
      this.history.check(finalRevision, seenRevision)
      this.#options.companion?.end(this.#calmWorld())
      if (this.#violation !== null) throw this.#violation
    } catch (thrown) {
      throw this.#named(thrown)
    }
  }

  #calmWorld(): CalmWorld {
    const world = this.#world
    const clock = this.#clock
    const run = (ms: number): void => this.#runUntil(clock.nowMs + ms)
    return {
      ...world,
      calmSinceMs: this.#calmSinceMs,
      get nowMs() {
        return clock.nowMs
      },
      run,
      runUntil: (what, isSo, ms) => {
        for (const endMs = clock.nowMs + ms; !isSo(); run(25)) {
          if (clock.nowMs >= endMs) throw new HistoryViolation(`not within ${ms} ms: ${what}`)
        }
      },
      kill: (node) => {
        this.#watches.get(node)?.cancel()
        node.end(true)
        node.disk.killProcess()
      },
      start: (node) => this.#start(node),
    }
  }

  #isMember(node: SimNode): boolean {
    const roster = node.replica?.roster()
    return roster?.members.some(({ nodeId }) => nodeId === node.nodeId) === true
  }

  /** Or is nobody that would. */
  #hasCaughtUp(node: SimNode, revision: number): boolean {
    const leader = this.#nodes.find((each) => each.consensus?.role === 'leader')
    const isMember = leader?.replica?.roster().members.some(({ nodeId }) => nodeId === node.nodeId)
    // What waits for a node that is stopped comes when it goes on, and not before.
    if (node.pausedUntilMs > this.#clock.nowMs) return false
    if (isMember !== true) return leader !== undefined
    return node.isReady && (node.replica?.store.status().revision ?? 0) >= revision
  }

  #standings(): string {
    return this.#nodes
      .map((node) => {
        const status = node.replica?.consensus()
        const revision = node.replica?.store.status().revision
        const state = node.isUp ? (node.isReady ? 'ready' : 'starting') : 'down'
        return `${node.name} ${state} ${status?.role} term ${status?.term} commit ${status?.committedIndex} revision ${revision}`
      })
      .join('; ')
  }
}
