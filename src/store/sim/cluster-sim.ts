/**
 * One seed of a cluster's life, in virtual time: real raft, store, log and requests between nodes,
 * with clients, and whatever may go wrong. Everything is drawn from one source: a seed that fails
 * fails again, the same way.
 *
 * Checked after each event: election safety, leader completeness, log matching, state machine
 * safety (`raft/testing/checker.ts`, `history.ts`). At the end all faults stop, the cluster must
 * come to life again, and the history of the clients must be linearizable with nothing lost.
 */
import { Prng } from '../../lib/prng.js'
import type { Entry, Raft } from '../../raft/raft.js'
import { Checker } from '../../raft/testing/checker.js'
import type { Founding, Roster } from '../cluster.js'
import type { Done, KeyValue, LeaseGrant, Outcome, TxnResult, Watch } from '../contract.js'
import { fromLogEntry } from '../entries.js'
import { type LogRequest, unpackEntries } from '../log/messages.js'
import { foundingOf } from '../roster.js'
import { CRASH_MODES } from '../sim-disk.js'
import { type ClientOp, History, HistoryViolation } from './history.js'
import { addressesOf, PeersNet } from './peers-net.js'
import { type Owner, SimClock } from './sim-clock.js'
import { CALM, type Net, SimNet } from './sim-net.js'
import { type Plant, SimNode } from './sim-node.js'

export interface SimOptions {
  readonly seed: number
  /** Virtual seconds with faults; default 20. */
  readonly seconds?: number
  /** First voters; default: drawn from 1..5, most often 3. */
  readonly nodes?: number
  /** Over the real connections of `src/peer/`; default: some seeds are. */
  readonly peers?: boolean
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
  /** A number that any difference between two runs would change. */
  readonly fingerprint: number
}

/** What a seed found wrong. */
export class SimViolation extends Error {
  override readonly name = 'SimViolation'
}

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
const CLIENTS = 5
const HEAL_MS = 40_000
const LEASE_MS = 5_000
/** Clocks may be off by half a percent, each. */
const LEASE_TOLERANCE = 0.98

/** How hard a seed is on the cluster; chances are per virtual second. */
interface Weather {
  readonly crash: number
  readonly cut: number
  readonly pause: number
  /** Of the leader, in its worst moments. */
  readonly trouble: number
  /** Percent of votes and elections after which somebody ends, and is soon back. */
  readonly upset: number
  readonly transfer: number
  readonly change: number
  readonly diskFault: number
  readonly clientPauseMs: number
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
  readonly #founders: number
  readonly #weather: Weather
  readonly #snapshotAfterBytes: number
  /** Of each node, terms of the entries it was told to write, by index. */
  readonly #terms = new Map<SimNode, Map<number, number>>()
  readonly #commitSeen = new Map<SimNode, { raft: Raft; commit: number; leads: number }>()
  readonly #watches = new Map<SimNode, Watch>()
  /** The time before which a lease must not end, by its key. */
  readonly #leases = new Map<string, number>()
  #founding: Founding | null = null
  #violation: Error | null = null
  #isHealing = false
  #values = 0
  #elections = 0
  #crashes = 0
  #installs = 0
  #changes = 0
  #fingerprint = 0

