import { GatewayError } from '../lib/errors.js'
import type { PutMode } from '../protocol/coordinator.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { Compare, Op } from '../store/contract.js'
import {
  encodeFrame,
  encodeRecord,
  encodeVersion,
  historyKey,
  objectKey,
  RECORD_LEVEL,
  VERSION_KEY,
} from './record.js'
import type { Registry } from './registry.js'

/** Kept of an object's history, and of all histories together. */
export const HISTORY_VERSIONS_MAX = 10
export const HISTORY_BYTES_MAX = 32 * 1024 * 1024
/** Entries of other objects that one write prunes at most when all histories are too large. */
const PRUNED_MAX = 32

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
 * most one can apply. Pure.
 */
export function planWrite(write: Write, registry: Registry, nowMs: number): Plan {
  if (write.type === 'put') return planPut(write, registry, nowMs)
  if (write.type === 'delete') return planDelete(write, registry, nowMs)
  return planDeleteAll(write.requestId, registry, nowMs)
}

function planPut(write: Write & { type: 'put' }, registry: Registry, nowMs: number): Plan {
  const { name, kind, text, spec, mode, requestId } = write
  const existing = registry.record(name)
  if (existing !== null && existing.requestId === requestId) {
    const created = existing.version === existing.createdVersion
    const version = { ...registry.version, version: existing.version }
    return { type: 'done', version, created, changed: true }
  }
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
  if (existing?.text === text && Buffer.compare(registry.specBytes(name), spec) === 0) {
    return { type: 'done', version: registry.version, created: false, changed: false }
  }
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
  })
  const history = { op: 'put', kind, text, requestId } as const
  return {
    type: 'commit',
    compares: [versionIs(registry), objectIs(name, registry)],
    ops: [
      { type: 'put', key: objectKey(name), value: record },
      { type: 'put', key: VERSION_KEY, value: encodeVersion(to) },
      ...historyOps(name, history, to.version, registry, nowMs),
    ],
    to,
    created: existing === null,
    changed: true,
  }
}

function planDelete(write: Write & { type: 'delete' }, registry: Registry, nowMs: number): Plan {
  const { name, requestId } = write
  const existing = registry.record(name)
  if (existing === null) {
    const last = registry.history(name).at(-1)
    if (last?.op === 'delete' && last.requestId === requestId) {
      const version = { ...registry.version, version: last.version }
      return { type: 'done', version, created: false, changed: true }
    }
    return refused(new GatewayError('OBJECT_NOT_FOUND', 'not found', { name }))
  }
  const mismatch = checkMatch(name, existing.version, write.ifMatch)
  if (mismatch !== null) return refused(mismatch)
  const to = next(registry.version)
  const history = { op: 'delete', kind: existing.kind, text: '', requestId } as const
  return {
    type: 'commit',
    compares: [versionIs(registry), objectIs(name, registry)],
    ops: [
      { type: 'delete', key: objectKey(name) },
      { type: 'put', key: VERSION_KEY, value: encodeVersion(to) },
      ...historyOps(name, history, to.version, registry, nowMs),
    ],
    to,
    created: false,
    changed: true,
  }
}

/** One version, one transaction; histories get no entry each, only the objects go. */
function planDeleteAll(requestId: string, registry: Registry, nowMs: number): Plan {
  const names = registry.names()
  if (names.length === 0) {
    return { type: 'done', version: registry.version, created: false, changed: false }
  }
  const to = next(registry.version)
  // A transaction has room for so many entries beside the rest of it.
  const remembered = names.slice(0, 500)
  return {
    type: 'commit',
    compares: [versionIs(registry)],
    ops: [
      { type: 'delete-prefix', prefix: objectKey('') },
      { type: 'put', key: VERSION_KEY, value: encodeVersion(to) },
      ...remembered.map((name): Op => {
        const kind = registry.kindOf(name) as string
        const value = historyValue({ op: 'delete', kind, text: '', requestId }, nowMs)
        return { type: 'put', key: historyKey(name, to.version), value }
      }),
    ],
    to,
    created: false,
    changed: true,
  }
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

interface HistoryEvent {
  readonly op: 'put' | 'delete'
  readonly kind: string
  readonly text: string
  readonly requestId: string
}

const historyValue = (event: HistoryEvent, atMs: number): Uint8Array =>
  encodeRecord({ level: RECORD_LEVEL, ...event, atMs })

/** The new entry, and deletes for what is no longer kept. */
function historyOps(
  name: string,
  event: HistoryEvent,
  version: number,
  registry: Registry,
  nowMs: number,
): Op[] {
  const value = historyValue(event, nowMs)
  const own = registry.history(name)
  const surplus = own.slice(0, Math.max(0, own.length + 1 - HISTORY_VERSIONS_MAX))
  let bytes = registry.historyBytes + value.byteLength
  for (const entry of surplus) bytes -= entry.bytes
  const pruned = new Set(surplus.map((entry) => historyKey(entry.name, entry.version)))
  if (bytes > HISTORY_BYTES_MAX) {
    for (const entry of registry.oldestHistory(PRUNED_MAX)) {
      if (bytes <= HISTORY_BYTES_MAX) break
      const key = historyKey(entry.name, entry.version)
      if (pruned.has(key)) continue
      pruned.add(key)
      bytes -= entry.bytes
    }
  }
  return [
    { type: 'put', key: historyKey(name, version), value },
    ...[...pruned].map((key): Op => ({ type: 'delete', key })),
  ]
}
