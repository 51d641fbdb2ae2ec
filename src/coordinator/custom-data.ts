import { createHash } from 'node:crypto'
import type { Reply } from '../actor/actor.js'
import { assert, unreachable } from '../lib/assert.js'
import { GatewayError } from '../lib/errors.js'
import type {
  CustomData,
  CustomDataOp,
  DataAnswer,
  DataItem,
  DataKind,
} from '../protocol/custom-data.js'
import type { KeyValue, Op, Store } from '../store/contract.js'
import { DATA_PREFIX } from './data-feed.js'
import { type DataPlan, type DataWriter, dataOpsMax } from './data-writer.js'
import type { Read } from './freshness.js'

const KINDS_PREFIX = '/custom-data-kinds/'
/** Of an id, in characters: keys of the store are bounded. */
const ID_CHARS_MAX = 1_000

type Write = Extract<
  CustomDataOp,
  { op: 'put-kind' | 'delete-kind' | 'put-item' | 'delete-item' | 'change-items' }
>
type WriteOf<O extends Write['op']> = Extract<Write, { op: O }>
type Commit = (ops: readonly Op[], answer: string | null) => void
/** Who is told why it cannot be done. */
type Refused = Pick<Reply, 'fail'>

export interface CustomDataPorts {
  readonly store: Store
  readonly writer: DataWriter
  /** Longest wait for the outcome of a write, in milliseconds. */
  readonly requestTimeoutMs: number
  monotonicMs(): number
  /** Calls back when the store here shows all that was acknowledged before, or cannot in time. */
  read(answer: Read['answer']): void
  /** What a job says of items: null when the kind's schema has nothing against them. */
  check(schema: unknown, items: readonly unknown[]): Promise<string | null>
}

/**
 * Data of users that filters look things up in, as the administrators of a cluster keep it: kinds,
 * and items of a kind by id. Each change is one transaction of the store; reads and writes keep the
 * promises that those of the configuration do.
 */
export class CustomDataDesk {
  readonly #o: CustomDataPorts

  constructor(ports: CustomDataPorts) {
    this.#o = ports
  }