  constructor(options: SimOptions) {
    const { seed } = options
    this.#options = options
    this.#prng = new Prng(seed)
    const prng = this.#prng
    this.#plant = options.plant ?? {}
    this.#clock = new SimClock((owner) => this.#afterEvent(owner))
    // Some over the real connections, the others over something worse.
    const isReal = options.peers ?? prng.chance(20)
    this.#net = new (isReal ? PeersNet : SimNet)(this.#clock, prng)
    this.#net.doublesForwards = this.#plant.doublesForwards === true
    this.#founders = options.nodes ?? prng.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5])
    this.#snapshotAfterBytes = prng.pick([1500, 4000, 12_000, 1_000_000])
    this.#weather = {
      crash: prng.pick([0, 0.1, 0.3, 0.8]),
      cut: prng.pick([0, 0.2, 0.6]),
      pause: prng.pick([0, 0.1, 0.3]),
      trouble: prng.pick([0, 0, 0.3, 0.8]),
      upset: prng.pick([0, 0, 10, 40]),
      transfer: prng.pick([0, 0.1, 0.3]),
      change: prng.pick([0, 0, 0.2, 0.5]),
      diskFault: prng.pick([0, 0, 0.1]),
      clientPauseMs: prng.pick([5, 40, 200, 600]),
    }
  }

  /** Throws what was found wrong. */
  run(): SimReport {
    const seconds = this.#options.seconds ?? 20
    for (let n = 1; n <= this.#founders; n++) this.#add(`n${n}`, true)
    this.#founding = foundingOf(this.#nodes.map((node) => node.identity))
    for (const node of this.#nodes) this.#at(this.#prng.below(300), () => this.#start(node))
    this.#net.weather = this.#drawNet()
    for (let client = 0; client < CLIENTS; client++) this.#client(client)
    this.#leaseClient()
    this.#faults()
    this.#runUntil(seconds * 1000)
    this.#heal()
    return {
      virtualSeconds: this.#clock.nowMs / 1000,
      events: this.#clock.count,
      acks: this.history.acks,
      ops: this.history.ops.length,
      elections: this.#elections,
      crashes: this.#crashes,
      snapshotsInstalled: this.#installs,
      membershipChanges: this.#changes,
      fingerprint: this.#fingerprint,
    }
  }

  // ---- the world -------------------------------------------------------------------------------

  #add(name: string, isFounder: boolean): SimNode {
    const node = new SimNode({
      name,
      clock: this.#clock,
      net: this.#net,
      prng: this.#prng,
      plant: this.#plant,
      snapshotAfterBytes: this.#snapshotAfterBytes,
      founding: isFounder ? () => this.#founding as Founding : null,
      events: {
        onOpened: (opened) => this.#follow(opened, 1),
        onReady: (ready) => this.#onReady(ready),
        onBlank: (blank) => this.#join(blank),
        onFailed: (failed) => this.#onFailed(failed),
        onWrite: (writer, request) => this.#onWrite(writer, request),
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

  #at(delayMs: number, fire: () => void): void {
    this.#clock.at(this.#clock.nowMs + delayMs, null, fire)
  }

  #runUntil(untilMs: number): void {
    try {
      while (this.#clock.step(untilMs)) if (this.#violation !== null) throw this.#violation
    } catch (thrown) {
      throw this.#named(thrown)
    }
  }

  #named(thrown: unknown): Error {
    const { seed } = this.#options
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    const name = thrown instanceof Error ? thrown.name : 'Error'
    const at = (this.#clock.nowMs / 1000).toFixed(3)
    return new SimViolation(`seed ${seed} at ${at} s: ${name}: ${message}`, { cause: thrown })
  }

  #drawNet() {
    const prng = this.#prng
    return {
      lossPercent: prng.pick([0, 0, 1, 10]),
      doublePercent: prng.pick([0, 0, 5]),
      delayMsMax: prng.pick([0.5, 3, 30]),
    }
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
    let seen = this.#commitSeen.get(node)
    if (seen === undefined || seen.raft !== raft) {
      seen = { raft, commit: 0, leads: 0 }
      this.#commitSeen.set(node, seen)
    }
    const { role, term, commit, firstIndex } = raft.status()
    if (role === 'leader' && seen.leads !== term) {
      seen.leads = term
      this.#elections += 1
      this.#say(node, `leads term ${term}`)
      this.#checker.leads(node.nodeId, term, raft)
      this.#upset(node)
    }
    for (let index = Math.max(seen.commit + 1, firstIndex); index <= commit; index++) {
      this.#checker.commits(node.nodeId, index, raft.termAtForTest(index), term)
    }
    if (commit > seen.commit) this.#say(node, `commit ${commit}`)
    seen.commit = Math.max(seen.commit, commit)
    this.#fingerprint =
      (Math.imul(this.#fingerprint, 31) + term * 7 + commit + node.name.length) | 0
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
    if (hardState !== null && hardState.vote !== '') this.#upset(node)
    this.#say(node, `write ${request.seq}: ${state}${installs}${range.join(' ')} commit ${commit}`)
    // Tasks that share a write may replace what came earlier in it.
    for (const entry of entries) {
      const before = terms.get(entry.index - 1)
      if (before !== undefined) this.#checker.holds(node.nodeId, [entry], before)
      terms.set(entry.index, entry.term)
    }
  }

  /** Every change that a node applies, from its start on. */
  #follow(node: SimNode, fromRevision: number): void {
    const { replica } = node
    if (replica === null) return
    const watch = replica.store.watch('', fromRevision, {
      onBatch: (batch) => {
        this.history.applied(node.name, batch.revision, batch.events)
        for (const event of batch.events) if (event.type === 'delete') this.#leaseEnded(event.key)
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
    this.#at(50, () => {
      if (node.isUp && node.life === life) this.#down(node, false)
    })
  }

  #down(node: SimNode, isPowerLoss: boolean, awayMs?: number): void {
    this.#crashes += 1
    this.#say(node, isPowerLoss ? 'loses power' : 'is killed')
    this.#watches.get(node)?.cancel()
    for (const op of this.#openOps.get(node) ?? []) this.#lost(op)
    this.#openOps.delete(node)
    node.end(!isPowerLoss || this.#prng.chance(50))
    if (isPowerLoss) {
      node.disk.crash()
      node.disk.restart(this.#prng.pick(CRASH_MODES))
    } else node.disk.killProcess()
    const drawnMs = 20 + this.#prng.below(this.#prng.chance(30) ? 8000 : 800)
    this.#at(this.#isHealing ? 100 : (awayMs ?? drawnMs), () => this.#start(node))
  }

  /** A newcomer asks somebody to make it a member, again and again, until it is one. */
  #join(node: SimNode): void {
    const { life } = node
    const isBlank = (): boolean => node.isUp && node.life === life && node.joined === null
    this.#at(1000, () => {
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

  // ---- faults ----------------------------------------------------------------------------------

  #faults(): void {
    if (this.#isHealing) return
    const prng = this.#prng
    const { crash, cut, pause, trouble, transfer, change, diskFault } = this.#weather
    const draw = (perSecond: number): boolean => prng.chance(perSecond * 10)
    const node = prng.pick(this.#nodes)
    if (draw(crash) && node.isUp) this.#down(node, prng.chance(60))
    if (draw(cut)) this.#cut()
    if (draw(cut)) this.#net.heal()
    if (draw(pause) && node.isUp) node.pausedUntilMs = this.#clock.nowMs + prng.below(4000)
    if (draw(trouble)) this.#trouble()
    if (draw(0.05)) this.#net.weather = this.#drawNet()
    if (draw(diskFault) && node.isUp) {
      const call = prng.chance(80) ? 'fdatasync' : 'write'
      node.disk.failWhen = (asked) => asked === call
    }
    if (draw(transfer)) this.#transfer(prng.pick(this.#nodes))
    if (draw(change)) this.#change()
    this.#at(100, () => this.#faults())
  }

  /** One way or both, one node or a group. */
  #cut(): void {
    const prng = this.#prng
    const side = this.#nodes.filter(() => prng.chance(40))
    for (const a of side) {
      for (const b of this.#nodes) {
        if (side.includes(b)) continue
        if (!prng.chance(30)) this.#net.cut(a, b)
        if (!prng.chance(30)) this.#net.cut(b, a)
      }
    }
  }

  /** The leader ends, is cut off, or stops and goes on without knowing that it was away. */
  #trouble(): void {
    const prng = this.#prng
    const leader = prng.pick(this.#nodes.filter(({ raft }) => raft?.status().role === 'leader'))
    if (leader === undefined) return
    const draw = prng.below(3)
    if (draw === 0) this.#down(leader, prng.chance(50))
    const hears = prng.chance(30)
    const speaks = prng.chance(30)
    for (const other of this.#nodes) {
      if (other === leader || draw === 0) continue
      if (!speaks) this.#net.cut(leader, other)
      if (!hears) this.#net.cut(other, leader)
    }
    if (draw === 1) leader.pausedUntilMs = this.#clock.nowMs + 500 + prng.below(3000)
    this.#at(500 + prng.below(5000), () => this.#net.heal())
  }

  #upset(node: SimNode): void {
    if (this.#isHealing || !this.#prng.chance(this.#weather.upset)) return
    const { life } = node
    const isPowerLoss = this.#prng.chance(70)
    this.#at(this.#prng.float() * this.#prng.pick([2, 20, 100]), () => {
      if (node.isUp && node.life === life) this.#down(node, isPowerLoss, 1 + this.#prng.below(60))
    })
  }

  #transfer(node: SimNode): void {
    const to = this.#prng.chance(50) ? null : this.#prng.pick(this.#nodes).nodeId
    if (node.isReady) node.replica?.transferLeadership(to, () => {})
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

  // ---- clients ---------------------------------------------------------------------------------

  readonly #openOps = new Map<SimNode, Set<ClientOp>>()

  #client(client: number): void {
    if (this.#isHealing) return
    const prng = this.#prng
    const ready = this.#nodes.filter((node) => node.isReady)
    const pauseMs = 1 + prng.below(this.#weather.clientPauseMs * 2)
    if (ready.length === 0) {
      this.#at(50, () => this.#client(client))
      return
    }
    const node = prng.pick(ready)
    let isOver = false
    const next = (): void => {
      if (isOver) return
      isOver = true
      this.#at(pauseMs, () => this.#client(client))
    }
    // One that is stopped takes it up when it goes on; one that ends, never.
    this.#clock.at(this.#clock.nowMs, node, () => this.#operate(node, next))
    this.#at(2000 + prng.below(20_000), next)
  }

  #operate(node: SimNode, next: () => void): void {
    const prng = this.#prng
    const store = node.replica?.store
    if (store === undefined) {
      next()
      return
    }
    const key = prng.pick(KEYS)
    const draw = prng.below(100)
    if (draw < 40) this.#read(node, key, next)
    else if (draw < 75) this.#write(node, this.#someKeys(key), undefined, next)
    else {
      // A compare with what is there, as far as this node knows.
      store.get(key, 'local', (outcome) => {
        const value = outcome.ok ? (outcome.value.kv?.value ?? null) : null
        const expected = value === null ? null : Buffer.from(value).toString('utf8')
        this.#write(node, [key], expected, next)
      })
    }
  }

  #someKeys(key: string): string[] {
    if (!this.#prng.chance(20)) return [key]
    const other = this.#prng.pick(KEYS)
    return other === key ? [key] : [key, other]
  }

  #read(node: SimNode, key: string, next: () => void): void {
    const op = this.#begin(node, [key], null, undefined)
    const consistency = this.#plant.readsAreLocal === true ? 'local' : 'linearizable'
    node.replica?.store.get(key, consistency, (outcome) => {
      if (!this.#isOpen(node, op)) return
      if (outcome.ok) {
        const { revision, kv } = outcome.value
        op.revision = revision
        op.found = [kv === null ? null : Buffer.from(kv.value).toString('utf8')]
        this.history.end(op, 'ok')
      } else this.history.end(op, 'none')
      next()
    })
  }

  #write(
    node: SimNode,
    keys: readonly string[],
    expected: string | null | undefined,
    next: () => void,
  ): void {
    this.#values += 1
    const padding = this.#prng.chance(10) ? 'x'.repeat(this.#prng.below(600)) : ''
    const value = `v${this.#values}${padding}`
    const op = this.#begin(node, keys, value, expected)
    const first = keys[0] as string
    const compares =
      expected === undefined
        ? []
        : expected === null
          ? [{ target: 'version', key: first, is: '=', operand: 0 } as const]
          : [{ target: 'value', key: first, is: '=', operand: Buffer.from(expected) } as const]
    node.replica?.store.txn(
      compares,
      keys.map((key) => ({ type: 'put', key, value: Buffer.from(value) })),
      keys.map((key) => ({ type: 'get', key })),
      (outcome) => {
        if (!this.#isOpen(node, op)) return
        this.#wrote(op, outcome)
        next()
      },
    )
  }

  #wrote(op: ClientOp, outcome: Outcome<TxnResult>): void {
    if (!outcome.ok) {
      const isKnown = outcome.error.detail['outcome'] !== 'unknown'
      this.history.end(op, isKnown ? 'none' : 'unknown')
      return
    }
    const { revision, succeeded, results } = outcome.value
    op.revision = revision
    op.held = succeeded
    op.found = results.map((result) => {
      if (result.type !== 'get' || result.kv === null) return null
      return Buffer.from(result.kv.value).toString('utf8')
    })
    this.history.end(op, 'ok')
  }

  #begin(
    node: SimNode,
    keys: readonly string[],
    value: string | null,
    expected: string | null | undefined,
  ): ClientOp {
    const op = this.history.begin(keys, value, expected)
    const open = this.#openOps.get(node) ?? new Set()
    this.#openOps.set(node, open)
    open.add(op)
    return op
  }

  /** False when its node has ended meanwhile. */
  #isOpen(node: SimNode, op: ClientOp): boolean {
    return op.outcome === 'open' && this.#openOps.get(node)?.delete(op) === true
  }

  #lost(op: ClientOp): void {
    if (op.outcome === 'open') this.history.end(op, 'unknown')
  }

  // ---- leases ----------------------------------------------------------------------------------

  #leaseClient(): void {
    if (this.#isHealing) return
    const again = (): void => this.#at(1500, () => this.#leaseClient())
    const ready = this.#nodes.filter((node) => node.isReady)
    const node = ready.length === 0 ? null : this.#prng.pick(ready)
    const { store } = node?.replica ?? { store: null }
    if (store === null) {
      again()
      return
    }
    const sentMs = this.#clock.nowMs
    store.lease.grant(LEASE_MS, (outcome) => {
      if (!outcome.ok) return
      this.#values += 1
      const key = `lease/${this.#values}`
      this.#leases.set(key, sentMs + LEASE_MS * LEASE_TOLERANCE)
      const { id } = outcome.value
      store.txn([], [{ type: 'put', key, value: Buffer.from(key), lease: id }], [], (put) => {
        if (put.ok) this.#keepAlive(key, id)
      })
    })
    again()
  }

  #keepAlive(key: string, id: string): void {
    if (this.#isHealing || this.#prng.chance(15)) return
    this.#at(1000 + this.#prng.below(2500), () => {
      const ready = this.#nodes.filter((node) => node.isReady)
      if (ready.length === 0) return
      const sentMs = this.#clock.nowMs
      this.#prng.pick(ready).replica?.store.lease.keepAlive(id, (outcome: Outcome<LeaseGrant>) => {
        if (!outcome.ok) return
        const untilMs = sentMs + LEASE_MS * LEASE_TOLERANCE
        this.#leases.set(key, Math.max(this.#leases.get(key) ?? 0, untilMs))
        this.#keepAlive(key, id)
      })
    })
  }

  #leaseEnded(key: string): void {
    const untilMs = this.#leases.get(key)
    if (untilMs === undefined) return
    const earlyMs = untilMs - this.#clock.nowMs
    if (earlyMs <= 0) return
    this.#violation ??= new HistoryViolation(`${key} ended ${Math.ceil(earlyMs)} ms too early`)
  }

  // ---- the end ---------------------------------------------------------------------------------

  /** All faults stop; a write and a read must succeed, and everybody must come to the same. */
  #heal(): void {
    this.#isHealing = true
    this.#net.heal()
    this.#net.weather = CALM
    for (const node of this.#nodes) {
      node.pausedUntilMs = 0
      node.disk.crashAt = Number.POSITIVE_INFINITY
      node.disk.failWhen = () => false
    }
    const endMs = this.#clock.nowMs + HEAL_MS
    let finalRevision = -1
    let seenRevision = 0
    const attempt = (): void => {
      const members = this.#nodes.filter((node) => node.isReady && this.#isMember(node))
      const node = members.length === 0 ? null : this.#prng.pick(members)
      const op = this.history.begin(['a'], `final${this.#clock.nowMs}`, undefined)
      const value = Buffer.from(op.value as string)
      if (node === null) {
        this.history.end(op, 'none')
        this.#at(200, attempt)
        return
      }
      seenRevision = this.history.revisionMax
      node.replica?.store.txn([], [{ type: 'put', key: 'a', value }], [], (outcome) => {
        this.#wrote(op, outcome)
        if (outcome.ok) finalRevision = outcome.value.revision
        else this.#at(200, attempt)
      })
    }
    this.#at(100, attempt)
    const isSettled = (): boolean =>
      finalRevision >= 0 && this.#nodes.every((node) => this.#hasCaughtUp(node, finalRevision))
    while (!isSettled() && this.#clock.nowMs < endMs) {
      this.#runUntil(Math.min(endMs, this.#clock.nowMs + 250))
    }
    try {
      if (finalRevision < 0) throw new HistoryViolation('no write succeeded after all faults ended')
      if (!isSettled()) throw new HistoryViolation(`not all have caught up: ${this.#standings()}`)
      this.history.check(finalRevision, seenRevision)
    } catch (thrown) {
      throw this.#named(thrown)
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
