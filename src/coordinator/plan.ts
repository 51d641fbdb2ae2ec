import { crc32 } from 'node:zlib'
import { GatewayError } from '../lib/errors.js'
import type { PutMode } from '../protocol/coordinator.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { Dialect } from '../spec/document.js'
import type { Compare, Limits, Op } from '../store/contract.js'
import {
  encodeFrame,
  encodeRecord,
  encodeVersion,
  type HistoryRecord,
  historyKey,
  OBJECT_PREFIX,
  objectKey,
  RECORD_LEVEL,
  VERSION_KEY,
} from './record.js'
import type { HistoryEntry, Registry } from './registry.js'

/** What is kept of the history of objects. */
export interface HistoryBounds {
  /** Of one object. */
  readonly versionsMax: number
  /** Of all objects together; what is newest stays. */
  readonly bytesMax: number
}

export const HISTORY_BOUNDS: HistoryBounds = { versionsMax: 10, bytesMax: 32 * 1024 * 1024 }

export interface PlanBounds {
  /** Of the store. */
  readonly limits: Limits
  readonly history: HistoryBounds
}

/** A write that has passed validation. */
export type Write =
  | {
      readonly type: 'put'
      readonly mode: PutMode
      readonly name: string
      readonly kind: string
      readonly text: string
      /** Packed. */
      readonly spec: Uint8Array
      readonly dialect: Dialect
      readonly ifMatch: number | null
      readonly requestId: string
    }
  | {
      readonly type: 'delete'
      readonly name: string
      readonly ifMatch: number | null
      readonly requestId: string
    }
  | { readonly type: 'delete-all'; readonly requestId: string }

/** What to send to the store, or what is known without it. */
export type Plan =
  | {
      readonly type: 'commit'
      readonly compares: readonly Compare[]
      readonly ops: readonly Op[]
      readonly to: ConfigVersion
      readonly created: boolean
      readonly changed: boolean
    }
  /** Nothing to do: the same write is there already, or there is nothing to change. */
  | {
      readonly type: 'done'
      readonly version: ConfigVersion
      readonly created: boolean
      readonly changed: boolean
    }
  | { readonly type: 'refused'; readonly error: GatewayError }

const refused = (error: GatewayError): Plan => ({ type: 'refused', error })

/**
 * Turns a write into one transaction against the registry as it stands: it compares the version
 * key and each object it touches, so that of two writers, or of a write and its repetition, at
 * most one can apply. A repetition that comes later is known by its request id, as long as the
 * history remembers it, and gets the same answer. Pure.
 */
export function planWrite(
  write: Write,
  registry: Registry,
  nowMs: number,
  bounds: PlanBounds,
): Plan {
  if (write.type === 'put') return planPut(write, registry, nowMs, bounds)
  if (write.type === 'delete') return planDelete(write, registry, nowMs, bounds)
  return planDeleteAll(write.requestId, registry, nowMs, bounds)
}

function planPut(
  write: Write & { type: 'put' },
  registry: Registry,
  nowMs: number,
  bounds: PlanBounds,
): Plan {
  const { name, kind, text, spec, dialect, mode, requestId } = write
  const existing = registry.record(name)
  const repeated = repeatedPut(write, registry)
  if (repeated !== null) return repeated
  if (existing !== null && mode === 'create') {
    return refused(new GatewayError('OBJECT_EXISTS', `conflict name: ${name}`, { name }))
  }
  if (existing === null && mode === 'update') {
    return refused(new GatewayError('OBJECT_NOT_FOUND', 'not found', { name }))
  }
  if (existing !== null && existing.kind !== kind) {
    const message = `different kinds: ${existing.kind}, ${kind}`
    return refused(new GatewayError('KIND_MISMATCH', message, { name }))
  }
  const mismatch = checkMatch(name, existing?.version ?? null, write.ifMatch)
  if (mismatch !== null) return refused(mismatch)
  if (
    existing?.text === text &&
    (existing.dialect ?? 'v1') === dialect &&
    Buffer.compare(registry.specBytes(name), spec) === 0
  ) {
    return { type: 'done', version: registry.version, created: false, changed: false }
  }
  const created = existing === null
  const to = next(registry.version)
  const createdVersion = existing?.createdVersion ?? to.version
  const frame = encodeFrame({ name, kind, spec, version: to.version, createdVersion })
  const record = encodeRecord({
    level: RECORD_LEVEL,
    kind,
    text,
    frame,
    version: to.version,
    createdVersion,
    requestId,
    dialect,
    createdMs: existing === null ? nowMs : (existing.createdMs ?? 0),
  })
  const history: HistoryEvent = { op: 'put', created, kind, text, requestId }
  const txn = new Transaction(bounds, [versionIs(registry), objectIs(name, registry)])
  txn.add({ type: 'put', key: objectKey(name), value: record })
  txn.add({ type: 'put', key: VERSION_KEY, value: encodeVersion(to) })
  const value = historyValue(history, nowMs)
  txn.add({ type: 'put', key: historyKey(name, to.version), value })
  if (!txn.isWithinLimits) {
    const { bytesMax } = bounds.limits
    const message = `${name} takes ${txn.bytes} bytes with its history, expected at most ${bytesMax}`
    return refused(new GatewayError('DOCUMENT_TOO_LARGE', message, { name }))
  }
  txn.prune(registry, [name], value.byteLength)
  return txn.commit(to, created)
}

