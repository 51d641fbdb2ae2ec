import type { Reply } from '../actor/actor.js'
import { GatewayError } from '../lib/errors.js'
import { type ConfigVersion, isNewer } from '../protocol/version.js'
import type { Outcome, Store, TxnResult } from '../store/contract.js'
import { HISTORY_BOUNDS, type HistoryBounds, type Plan, planWrite, type Write } from './plan.js'
import { VERSION_KEY } from './record.js'
import type { Registry } from './registry.js'

/** A write on its way, and whoever waits for it. */
export interface PendingWrite {
  readonly write: Write
  readonly reply: Reply
  readonly warnings: readonly string[]
}

/** A write that is durable, or was so before. */
export interface Written {
  readonly pending: PendingWrite
  readonly version: ConfigVersion
  readonly created: boolean
  readonly changed: boolean
}

export interface ConfigWriterPorts {
  readonly store: Store
  readonly registry: Registry
  nowMs(): number
  /** Default: {@link HISTORY_BOUNDS}. */
  readonly history?: HistoryBounds
  /** The outcome of a transaction comes back through the actor's mailbox. */
  finished(commit: Commit, outcome: Outcome<TxnResult>): void
  written(written: Written): void
}

/** A transaction under way. */
export interface Commit {
  readonly pending: PendingWrite
  readonly plan: Plan & { readonly type: 'commit' }
  readonly attempt: number
}

const QUEUE_MAX = 1_024
const ATTEMPTS_MAX = 10

type State =
  | { readonly type: 'idle' }
  | { readonly type: 'committing' }
  /** Committed, but not yet seen by the registry. */
  | { readonly type: 'applying'; readonly commit: Commit }
  /** Another writer was faster; its write, of that revision, is not yet seen by the registry. */
  | { readonly type: 'behind'; readonly commit: Commit; readonly revision: number }

const IDLE: State = { type: 'idle' }

/**
 * The one writer of configuration on this node: takes writes in order, one transaction each, every
 * one planned against a registry that shows all writes before it.
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
      const { pending, plan } = state.commit
      if (isNewer(plan.to, registry.version)) return
      this.#state = IDLE
      written({ pending, version: plan.to, created: plan.created, changed: plan.changed })
    } else if (state.type === 'behind') {
      if (registry.versionRevision < state.revision) return
      this.#state = IDLE
      this.#start(state.commit.pending, state.commit.attempt + 1)
    }
    this.#next()
  }

  /** The store has answered. */
  onOutcome(commit: Commit, outcome: Outcome<TxnResult>): void {
    this.#state = IDLE
    if (!outcome.ok) commit.pending.reply.fail(outcome.error)
    else if (outcome.value.succeeded) this.#state = { type: 'applying', commit }
    else if (commit.attempt < ATTEMPTS_MAX) {
      this.#state = { type: 'behind', commit, revision: versionRevision(outcome.value) }
    } else {
      const message = 'the configuration kept changing meanwhile, try again'
      commit.pending.reply.fail(new GatewayError('OVERLOADED', message, { outcome: 'none' }))
    }
    this.onChanged()
  }

  #next(): void {
    while (this.#state.type === 'idle') {
      const pending = this.#queue.shift()
      if (pending === undefined) return
      this.#start(pending, 1)
    }
  }

  #start(pending: PendingWrite, attempt: number): void {
    const { store, finished, written } = this.#ports
    const plan = this.plan(pending.write)
    if (plan.type === 'refused') pending.reply.fail(plan.error)
    else if (plan.type === 'done') {
      const { version, created, changed } = plan
      written({ pending, version, created, changed })
    } else {
      const commit: Commit = { pending, plan, attempt }
      this.#state = { type: 'committing' }
      // When it loses, it learns what the registry has to show before it is worth another try.
      const whenLost = [{ type: 'get', key: VERSION_KEY }] as const
      store.txn(plan.compares, plan.ops, whenLost, (outcome) => finished(commit, outcome))
    }
  }
}

function versionRevision({ results }: TxnResult): number {
  const [result] = results
  return result?.type === 'get' ? (result.kv?.modRevision ?? 0) : 0
}
