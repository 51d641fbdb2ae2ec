/**
 * What clients did and saw, and what every node applied, held against each other. Every answer of
 * the store names its revision, so the order it claims is checked directly: in O(n log n), however
 * long the history.
 */
import type { KeyValue, StoreEvent } from '../contract.js'
import { type RegisterOp, registerProblem } from './linearizable.js'

/** A promise of the store was broken. */
export class HistoryViolation extends Error {
  override readonly name = 'HistoryViolation'
}

/** One operation of a client: a read of keys, or writes under a compare. */
export interface ClientOp {
  readonly id: number
  readonly startedAt: number
  endedAt: number
  readonly keys: readonly string[]
  /** Null: a read. Unlike any other. */
  readonly value: string | null
  /** The value `keys[0]` must have, null for none; undefined: not compared. */
  readonly expected: string | null | undefined
  outcome: 'open' | 'ok' | 'none' | 'unknown'
  /** When `ok`. */
  revision: number
  held: boolean
  /** What a read, or a compare that failed, found; by place in `keys`. */
  found: readonly (string | null)[]
}

interface Applied {
  readonly events: readonly StoreEvent[]
  readonly digest: string
}

const text = (value: Uint8Array): string => Buffer.from(value).toString('utf8')

export class History {
  readonly ops: ClientOp[] = []
  /** By revision, as the first node applied it. */
  readonly #applied: Applied[] = []
  /** Revisions at which each value of a client was written. */
  readonly #writes = new Map<string, number[]>()
  /** Lowest revision that is known; the first ones may be seen in a snapshot alone. */
  acks = 0
  #clock = 0

  get revisionMax(): number {
    return Math.max(0, this.#applied.length - 1)
  }

  begin(
    keys: readonly string[],
    value: string | null,
    expected: string | null | undefined,
  ): ClientOp {
    const op: ClientOp = {
      id: this.ops.length,
      startedAt: ++this.#clock,
      endedAt: Number.POSITIVE_INFINITY,
      keys,
      value,
      expected,
      outcome: 'open',
      revision: 0,
      held: false,
      found: [],
    }
    this.ops.push(op)
    return op
  }

  end(op: ClientOp, outcome: 'ok' | 'none' | 'unknown'): void {
    op.outcome = outcome
    if (outcome !== 'unknown') op.endedAt = ++this.#clock
    if (outcome === 'ok') this.acks += 1
  }

  /** A node applied a transaction: all that apply it see the same. */
  applied(node: string, revision: number, events: readonly StoreEvent[]): void {
    const digest = digestOf(events)
    const known = this.#applied[revision]
    if (known !== undefined) {
      if (known.digest === digest) return
      throw new HistoryViolation(
        `state machine safety: ${node} has ${digest} at revision ${revision}, another ${known.digest}`,
      )
    }
    this.#applied[revision] = { events, digest }
    for (const event of events) {
      // What the cluster notes of itself may come to be the same again: the same silence of a member,
      // noted by the same leader after one whose clock is another.
      if (event.type !== 'put' || event.kv.key.startsWith('/')) continue
      const value = text(event.kv.value)
      const at = this.#writes.get(value)
      if (at === undefined) this.#writes.set(value, [revision])
      else if (at.at(-1) !== revision) {
        throw new HistoryViolation(`${value} was written at revision ${at.at(-1)} and ${revision}`)
      }
    }
  }

  /** A node has this state, after a restart or a snapshot. */
  restored(node: string, revision: number, kvs: readonly KeyValue[]): void {
    const state = this.#stateAt(revision)
    if (state === null) return
    const found = new Map(kvs.map((kv) => [kv.key, text(kv.value)]))
    for (const key of new Set([...state.keys(), ...found.keys()])) {
      if (state.get(key) === found.get(key)) continue
      throw new HistoryViolation(
        `state machine safety: at revision ${revision}, ${node} has ${key} = ${found.get(key)}, expected ${state.get(key)}`,
      )
    }
  }

  /** Null when some of the way there was never seen. */
  #stateAt(revision: number): Map<string, string> | null {
    const state = new Map<string, string>()
    for (let at = 1; at <= revision; at++) {
      const applied = this.#applied[at]
      if (applied === undefined) return null
      for (const event of applied.events) {
        if (event.type === 'put') state.set(event.kv.key, text(event.kv.value))
        else state.delete(event.key)
      }
    }
    return state
  }

  /**
   * All of it, at the end. `finalRevision`: of a write at the end, before which `seenRevision` was
   * the highest that was applied anywhere.
   */
  check(finalRevision: number, seenRevision: number): void {
    if (finalRevision <= seenRevision) {
      throw new HistoryViolation(
        `revision ${seenRevision} was applied somewhere, in the end there is ${finalRevision}`,
      )
    }
    this.#checkRealTime()
    this.#checkContents(this.revisionMax)
    this.#checkRegisters()
  }

