import type { Reply } from '../actor/actor.js'
import { assert } from '../lib/assert.js'
import { type ErrorCode, GatewayError } from '../lib/errors.js'
import { type ConfigVersion, isNewer } from '../protocol/version.js'
import {
  type Done,
  type GetResult,
  type Outcome,
  type Store,
  storeUnavailable,
  type TxnResult,
} from '../store/contract.js'
import type { HistoryBounds } from './draft.js'
import { HISTORY_BOUNDS, type Plan, type PlannedWrites, planWrites, type Write } from './plan.js'
import { VERSION_KEY } from './record.js'
import type { Registry } from './registry.js'

/** A write on its way, and whoever waits for it. */
export interface PendingWrite {
  readonly write: Write
  readonly reply: Reply
  readonly warnings: readonly string[]
  /** Monotonic time until which an outcome that is not known is worth looking for. */
  readonly deadlineMs: number
  /** Whose workers have to run it before it is answered. */
  readonly wait: 'node' | 'cluster'
  /**
   * Of a write that another member asks for, which waits for the commit alone, and looks for it by
   * itself: why it must not be begun here any more, or null.
   */
  readonly guest?: { problem(): GatewayError | null }
}

/** A write that is durable, or was so before. */
export interface Written {
  readonly pending: PendingWrite
  readonly version: ConfigVersion
  readonly created: boolean
  readonly changed: boolean
}

/** What a write came to at the member that leads. */
export type RemoteWritten = Omit<Written, 'pending'>

/** The writer of the member that leads. */
export interface RemoteWriter {
  /** It is another member than this, and known. */
  isThere(): boolean
  /** Fails as `Store.txn` does, or as the plan is refused. */
  write(write: Write, timeoutMs: number, done: Done<RemoteWritten>): void
}

/** A write in the queue, or taken from it. */
export interface QueuedWrite {
  readonly pending: PendingWrite
  /** Transactions for it that lost, to other writers or to their own first try. */
  losses: number
  /** Why it has to be looked for, as far as that is known; an outcome 'unknown' is not forgotten. */
  error: GatewayError | null
}

/** Asked of the member that leads. */
export interface Ask {
  readonly queued: QueuedWrite
}

export interface ConfigWriterPorts {
  readonly store: Store
  readonly registry: Registry
  nowMs(): number
  monotonicMs(): number
  /** Why no write can succeed, for as long as that is certain; null: it is worth trying. */
  hopeless(): GatewayError | null
  readonly remote: RemoteWriter
  /** Its answer comes back through the actor's mailbox, to {@link ConfigWriter.onAnswered}. */
  answered(ask: Ask, outcome: Outcome<RemoteWritten>): void
  /** Default: {@link HISTORY_BOUNDS}. */
  readonly history?: HistoryBounds
  /** The outcome of a transaction comes back through the actor's mailbox. */
  finished(commit: Commit, outcome: Outcome<TxnResult>): void
  /** So does what a look at the store shows, to {@link ConfigWriter.onLooked}. */
  looked(look: Look, outcome: Outcome<GetResult>): void
  /** Calls {@link ConfigWriter.lookAgain} through the mailbox, later. */
  later(look: Look, delayMs: number): void
  written(written: Written): void
}

/** A transaction under way. */
export interface Commit {
  readonly batch: readonly QueuedWrite[]
  /** One for each of the batch. */
  readonly plans: readonly Plan[]
  /** What the configuration comes to. */
  readonly to: ConfigVersion
}

/**
 * A look at how far all members are, before something is said about writes without a commit: to be
 * sure of what the registry shows, or because it is not known whether they were made.
 */
export interface Look {
  readonly batch: readonly QueuedWrite[]
}

const LOOK_AGAIN_MS = 50
/** For a write that has waited long in the queue, too. */
const ASK_MS_MIN = 1_000
const QUEUE_MAX = 1_024
const LOSSES_MAX = 10
/** Of one transaction: a turn of the actor plans them, and longer turns would delay its others. */
const BATCH_MAX = 256
/** Under way to the member that leads. */
const ASKS_MAX = 256
/** Of them together; a long one goes alone. */
const ASKS_BYTES_MAX = 1024 * 1024

