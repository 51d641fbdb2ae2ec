import { crc32 } from 'node:zlib'
import type { ConfigVersion } from '../protocol/version.js'
import type { Compare, Limits, Op } from '../store/contract.js'
import {
  decodeFrame,
  encodeRecord,
  encodeVersion,
  type HistoryRecord,
  historyKey,
  OBJECT_PREFIX,
  type ObjectRecord,
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

export interface PlanBounds {
  /** Of the store. */
  readonly limits: Limits
  readonly history: HistoryBounds
}

export interface Transaction {
  readonly compares: readonly Compare[]
  readonly ops: readonly Op[]
  /** The version of the configuration once it has come through. */
  readonly to: ConfigVersion
}

export type StepHistory = Omit<HistoryRecord, 'level' | 'atMs'>

/** What one write does to one object. */
export interface Step {
  readonly name: string
  /** Null: it is deleted. */
  readonly record: ObjectRecord | null
  readonly history: StepHistory
  readonly atMs: number
}

/**
 * 'later': there is room for it in a transaction of its own, perhaps. Otherwise what the write
 * takes, which is more than any transaction may.
 */
export type Taken = 'taken' | 'later' | { readonly bytes: number }

/** Of writes that go together; one alone may take more. It keeps each turn and each entry short. */
const TOGETHER_BYTES_MAX = 1024 * 1024
/** Beside key and value, what an operation or a comparison takes in a transaction, at most. */
const OP_BYTES = 32
const KEY_BYTES_TYPICAL = 256
/** What comparing and putting the version takes. */
const VERSION_BYTES = 2 * (Buffer.byteLength(VERSION_KEY) + OP_BYTES) + 64

/**
 * The registry as it will be after the writes planned so far, and the one transaction that makes
 * it so: it compares the version key and each object it touches. An object is written once at most
 * by a transaction: a repetition is known by the last writes of its object, and however many come
 * together, it takes as many transactions as there are versions kept to forget one.
 */
export class Draft {
  readonly #registry: Registry
  readonly #bounds: PlanBounds
  readonly #compares: Compare[]
  /** But for the version's. */
  readonly #ops: Op[] = []
  readonly #steps = new Map<string, Staged>()
  readonly #pruned = new Set<HistoryEntry>()
  #version: ConfigVersion
  #bytes = VERSION_BYTES
  #historyBytes: number
  #isClosed = false

  constructor(registry: Registry, bounds: PlanBounds) {
    this.#registry = registry
    this.#bounds = bounds
    this.#version = registry.version
    this.#historyBytes = registry.historyBytes
    const operand = registry.versionRevision
    this.#compares = [{ target: 'modRevision', key: VERSION_KEY, is: '=', operand }]
  }

  // -- how things stand --------------------------------------------------------------------------

  get version(): ConfigVersion {
    return this.#version
  }

  /** What the next write makes of it. */
  get nextVersion(): ConfigVersion {
    const { epoch, version } = this.#version
    return { epoch, version: version + 1 }
  }

  /** It takes nothing more, and does not say how things will stand. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Nothing is planned yet. */
  get isEmpty(): boolean {
    return this.#ops.length === 0
  }

  record(name: string): ObjectRecord | null {
    const own = this.#steps.get(name)
    return own === undefined ? this.#registry.record(name) : own.record
  }

  /** Packed; of an object that is there. */
  specBytes(name: string): Uint8Array {
    const record = this.#steps.get(name)?.record
    return record ? decodeFrame(record.frame).spec : this.#registry.specBytes(name)
  }

  /** Of one object, oldest first. */
  history(name: string): readonly HistoryEntry[] {
    const own = this.#steps.get(name)
    const before = this.#registry.history(name)
    const known = own === undefined ? before : [...before, own.entry]
    return this.#pruned.size === 0 ? known : known.filter((entry) => !this.#pruned.has(entry))
  }

  // -- what is to be done ------------------------------------------------------------------------

  take({ name, record, history, atMs }: Step): Taken {
    if (this.#steps.has(name)) return 'later'
    const { version } = this.nextVersion
    const entry = entryOf(name, version, history, atMs)
    const key = objectKey(name)
    const ops: readonly Op[] = [
      record === null ? { type: 'delete', key } : { type: 'put', key, value: encodeRecord(record) },
      putOf(entry),
    ]
    const bytes = sumOf(ops) + Buffer.byteLength(key) + OP_BYTES
    const doomed = this.#tooMuch([name], entry.bytes)
    if (this.isEmpty) {
      // What there is no room to prune is left to the next one.
      if (!this.#hasRoomFor(ops.length, bytes)) return { bytes: this.#bytes + bytes }
    } else {
      const pruning = [...doomed.entries].map(pruningOf)
      const all = bytes + sumOf(pruning)
      const isShort = this.#bytes + all <= TOGETHER_BYTES_MAX
      if (!doomed.areAll || !isShort || !this.#hasRoomFor(ops.length + pruning.length, all)) {
        return 'later'
      }
    }
    const operand = this.#registry.modRevision(name)
    this.#compares.push({ target: 'modRevision', key, is: '=', operand })
    this.#bytes += Buffer.byteLength(key) + OP_BYTES
    for (const op of ops) this.#add(op)
    this.#historyBytes += entry.bytes
    this.#prune(doomed.entries)
    this.#steps.set(name, { record, entry })
    this.#version = this.nextVersion
    return 'taken'
  }

  /**
   * Every object of `names` goes, which are all there are, in a transaction of its own. As many get
   * their entry in the history as fit into it: all where there are some hundred objects, and enough
   * to know a repetition by.
   */
  takeAll(names: readonly string[], history: (name: string) => StepHistory, atMs: number): Taken {
    if (!this.isEmpty) return 'later'
    this.#add({ type: 'delete-prefix', prefix: OBJECT_PREFIX })
    const { version } = this.nextVersion
    const remembered: string[] = []
    let bytes = 0
    for (const name of names) {
      const entry = entryOf(name, version, history(name), atMs)
      const op = putOf(entry)
      // Beside each there is room for what it makes one too many.
      const more = remembered.length + 1
      if (!this.#hasRoomFor(1 + more, bytesOf(op) + more * (KEY_BYTES_TYPICAL + OP_BYTES))) break
      this.#add(op)
      remembered.push(name)
      bytes += entry.bytes
    }
    const doomed = this.#tooMuch(remembered, bytes)
    this.#historyBytes += bytes
    this.#prune(doomed.entries)
    this.#version = this.nextVersion
    this.#isClosed = true
    return 'taken'
  }

  /** Null: there is nothing to do. */
  get transaction(): Transaction | null {
    if (this.isEmpty) return null
    const value = encodeVersion(this.#version)
    const ops: readonly Op[] = [...this.#ops, { type: 'put', key: VERSION_KEY, value }]
    return { compares: this.#compares, ops, to: this.#version }
  }

  #add(op: Op): void {
    this.#ops.push(op)
    this.#bytes += bytesOf(op)
  }

  /** Beside what is there already, and the version. */
  #hasRoomFor(ops: number, bytes: number): boolean {
    const { opsMax, bytesMax } = this.#bounds.limits
    return this.#ops.length + ops + 1 <= opsMax && this.#bytes + bytes <= bytesMax
  }

  /**
   * What histories hold too much of, once `names` get one entry more each, of `added` bytes
   * together. `areAll`: what this transaction adds itself is not too much either.
   */
  #tooMuch(names: readonly string[], added: number): Doomed {
    const { versionsMax, bytesMax } = this.#bounds.history
    const entries = new Set<HistoryEntry>()
    let bytes = this.#historyBytes + added
    const drop = (entry: HistoryEntry): void => {
      if (entries.has(entry) || this.#pruned.has(entry)) return
      entries.add(entry)
      bytes -= entry.bytes
    }
    for (const name of names) {
      const own = this.history(name)
      for (const entry of own.slice(0, Math.max(0, own.length + 1 - versionsMax))) drop(entry)
    }
    if (bytes > bytesMax) {
      for (const entry of this.#registry.allHistory()) {
        drop(entry)
        if (bytes <= bytesMax || entries.size >= this.#bounds.limits.opsMax) break
      }
    }
    return { entries, areAll: bytes <= bytesMax }
  }

  #prune(entries: Iterable<HistoryEntry>): void {
    for (const entry of entries) {
      const op = pruningOf(entry)
      if (!this.#hasRoomFor(1, bytesOf(op))) return
      this.#add(op)
      this.#pruned.add(entry)
      this.#historyBytes -= entry.bytes
    }
  }
}

/** What a write that is planned has made of an object. */
interface Staged {
  readonly record: ObjectRecord | null
  readonly entry: HistoryEntry
}

interface Doomed {
  readonly entries: ReadonlySet<HistoryEntry>
  readonly areAll: boolean
}

interface NewEntry extends HistoryEntry {
  readonly value: Uint8Array
}

function entryOf(name: string, version: number, history: StepHistory, atMs: number): NewEntry {
  const { op, created, requestId, text } = history
  const value = encodeRecord({ level: RECORD_LEVEL, ...history, atMs })
  const bytes = value.byteLength
  return { name, version, bytes, requestId, op, created, textSum: crc32(text), value }
}

const putOf = ({ name, version, value }: NewEntry): Op => ({
  type: 'put',
  key: historyKey(name, version),
  value,
})

const pruningOf = ({ name, version }: HistoryEntry): Op => ({
  type: 'delete',
  key: historyKey(name, version),
})

function bytesOf(op: Op): number {
  const key = 'key' in op ? op.key : op.prefix
  return Buffer.byteLength(key) + (op.type === 'put' ? op.value.byteLength : 0) + OP_BYTES
}

const sumOf = (ops: readonly Op[]): number => ops.reduce((sum, op) => sum + bytesOf(op), 0)
