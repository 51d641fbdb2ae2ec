import { assert } from '../../lib/assert.js'
import type { KeyValue, LeaseId } from '../contract.js'
import { ByteReader, ByteWriter } from './bytes.js'

/** Form of the machine's state (docs/store-format.md). A reader refuses any other. */
const MACHINE_FORMAT = 1
/** A chunk ends at the first item that takes it beyond this. */
const CHUNK_BYTES = 1024 * 1024
const CHUNK = { head: 1, items: 2 } as const

export interface LeaseRecord {
  readonly id: LeaseId
  readonly ttlMs: number
}

export type SnapshotPart =
  | {
      readonly type: 'head'
      readonly revision: number
      readonly leases: readonly LeaseRecord[]
      readonly itemCount: number
    }
  | { readonly type: 'items'; readonly items: readonly KeyValue[] }

/** A snapshot written by a newer version of the program than this one. */
export class UnknownSnapshotError extends Error {
  override readonly name = 'UnknownSnapshotError'
}

/** A head, then items in key order. */
export function* snapshotChunks(
  revision: number,
  leases: readonly LeaseRecord[],
  items: readonly KeyValue[],
): Generator<Uint8Array<ArrayBuffer>, void, void> {
  const head = new ByteWriter()
  head.byte(CHUNK.head)
  head.uint(MACHINE_FORMAT)
  head.uint(revision)
  head.uint(items.length)
  head.uint(leases.length)
  for (const { id, ttlMs } of leases) {
    head.uint(Number(id))
    head.uint(ttlMs)
  }
  yield head.finish()

  let chunk = new ByteWriter()
  const chunkCapacity = CHUNK_BYTES + CHUNK_BYTES / 8
  for (const item of items) {
    if (chunk.length === 0) chunk.byte(CHUNK.items)
    writeItem(chunk, item)
    if (chunk.length < CHUNK_BYTES) continue
    yield chunk.finish()
    chunk = new ByteWriter(chunkCapacity)
  }
  if (chunk.length > 0) yield chunk.finish()
}

/** Throws {@link UnknownSnapshotError}. */
export function readSnapshotChunk(chunk: Uint8Array): SnapshotPart {
  const input = new ByteReader(chunk)
  const kind = input.byte()
  if (kind === CHUNK.items) {
    const items: KeyValue[] = []
    while (input.remaining > 0) items.push(readItem(input))
    return { type: 'items', items }
  }
  assert(kind === CHUNK.head, `unknown chunk ${kind} in a snapshot`)
  const format = input.uint()
  if (format !== MACHINE_FORMAT) {
    throw new UnknownSnapshotError(
      `the snapshot has format ${format}, this version reads ${MACHINE_FORMAT}; start a newer one`,
    )
  }
  const revision = input.uint()
  const itemCount = input.uint()
  const leases: LeaseRecord[] = []
  for (let count = input.uint(); count > 0; count--) {
    leases.push({ id: `${input.uint()}`, ttlMs: input.uint() })
  }
  input.end()
  return { type: 'head', revision, leases, itemCount }
}

function writeItem(out: ByteWriter, item: KeyValue): void {
  // A transferred buffer is empty. Better to stop here than to make the loss durable: a restart
  // gets the value back from the log.
  assert(!isDetached(item.value), `the value of ${item.key} was transferred away from the store`)
  out.text(item.key)
  out.bytes(item.value)
  out.uint(item.createRevision)
  out.uint(item.modRevision)
  out.uint(item.version)
  out.uint(item.lease === null ? 0 : Number(item.lease))
}

function readItem(input: ByteReader): KeyValue {
  const key = input.text()
  const value = new Uint8Array(input.bytes())
  const createRevision = input.uint()
  const modRevision = input.uint()
  const version = input.uint()
  const lease = input.uint()
  return {
    key,
    value,
    createRevision,
    modRevision,
    version,
    lease: lease === 0 ? null : `${lease}`,
  }
}

function isDetached(bytes: Uint8Array): boolean {
  if (bytes.byteLength > 0) return false
  try {
    // The only question a detached buffer of Node 20 answers with a throw.
    bytes.buffer.slice(0, 0)
    return false
  } catch {
    return true
  }
}