function planDelete(
  write: Write & { type: 'delete' },
  registry: Registry,
  nowMs: number,
  bounds: PlanBounds,
): Plan {
  const { name, requestId } = write
  const existing = registry.record(name)
  const repeated = registry
    .history(name)
    .find((entry) => entry.op === 'delete' && entry.requestId === requestId)
  if (repeated !== undefined) return asBefore(repeated, registry)
  if (existing === null) {
    return refused(new GatewayError('OBJECT_NOT_FOUND', 'not found', { name }))
  }
  const mismatch = checkMatch(name, existing.version, write.ifMatch)
  if (mismatch !== null) return refused(mismatch)
  const to = next(registry.version)
  const value = deletion(existing.kind, requestId, nowMs)
  const txn = new Transaction(bounds, [versionIs(registry), objectIs(name, registry)])
  txn.add({ type: 'delete', key: objectKey(name) })
  txn.add({ type: 'put', key: VERSION_KEY, value: encodeVersion(to) })
  txn.add({ type: 'put', key: historyKey(name, to.version), value })
  txn.prune(registry, [name], value.byteLength)
  return txn.commit(to, false)
}

/**
 * One version, one transaction. As many deletions get their entry in the history as fit into it:
 * all where there are some hundred objects, and enough to know a repetition by.
 */
function planDeleteAll(
  requestId: string,
  registry: Registry,
  nowMs: number,
  bounds: PlanBounds,
): Plan {
  for (const entry of registry.allHistory()) {
    if (entry.op === 'delete' && entry.requestId === requestId) return asBefore(entry, registry)
  }
  const names = registry.names()
  if (names.length === 0) {
    return { type: 'done', version: registry.version, created: false, changed: false }
  }
  const to = next(registry.version)
  const txn = new Transaction(bounds, [versionIs(registry)])
  txn.add({ type: 'delete-prefix', prefix: OBJECT_PREFIX })
  txn.add({ type: 'put', key: VERSION_KEY, value: encodeVersion(to) })
  const remembered: string[] = []
  let bytes = 0
  for (const name of names) {
    const value = deletion(registry.kindOf(name) as string, requestId, nowMs)
    const entry: Op = { type: 'put', key: historyKey(name, to.version), value }
    // Beside each there is room for what it makes one too many.
    if (!txn.hasRoomFor(entry, remembered.length + 1)) break
    txn.add(entry)
    remembered.push(name)
    bytes += value.byteLength
  }
  txn.prune(registry, remembered, bytes)
  return txn.commit(to, false)
}

/** The answer that was given to the same write before, or null when it is new. */
function repeatedPut(write: Write & { type: 'put' }, registry: Registry): Plan | null {
  const { name, text, requestId } = write
  const existing = registry.record(name)
  const sameText = (same: boolean): GatewayError | null => {
    if (same) return null
    const message = `request id ${requestId} was used for another text of ${name} before`
    return new GatewayError('REQUEST_INVALID', message, { name })
  }
  if (existing !== null && existing.requestId === requestId) {
    const error = sameText(existing.text === text)
    if (error !== null) return refused(error)
    const created = existing.version === existing.createdVersion
    return asBefore({ version: existing.version, created }, registry)
  }
  const entry = registry
    .history(name)
    .find((each) => each.op === 'put' && each.requestId === requestId)
  if (entry === undefined) return null
  const error = sameText(entry.textSum === crc32(text))
  return error === null ? asBefore(entry, registry) : refused(error)
}

