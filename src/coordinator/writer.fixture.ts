import type { Reply } from '../actor/actor.js'
import type { GatewayError } from '../lib/errors.js'
import {
  type Done,
  failure,
  type Outcome,
  type Store,
  success,
  type TxnResult,
} from '../store/contract.js'
import {
  type Commit,
  ConfigWriter,
  type RemoteWriter,
  type RemoteWritten,
  type Written,
} from './config-writer.js'
import type { HistoryBounds } from './draft.js'
import type { Write } from './plan.js'
import { encodeSpec } from './record.js'
import { Registry } from './registry.js'
import type { StoreBench } from './store.fixture.js'
import { Sync } from './sync.js'

let lastId = 0
export const newId = (): string => `id-${++lastId}`

type Put = Write & { readonly type: 'put' }

/** A put of `text`, whose spec is the text as well. */
export function put(name: string, text: string, more: Partial<Omit<Put, 'type'>> = {}): Put {
  return {
    type: 'put',
    mode: 'apply',
    name,
    kind: 'Demo',
    text,
    spec: encodeSpec({ text: text.trimEnd() }),
    dialect: 'v1',
    ifMatch: null,
    requestId: newId(),
    ...more,
  }
}

export function del(name: string, more: { ifMatch?: number; requestId?: string } = {}): Write {
  return { type: 'delete', name, ifMatch: null, requestId: newId(), ...more }
}

export const delAll = (requestId = newId()): Write => ({ type: 'delete-all', requestId })

/** What a write came to; null until then. */
export interface Answer {
  written: Written | null
  error: GatewayError | null
}

export interface WriterOptions {
  readonly history?: HistoryBounds
  /** How long a write whose outcome is not known is looked for; default: not at all. */
  readonly patienceMs?: number
  hopeless?(): GatewayError | null
  /** The writer of another member that leads; default: none does. */
  readonly remote?: RemoteWriter
  /** Stands between the writer and its store. */
  wrap?(store: Store): Store
  /** Stands between the registry and its store. */
  wrapSync?(store: Store): Store
}

/** A store that `store` stands behind; to be spread and changed. */
export function forwarding(store: Store): Store {
  return {
    range: (...args) => store.range(...args),
    get: (...args) => store.get(...args),
    txn: (...args) => store.txn(...args),
    watch: (...args) => store.watch(...args),
    lease: store.lease,
    limits: () => store.limits(),
  }
}

/** No other member leads. */
export const NOBODY: RemoteWriter = {
  isThere: () => false,
  write: () => {
    throw new Error('nobody is there')
  },
}

const same = (store: Store): Store => store

/** A writer with its registry, as a node has them; several may share one store. */
export class WriterBench {
  readonly registry = new Registry()
  readonly writer: ConfigWriter
  readonly sync: Sync
  readonly attempts: Commit[] = []
  readonly #bench: StoreBench
  readonly #patienceMs: number
  readonly #answers = new Map<Reply, Answer>()
  readonly #guests = new Map<Reply, Done<RemoteWritten>>()

  constructor(bench: StoreBench, options: WriterOptions = {}) {
    this.#bench = bench
    this.#patienceMs = options.patienceMs ?? 0
    const { history, wrap = same, wrapSync = same } = options
    this.writer = new ConfigWriter({
      store: wrap(bench.store),
      registry: this.registry,
      nowMs: () => bench.time.wallMs(),
      monotonicMs: () => bench.time.monotonicMs(),
      hopeless: () => options.hopeless?.() ?? null,
      remote: options.remote ?? NOBODY,
      answered: (ask, outcome) =>
        void bench.time.after(0, () => this.writer.onAnswered(ask, outcome)),
      looked: (look, outcome) =>
        void bench.time.after(0, () => this.writer.onLooked(look, outcome)),
      later: (look, delayMs) => void bench.time.after(delayMs, () => this.writer.lookAgain(look)),
      ...(history === undefined ? {} : { history }),
      finished: (commit: Commit, outcome: Outcome<TxnResult>) => {
        this.attempts.push(commit)
        // As a mailbox would: later, in order.
        bench.time.after(0, () => this.writer.onOutcome(commit, outcome))
      },
      written: (written) => {
        const { pending, ...result } = written
        const guest = this.#guests.get(pending.reply)
        if (guest !== undefined) {
          guest(success(result))
          return
        }
        const answer = this.#answers.get(pending.reply) as Answer
        if (answer.written !== null) throw new Error('answered twice')
        answer.written = written
      },
    })
    const synced = wrapSync(bench.store)
    this.sync = new Sync(synced, this.registry, bench.log, () => this.writer.onChanged())
    this.sync.start((error) => {
      if (error !== null) throw error
    })
    bench.time.advance(1)
  }

  /** As another member asks for it. */
  asGuest(write: Write, problem: () => GatewayError | null, done: Done<RemoteWritten>): void {
    const reply: Reply = {
      awaited: true,
      ok: () => {},
      fail: (error) => done(failure(error)),
      for: () => reply as never,
    }
    this.#guests.set(reply, done)
    const deadlineMs = this.#bench.time.monotonicMs() + 10_000
    const guest = { problem }
    this.writer.submit({ write, reply, warnings: [], deadlineMs, wait: 'node', guest })
  }

  /** Its answer is there once time has moved. */
  submit(write: Write): Answer {
    const answer: Answer = { written: null, error: null }
    const reply: Reply = {
      awaited: true,
      ok: () => {},
      fail: (error) => {
        if (answer.error !== null || answer.written !== null) throw new Error('answered twice')
        answer.error = error
      },
      for: () => reply as never,
    }
    this.#answers.set(reply, answer)
    const deadlineMs = this.#bench.time.monotonicMs() + this.#patienceMs
    this.writer.submit({ write, reply, warnings: [], deadlineMs, wait: 'node' })
    return answer
  }

  /** Until all is answered that can be. */
  settle(): void {
    this.#bench.time.advance(2_000)
  }

  /** Waits for the answer. */
  write(write: Write): Answer {
    const answer = this.submit(write)
    this.#bench.time.advance(20)
    return answer
  }

  /** For tests that expect it to go well. */
  done(write: Write): Written {
    const { written, error } = this.write(write)
    if (written === null) throw error ?? new Error('no answer')
    return written
  }
}

/** All that a registry shows, in a form that can be compared. */
export function contentOf(registry: Registry): unknown {
  const names = registry.names()
  return {
    version: registry.version,
    versionRevision: registry.versionRevision,
    historyBytes: registry.historyBytes,
    objects: names.map((name) => [registry.object(name), registry.modRevision(name)]),
    history: [...registry.allHistory()].sort(
      (a, b) => a.version - b.version || (a.name < b.name ? -1 : 1),
    ),
    keys: registry.keys().sort(),
  }
}