  handle({ what, requestId }: CustomData, reply: Reply): void {
    switch (what.op) {
      case 'list-kinds':
        this.#read(reply, (then) => this.#listKinds(reply, then))
        break
      case 'get-kind':
        this.#read(reply, (then) => this.#withKind(what.name, reply, then))
        break
      case 'list-items':
        this.#read(reply, (then) =>
          this.#withKind(what.kind, reply, () =>
            this.#range(itemKey(what.kind, ''), reply, (kvs) => then(kvs.map(jsonOf))),
          ),
        )
        break
      case 'get-item':
        this.#read(reply, (then) =>
          this.#get(itemKey(what.kind, what.id), reply, (kv) => {
            if (kv === null) reply.fail(missing(`item ${what.id} of ${what.kind}`))
            else then(jsonOf(kv))
          }),
        )
        break
      case 'put-kind':
      case 'delete-kind':
      case 'put-item':
      case 'delete-item':
      case 'change-items':
        this.#o.writer.submit({
          requestId,
          subject: subjectOf(what),
          reply,
          deadlineMs: this.#o.monotonicMs() + this.#o.requestTimeoutMs,
          plan: (done) => this.#plan(what, done),
        })
        break
      default:
        unreachable(what)
    }
  }

  // -- reads -------------------------------------------------------------------------------------

  #read(reply: Reply, look: (then: (value: unknown) => void) => void): void {
    this.#o.read((staleSeconds) =>
      look((value) => reply.ok({ value, staleSeconds } satisfies DataAnswer)),
    )
  }

  #listKinds(reply: Reply, then: (kinds: readonly unknown[]) => void): void {
    this.#range(KINDS_PREFIX, reply, (kinds) =>
      this.#range(DATA_PREFIX, reply, (items) => {
        const counts = new Map<string, number>()
        for (const { key } of items) {
          const kind = key.slice(DATA_PREFIX.length, key.indexOf('/', DATA_PREFIX.length))
          counts.set(kind, (counts.get(kind) ?? 0) + 1)
        }
        const shown = kinds.map((kv) => {
          const kind = jsonOf(kv) as DataKind
          return { ...kind, len: counts.get(kind.name) ?? 0 }
        })
        then(shown)
      }),
    )
  }

  #withKind(name: string, refused: Refused, then: (kind: DataKind) => void): void {
    this.#get(KINDS_PREFIX + name, refused, (kv) => {
      if (kv === null) refused.fail(missing(`custom data kind ${name}`))
      else then(jsonOf(kv) as DataKind)
    })
  }

  #get(key: string, refused: Refused, then: (kv: KeyValue | null) => void): void {
    this.#o.store.get(key, 'local', (outcome) => {
      if (outcome.ok) then(outcome.value.kv)
      else refused.fail(outcome.error)
    })
  }

  #range(prefix: string, refused: Refused, then: (kvs: readonly KeyValue[]) => void): void {
    this.#o.store.range(prefix, 'local', (outcome) => {
      if (outcome.ok) then(outcome.value.kvs)
      else refused.fail(outcome.error)
    })
  }

  // -- writes ------------------------------------------------------------------------------------

  #plan(what: Write, done: (plan: DataPlan) => void): void {
    const refused: Refused = { fail: (error) => done({ type: 'refused', error }) }
    const commit: Commit = (ops, answer) => done({ type: 'commit', ops, answer })
    switch (what.op) {
      case 'put-kind':
        this.#putKind(what, refused, commit)
        break
      case 'delete-kind':
        this.#deleteKind(what.name, refused, commit)
        break
      case 'put-item':
        this.#putItem(what, refused, commit)
        break
      case 'delete-item':
        this.#deleteItem(what.kind, what.id, refused, commit)
        break
      case 'change-items':
        this.#changeItems(what, refused, commit)
        break
      default:
        unreachable(what)
    }
  }

  #putKind({ mode, kind }: WriteOf<'put-kind'>, refused: Refused, commit: Commit): void {
    const key = KINDS_PREFIX + kind.name
    this.#expect(mode, key, `custom data kind ${kind.name}`, refused, () =>
      this.#checked(kind.jsonSchema, [], refused, () => commit([putOp(key, kind)], kind.name)),
    )
  }

  #deleteKind(name: string | null, refused: Refused, commit: Commit): void {
    if (name === null) {
      const prefixes = [KINDS_PREFIX, DATA_PREFIX]
      commit(
        prefixes.map((prefix) => ({ type: 'delete-prefix', prefix })),
        null,
      )
      return
    }
    this.#withKind(name, refused, () => {
      const ops: Op[] = [
        { type: 'delete', key: KINDS_PREFIX + name },
        { type: 'delete-prefix', prefix: itemKey(name, '') },
      ]
      commit(ops, null)
    })
  }

  #putItem({ mode, kind: of, item }: WriteOf<'put-item'>, refused: Refused, commit: Commit): void {
    this.#withKind(of, refused, (kind) => {
      const id = idOf(kind, item, refused)
      if (id === null) return
      const key = itemKey(kind.name, id)
      this.#checked(kind.jsonSchema, [item], refused, () =>
        this.#expect(mode, key, `item ${id} of ${kind.name}`, refused, () =>
          commit([putOp(key, item)], id),
        ),
      )
    })
  }

  #deleteItem(kind: string, id: string | null, refused: Refused, commit: Commit): void {
    if (id === null) {
      this.#withKind(kind, refused, () =>
        commit([{ type: 'delete-prefix', prefix: itemKey(kind, '') }], null),
      )
      return
    }
    const key = itemKey(kind, id)
    this.#expect('update', key, `item ${id} of ${kind}`, refused, () =>
      commit([{ type: 'delete', key }], null),
    )
  }

  #changeItems(what: WriteOf<'change-items'>, refused: Refused, commit: Commit): void {
    const { rebuild, deletes, puts } = what
    this.#withKind(what.kind, refused, (kind) => {
      const items = new Map<string, DataItem>()
      for (const item of puts) {
        const id = idOf(kind, item, refused)
        if (id === null) return
        items.set(itemKey(kind.name, id), item)
      }
      const write = (gone: readonly string[]): void => {
        const ops: Op[] = gone
          .filter((key) => !items.has(key))
          .map((key) => ({ type: 'delete', key }))
        for (const [key, item] of items) ops.push(putOp(key, item))
        const opsMax = dataOpsMax(this.#o.store)
        if (ops.length <= opsMax) commit(ops, null)
        else {
          const message = `${ops.length} changes: expected at most ${opsMax} in one request`
          refused.fail(invalid(message))
        }
      }
      this.#checked(kind.jsonSchema, puts, refused, () => {
        const prefix = itemKey(kind.name, '')
        if (!rebuild) write([...new Set(deletes)].map((id) => itemKey(kind.name, id)))
        else this.#range(prefix, refused, (kvs) => write(kvs.map(({ key }) => key)))
      })
    })
  }

  /** What is to be created is not there yet, what is to be updated is. */
  #expect(
    mode: 'create' | 'update',
    key: string,
    what: string,
    refused: Refused,
    then: () => void,
  ): void {
    this.#get(key, refused, (kv) => {
      if ((kv === null) === (mode === 'create')) then()
      else refused.fail(wrongMode(mode, what))
    })
  }

  #checked(schema: unknown, items: readonly unknown[], refused: Refused, then: () => void): void {
    if (schema === null) {
      then()
      return
    }
    this.#o.check(schema, items).then(
      (problem) => {
        if (problem === null) then()
        else refused.fail(invalid(problem))
      },
      (thrown: unknown) => refused.fail(GatewayError.from(thrown)),
    )
  }
}

/** A request id that comes again with something else in it stands for another write. */
const subjectOf = (what: Write): string =>
  createHash('sha256').update(JSON.stringify(what)).digest('base64url').slice(0, 22)

const itemKey = (kind: string, id: string): string => `${DATA_PREFIX}${kind}/${id}`

function putOp(key: string, value: unknown): Op {
  return { type: 'put', key, value: Buffer.from(JSON.stringify(value)) }
}

/** Null when it has none: then the refusal has been told. */
function idOf(kind: DataKind, item: DataItem, refused: Refused): string | null {
  const id = item[kind.idField]
  if (typeof id === 'string' && id !== '' && id.length <= ID_CHARS_MAX) return id
  const expected = `expected the id of the item, a text of 1..${ID_CHARS_MAX} characters`
  refused.fail(invalid(`${kind.idField}: ${expected}`))
  return null
}

function jsonOf({ value }: KeyValue): unknown {
  const json: unknown = JSON.parse(Buffer.from(value).toString())
  assert(typeof json === 'object' && json !== null, 'custom data is JSON objects')
  return json
}

const invalid = (message: string): GatewayError => new GatewayError('SPEC_INVALID', message)

const missing = (what: string): GatewayError =>
  new GatewayError('OBJECT_NOT_FOUND', `${what} not found`)

function wrongMode(mode: 'create' | 'update', what: string): GatewayError {
  return mode === 'create' ? new GatewayError('OBJECT_EXISTS', `${what} existed`) : missing(what)
}