function asBefore(
  { version, created }: { readonly version: number; readonly created: boolean },
  registry: Registry,
): Plan {
  const { epoch } = registry.version
  return { type: 'done', version: { epoch, version }, created, changed: true }
}

const next = ({ epoch, version }: ConfigVersion): ConfigVersion => ({ epoch, version: version + 1 })

function versionIs(registry: Registry): Compare {
  const operand = registry.versionRevision
  return { target: 'modRevision', key: VERSION_KEY, is: '=', operand }
}

function objectIs(name: string, registry: Registry): Compare {
  const operand = registry.modRevision(name)
  return { target: 'modRevision', key: objectKey(name), is: '=', operand }
}

function checkMatch(name: string, at: number | null, ifMatch: number | null): GatewayError | null {
  if (ifMatch === null || ifMatch === at) return null
  const state = at === null ? 'does not exist' : `was last written at version ${at}`
  return new GatewayError('VERSION_CONFLICT', `${name} ${state}, not at ${ifMatch}`, { name })
}

type HistoryEvent = Omit<HistoryRecord, 'level' | 'atMs'>

const historyValue = (event: HistoryEvent, atMs: number): Uint8Array =>
  encodeRecord({ level: RECORD_LEVEL, ...event, atMs })

const deletion = (kind: string, requestId: string, atMs: number): Uint8Array =>
  historyValue({ op: 'delete', created: false, kind, text: '', requestId }, atMs)

/** Beside key and value, what an operation or a comparison takes in a transaction, at most. */
const OP_BYTES = 32

/** A transaction in the making, kept within what the store takes. */
class Transaction {
  readonly #bounds: PlanBounds
  readonly #compares: readonly Compare[]
  readonly #ops: Op[] = []
  #bytes = 0

  constructor(bounds: PlanBounds, compares: readonly Compare[]) {
    this.#bounds = bounds
    this.#compares = compares
    for (const { key } of compares) this.#bytes += Buffer.byteLength(key) + OP_BYTES
  }

  get bytes(): number {
    return this.#bytes
  }

  get isWithinLimits(): boolean {
    const { opsMax, bytesMax } = this.#bounds.limits
    return this.#ops.length <= opsMax && this.#bytes <= bytesMax
  }

  /** Whether `op` fits, and `more` operations that delete a key of its size. */
  hasRoomFor(op: Op, more: number): boolean {
    const { opsMax, bytesMax } = this.#bounds.limits
    const bytes = bytesOf(op) + more * (KEY_BYTES_TYPICAL + OP_BYTES)
    return this.#ops.length + 1 + more <= opsMax && this.#bytes + bytes <= bytesMax
  }

  add(op: Op): void {
    this.#ops.push(op)
    this.#bytes += bytesOf(op)
  }

  /**
   * Deletes what histories hold too much of, now that `names` get one entry more each, of `added`
   * bytes together. What does not fit any more is left to the next write.
   */
  prune(registry: Registry, names: readonly string[], added: number): void {
    const { versionsMax, bytesMax } = this.#bounds.history
    const pruned = new Set<HistoryEntry>()
    let bytes = registry.historyBytes + added
    const drop = (entry: HistoryEntry): boolean => {
      const op: Op = { type: 'delete', key: historyKey(entry.name, entry.version) }
      if (pruned.has(entry)) return true
      if (!this.hasRoomFor(op, 0)) return false
      this.add(op)
      pruned.add(entry)
      bytes -= entry.bytes
      return true
    }
    for (const name of names) {
      const own = registry.history(name)
      for (const entry of own.slice(0, Math.max(0, own.length + 1 - versionsMax))) drop(entry)
    }
    if (bytes <= bytesMax) return
    for (const entry of registry.allHistory()) if (!drop(entry) || bytes <= bytesMax) return
  }

  commit(to: ConfigVersion, created: boolean): Plan {
    return {
      type: 'commit',
      compares: this.#compares,
      ops: this.#ops,
      to,
      created,
      changed: true,
    }
  }
}

const KEY_BYTES_TYPICAL = 256

function bytesOf(op: Op): number {
  const key = 'key' in op ? op.key : op.prefix
  return Buffer.byteLength(key) + (op.type === 'put' ? op.value.byteLength : 0) + OP_BYTES
}