type State =
  | { readonly type: 'idle' }
  | { readonly type: 'committing'; readonly commit: Commit }
  | Asking
  /** Committed, but not yet seen by the registry. */
  | { readonly type: 'applying'; readonly to: ConfigVersion }
  | { readonly type: 'looking'; readonly look: Look }
  /** Somebody wrote at that revision, which is not yet seen by the registry. */
  | {
      readonly type: 'behind'
      readonly batch: readonly QueuedWrite[]
      readonly revision: number
    }

interface Asking {
  readonly type: 'asking'
  readonly open: Set<Ask>
  /** Of those that are open. */
  bytes: number
  /** To be looked for once no other is open; none is asked any more. */
  readonly lost: QueuedWrite[]
}

const IDLE: State = { type: 'idle' }

/**
 * The one writer of configuration on this node: takes writes in order. While another member leads,
 * that one's writer is asked to make them; while none does, or this one, a transaction makes all
 * that wait, as far as they go together, planned against a registry that shows all before them.
 * Those that come meanwhile go with the next. Whatever was judged by a transaction, refusals as
 * well, is said once that has come through. When its outcome is not known, the history is looked at
 * before anything is sent again; it names the writes it came from. What is answered without a
 * transaction is first compared with what all members have.
 */
export class ConfigWriter {
  readonly #ports: ConfigWriterPorts
  readonly #queue: QueuedWrite[] = []
  /** Made, and not yet seen by the registry. */
  #unseen: Written[] = []
  #state: State = IDLE
  /** So many of the queue go one by one: the store has refused them together. */
  #alone = 0

  constructor(ports: ConfigWriterPorts) {
    this.#ports = ports
  }

  submit(pending: PendingWrite): void {
    if (this.#queue.length >= QUEUE_MAX) {
      const message = 'too many writes wait, try again later'
      pending.reply.fail(overloaded(message))
      return
    }
    this.#queue.push({ pending, losses: 0, error: null })
    this.#next()
  }

  /** What `write` would do as things stand. */
  plan(write: Write): Plan {
    const [plan] = this.#plan([write]).plans
    assert(plan !== undefined, 'a write alone is planned')
    return plan
  }

  /** The registry shows more than before. */
  onChanged(): void {
    const { registry } = this.#ports
    const state = this.#state
    this.#tell()
    if (state.type === 'applying') {
      if (isNewer(state.to, registry.version)) return
      this.#state = IDLE
    } else if (state.type === 'behind') {
      if (registry.versionRevision < state.revision) return
      this.#state = IDLE
      this.#start(state.batch, true)
    }
    this.#next()
  }

  /**
   * Another member leads. What was handed to the one before may never be heard of again, or only
   * after a long time; as it can apply at most once, it is looked for now.
   */
  onLeader(): void {
    const state = this.#state
    if (state.type === 'committing') this.#loseLeader(state.commit.batch)
    else if (state.type === 'asking') {
      this.#loseLeader([...[...state.open].map(({ queued }) => queued), ...state.lost])
    } else if (state.type === 'looking') this.#lookNow({ ...state.look })
  }

