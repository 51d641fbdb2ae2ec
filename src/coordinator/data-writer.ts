import type { Reply } from '../actor/actor.js'
import { GatewayError } from '../lib/errors.js'
import type { DataAnswer } from '../protocol/custom-data.js'
import {
  type Compare,
  type KeyValue,
  type Op,
  type Outcome,
  type Store,
  storeUnavailable,
  type TxnResult,
} from '../store/contract.js'
import { isWorthALook } from './config-writer.js'

/** The writes that were made last, by request id; every write compares it and puts it anew. */
const RECENT_KEY = '/custom-data-writes'
const RECENT_MAX = 64
const LOOK_AGAIN_MS = 50
const QUEUE_MAX = 1_024

/** Operations of a transaction that are not the writer's own. */
export const dataOpsMax = (store: Store): number => store.limits().opsMax - 1

/** What a write comes to, as things stand here. `answer`: the id of what was put, or null. */
export type DataPlan =
  | {
      readonly type: 'commit'
      readonly ops: readonly Op[]
      readonly answer: string | null
    }
  | { readonly type: 'refused'; readonly error: GatewayError }

/** A write on its way, and whoever waits for it. */
export interface DataWrite {
  readonly requestId: string
  /** What it is about: the same request id for something else is another write. */
  readonly subject: string
  readonly reply: Reply
  /** Monotonic time until which an outcome that is not known is worth looking for. */
  readonly deadlineMs: number
  /** Reads the local state only. `done` is called once, from within or later. */
  plan(done: (plan: DataPlan) => void): void
}

export interface DataWriterPorts {
  readonly store: Store
  monotonicMs(): number
  /** Why no write can succeed, for as long as that is certain; null: it is worth trying. */
  hopeless(): GatewayError | null
  /** Runs it through the actor's mailbox, after `delayMs` if that is not 0. */
  soon(task: () => void, delayMs: number): void
}

/** One of {@link RECENT_KEY}. */
type Recent = readonly [requestId: string, subject: string, answer: string | null]

/** State of the write at the head of the queue. */
interface Current {
  readonly write: DataWrite
  step: 'looking' | 'planning' | 'committing'
  /** Why the write has to be looked for; null: it has not been sent. */
  error: GatewayError | null
}

/**
 * The one writer of custom data on this node: one transaction after the other, each planned against
 * a state that shows all before it. All of them compare and put one key, which names the newest
 * writes: so a write and its repetition take effect once at most, and when the outcome of one is
 * not known, a look at that key tells.
 */
export class DataWriter {
  readonly #ports: DataWriterPorts
  readonly #queue: DataWrite[] = []
  #current: Current | null = null
  /** What was asked in an earlier turn is of no interest any more. */
  #turn = 0

  constructor(ports: DataWriterPorts) {
    this.#ports = ports
  }

  submit(write: DataWrite): void {
    if (this.#queue.length >= QUEUE_MAX) {
      const message = 'too many writes wait, try again later'
      write.reply.fail(new GatewayError('OVERLOADED', message, { outcome: 'none' }))
      return
    }
    this.#queue.push(write)
    this.#next()
  }

  /** Another member leads: what the one before was asked may never be answered. */
  onLeader(): void {
    const current = this.#current
    if (current === null || current.step === 'planning') return
    if (current.step === 'committing') {
      current.error = storeUnavailable('the leader of the cluster was lost', 'unknown')
    }
    this.#look(current)
  }

