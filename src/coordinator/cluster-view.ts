import type { Board, BoardEntry } from '../board/board.js'
import { HEARTBEAT_KEY } from '../board/board.js'
import { LAST_BEATS_PREFIX, readLastBeats } from '../board/last-beats.js'
import type { Time, Timer } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import { decodeBody, encodeBody, type Links } from '../peer/peer.js'
import type { MemberStatus, NodeMetric, StatusByMember } from '../protocol/coordinator.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { ClusterMember, ConsensusStatus, Replica, Roster } from '../store/cluster.js'
import { type Done, type Store, success } from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'

/** A member whose last beat is older is not waited for, and counts as offline. */
export const SILENT_MS = 6_000
/** What is said of oneself outlives the speaker for so long. */
const SAID_TTL_MS = 600_000
const LOOK_MS = 2_000
/** A member that was not heard for longer cannot be reached. */
const HEARD_MS = 2_000
/** A clock further away from ours than this is worth a warning. */
const CLOCK_OFFSET_MS_MAX = 1_000
const PURGE_MS = 8_000
/** How long a purge waits for those to be heard who would be left. */
const SPARE_WAIT_MS = 3_000
const PURGE_AGAIN_MS = 100
const SERVING_KEY = 'serving'
const STATUS_PREFIX = 'status/'

/** What the actor knows of the cluster and may ask of it. */
export interface ClusterView {
  consensus(): ConsensusStatus
  /** Whether others have to be asked at all. */
  readonly isAlone: boolean
  /** Why the store of this node takes nothing any more; null: it works. */
  failure(): string | null
  /** Figures of this node as a member. */
  metrics(): readonly NodeMetric[]
  /** Why nobody can write without a leader, for a person. */
  quorumProblem(): string
  listMembers(done: (members: readonly MemberStatus[]) => void): void
  purge(name: string, done: Done<null>): void
  /** Tells the others what the workers of this node run. */
  publishServing(serving: MemberServing): void
  /** Of every other member that lives. */
  readServing(done: (all: readonly ServingOf[]) => void): void
  publishStatus(object: string, status: Readonly<Record<string, unknown>>): void
  withdrawStatus(object: string): void
  /** What other members say of objects, by object; `only`: of this one alone. */
  readStatus(only: string | null, done: (all: ReadonlyMap<string, StatusByMember>) => void): void
  close(): void
}

/** What the workers of one member run, all of them. */
export interface MemberServing {
  readonly version: ConfigVersion
  /** Objects that could not be put to work there, with the reason; some of them. */
  readonly failed: readonly (readonly [object: string, error: string])[]
}

export interface ServingOf {
  readonly member: string
  /** Null: it has not said so yet. */
  readonly serving: MemberServing | null
}

export interface ClusterViewOptions {
  readonly time: Time
  readonly replica: Replica
  readonly log: Logger
  readonly links: Pick<Links, 'lastHeardMs' | 'status'>
  readonly board: Board
  readonly self: SelfMember
  /** Times that this life of the coordinator told its disk to make something durable. */
  syncs(): number
}

export interface SelfMember {
  readonly name: string
  readonly incarnation: string
  /** Start-up options as `--print-config` shows them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly startedMs: number
}

/** The heartbeat of a member, as it was heard last. */
interface Heard {
  readonly atMs: number
  readonly heartbeat: Heartbeat | null
}

interface Heartbeat {
  readonly options: Readonly<Record<string, unknown>>
  readonly startedMs: number
}

/** The cluster as a member sees it: its roster, and what its board says. */
export class PeerClusterView implements ClusterView {
  readonly #options: ClusterViewOptions
  readonly #store: Store
  /** By incarnation; what is known when nobody can be asked. */
  readonly #heard = new Map<string, Heard>()
  #looking: Timer | null = null
  /** Members whose clock was too far away at the last look. */
  #strayClocks: ReadonlySet<string> = new Set()

  constructor(options: ClusterViewOptions) {
    this.#options = options
    this.#store = options.replica.store
    const { board, self } = options
    const { startedMs, options: shown } = self
    const heartbeat: Heartbeat = { options: shown, startedMs }
    board.publish(HEARTBEAT_KEY, encodeBody(heartbeat), SAID_TTL_MS)
    this.#lookLater()
  }

  close(): void {
    this.#looking?.cancel()
  }

  get isAlone(): boolean {
    return this.#roster.members.length <= 1
  }

