import type { Prng } from '../../lib/prng.js'
import type { KeyValue, LeaseGrant, Outcome, TxnResult } from '../contract.js'
import type { EmbeddedStore } from '../embedded-store.js'
import { type ClientOp, type History, HistoryViolation } from './history.js'
import type { SimNode } from './sim-node.js'

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
const CLIENTS = 5
const LEASE_MS = 5_000
/** Clocks may be off by half a percent, each. */
const LEASE_TOLERANCE = 0.98

export interface ClientsOptions {
  readonly prng: Prng
  readonly history: History
  readonly nodes: readonly SimNode[]
  /** Between two operations of a client, at most twice as long. */
  readonly pauseMs: number
  /** A bug: reads are not linearizable. */
  readonly readsAreLocal: boolean
  nowMs(): number
  isOver(): boolean
  at(delayMs: number, fire: () => void): void
  on(node: SimNode, fire: () => void): void
  /** A client heard that its operation is done. */
  onAck(op: ClientOp): void
  fail(error: Error): void
}

/** Clients of all nodes: they write, read, compare, and hold leases. */
export class Clients {
  readonly #options: ClientsOptions
  readonly #prng: Prng
  readonly #history: History
  readonly #open = new Map<SimNode, Set<ClientOp>>()
  /** The time before which a lease must not end, by its key. */
  readonly #leases = new Map<string, number>()
  #values = 0

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#prng = options.prng
    this.#history = options.history
  }

  begin(): void {
    for (let client = 0; client < CLIENTS; client++) this.#client()
    this.#leaseClient()
  }

  /** Nobody will ever hear what became of what that node was asked. */
  lost(node: SimNode): void {
    for (const op of this.#open.get(node) ?? []) {
      if (op.outcome === 'open') this.#history.end(op, 'unknown')
    }
    this.#open.delete(node)
  }

  /** A key is gone; it may have been under a lease. */
  deleted(key: string): void {
    const untilMs = this.#leases.get(key)
    if (untilMs === undefined) return
    const earlyMs = untilMs - this.#options.nowMs()
    if (earlyMs <= 0) return
    this.#options.fail(new HistoryViolation(`${key} ended ${Math.ceil(earlyMs)} ms too early`))
  }

  #ready(): SimNode | null {
    const ready = this.#options.nodes.filter((node) => node.isReady)
    return ready.length === 0 ? null : this.#prng.pick(ready)
  }

  #client(): void {
    const { isOver, at, on, pauseMs } = this.#options
    if (isOver()) return
    const waitMs = 1 + this.#prng.below(pauseMs * 2)
    const node = this.#ready()
    if (node === null) {
      at(50, () => this.#client())
      return
    }
    let isDone = false
    const next = (): void => {
      if (isDone) return
      isDone = true
      at(waitMs, () => this.#client())
    }
    // One that is stopped takes it up when it goes on; one that ends, never.
    on(node, () => this.#operate(node, next))
    at(2000 + this.#prng.below(20_000), next)
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
    if (draw < 33) this.#read(node, store, key, next)
    else if (draw < 40) this.#readAll(node, store, next)
    else if (draw < 75) this.#write(node, store, this.#someKeys(key), undefined, next)
    else {
      // A compare with what is there, as far as this node knows.
      store.get(key, 'local', (outcome) => {
        const kv = outcome.ok ? outcome.value.kv : null
        this.#write(node, store, [key], kv === null ? null : textOf(kv), next)
      })
    }
  }

  #someKeys(key: string): string[] {
    if (!this.#prng.chance(20)) return [key]
    const other = this.#prng.pick(KEYS)
    return other === key ? [key] : [key, other]
  }

  get #consistency(): 'local' | 'linearizable' {
    return this.#options.readsAreLocal ? 'local' : 'linearizable'
  }

  #read(node: SimNode, store: EmbeddedStore, key: string, next: () => void): void {
    const op = this.#begin(node, [key], null, undefined)
    store.get(key, this.#consistency, (outcome) => {
      if (!this.#isOpen(node, op)) return
      if (outcome.ok) {
        const { revision, kv } = outcome.value
        op.revision = revision
        op.found = [kv === null ? null : textOf(kv)]
        this.#acknowledge(op)
      } else this.#history.end(op, 'none')
      next()
    })
  }

  /** All keys at one revision: a cut through what several writes did. */
  #readAll(node: SimNode, store: EmbeddedStore, next: () => void): void {
    const op = this.#begin(node, KEYS, null, undefined)
    store.range('', this.#consistency, (outcome) => {
      if (!this.#isOpen(node, op)) return
      if (outcome.ok) {
        const { revision, kvs } = outcome.value
        const found = new Map(kvs.map((kv) => [kv.key, textOf(kv)]))
        op.revision = revision
        op.found = KEYS.map((key) => found.get(key) ?? null)
        this.#acknowledge(op)
      } else this.#history.end(op, 'none')
      next()
    })
  }

  #write(
    node: SimNode,
    store: EmbeddedStore,
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
    store.txn(
      compares,
      keys.map((key) => ({ type: 'put', key, value: Buffer.from(value) })),
      keys.map((key) => ({ type: 'get', key })),
      (outcome) => {
        if (!this.#isOpen(node, op)) return
        this.wrote(op, outcome)
        // Who was answered by a node can read the change there at once.
        if (op.outcome === 'ok' && op.held && store.status().revision < op.revision) {
          const message = `${node.name} has revision ${store.status().revision}, it acknowledged ${op.revision}`
          this.#options.fail(new HistoryViolation(`read your writes: ${message}`))
        }
        next()
      },
    )
  }

  wrote(op: ClientOp, outcome: Outcome<TxnResult>): void {
    if (!outcome.ok) {
      const isKnown = outcome.error.detail['outcome'] !== 'unknown'
      this.#history.end(op, isKnown ? 'none' : 'unknown')
      return
    }
    const { revision, succeeded, results } = outcome.value
    op.revision = revision
    op.held = succeeded
    op.found = results.map((result) =>
      result.type !== 'get' || result.kv === null ? null : textOf(result.kv),
    )
    this.#acknowledge(op)
  }

  #acknowledge(op: ClientOp): void {
    this.#history.end(op, 'ok')
    this.#options.onAck(op)
  }

  #begin(
    node: SimNode,
    keys: readonly string[],
    value: string | null,
    expected: string | null | undefined,
  ): ClientOp {
    const op = this.#history.begin(keys, value, expected)
    const open = this.#open.get(node) ?? new Set()
    this.#open.set(node, open)
    open.add(op)
    return op
  }

  /** False when its node has ended meanwhile. */
  #isOpen(node: SimNode, op: ClientOp): boolean {
    return op.outcome === 'open' && this.#open.get(node)?.delete(op) === true
  }

  // ---- leases ----------------------------------------------------------------------------------

  #leaseClient(): void {
    const { isOver, at, nowMs } = this.#options
    if (isOver()) return
    at(1500, () => this.#leaseClient())
    const store = this.#ready()?.replica?.store
    if (store === undefined) return
    const sentMs = nowMs()
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
  }

  #keepAlive(key: string, id: string): void {
    const { isOver, at, nowMs } = this.#options
    if (isOver() || this.#prng.chance(15)) return
    at(1000 + this.#prng.below(2500), () => {
      const store = this.#ready()?.replica?.store
      if (store === undefined) return
      const sentMs = nowMs()
      store.lease.keepAlive(id, (outcome: Outcome<LeaseGrant>) => {
        if (!outcome.ok) return
        const untilMs = sentMs + LEASE_MS * LEASE_TOLERANCE
        this.#leases.set(key, Math.max(this.#leases.get(key) ?? 0, untilMs))
        this.#keepAlive(key, id)
      })
    })
  }
}

const textOf = (kv: KeyValue): string => Buffer.from(kv.value).toString('utf8')
