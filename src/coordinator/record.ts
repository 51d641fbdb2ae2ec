import { Packr } from 'msgpackr'
import type { ConfigVersion } from '../protocol/version.js'
import type { ObjectFrame } from '../protocol/worker.js'

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
}

/** Value of `/config/history/<name>/<version>`. */
export interface HistoryRecord {
  readonly level: number
  readonly op: 'put' | 'delete'
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
export const decodeObject = (bytes: Uint8Array): ObjectRecord => packr.unpack(bytes) as ObjectRecord
export const decodeHistory = (bytes: Uint8Array): HistoryRecord =>
  packr.unpack(bytes) as HistoryRecord
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