  /** What ended before another began has no later revision. */
  #checkRealTime(): void {
    const done = this.ops.filter((op) => op.outcome === 'ok')
    const byEnd = [...done].sort((a, b) => a.endedAt - b.endedAt)
    const byStart = [...done].sort((a, b) => a.startedAt - b.startedAt)
    let highest: ClientOp | null = null
    let next = 0
    for (const op of byStart) {
      for (; next < byEnd.length; next++) {
        const ended = byEnd[next] as ClientOp
        if (ended.endedAt > op.startedAt) break
        if (highest === null || ended.revision > highest.revision) highest = ended
      }
      const least = highest === null ? 0 : highest.revision + (isWrite(op) ? 1 : 0)
      if (op.revision >= least) continue
      throw new HistoryViolation(
        `real time: ${describe(op)} began after ${describe(highest as ClientOp)} had ended`,
      )
    }
  }

  /** Writes are where they were said to be, and reads saw what was there. */
  #checkContents(finalRevision: number): void {
    const reads: ClientOp[] = []
    for (const op of this.ops) {
      if (op.outcome === 'ok' && !isWrite(op)) reads.push(op)
      if (op.value === null) continue
      const at = this.#writes.get(op.value)?.[0]
      if (op.outcome === 'ok' && op.held && at !== op.revision) {
        throw new HistoryViolation(`lost: ${describe(op)} was acknowledged, it is at ${at}`)
      }
      const mustNot = op.outcome === 'none' || (op.outcome === 'ok' && !op.held)
      if (mustNot && at !== undefined) {
        throw new HistoryViolation(`${describe(op)} came to nothing, and is at revision ${at}`)
      }
    }
    reads.sort((a, b) => a.revision - b.revision)
    const state = new Map<string, string>()
    let next = 0
    for (let revision = 0; revision <= finalRevision; revision++) {
      const applied = this.#applied[revision]
      // Nobody was ever seen to apply it: what follows is not known any more.
      if (revision > 0 && applied === undefined) return
      for (const event of applied?.events ?? []) {
        if (event.type === 'put') state.set(event.kv.key, text(event.kv.value))
        else state.delete(event.key)
      }
      for (; next < reads.length && (reads[next] as ClientOp).revision === revision; next++) {
        const read = reads[next] as ClientOp
        read.keys.forEach((key, at) => {
          const expected = state.get(key) ?? null
          if (read.found[at] === expected) return
          throw new HistoryViolation(`${describe(read)} found ${read.found[at]}, not ${expected}`)
        })
      }
    }
  }

  /** The second judge, for what is short enough. */
  #checkRegisters(): void {
    const ofKey = new Map<string, RegisterOp[]>()
    for (const op of this.ops) {
      if (op.outcome === 'open' && op.value === null) continue
      if (op.outcome === 'none' || (op.value === null && op.outcome !== 'ok')) continue
      // A compare of one key that guards another is no matter of one register.
      if (op.keys.length > 1 && op.expected !== undefined) continue
      op.keys.forEach((key, at) => {
        const list = ofKey.get(key) ?? []
        ofKey.set(key, list)
        list.push(registerOp(op, at))
      })
    }
    for (const [key, ops] of ofKey) {
      if (ops.length > SEARCH_OPS_MAX) continue
      const problem = registerProblem(ops)
      if (problem !== null) throw new HistoryViolation(`not linearizable: ${key}: ${problem}`)
    }
  }
}

const SEARCH_OPS_MAX = 60

function registerOp(op: ClientOp, at: number): RegisterOp {
  const { startedAt, endedAt, value, expected } = op
  const isOk = op.outcome === 'ok'
  if (value === null) return { startedAt, endedAt, write: null, saw: op.found[at] ?? null }
  const write = expected === undefined ? { value } : { value, expected }
  const held = isOk ? op.held : null
  if (isOk && !op.held) return { startedAt, endedAt, write, held, saw: op.found[at] ?? null }
  return { startedAt, endedAt, write, held }
}

const isWrite = (op: ClientOp): boolean => op.value !== null && op.held

function describe(op: ClientOp): string {
  const what = op.value === null ? 'read' : op.expected === undefined ? 'write' : 'compare'
  return `${what} ${op.id} of ${op.keys.join()} (${op.value ?? ''}) at revision ${op.revision}`
}

function digestOf(events: readonly StoreEvent[]): string {
  return events
    .map((event) => {
      if (event.type === 'delete') return `-${event.key}`
      const { key, value, version, createRevision } = event.kv
      return `${key}=${text(value)}/${version}/${createRevision}`
    })
    .join(' ')
}
