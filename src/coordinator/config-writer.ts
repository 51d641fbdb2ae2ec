import type { Reply } from '../actor/actor.js'
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
import { HISTORY_BOUNDS, type HistoryBounds, type Plan, planWrite, type Write } from './plan.js'
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

/** Asked of the member that leads. */
export interface Ask {
  readonly pending: PendingWrite
  readonly attempt: number
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
  readonly pending: PendingWrite
  readonly plan: Plan & { readonly type: 'commit' }
  readonly attempt: number
}

/** A look at how far all members are, before something is said about a write without a commit. */
export interface Look {
  readonly pending: PendingWrite
  readonly attempt: number
  /** Why the write has to be looked for; null: to be sure of what the registry shows. */
  readonly error: GatewayError | null
}

const LOOK_AGAIN_MS = 50
/** For a write that has waited long in the queue, too. */
const ASK_MS_MIN = 1_000
const QUEUE_MAX = 1_024
const ATTEMPTS_MAX = 10

type State =
  | { readonly type: 'idle' }
  | { readonly type: 'committing'; readonly commit: Commit }
  | { readonly type: 'asking'; readonly ask: Ask }
  /** Committed, but not yet seen by the registry. */
  | { readonly type: 'applying'; readonly written: Written }
  | { readonly type: 'looking'; readonly look: Look }
  /** Somebody wrote at that revision, which is not yet seen by the registry. */
  | {
      readonly type: 'behind'
      readonly pending: PendingWrite
      readonly attempt: number
      readonly revision: number
    }

const IDLE: State = { type: 'idle' }

/**
 * The one writer of configuration on this node: takes writes in order. While another member leads,
 * that one's writer is asked to make them; while none does, or this one, each is a transaction,
 * planned against a registry that shows all writes before it. When the outcome of a transaction
 * is not known, the history is looked at before the write is sent again; it names the writes it
 * came from. What is answered without a transaction is first compared with what all members have.
 */
export class ConfigWriter {
  readonly #ports: ConfigWriterPorts
  readonly #queue: PendingWrite[] = []
  #state: State = IDLE

  constructor(ports: ConfigWriterPorts) {
    this.#ports = ports
  }

  submit(pending: PendingWrite): void {
    if (this.#queue.length >= QUEUE_MAX) {
      const detail = { outcome: 'none' }
      const message = 'too many writes wait, try again later'
      pending.reply.fail(new GatewayError('OVERLOADED', message, detail))
      return
    }
    this.#queue.push(pending)
    this.#next()
  }

