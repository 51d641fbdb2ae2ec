import { crc32 } from 'node:zlib'
import { GatewayError } from '../lib/errors.js'
import type { PutMode } from '../protocol/coordinator.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { Dialect } from '../spec/document.js'
import {
  Draft,
  type HistoryBounds,
  type PlanBounds,
  type Step,
  type StepHistory,
  type Transaction,
} from './draft.js'
import { encodeFrame, type ObjectRecord, RECORD_LEVEL } from './record.js'
import type { Registry } from './registry.js'

export const HISTORY_BOUNDS: HistoryBounds = { versionsMax: 10, bytesMax: 32 * 1024 * 1024 }

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

/** What a write comes to. */
export type Plan =
  | {
      /**
       * 'commit': the transaction makes it so. 'done': nothing to do, the same write is there
       * already, or there is nothing to change.
       */
      readonly type: 'commit' | 'done'
      readonly version: ConfigVersion
      readonly created: boolean
      readonly changed: boolean
    }
  | { readonly type: 'refused'; readonly error: GatewayError }

/** What the first of some writes come to, in turn. */
export interface PlannedWrites {
  /** Of the first of them at least, and no more than go together. */
  readonly plans: readonly Plan[]
  /** What makes them so: without it nothing that is said of them is true. Null: nothing is to do. */
  readonly transaction: Transaction | null
}

/**
 * Turns writes into one transaction against the registry as it stands, as many as it has room for:
 * each is judged by what those before it make of it. The version key and each object that is
 * touched are compared, so that of two writers, or of a write and its repetition, at most one can
 * apply. A repetition that comes later is known by its request id, as long as the history remembers
 * it, and gets the same answer. Pure.
 */
export function planWrites(
  writes: readonly Write[],
  registry: Registry,
  nowMs: number,
  bounds: PlanBounds,
): PlannedWrites {
  const draft = new Draft(registry, bounds)
  const plans: Plan[] = []
  for (const write of writes) {
    const plan = planWrite(write, registry, draft, nowMs, bounds)
    if (plan === 'later') break
    plans.push(plan)
  }
  return { plans, transaction: draft.transaction }
}

const refused = (error: GatewayError): Plan => ({ type: 'refused', error })

function planWrite(
  write: Write,
  registry: Registry,
  draft: Draft,
  nowMs: number,
  { limits }: PlanBounds,
): Plan | 'later' {
  if (draft.isClosed) return 'later'
  if (write.type === 'delete-all') return planDeleteAll(write.requestId, registry, draft, nowMs)
  const planned =
    write.type === 'put' ? planPut(write, draft, nowMs) : planDelete(write, draft, nowMs)
  if ('type' in planned) return planned
  const taken = draft.take(planned)
  if (taken === 'later') return 'later'
  if (taken === 'taken')
    return {
      type: 'commit',
      version: draft.version,
      created: planned.history.created,
      changed: true,
    }
  const { name } = write
  const message = `${name} takes ${taken.bytes} bytes with its history, expected at most ${limits.bytesMax}`
  return refused(new GatewayError('DOCUMENT_TOO_LARGE', message, { name }))
}

function planPut(write: Write & { type: 'put' }, draft: Draft, atMs: number): Step | Plan {
  const { name, kind, text, spec, dialect, mode, requestId } = write
  const existing = draft.record(name)
  const repeated = repeatedPut(write, draft)
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
    Buffer.compare(draft.specBytes(name), spec) === 0
  ) {
    return { type: 'done', version: draft.version, created: false, changed: false }
  }
  const created = existing === null
  const { version } = draft.nextVersion
  const createdVersion = existing?.createdVersion ?? version
  const record: ObjectRecord = {
    level: RECORD_LEVEL,
    kind,
    text,
    frame: encodeFrame({ name, kind, spec, version, createdVersion }),
    version,
    createdVersion,
    requestId,
    dialect,
    createdMs: existing === null ? atMs : (existing.createdMs ?? 0),
  }
  return { name, record, history: { op: 'put', created, kind, text, requestId }, atMs }
}

function planDelete(write: Write & { type: 'delete' }, draft: Draft, atMs: number): Step | Plan {
  const { name, requestId } = write
  const existing = draft.record(name)
  const repeated = draft
    .history(name)
    .find((entry) => entry.op === 'delete' && entry.requestId === requestId)
  if (repeated !== undefined) return asBefore(repeated, draft)
  if (existing === null) {
    return refused(new GatewayError('OBJECT_NOT_FOUND', 'not found', { name }))
  }
  const mismatch = checkMatch(name, existing.version, write.ifMatch)
  if (mismatch !== null) return refused(mismatch)
  return { name, record: null, history: deletion(existing.kind, requestId), atMs }
}

/** One version, and the only write of its transaction. */
function planDeleteAll(
  requestId: string,
  registry: Registry,
  draft: Draft,
  atMs: number,
): Plan | 'later' {
  if (!draft.isEmpty) return 'later'
  for (const entry of registry.allHistory()) {
    if (entry.op === 'delete' && entry.requestId === requestId) return asBefore(entry, draft)
  }
  const names = registry.names()
  if (names.length === 0) {
    return { type: 'done', version: draft.version, created: false, changed: false }
  }
  draft.takeAll(names, (name) => deletion(registry.kindOf(name) as string, requestId), atMs)
  return { type: 'commit', version: draft.version, created: false, changed: true }
}

/** The answer that was given to the same write before, or null when it is new. */
function repeatedPut(write: Write & { type: 'put' }, draft: Draft): Plan | null {
  const { name, text, requestId } = write
  const existing = draft.record(name)
  const sameText = (same: boolean): GatewayError | null => {
    if (same) return null
    const message = `request id ${requestId} was used for another text of ${name} before`
    return new GatewayError('REQUEST_INVALID', message, { name })
  }
  if (existing !== null && existing.requestId === requestId) {
    const error = sameText(existing.text === text)
    if (error !== null) return refused(error)
    const created = existing.version === existing.createdVersion
    return asBefore({ version: existing.version, created }, draft)
  }
  const entry = draft
    .history(name)
    .find((each) => each.op === 'put' && each.requestId === requestId)
  if (entry === undefined) return null
  const error = sameText(entry.textSum === crc32(text))
  return error === null ? asBefore(entry, draft) : refused(error)
}

function asBefore(
  { version, created }: { readonly version: number; readonly created: boolean },
  draft: Draft,
): Plan {
  const { epoch } = draft.version
  return { type: 'done', version: { epoch, version }, created, changed: true }
}

function checkMatch(name: string, at: number | null, ifMatch: number | null): GatewayError | null {
  if (ifMatch === null || ifMatch === at) return null
  const state = at === null ? 'does not exist' : `was last written at version ${at}`
  return new GatewayError('VERSION_CONFLICT', `${name} ${state}, not at ${ifMatch}`, { name })
}

const deletion = (kind: string, requestId: string): StepHistory => ({
  op: 'delete',
  created: false,
  kind,
  text: '',
  requestId,
})
