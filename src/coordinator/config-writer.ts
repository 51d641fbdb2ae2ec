import type { Reply } from '../actor/actor.js'
import { GatewayError } from '../lib/errors.js'
import { type ConfigVersion, isNewer } from '../protocol/version.js'
import type { Outcome, Store, TxnResult } from '../store/contract.js'
import { type Plan, planWrite, type Write } from './plan.js'
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

/**
 * The one writer of configuration on this node: takes writes in order, one transaction each, every
 * one planned against a registry that shows all writes before it.
 */
export class ConfigWriter {
  readonly #ports: ConfigWriterPorts
  readonly #queue: PendingWrite[] = []
  #current: Commit | null = null
  /** Committed, but not yet seen by the registry. */
  #seen: { readonly commit: Commit; readonly version: ConfigVersion } | null = null

  constructor(ports: ConfigWriterPorts) {
    this.#ports = ports
  }

  submit(pending: PendingWrite): void {
    if (this.#queue.length >= QUEUE_MAX) {
      pending.reply.fail(new GatewayError('OVERLOADED', 'too many writes wait, try again later'))
      return
    }
    this.#queue.push(pending)
    this.#next()
  }

  /** What `write` would do as things stand. */
  plan(write: Write): Plan {
    return planWrite(write, this.#ports.registry, this.#ports.nowMs())
  }

  /** The registry shows more than before. */
  onChanged(): void {
    const seen = this.#seen
    if (seen === null || isNewer(seen.version, this.#ports.registry.version)) return
    const { pending, plan } = seen.commit
    this.#seen = null
    this.#ports.written({
      pending,
      version: plan.to,
      created: plan.created,
      changed: plan.changed,
    })
    this.#next()
  }

  /** The store has answered. */
  onOutcome(commit: Commit, outcome: Outcome<TxnResult>): void {
    this.#current = null
    if (!outcome.ok) {
      commit.pending.reply.fail(outcome.error)
      this.#next()
    } else if (outcome.value.succeeded) {
      this.#seen = { commit, version: commit.plan.to }
      this.onChanged()
    } else if (commit.attempt < ATTEMPTS_MAX) this.#start(commit.pending, commit.attempt + 1)
    else {
      const message = 'the configuration kept changing meanwhile, try again'
      commit.pending.reply.fail(new GatewayError('OVERLOADED', message))
      this.#next()
    }
  }

  #next(): void {
    while (this.#current === null && this.#seen === null) {
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
      this.#current = commit
      store.txn(plan.compares, plan.ops, [], (outcome) => finished(commit, outcome))
    }
  }
}
