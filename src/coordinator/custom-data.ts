import type { Reply } from '../actor/actor.js'
import { assert, unreachable } from '../lib/assert.js'
import { GatewayError } from '../lib/errors.js'
import type { CustomDataOp, DataItem, DataKind } from '../protocol/custom-data.js'
import type { Compare, KeyValue, Op, Store, TxnResult } from '../store/contract.js'
import { DATA_PREFIX } from './data-feed.js'

const KINDS_PREFIX = '/custom-data-kinds/'
/** Of an id, in characters: keys of the store are bounded. */
const ID_CHARS_MAX = 1_000

/** What a job says of items: null when the kind's schema has nothing against them. */
export type CheckItems = (schema: unknown, items: readonly unknown[]) => Promise<string | null>

/**
 * Data of users that filters look things up in, as the administrators of a cluster keep it: kinds,
 * and items of a kind by id. Each change is one transaction of the store.
 */
export class CustomDataDesk {
  readonly #store: Store
  readonly #check: CheckItems

  constructor(store: Store, check: CheckItems) {
    this.#store = store
    this.#check = check
  }

  handle(what: CustomDataOp, reply: Reply): void {
    switch (what.op) {
      case 'list-kinds':
        this.#listKinds(reply)
        break
      case 'get-kind':
        this.#withKind(what.name, reply, (kind) => reply.ok(kind))
        break
      case 'put-kind':
        this.#putKind(what.mode, what.kind, reply)
        break
      case 'delete-kind':
        this.#deleteKind(what.name, reply)
        break
      case 'list-items':
        this.#withKind(what.kind, reply, () =>
          this.#range(itemKey(what.kind, ''), reply, (kvs) => reply.ok(kvs.map(jsonOf))),
        )
        break
      case 'get-item':
        this.#get(itemKey(what.kind, what.id), reply, (kv) => {
          if (kv === null) reply.fail(missing(`item ${what.id} of ${what.kind}`))
          else reply.ok(jsonOf(kv))
        })
        break
      case 'put-item':
        this.#putItem(what, reply)
        break
      case 'delete-item':
        this.#deleteItem(what.kind, what.id, reply)
        break
      case 'change-items':
        this.#changeItems(what, reply)
        break
      default:
        unreachable(what)
    }
  }

  #listKinds(reply: Reply): void {
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
        reply.ok(shown)
      }),
    )
  }

  #putKind(mode: 'create' | 'update', kind: DataKind, reply: Reply): void {
    const put = (): void => {
      const key = KINDS_PREFIX + kind.name
      this.#txn([existence(key, mode)], [putOp(key, kind)], reply, ({ succeeded }) => {
        if (succeeded) reply.ok(kind.name)
        else reply.fail(wrongMode(mode, `custom data kind ${kind.name}`))
      })
    }
    if (kind.jsonSchema === null) put()
    else this.#checked(kind.jsonSchema, [], reply, put)
  }

  #deleteKind(name: string | null, reply: Reply): void {
    if (name === null) {
      const ops: Op[] = [KINDS_PREFIX, DATA_PREFIX].map((prefix) => ({
        type: 'delete-prefix',
        prefix,
      }))
      this.#txn([], ops, reply, () => reply.ok(null))
      return
    }
    const key = KINDS_PREFIX + name
    const ops: Op[] = [
      { type: 'delete', key },
      { type: 'delete-prefix', prefix: itemKey(name, '') },
    ]
    this.#txn([existence(key, 'update')], ops, reply, ({ succeeded }) => {
      if (succeeded) reply.ok(null)
      else reply.fail(missing(`custom data kind ${name}`))
    })
  }

  #putItem(what: Extract<CustomDataOp, { op: 'put-item' }>, reply: Reply): void {
    const { mode, item } = what
    this.#withKind(what.kind, reply, (kind) => {
      const id = idOf(kind, item, reply)
      if (id === null) return
      this.#checked(kind.jsonSchema, [item], reply, () => {
        const key = itemKey(kind.name, id)
        const compares = [existence(KINDS_PREFIX + kind.name, 'update'), existence(key, mode)]
        this.#txn(compares, [putOp(key, item)], reply, ({ succeeded }) => {
          if (succeeded) reply.ok(id)
          else reply.fail(wrongMode(mode, `item ${id} of ${kind.name}`))
        })
      })
    })
  }

  #deleteItem(kind: string, id: string | null, reply: Reply): void {
    if (id === null) {
      this.#withKind(kind, reply, () => {
        const ops: Op[] = [{ type: 'delete-prefix', prefix: itemKey(kind, '') }]
        this.#txn([], ops, reply, () => reply.ok(null))
      })
      return
    }
    const key = itemKey(kind, id)
    const ops: Op[] = [{ type: 'delete', key }]
    this.#txn([existence(key, 'update')], ops, reply, ({ succeeded }) => {
      if (succeeded) reply.ok(null)
      else reply.fail(missing(`item ${id} of ${kind}`))
    })
  }

  #changeItems(what: Extract<CustomDataOp, { op: 'change-items' }>, reply: Reply): void {
    const { rebuild, deletes, puts } = what
    this.#withKind(what.kind, reply, (kind) => {
      const items = new Map<string, DataItem>()
      for (const item of puts) {
        const id = idOf(kind, item, reply)
        if (id === null) return
        items.set(itemKey(kind.name, id), item)
      }
      const write = (gone: readonly string[]): void => {
        const ops: Op[] = gone
          .filter((key) => !items.has(key))
          .map((key) => ({ type: 'delete', key }))
        for (const [key, item] of items) ops.push(putOp(key, item))
        const { opsMax } = this.#store.limits()
        if (ops.length > opsMax) {
          reply.fail(invalid(`${ops.length} changes: expected at most ${opsMax} in one request`))
          return
        }
        const isThere = [existence(KINDS_PREFIX + kind.name, 'update')]
        this.#txn(isThere, ops, reply, ({ succeeded }) => {
          if (succeeded) reply.ok(null)
          else reply.fail(missing(`custom data kind ${kind.name}`))
        })
      }
      this.#checked(kind.jsonSchema, puts, reply, () => {
        if (!rebuild) write([...new Set(deletes)].map((id) => itemKey(kind.name, id)))
        else this.#range(itemKey(kind.name, ''), reply, (kvs) => write(kvs.map(({ key }) => key)))
      })
    })
  }

  #checked(schema: unknown, items: readonly unknown[], reply: Reply, then: () => void): void {
    if (schema === null) {
      then()
      return
    }
    this.#check(schema, items).then(
      (problem) => {
        if (problem === null) then()
        else reply.fail(invalid(problem))
      },
      (thrown: unknown) => reply.fail(GatewayError.from(thrown)),
    )
  }

  #withKind(name: string, reply: Reply, then: (kind: DataKind) => void): void {
    this.#get(KINDS_PREFIX + name, reply, (kv) => {
      if (kv === null) reply.fail(missing(`custom data kind ${name}`))
      else then(jsonOf(kv) as DataKind)
    })
  }

  #get(key: string, reply: Reply, then: (kv: KeyValue | null) => void): void {
    this.#store.get(key, 'linearizable', (outcome) => {
      if (outcome.ok) then(outcome.value.kv)
      else reply.fail(outcome.error)
    })
  }

  #range(prefix: string, reply: Reply, then: (kvs: readonly KeyValue[]) => void): void {
    this.#store.range(prefix, 'linearizable', (outcome) => {
      if (outcome.ok) then(outcome.value.kvs)
      else reply.fail(outcome.error)
    })
  }

  #txn(
    compares: readonly Compare[],
    ops: readonly Op[],
    reply: Reply,
    then: (result: TxnResult) => void,
  ): void {
    this.#store.txn(compares, ops, [], (outcome) => {
      if (outcome.ok) then(outcome.value)
      else reply.fail(outcome.error)
    })
  }
}

const itemKey = (kind: string, id: string): string => `${DATA_PREFIX}${kind}/${id}`

function existence(key: string, mode: 'create' | 'update'): Compare {
  return { target: 'createRevision', key, is: mode === 'create' ? '=' : '>', operand: 0 }
}

function putOp(key: string, value: unknown): Op {
  return { type: 'put', key, value: Buffer.from(JSON.stringify(value)) }
}

/** Null when it has none: then the reply has been given. */
function idOf(kind: DataKind, item: DataItem, reply: Reply): string | null {
  const id = item[kind.idField]
  if (typeof id === 'string' && id !== '' && id.length <= ID_CHARS_MAX) return id
  const expected = `expected the id of the item, a text of 1..${ID_CHARS_MAX} characters`
  reply.fail(invalid(`${kind.idField}: ${expected}`))
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
