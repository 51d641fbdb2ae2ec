import { crc32 } from 'node:zlib'
import { assert } from '../lib/assert.js'
import type { StoredObject } from '../protocol/coordinator.js'
import { type ConfigVersion, NO_CONFIG } from '../protocol/version.js'
import type { StoreEvent } from '../store/contract.js'
import {
  decodeFrame,
  decodeHistory,
  decodeObject,
  decodeSpec,
  decodeVersion,
  HISTORY_PREFIX,
  historyKey,
  OBJECT_PREFIX,
  type ObjectRecord,
  objectKey,
  VERSION_KEY,
} from './record.js'

/** What one batch of store events did to the objects. */
export interface RegistryChange {
  readonly from: ConfigVersion
  readonly to: ConfigVersion
  /** Names whose record was written, and names that are gone. */
  readonly puts: readonly string[]
  readonly deletes: readonly string[]
}

export interface HistoryEntry {
  readonly name: string
  readonly version: number
  readonly bytes: number
  readonly requestId: string
  readonly op: 'put' | 'delete'
  readonly created: boolean
  /** CRC-32 of the text. */
  readonly textSum: number
}

/**
 * Every object under one configuration version, as the store has them. Pure: fed with what the
 * store holds and with its events, in order. Specs stay packed; they are read when asked for.
 */
export class Registry {
  #version: ConfigVersion = NO_CONFIG
  #versionRevision = 0
  readonly #objects = new Map<string, ObjectRecord>()
  /** Of each object's key in the store, readable or not; what a transaction compares. */
  readonly #revisions = new Map<string, number>()
  /** By name; those of one object oldest first. */
  readonly #history = new Map<string, HistoryEntry[]>()
  /** By key; oldest first unless they came in another order. */
  #byAge = new Map<string, HistoryEntry>()
  #newestAge = 0
  #isByAge = true
  #historyBytes = 0

  get version(): ConfigVersion {
    return this.#version
  }

  /** Revision at which the version key was last written; 0 when it never was. */
  get versionRevision(): number {
    return this.#versionRevision
  }

  get size(): number {
    return this.#objects.size
  }

  get historyBytes(): number {
    return this.#historyBytes
  }

  names(): string[] {
    return [...this.#objects.keys()].sort()
  }

  record(name: string): ObjectRecord | null {
    return this.#objects.get(name) ?? null
  }

  /** 0 when the store has no such object. */
  modRevision(name: string): number {
    return this.#revisions.get(name) ?? 0
  }

  kindOf(name: string): string | null {
    return this.#objects.get(name)?.kind ?? null
  }

  /** Every key of the store that is known here, but for that of the version. */
  keys(): string[] {
    return [...[...this.#revisions.keys()].map(objectKey), ...this.#byAge.keys()]
  }

  /** The packed frame that a worker gets. */
  frame(name: string): Uint8Array {
    const record = this.#objects.get(name)
    assert(record !== undefined, `no object ${name}`)
    return record.frame
  }

  /** Packed. */
  specBytes(name: string): Uint8Array {
    return decodeFrame(this.frame(name)).spec
  }

  spec(name: string): unknown {
    return decodeSpec(this.specBytes(name))
  }

  object(name: string): StoredObject | null {
    const record = this.record(name)
    if (record === null) return null
    const { kind, text, version, createdVersion, dialect = 'v1', createdMs = 0 } = record
    const spec = this.spec(name)
    return { name, kind, text, spec, version, createdVersion, dialect, createdMs }
  }

  /** Of one object, oldest first. */
  history(name: string): readonly HistoryEntry[] {
    return this.#history.get(name) ?? []
  }

  /** Of all objects, oldest first. */
  allHistory(): Iterable<HistoryEntry> {
    if (!this.#isByAge) {
      // As the store lists them they are in the order of names: once, at the start.
      this.#byAge = new Map([...this.#byAge].sort(([, a], [, b]) => a.version - b.version))
      this.#isByAge = true
    }
    return this.#byAge.values()
  }

  /**
   * Takes one batch, or a list of all there is; what is known already is no change. A record that
   * cannot be read is named by `unreadable`, and the one before it stays.
   */
  apply(
    events: readonly StoreEvent[],
    unreadable: (key: string, thrown: unknown) => void,
  ): RegistryChange {
    const from = this.#version
    const puts: string[] = []
    const deletes: string[] = []
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key
      try {
        if (key === VERSION_KEY) this.#applyVersion(event)
        else if (key.startsWith(OBJECT_PREFIX)) this.#applyObject(key, event, puts, deletes)
        else if (key.startsWith(HISTORY_PREFIX)) this.#applyHistory(key, event)
      } catch (thrown) {
        unreadable(key, thrown)
      }
    }
    return { from, to: this.#version, puts, deletes }
  }

  #applyVersion(event: StoreEvent): void {
    assert(event.type === 'put', 'the version key is never deleted')
    this.#version = decodeVersion(event.kv.value)
    this.#versionRevision = event.kv.modRevision
  }

  #applyObject(key: string, event: StoreEvent, puts: string[], deletes: string[]): void {
    const name = key.slice(OBJECT_PREFIX.length)
    if (event.type === 'delete') {
      this.#revisions.delete(name)
      if (this.#objects.delete(name)) deletes.push(name)
      return
    }
    const { value, modRevision } = event.kv
    if (this.#revisions.get(name) === modRevision) return
    // Before it is read: whatever it is, a write must be able to replace it.
    this.#revisions.set(name, modRevision)
    this.#objects.set(name, decodeObject(value))
    puts.push(name)
  }

  #applyHistory(key: string, event: StoreEvent): void {
    const slash = key.lastIndexOf('/')
    const name = key.slice(HISTORY_PREFIX.length, slash)
    const version = Number(key.slice(slash + 1))
    if (event.type === 'put') this.#remember(name, version, event.kv.value)
    else this.#forget(name, version)
  }

  #remember(name: string, version: number, value: Uint8Array): void {
    const key = historyKey(name, version)
    if (this.#byAge.has(key)) return
    const { requestId, op, created, text } = decodeHistory(value)
    const bytes = value.byteLength
    const entry = { name, version, bytes, requestId, op, created, textSum: crc32(text) }
    const entries = this.#history.get(name)
    if (entries === undefined) this.#history.set(name, [entry])
    else entries.push(entry)
    this.#byAge.set(key, entry)
    this.#historyBytes += bytes
    if (version < this.#newestAge) this.#isByAge = false
    this.#newestAge = Math.max(this.#newestAge, version)
  }

  #forget(name: string, version: number): void {
    const key = historyKey(name, version)
    const entry = this.#byAge.get(key)
    if (entry === undefined) return
    this.#byAge.delete(key)
    this.#historyBytes -= entry.bytes
    const left = this.history(name).filter((each) => each !== entry)
    if (left.length === 0) this.#history.delete(name)
    else this.#history.set(name, left)
  }
}
