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
  OBJECT_PREFIX,
  type ObjectRecord,
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
}

interface Entry {
  readonly record: ObjectRecord
  /** Of the record's key in the store; what a transaction compares. */
  readonly modRevision: number
}

/**
 * Every object under one configuration version, as the store has them. Pure: fed with what the
 * store holds and with its events, in order. Specs stay packed; they are read when asked for.
 */
export class Registry {
  #version: ConfigVersion = NO_CONFIG
  #versionRevision = 0
  readonly #objects = new Map<string, Entry>()
  readonly #history = new Map<string, HistoryEntry[]>()
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
    return this.#objects.get(name)?.record ?? null
  }

  modRevision(name: string): number {
    return this.#objects.get(name)?.modRevision ?? 0
  }

  kindOf(name: string): string | null {
    return this.#objects.get(name)?.record.kind ?? null
  }

  /** The packed frame that a worker gets. */
  frame(name: string): Uint8Array {
    const entry = this.#objects.get(name)
    assert(entry !== undefined, `no object ${name}`)
    return entry.record.frame
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
    const { kind, text, version, createdVersion } = record
    return { name, kind, text, spec: this.spec(name), version, createdVersion }
  }

  /** Of one object, oldest first. */
  history(name: string): readonly HistoryEntry[] {
    return this.#history.get(name) ?? []
  }

  /** The oldest entries of all objects, at most `count`. */
  oldestHistory(count: number): HistoryEntry[] {
    const firsts = [...this.#history.values()].flatMap((entries) => entries.slice(0, count))
    return firsts.sort((a, b) => a.version - b.version).slice(0, count)
  }

  /** Takes one batch; records that cannot be read are left out and named by `unreadable`. */
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
      this.#objects.delete(name)
      deletes.push(name)
      return
    }
    const { value, modRevision } = event.kv
    this.#objects.set(name, { record: decodeObject(value), modRevision })
    puts.push(name)
  }

  #applyHistory(key: string, event: StoreEvent): void {
    const slash = key.lastIndexOf('/')
    const name = key.slice(HISTORY_PREFIX.length, slash)
    const version = Number(key.slice(slash + 1))
    const entries = this.#history.get(name) ?? []
    if (event.type === 'put') {
      const { requestId, op } = decodeHistory(event.kv.value)
      const bytes = event.kv.value.byteLength
      entries.push({ name, version, bytes, requestId, op })
      this.#historyBytes += bytes
      this.#history.set(name, entries)
      return
    }
    const left = entries.filter((entry) => entry.version !== version)
    for (const entry of entries) if (entry.version === version) this.#historyBytes -= entry.bytes
    if (left.length === 0) this.#history.delete(name)
    else this.#history.set(name, left)
  }
}
