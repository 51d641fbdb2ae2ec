import type { GatewayError } from '../lib/errors.js'
import type {
  Compare,
  Consistency,
  Done,
  GetResult,
  LeaseGrant,
  LeaseId,
  Limits,
  Op,
  RangeResult,
  Store,
  TxnResult,
  Watch,
  Watcher,
} from './contract.js'

/** A {@link Store} behind promises, which reject with `GatewayError`. Not for simulated code. */
export class PromiseStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  range(prefix: string, consistency: Consistency = 'linearizable'): Promise<RangeResult> {
    return promised((done) => this.#store.range(prefix, consistency, done))
  }

  get(key: string, consistency: Consistency = 'linearizable'): Promise<GetResult> {
    return promised((done) => this.#store.get(key, consistency, done))
  }

  txn(
    compares: readonly Compare[],
    thenOps: readonly Op[],
    elseOps: readonly Op[] = [],
  ): Promise<TxnResult> {
    return promised((done) => this.#store.txn(compares, thenOps, elseOps, done))
  }

  /** Events stay callbacks: a promise each would lose their order against other completions. */
  watch(prefix: string, fromRevision: number, watcher: Watcher): Watch {
    return this.#store.watch(prefix, fromRevision, watcher)
  }

  leaseGrant(ttlMs: number): Promise<LeaseGrant> {
    return promised((done) => this.#store.lease.grant(ttlMs, done))
  }

  leaseKeepAlive(id: LeaseId): Promise<LeaseGrant> {
    return promised((done) => this.#store.lease.keepAlive(id, done))
  }

  leaseRevoke(id: LeaseId): Promise<number> {
    return promised((done) => this.#store.lease.revoke(id, done))
  }

  limits(): Limits {
    return this.#store.limits()
  }
}

function promised<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise<T>((resolve, reject: (error: GatewayError) => void) => {
    start((outcome) => {
      if (outcome.ok) resolve(outcome.value)
      else reject(outcome.error)
    })
  })
}
