import { Packr } from 'msgpackr'
import { assert } from '../lib/assert.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { ObjectFrame } from '../protocol/worker.js'
import type { Dialect } from '../spec/document.js'

// No record structures: what is stored must be readable without anything that came before it.
const packr = new Packr({ useRecords: false, copyBuffers: true })

/** Level of the record forms written here; a newer node may write newer ones. */
export const RECORD_LEVEL = 1

/** Value of `/config/objects/<name>`. */
export interface ObjectRecord {
  readonly level: number
  readonly kind: string
  /** As it was sent. */
  readonly text: string
  /** The {@link ObjectFrame} that workers get, packed. */
  readonly frame: Uint8Array
  readonly version: number
  readonly createdVersion: number
  readonly requestId: string
  /** By which the text was decoded; absent: v1. */
  readonly dialect?: Dialect
  /** When it was created, in Unix milliseconds; absent: not known. */
  readonly createdMs?: number
}

/** Value of `/config/history/<name>/<version>`. */
export interface HistoryRecord {
  readonly level: number
  readonly op: 'put' | 'delete'
  /** Whether the object did not exist before. */
  readonly created: boolean
  readonly kind: string
  /** Empty for a deletion. */
  readonly text: string
  readonly requestId: string
  /** Unix milliseconds. */
  readonly atMs: number
}

/** An exact-size copy: `pack` gives a view of a pool. */
function pack(value: unknown): Uint8Array {
  return Uint8Array.from(packr.pack(value))
}

export const encodeRecord = (record: ObjectRecord | HistoryRecord): Uint8Array => pack(record)

/** Throws when `bytes` are not a record. */
export function decodeObject(bytes: Uint8Array): ObjectRecord {
  const record = packr.unpack(bytes) as Partial<ObjectRecord> | null
  assert(typeof record?.kind === 'string' && record.frame instanceof Uint8Array, 'not an object')
  return record as ObjectRecord
}

/** Throws when `bytes` are not a record. */
export function decodeHistory(bytes: Uint8Array): HistoryRecord {
  const record = packr.unpack(bytes) as Partial<HistoryRecord> | null
  assert(record?.op === 'put' || record?.op === 'delete', 'not an entry of a history')
  return record as HistoryRecord
}

export const encodeSpec = (spec: unknown): Uint8Array => pack(spec)
export const decodeSpec = (bytes: Uint8Array): unknown => packr.unpack(bytes)
export const encodeFrame = (frame: ObjectFrame): Uint8Array => pack(frame)
export const decodeFrame = (bytes: Uint8Array): ObjectFrame => packr.unpack(bytes) as ObjectFrame
export const encodeVersion = (version: ConfigVersion): Uint8Array => pack(version)
export const decodeVersion = (bytes: Uint8Array): ConfigVersion =>
  packr.unpack(bytes) as ConfigVersion

export const CONFIG_PREFIX = '/config/'
export const VERSION_KEY = '/config/version'
export const OBJECT_PREFIX = '/config/objects/'
export const HISTORY_PREFIX = '/config/history/'
export const objectKey = (name: string): string => `${OBJECT_PREFIX}${name}`
/** Names hold no '/', so prefixes of different objects never meet. */
export const historyPrefix = (name: string): string => `${HISTORY_PREFIX}${name}/`
export const historyKey = (name: string, version: number): string =>
  `${historyPrefix(name)}${String(version).padStart(16, '0')}`