  get #roster(): Roster {
    return this.#options.replica.roster()
  }

  consensus(): ConsensusStatus {
    return this.#options.replica.consensus()
  }

  failure(): string | null {
    const { state, failure } = this.#options.replica.store.status()
    return state === 'failed' ? (failure ?? 'the store has failed') : null
  }

  get #voters(): readonly ClusterMember[] {
    return this.#roster.members.filter(({ suffrage }) => suffrage === 'voter')
  }

  /** Those of `members` that this node has not heard just now. */
  #silentOf(members: readonly ClusterMember[]): readonly ClusterMember[] {
    const { time, links, self } = this.#options
    const nowMs = time.monotonicMs()
    return members.filter(({ incarnation }) => {
      const heardMs = links.lastHeardMs(incarnation)
      return incarnation !== self.incarnation && (heardMs === null || nowMs - heardMs > HEARD_MS)
    })
  }

  quorumProblem(): string {
    const voters = this.#voters
    const silent = this.#silentOf(voters)
    const here = voters.length - silent.length
    if (here > voters.length / 2) return 'the members of the cluster are electing a leader'
    const names = silent.map(({ name }) => name).join(', ')
    return `no quorum: ${here} of ${voters.length} voters can be reached, silent: ${names}; nothing can be written, traffic goes on`
  }

  metrics(): readonly NodeMetric[] {
    const syncs = this.#options.syncs()
    const all: NodeMetric[] = [{ name: 'disk_syncs', type: 'counter', labels: {}, value: syncs }]
    const offsets = this.#clockOffsets()
    for (const { name, incarnation } of this.#roster.members) {
      const value = offsets.get(incarnation)
      if (value === undefined) continue
      all.push({ name: 'member_clock_offset_ms', type: 'gauge', labels: { member: name }, value })
    }
    return all
  }

  /** By incarnation, in whole milliseconds: how far ahead of ours the clocks of others are. */
  #clockOffsets(): Map<string, number> {
    const offsets = new Map<string, number>()
    for (const { incarnation, links } of this.#options.links.status()) {
      const found = links.find(({ clockOffsetMs }) => clockOffsetMs !== null)
      if (found?.clockOffsetMs != null) offsets.set(incarnation, Math.round(found.clockOffsetMs))
    }
    return offsets
  }

  /** Nothing here trusts clocks; but whoever reads times of several members is misled by them. */
  #checkClocks(): void {
    const { log } = this.#options
    const offsets = this.#clockOffsets()
    const stray = new Set<string>()
    for (const { name, incarnation } of this.#roster.members) {
      const offsetMs = offsets.get(incarnation) ?? 0
      if (Math.abs(offsetMs) <= CLOCK_OFFSET_MS_MAX) continue
      stray.add(incarnation)
      if (this.#strayClocks.has(incarnation)) continue
      log.warn('the clock of a member differs from ours', { member: name, offsetMs })
    }
    this.#strayClocks = stray
  }

  // -- members -----------------------------------------------------------------------------------

  listMembers(done: (members: readonly MemberStatus[]) => void): void {
    this.#look(() => {
      readLastBeats(this.#store, (outcome) => {
        if (outcome.ok) {
          for (const { incarnation, wallMs, heartbeat } of outcome.value) {
            if (this.#heard.has(incarnation)) continue
            this.#heard.set(incarnation, { atMs: wallMs, heartbeat: decodeHeartbeat(heartbeat) })
          }
        }
        done(this.#roster.members.map((member) => this.#statusOf(member)))
      })
    })
  }

  purge(name: string, done: Done<null>): void {
    const { time } = this.#options
    const found = this.#roster.members.find((member) => member.name === name)
    if (found === undefined) {
      done({ ok: false, error: new GatewayError('MEMBER_NOT_FOUND', 'not found', { name }) })
      return
    }
    const { incarnation } = found
    if (this.isAlone) {
      const message = `${name} is the only member of its cluster and cannot be purged`
      done({ ok: false, error: new GatewayError('REQUEST_INVALID', message) })
      return
    }
    this.#whenSpared(found, time.monotonicMs() + SPARE_WAIT_MS, (loss) => {
      if (loss === null) this.#purge(name, incarnation, done)
      else done({ ok: false, error: new GatewayError('REQUEST_INVALID', loss, { name }) })
    })
  }

  #purge(name: string, incarnation: string, done: Done<null>): void {
    const { time } = this.#options
    this.#remove(incarnation, time.monotonicMs() + PURGE_MS, (outcome) => {
      if (!outcome.ok) {
        done(outcome)
        return
      }
      this.#heard.delete(incarnation)
      const ops = [{ type: 'delete', key: `${LAST_BEATS_PREFIX}${name}` }] as const
      this.#store.txn([], ops, [], () => done(success(null)))
    })
  }

  /** Members that have just started may still be connecting. */
  #whenSpared(found: ClusterMember, untilMs: number, then: (loss: string | null) => void): void {
    const { time } = this.#options
    const loss = this.#lossWithout(found)
    if (loss === null || time.monotonicMs() >= untilMs) then(loss)
    else time.after(PURGE_AGAIN_MS, () => this.#whenSpared(found, untilMs, then))
  }

  /**
   * Why the cluster could not go on without a member that votes. Consensus would agree; but those that
   * are left would be stuck, and with the disk of one of the silent ones they would be lost.
   */
  #lossWithout({ name, incarnation }: ClusterMember): string | null {
    if (!this.consensus().hasQuorum) return null // said by those that try, with another reason
    const left = this.#voters.filter((voter) => voter.incarnation !== incarnation)
    const silent = this.#silentOf(left)
    if (left.length === this.#voters.length || silent.length * 2 < left.length) return null
    const names = silent.map((voter) => voter.name).join(', ')
    const here = left.length - silent.length
    return `without ${name} only ${here} of ${left.length} voters could be reached, which is no majority; first start or purge those that are silent: ${names}`
  }

  /** Once more when the one that was asked led no longer, or was itself the one to go. */
  #remove(incarnation: string, untilMs: number, done: Done<null>): void {
    const { replica, time } = this.#options
    replica.changeMembership({ type: 'remove', incarnation }, (outcome) => {
      const isGone = this.#roster.members.every((member) => member.incarnation !== incarnation)
      if (outcome.ok || isGone) done(success(null))
      else if (outcome.error.code === 'REQUEST_INVALID' || time.monotonicMs() >= untilMs) {
        done(outcome)
      } else time.after(PURGE_AGAIN_MS, () => this.#remove(incarnation, untilMs, done))
    })
  }

  #statusOf(member: ClusterMember): MemberStatus {
    const { self, time } = this.#options
    const isSelf = member.incarnation === self.incarnation
    const heard: Heard | undefined = isSelf
      ? { atMs: time.wallMs(), heartbeat: self }
      : this.#heard.get(member.incarnation)
    const { name, incarnation } = member
    const clockOffsetMs = this.#clockOffsets().get(incarnation)
    const atMs = heard?.atMs ?? this.#heardOnTheWire(incarnation)
    const isOnline = atMs !== null && time.wallMs() - atMs <= SILENT_MS
    return {
      options: heard?.heartbeat?.options ?? { name },
      lastHeartbeatTime: atMs === null ? NEVER : rfc3339(atMs),
      etcd: {
        id: incarnation,
        startTime: heard?.heartbeat ? rfc3339(heard.heartbeat.startedMs) : NEVER,
        state: isOnline ? this.#stateOf(member) : 'Offline',
      },
      ...(clockOffsetMs === undefined ? {} : { clockOffsetMs }),
    }
  }

  #stateOf({ nodeId, suffrage }: ClusterMember): string {
    const consensus = this.consensus()
    if (consensus.leader === nodeId && consensus.hasQuorum) return 'Leader'
    if (suffrage === 'learner') return 'Learner'
    if (nodeId !== consensus.nodeId) return 'Follower'
    const { role } = consensus
    if (role === 'candidate') return 'Candidate'
    return role === 'pre-candidate' ? 'PreCandidate' : 'Follower'
  }

  #heardOnTheWire(incarnation: string): number | null {
    const { links, time } = this.#options
    const heardMs = links.lastHeardMs(incarnation)
    return heardMs === null ? null : time.wallMs() - (time.monotonicMs() - heardMs)
  }

  /** So that a node which is cut off still knows of whom it is cut off. */
  #lookLater(): void {
    this.#looking = this.#options.time.after(LOOK_MS, () => {
      this.#lookLater()
      if (this.isAlone) return
      this.#look(() => {})
      this.#checkClocks()
    })
  }

  #look(done: () => void): void {
    const { board, time } = this.#options
    board.read(HEARTBEAT_KEY, (outcome) => {
      const entries = outcome.ok ? outcome.value.entries : []
      for (const { member, value, ageMs, key } of entries) {
        if (key !== HEARTBEAT_KEY) continue
        const atMs = time.wallMs() - ageMs
        const known = this.#heard.get(member.incarnation)
        const heartbeat = decodeHeartbeat(value)
        if (known === undefined || known.atMs < atMs) {
          this.#heard.set(member.incarnation, { atMs, heartbeat })
        }
      }
      const members = new Set(this.#roster.members.map(({ incarnation }) => incarnation))
      for (const each of this.#heard.keys()) if (!members.has(each)) this.#heard.delete(each)
      done()
    })
  }

  // -- what they run -----------------------------------------------------------------------------

  publishServing(serving: MemberServing): void {
    this.#options.board.publish(SERVING_KEY, encodeBody(serving), SILENT_MS)
  }

  readServing(done: (all: readonly ServingOf[]) => void): void {
    const { board, self, time } = this.#options
    board.read(SERVING_KEY, (outcome) => {
      const said = new Map<string, BoardEntry>()
      for (const entry of outcome.ok ? outcome.value.entries : []) {
        if (entry.key === SERVING_KEY) said.set(entry.member.incarnation, entry)
      }
      const all: ServingOf[] = []
      for (const { name, incarnation } of this.#roster.members) {
        if (incarnation === self.incarnation) continue
        const entry = said.get(incarnation)
        // A new leader may not have heard yet what a member runs that is well and connected here.
        const heardMs = this.#heardOnTheWire(incarnation)
        const lives = entry !== undefined || (heardMs ?? 0) >= time.wallMs() - SILENT_MS
        if (!lives) continue
        all.push({ member: name, serving: entry === undefined ? null : decodeServing(entry.value) })
      }
      done(all)
    })
  }

  // -- status of objects -------------------------------------------------------------------------

  publishStatus(object: string, status: Readonly<Record<string, unknown>>): void {
    this.#options.board.publish(STATUS_PREFIX + object, encodeBody(status), SAID_TTL_MS)
  }

  withdrawStatus(object: string): void {
    this.#options.board.withdraw(STATUS_PREFIX + object)
  }

  readStatus(only: string | null, done: (all: ReadonlyMap<string, StatusByMember>) => void): void {
    const { board, self, time } = this.#options
    const members = new Set(this.#roster.members.map(({ incarnation }) => incarnation))
    board.read(STATUS_PREFIX + (only ?? ''), (outcome) => {
      const all = new Map<string, Record<string, Readonly<Record<string, unknown>>>>()
      for (const { key, value, member, ageMs } of outcome.ok ? outcome.value.entries : []) {
        const object = key.slice(STATUS_PREFIX.length)
        const isWanted = only === null || object === only
        const isOther = member.incarnation !== self.incarnation && members.has(member.incarnation)
        const status = isWanted && isOther ? decodeRecord(value) : null
        if (status === null) continue
        const timestamp = Math.floor((time.wallMs() - ageMs) / 1000)
        const byMember = all.get(object) ?? {}
        byMember[member.name] = sortedKeys({ ...status, timestamp })
        all.set(object, byMember)
      }
      done(all)
    })
  }
}

/** As Go writes a time that never was. */
const NEVER = '0001-01-01T00:00:00Z'

/** Whole seconds, as Go's RFC 3339 writes them. */
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')

const sortedKeys = (record: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

function decodeRecord(bytes: Uint8Array): Record<string, unknown> | null {
  const decoded = decodeBody(bytes)
  const value = decoded.ok ? decoded.value : null
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMap ? (value as Record<string, unknown>) : null
}

function decodeHeartbeat(bytes: Uint8Array): Heartbeat | null {
  const { options, startedMs } = decodeRecord(bytes) ?? {}
  const isMap = typeof options === 'object' && options !== null && !Array.isArray(options)
  if (!isMap || !Number.isFinite(startedMs)) return null
  return { options: options as Record<string, unknown>, startedMs: startedMs as number }
}

function decodeServing(bytes: Uint8Array): MemberServing | null {
  const { version, failed } = decodeRecord(bytes) ?? {}
  const { epoch, version: number } = (version ?? {}) as Record<string, unknown>
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(number)) return null
  const pairs = (Array.isArray(failed) ? failed : []).filter(isPair)
  return { version: { epoch: epoch as number, version: number as number }, failed: pairs }
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string'