  /** Nobody leads: whoever was asked may never answer. */
  onLeaderGone(): void {
    if (this.#state.type === 'asking') this.onLeader()
  }

  /** The store has answered. */
  onOutcome(commit: Commit, outcome: Outcome<TxnResult>): void {
    // Late: it has been looked for meanwhile.
    if (this.#state.type !== 'committing' || this.#state.commit !== commit) return
    this.#state = IDLE
    const { batch } = commit
    if (!outcome.ok) {
      if (batch.length > 1 && IS_OF_ONE.has(outcome.error.code)) this.#separate(batch)
      else this.#lookLater(this.#worthALook(batch, outcome.error))
    } else if (outcome.value.succeeded) {
      this.#answer(commit)
      this.#state = { type: 'applying', to: commit.to }
    } else {
      const again = batch.filter((queued) => this.#hasAnotherTry(queued))
      const revision = versionRevision(outcome.value)
      if (again.length > 0) this.#state = { type: 'behind', batch: again, revision }
    }
    this.onChanged()
  }

  /** The member that leads has answered. */
  onAnswered(ask: Ask, outcome: Outcome<RemoteWritten>): void {
    const state = this.#state
    if (state.type !== 'asking' || !state.open.delete(ask)) return
    const { queued } = ask
    state.bytes -= bytesOf(queued.pending.write)
    if (outcome.ok) this.#unseen.push({ ...outcome.value, pending: queued.pending })
    else state.lost.push(...this.#worthALook([queued], outcome.error))
    if (state.open.size === 0) {
      this.#state = IDLE
      this.#lookLater(state.lost)
    }
    this.onChanged()
  }

  onLooked(look: Look, outcome: Outcome<GetResult>): void {
    if (!this.#isLookingFor(look)) return
    this.#state = IDLE
    const { batch } = look
    if (outcome.ok) {
      const revision = outcome.value.kv?.modRevision ?? 0
      this.#state = { type: 'behind', batch, revision }
    } else {
      const error = storeUnavailable(outcome.error.message, 'none')
      this.#lookLater(this.#worthALook(batch, error))
    }
    this.onChanged()
  }

  lookAgain(look: Look): void {
    if (this.#isLookingFor(look)) this.#lookNow(look)
  }

  // -- what is not known -------------------------------------------------------------------------

  #isLookingFor(look: Look): boolean {
    return this.#state.type === 'looking' && this.#state.look === look
  }

  #lookNow(look: Look): void {
    const { store, looked } = this.#ports
    this.#state = { type: 'looking', look }
    store.get(VERSION_KEY, 'linearizable', (outcome) => looked(look, outcome))
  }

  #lookLater(batch: readonly QueuedWrite[]): void {
    if (batch.length === 0) return
    const look: Look = { batch }
    this.#state = { type: 'looking', look }
    this.#ports.later(look, LOOK_AGAIN_MS)
  }

  #loseLeader(batch: readonly QueuedWrite[]): void {
    for (const queued of batch) {
      blame(queued, storeUnavailable('the leader of the cluster was lost', 'unknown'))
    }
    this.#lookNow({ batch })
  }

  /** Those that it is worth looking for; the others are told that they failed. */
  #worthALook(batch: readonly QueuedWrite[], error: GatewayError): QueuedWrite[] {
    const { monotonicMs, hopeless } = this.#ports
    const why = hopeless()
    return batch.filter((queued) => {
      const { guest, deadlineMs } = queued.pending
      const isOver = guest !== undefined || monotonicMs() + LOOK_AGAIN_MS >= deadlineMs
      if (isWorthALook(error) && !isOver && why === null) {
        blame(queued, error)
        return true
      }
      // That it did not happen is certain only if nothing else is said of it.
      fail(queued, why !== null && error.detail['outcome'] === 'none' ? why : error)
      return false
    })
  }

  /** After a transaction that lost. */
  #hasAnotherTry(queued: QueuedWrite): boolean {
    queued.losses += 1
    if (queued.losses < LOSSES_MAX) return true
    const message = 'the configuration kept changing meanwhile, try again'
    queued.pending.reply.fail(overloaded(message))
    return false
  }

  // -- one after the other -----------------------------------------------------------------------

  #next(): void {
    while (this.#state.type === 'idle' && this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.#alone > 0 ? 1 : BATCH_MAX)
      this.#alone = Math.max(0, this.#alone - 1)
      this.#start(batch, false)
    }
    if (this.#state.type === 'asking') this.#askMore(this.#state)
  }