  #next(): void {
    while (this.#current === null) {
      const write = this.#queue.shift()
      if (write === undefined) return
      const why = this.#ports.hopeless()
      if (why !== null) {
        write.reply.fail(why)
        continue
      }
      this.#current = { write, step: 'looking', error: null }
      this.#look(this.#current)
    }
  }

  /** Answers the write at the head of the queue, in the turn it is in. */
  #end(answer: (reply: Reply) => void): void {
    const current = this.#current
    this.#turn += 1
    this.#current = null
    if (current !== null) answer(current.write.reply)
    this.#next()
  }

  /** Goes on with `then` through the mailbox, unless something else happened meanwhile. */
  #inTurn<T>(then: (value: T) => void): (value: T) => void {
    const turn = ++this.#turn
    return (value) =>
      this.#ports.soon(() => {
        if (turn === this.#turn) then(value)
      }, 0)
  }

  #look(current: Current): void {
    current.step = 'looking'
    const looked = this.#inTurn<Outcome<{ readonly kv: KeyValue | null }>>((outcome) => {
      if (outcome.ok) this.#plan(current, outcome.value.kv)
      else this.#onFailure(current, current.error ?? none(outcome.error))
    })
    this.#ports.store.get(RECENT_KEY, 'linearizable', looked)
  }

  #plan(current: Current, mark: KeyValue | null): void {
    const { requestId, subject } = current.write
    const recent = mark === null ? [] : (JSON.parse(textOf(mark)) as readonly Recent[])
    const made = recent.find(([id, of]) => id === requestId && of === subject)
    if (made !== undefined) {
      this.#end((reply) => reply.ok(written(made[2])))
      return
    }
    current.step = 'planning'
    current.write.plan(
      this.#inTurn<DataPlan>((plan) => {
        if (plan.type === 'commit') this.#commit(current, plan, recent, mark?.modRevision ?? 0)
        else this.#refuse(current, plan.error, mark?.modRevision ?? 0)
      }),
    )
  }

  /** What was planned on may be newer than the mark, and show this very write. */
  #refuse(current: Current, error: GatewayError, modRevision: number): void {
    const compared = this.#inTurn<Outcome<{ readonly kv: KeyValue | null }>>((outcome) => {
      const isSame = outcome.ok && (outcome.value.kv?.modRevision ?? 0) === modRevision
      if (isSame) this.#end((reply) => reply.fail(error))
      else this.#again(current)
    })
    this.#ports.store.get(RECENT_KEY, 'local', compared)
  }

  #commit(
    current: Current,
    { ops, answer }: DataPlan & { readonly type: 'commit' },
    recent: readonly Recent[],
    modRevision: number,
  ): void {
    const { requestId, subject } = current.write
    const isLatest: Compare = {
      target: 'modRevision',
      key: RECENT_KEY,
      is: '=',
      operand: modRevision,
    }
    const all: readonly Recent[] = [...recent.slice(1 - RECENT_MAX), [requestId, subject, answer]]
    const mark: Op = { type: 'put', key: RECENT_KEY, value: Buffer.from(JSON.stringify(all)) }
    current.step = 'committing'
    const finished = this.#inTurn<Outcome<TxnResult>>((outcome) => {
      if (!outcome.ok) this.#onFailure(current, outcome.error)
      else if (outcome.value.succeeded) this.#end((reply) => reply.ok(written(answer)))
      else this.#again(current)
    })
    this.#ports.store.txn([isLatest], [mark, ...ops], [], finished)
  }

  /** Somebody else wrote meanwhile, or an earlier attempt of this write has come through. */
  #again(current: Current): void {
    if (this.#ports.monotonicMs() < current.write.deadlineMs) {
      this.#look(current)
      return
    }
    const message = 'custom data kept changing meanwhile, try again'
    const error = current.error ?? new GatewayError('OVERLOADED', message, { outcome: 'none' })
    this.#end((reply) => reply.fail(error))
  }

  #onFailure(current: Current, error: GatewayError): void {
    const { monotonicMs, hopeless, soon } = this.#ports
    const why = hopeless()
    const isOver = monotonicMs() + LOOK_AGAIN_MS >= current.write.deadlineMs
    if (!isWorthALook(error) || isOver || why !== null) {
      // That it did not happen is certain only if nothing else is said of it.
      const said = why !== null && error.detail['outcome'] === 'none' ? why : error
      this.#end((reply) => reply.fail(said))
      return
    }
    current.step = 'looking'
    current.error = error.detail['outcome'] === 'none' ? current.error : error
    const turn = ++this.#turn
    soon(() => {
      if (turn === this.#turn) this.#look(current)
    }, LOOK_AGAIN_MS)
  }
}

const written = (value: string | null): DataAnswer => ({ value, staleSeconds: null })

const none = (error: GatewayError): GatewayError => storeUnavailable(error.message, 'none')

const textOf = ({ value }: KeyValue): string => Buffer.from(value).toString()
