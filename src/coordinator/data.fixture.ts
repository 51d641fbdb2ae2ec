import type { Reply } from '../actor/actor.js'
import type { GatewayError } from '../lib/errors.js'
import type { CustomDataOp, DataAnswer, DataItem } from '../protocol/custom-data.js'
import type { Store } from '../store/contract.js'
import { CustomDataDesk } from './custom-data.js'
import { DataFeed } from './data-feed.js'
import { DataWriter } from './data-writer.js'
import { StoreBench } from './store.fixture.js'
import { checkItems } from './validate.js'
import { newId } from './writer.fixture.js'

export interface DeskOptions {
  /** Stands between the desk and its store. */
  wrap?(store: Store): Store
  hopeless?(): GatewayError | null
  /** Of what is read; default: it is current. */
  staleSeconds?(): number | null
}

/** The desk for custom data with its writer; several may share one store. */
export class DeskBench {
  readonly store: StoreBench
  readonly writer: DataWriter
  readonly desk: CustomDataDesk
  readonly feed: DataFeed

  constructor(store = new StoreBench(), options: DeskOptions = {}) {
    this.store = store
    const { time, log } = store
    const wrapped = options.wrap?.(store.store) ?? store.store
    this.writer = new DataWriter({
      store: wrapped,
      monotonicMs: () => time.monotonicMs(),
      hopeless: () => options.hopeless?.() ?? null,
      soon: (task, delayMs) => void time.after(delayMs, task),
    })
    this.desk = new CustomDataDesk({
      store: wrapped,
      writer: this.writer,
      requestTimeoutMs: 2_000,
      monotonicMs: () => time.monotonicMs(),
      read: (answer) => answer(options.staleSeconds?.() ?? null),
      check: async (schema, items) => checkItems({ schema, items }),
    })
    this.feed = new DataFeed(store.store, log)
  }

  /** An operation under way; its answers so far, the second of which would be a fault. */
  begin(what: CustomDataOp, requestId = newId()): (DataAnswer | GatewayError)[] {
    const answers: (DataAnswer | GatewayError)[] = []
    const reply = {
      awaited: true,
      ok: (value: unknown) => void answers.push(value as DataAnswer),
      fail: (error: GatewayError) => void answers.push(error),
    } as Reply
    this.desk.handle({ type: 'custom-data', what, requestId }, reply)
    return answers
  }

  /** Lets time pass, and jobs end, until it is answered. */
  async settled(answers: readonly unknown[], withinMs = 50): Promise<void> {
    for (let ms = 0; ms < withinMs && answers.length === 0; ms++) {
      this.store.time.advance(1)
      await Promise.resolve()
    }
    if (answers.length !== 1) throw new Error(`${answers.length} answers`)
  }

  /** What it is answered with: a value, or the code and message of a failure. */
  async do(what: CustomDataOp, requestId = newId()): Promise<unknown> {
    const answers = this.begin(what, requestId)
    await this.settled(answers)
    const [answer] = answers
    return answer instanceof Error
      ? `${answer.code}: ${answer.message}`
      : (answer as DataAnswer).value
  }

  async put(mode: 'create' | 'update', item: DataItem, kind = 'users'): Promise<unknown> {
    return this.do({ op: 'put-item', mode, kind, item })
  }

  settle(): void {
    this.store.time.advance(10)
  }
}

/** With one kind, whose items go by their name. */
export async function withUsers(
  jsonSchema: unknown = null,
  options: DeskOptions = {},
): Promise<DeskBench> {
  const bench = new DeskBench(new StoreBench(), options)
  const kind = { name: 'users', idField: 'name', jsonSchema }
  const made = await bench.do({ op: 'put-kind', mode: 'create', kind })
  if (made !== 'users') throw new Error(String(made))
  return bench
}