  /** What is wrong with one of them must not be the end of the others. */
  #separate(batch: readonly QueuedWrite[]): void {
    this.#queue.unshift(...batch)
    this.#alone = batch.length
  }

  /** `isCurrent`: the registry shows all that was acknowledged before the writes came. */
  #start(all: readonly QueuedWrite[], isCurrent: boolean): void {
    const why = this.#ports.hopeless()
    const possible = all.filter((queued) => {
      const problem = why ?? queued.pending.guest?.problem() ?? null
      if (problem !== null) fail(queued, problem)
      return problem === null
    })
    const [first] = possible
    if (first === undefined) return
    if (this.#isForOthers(first)) {
      this.#queue.unshift(...possible)
      this.#state = { type: 'asking', open: new Set(), bytes: 0, lost: [] }
      return
    }
    const here = possible.findIndex((queued) => this.#isForOthers(queued))
    const writes = possible.slice(0, here < 0 ? possible.length : here)
    const { plans, transaction } = this.#plan(writes.map(({ pending }) => pending.write))
    const batch = possible.slice(0, plans.length)
    this.#queue.unshift(...possible.slice(plans.length))
    if (transaction === null) {
      const judged: Commit = { batch, plans, to: this.#ports.registry.version }
      if (isCurrent) this.#answer(judged)
      else this.#lookNow({ batch })
      return
    }
    const { compares, ops, to } = transaction
    const commit: Commit = { batch, plans, to }
    const { store, finished } = this.#ports
    this.#state = { type: 'committing', commit }
    // When it loses, it learns what the registry has to show before it is worth another try.
    const whenLost = [{ type: 'get', key: VERSION_KEY }] as const
    store.txn(compares, ops, whenLost, (outcome) => finished(commit, outcome))
  }

  #plan(writes: readonly Write[]): PlannedWrites {
    const { store, registry, nowMs, history = HISTORY_BOUNDS } = this.#ports
    return planWrites(writes, registry, nowMs(), { limits: store.limits(), history })
  }

  #isForOthers({ pending }: QueuedWrite): boolean {
    return pending.guest === undefined && this.#ports.remote.isThere()
  }

  /** Asks for what waits; that one makes it together, as far as it goes together. */
  #askMore(asking: Asking): void {
    const { remote, monotonicMs, answered } = this.#ports
    while (asking.lost.length === 0 && asking.open.size < ASKS_MAX) {
      const [queued] = this.#queue
      if (queued === undefined || !this.#isForOthers(queued)) break
      const { write, deadlineMs } = queued.pending
      const bytes = bytesOf(write)
      if (asking.open.size > 0 && asking.bytes + bytes > ASKS_BYTES_MAX) break
      this.#queue.shift()
      const ask: Ask = { queued }
      asking.open.add(ask)
      asking.bytes += bytes
      const timeoutMs = Math.max(ASK_MS_MIN, deadlineMs - monotonicMs())
      remote.write(write, timeoutMs, (outcome) => answered(ask, outcome))
    }
  }

  /** All that was judged is so. */
  #answer({ batch, plans }: Commit): void {
    batch.forEach(({ pending }, i) => {
      const plan = plans[i] as Plan
      if (plan.type === 'refused') pending.reply.fail(plan.error)
      else {
        const { version, created, changed } = plan
        this.#unseen.push({ pending, version, created, changed })
      }
    })
    this.#tell()
  }

  /** Answers what the registry shows. */
  #tell(): void {
    const { registry, written } = this.#ports
    const isSeen = ({ version }: Written): boolean => !isNewer(version, registry.version)
    const seen = this.#unseen.filter(isSeen)
    if (seen.length === 0) return
    this.#unseen = this.#unseen.filter((each) => !isSeen(each))
    for (const each of seen) written(each)
  }
}

const overloaded = (message: string): GatewayError =>
  new GatewayError('OVERLOADED', message, { outcome: 'none' })

const isUnknown = (error: GatewayError | null): error is GatewayError =>
  error?.detail['outcome'] === 'unknown'

function blame(queued: QueuedWrite, error: GatewayError): void {
  if (!isUnknown(queued.error)) queued.error = error
}

/** An earlier try of it may still come through: then that is what is said. */
function fail({ pending, error: before }: QueuedWrite, error: GatewayError): void {
  pending.reply.fail(isUnknown(before) ? before : error)
}

/** What the store says of a transaction that is too much for it, or of one operation in it. */
const IS_OF_ONE: ReadonlySet<ErrorCode> = new Set([
  'REQUEST_INVALID',
  'DOCUMENT_TOO_LARGE',
] as const)

const bytesOf = (write: Write): number =>
  write.type === 'put' ? write.text.length + write.spec.byteLength : 0

/** What a change of leader, or a connection that was lost, may look like. */
const WORTH_A_LOOK: ReadonlySet<ErrorCode> = new Set([
  'NOT_LEADER',
  'STORE_UNAVAILABLE',
  'TIMEOUT',
] as const)

/** The write may have been made, or can be made through another leader. */
export const isWorthALook = ({ code }: GatewayError): boolean => WORTH_A_LOOK.has(code)

function versionRevision({ results }: TxnResult): number {
  const [result] = results
  return result?.type === 'get' ? (result.kv?.modRevision ?? 0) : 0
}