  /** What `write` would do as things stand. */
  plan(write: Write): Plan {
    const { store, registry, history = HISTORY_BOUNDS } = this.#ports
    return planWrite(write, registry, this.#ports.nowMs(), { limits: store.limits(), history })
  }

  /** The registry shows more than before. */
  onChanged(): void {
    const { registry, written } = this.#ports
    const state = this.#state
    if (state.type === 'applying') {
      if (isNewer(state.written.version, registry.version)) return
      this.#state = IDLE
      written(state.written)
    } else if (state.type === 'behind') {
      if (registry.versionRevision < state.revision) return
      this.#state = IDLE
      this.#start(state.pending, state.attempt, true)
    }
    this.#next()
  }

  /**
   * Another member leads. What was handed to the one before may never be heard of again, or only
   * after a long time; as it can apply at most once, it is looked for now.
   */
  onLeader(): void {
    const state = this.#state
    if (state.type === 'committing' || state.type === 'asking') {
      const { pending, attempt } = state.type === 'asking' ? state.ask : state.commit
      const error = storeUnavailable('the leader of the cluster was lost', 'unknown')
      this.#lookNow({ pending, attempt, error })
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
    const { pending, attempt } = commit
    if (!outcome.ok) this.#onFailure({ pending, attempt, error: outcome.error })
    else if (outcome.value.succeeded) {
      const { to: version, created, changed } = commit.plan
      this.#state = { type: 'applying', written: { pending, version, created, changed } }
    } else if (attempt < ATTEMPTS_MAX) {
      const revision = versionRevision(outcome.value)
      this.#state = { type: 'behind', pending, attempt: attempt + 1, revision }
    } else {
      const message = 'the configuration kept changing meanwhile, try again'
      pending.reply.fail(new GatewayError('OVERLOADED', message, { outcome: 'none' }))
    }
    this.onChanged()
  }

  /** The member that leads has answered. */
  onAnswered(ask: Ask, outcome: Outcome<RemoteWritten>): void {
    if (this.#state.type !== 'asking' || this.#state.ask !== ask) return
    this.#state = IDLE
    if (!outcome.ok) this.#onFailure({ ...ask, error: outcome.error })
    else this.#state = { type: 'applying', written: { ...outcome.value, pending: ask.pending } }
    this.onChanged()
  }

  onLooked(look: Look, outcome: Outcome<GetResult>): void {
    if (!this.#isLookingFor(look)) return
    this.#state = IDLE
    const { pending, attempt } = look
    if (outcome.ok) {
      const revision = outcome.value.kv?.modRevision ?? 0
      this.#state = { type: 'behind', pending, attempt, revision }
    } else {
      const error = look.error ?? storeUnavailable(outcome.error.message, 'none')
      this.#onFailure({ ...look, error })
    }
    this.onChanged()
  }

  lookAgain(look: Look): void {
    if (this.#isLookingFor(look)) this.#lookNow(look)
  }

  #isLookingFor(look: Look): boolean {
    return this.#state.type === 'looking' && this.#state.look === look
  }

  #lookNow(look: Look): void {
    const { store, looked } = this.#ports
    this.#state = { type: 'looking', look }
    store.get(VERSION_KEY, 'linearizable', (outcome) => looked(look, outcome))
  }

  #onFailure(look: Look & { readonly error: GatewayError }): void {
    const { pending, error } = look
    const { monotonicMs, hopeless, later } = this.#ports
    const why = hopeless()
    const isOver =
      pending.guest !== undefined || monotonicMs() + LOOK_AGAIN_MS >= pending.deadlineMs
    if (!isWorthALook(error) || isOver || why !== null) {
      // That it did not happen is certain only if nothing else is said of it.
      pending.reply.fail(why !== null && error.detail['outcome'] === 'none' ? why : error)
      return
    }
    this.#state = { type: 'looking', look }
    later(look, LOOK_AGAIN_MS)
  }

  #next(): void {
    while (this.#state.type === 'idle') {
      const pending = this.#queue.shift()
      if (pending === undefined) return
      this.#start(pending, 1, false)
    }
  }

  /** `isCurrent`: the registry shows all that was acknowledged before the write came. */
  #start(pending: PendingWrite, attempt: number, isCurrent: boolean): void {
    const { store, finished, hopeless, remote, monotonicMs, answered } = this.#ports
    const { guest, write, deadlineMs } = pending
    const why = hopeless() ?? guest?.problem() ?? null
    if (why !== null) {
      pending.reply.fail(why)
      return
    }
    if (guest === undefined && remote.isThere()) {
      const ask: Ask = { pending, attempt }
      this.#state = { type: 'asking', ask }
      const timeoutMs = Math.max(ASK_MS_MIN, deadlineMs - monotonicMs())
      remote.write(write, timeoutMs, (outcome) => answered(ask, outcome))
      return
    }
    const plan = this.plan(pending.write)
    if (plan.type !== 'commit') {
      if (isCurrent) this.#answer(pending, plan)
      else this.#lookNow({ pending, attempt, error: null })
      return
    }
    const commit: Commit = { pending, plan, attempt }
    this.#state = { type: 'committing', commit }
    // When it loses, it learns what the registry has to show before it is worth another try.
    const whenLost = [{ type: 'get', key: VERSION_KEY }] as const
    store.txn(plan.compares, plan.ops, whenLost, (outcome) => finished(commit, outcome))
  }

  #answer(pending: PendingWrite, plan: Exclude<Plan, { type: 'commit' }>): void {
    if (plan.type === 'refused') pending.reply.fail(plan.error)
    else {
      const { version, created, changed } = plan
      this.#ports.written({ pending, version, created, changed })
    }
  }
}

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
