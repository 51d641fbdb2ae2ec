/**
 * Bytes of the log's files; docs/store-format.md is the reference. All numbers are little-endian.
 * Every checksum is CRC-32 (zlib) seeded with the log's salt, so that bytes of another log, or of a
 * value that imitates a record, do not pass for records of this one.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../../lib/assert.js'

export const LOG_FORMAT = 1
export const SEGMENT_BYTES = 16 * 1024 * 1024
export const SEGMENT_HEADER_BYTES = 64
const RECORD_HEADER_BYTES = 40
/** Records start at multiples of this. */
export const RECORD_ALIGN = 8

/** A place in the log. Places are ordered by segment, then offset. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

export function comparePositions(a: Position, b: Position): number {
  return a.segment - b.segment || a.offset - b.offset
}

/**
 * What a record holds. Append only. `base`: the log begins anew behind this index, whose snapshot
 * was installed; what stands before it is void. `commit`: entries up to this index are committed.
 */
export const RECORD = { entry: 1, hardState: 2, base: 3, commit: 4 } as const

/**
 * What an entry holds: the log itself does not care. Append only. `forwarded`: a command with the
 * mark of the member it was proposed on.
 */
export const ENTRY = { command: 1, noop: 2, membership: 3, forwarded: 4 } as const

export interface LogEntry {
  /** 1, 2, 3… An entry with an index at or below the last one replaces it and all behind it. */
  readonly index: number
  readonly term: number
  /** One of {@link ENTRY}. */
  readonly type: number
  readonly payload: Uint8Array
}

/** What a member must remember between two terms (Raft §5.2). */
export interface HardState {
  readonly term: number
  /** Number of the member voted for in `term`, in decimal; '' for none. */
  readonly vote: string
}

/** An entry's place in the order. */
export interface EntryPosition {
  readonly index: number
  readonly term: number
}

export interface Record {
  readonly kind: number
  readonly entryType: number
  readonly index: number
  readonly term: number
  /** Everything before this was on disk when the record was written. */
  readonly syncedUpTo: Position
  readonly payload: Uint8Array
}

export interface SegmentHeader {
  readonly segment: number
  /** Where the segment before it ends; `segment` 0 for none. It was on disk before this was. */
  readonly previousEnd: Position
}

/** Bytes a record takes, padding included. */
export function recordBytes(payloadBytes: number): number {
  const bytes = RECORD_HEADER_BYTES + payloadBytes
  return Math.ceil(bytes / RECORD_ALIGN) * RECORD_ALIGN
}

/**
 * Writes a record at `at` of `buffer`, which must have {@link recordBytes} left, and returns the
 * place behind it.
 */
export function encodeRecord(
  buffer: Buffer,
  at: number,
  salt: number,
  segment: number,
  record: Record,
): number {
  const { payload } = record
  const end = at + recordBytes(payload.byteLength)
  buffer.writeUInt32LE(payload.byteLength, at + 4)
  buffer.writeUInt32LE(segment, at + 8)
  buffer[at + 12] = record.kind
  buffer[at + 13] = record.entryType
  buffer.writeUInt16LE(0, at + 14)
  writeUint64(buffer, at + 16, record.index)
  writeUint64(buffer, at + 24, record.term)
  buffer.writeUInt32LE(record.syncedUpTo.segment, at + 32)
  buffer.writeUInt32LE(record.syncedUpTo.offset, at + 36)
  buffer.set(payload, at + RECORD_HEADER_BYTES)
  buffer.fill(0, at + RECORD_HEADER_BYTES + payload.byteLength, end)
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 4, end), salt), at)
  return end
}

/** The record at `at`, its payload a view; null when there is none that is whole. */
export function decodeRecord(
  buffer: Buffer,
  at: number,
  salt: number,
  segment: number,
): Record | null {
  if (at + RECORD_HEADER_BYTES > buffer.length) return null
  // Cheap checks first: recovery tries every eighth byte of a damaged segment.
  if (buffer.readUInt32LE(at + 8) !== segment) return null
  const length = buffer.readUInt32LE(at + 4)
  const end = at + recordBytes(length)
  if (end > buffer.length) return null
  if (buffer.readUInt32LE(at) !== crc32(buffer.subarray(at + 4, end), salt)) return null
  return {
    kind: buffer[at + 12] as number,
    entryType: buffer[at + 13] as number,
    index: readUint64(buffer, at + 16),
    term: readUint64(buffer, at + 24),
    syncedUpTo: { segment: buffer.readUInt32LE(at + 32), offset: buffer.readUInt32LE(at + 36) },
    payload: buffer.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length),
  }
}

const SEGMENT_MAGIC = 0x4c474745 // 'EGGL'

export function encodeSegmentHeader(salt: number, header: SegmentHeader): Buffer {
  const buffer = Buffer.alloc(SEGMENT_HEADER_BYTES)
  buffer.writeUInt32LE(SEGMENT_MAGIC, 4)
  buffer.writeUInt32LE(LOG_FORMAT, 8)
  buffer.writeUInt32LE(header.segment, 12)
  buffer.writeUInt32LE(header.previousEnd.segment, 16)
  buffer.writeUInt32LE(header.previousEnd.offset, 20)
  buffer.writeUInt32LE(crc32(buffer.subarray(4), salt), 0)
  return buffer
}

/** Null when the bytes are not a whole header. */
export function decodeSegmentHeader(buffer: Buffer, salt: number): SegmentHeader | null {
  if (buffer.length < SEGMENT_HEADER_BYTES) return null
  if (buffer.readUInt32LE(4) !== SEGMENT_MAGIC) return null
  if (buffer.readUInt32LE(0) !== crc32(buffer.subarray(4, SEGMENT_HEADER_BYTES), salt)) return null
  return {
    segment: buffer.readUInt32LE(12),
    previousEnd: { segment: buffer.readUInt32LE(16), offset: buffer.readUInt32LE(20) },
  }
}

const META_MAGIC = 0x4d474745 // 'EGGM'
export const META_BYTES = 32

/** The file that makes a folder a log: its format, and the salt of its checksums. */
export interface Meta {
  readonly format: number
  readonly salt: number
  readonly segmentBytes: number
}

export function encodeMeta(meta: Meta): Buffer {
  const buffer = Buffer.alloc(META_BYTES)
  buffer.writeUInt32LE(META_MAGIC, 4)
  buffer.writeUInt32LE(meta.format, 8)
  buffer.writeUInt32LE(meta.salt, 12)
  buffer.writeUInt32LE(meta.segmentBytes, 16)
  buffer.writeUInt32LE(crc32(buffer.subarray(4)), 0)
  return buffer
}

/** Null when the bytes are not a whole one. */
export function decodeMeta(buffer: Buffer): Meta | null {
  if (buffer.length !== META_BYTES || buffer.readUInt32LE(4) !== META_MAGIC) return null
  if (buffer.readUInt32LE(0) !== crc32(buffer.subarray(4))) return null
  return {
    format: buffer.readUInt32LE(8),
    salt: buffer.readUInt32LE(12),
    segmentBytes: buffer.readUInt32LE(16),
  }
}

/** File of a segment. Sorted by name they are sorted by number. */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.log`
}

/** Number of a segment by its file's name; null for any other file. */
export function segmentOf(name: string): number | null {
  return /^\d{10}\.log$/.test(name) ? Number(name.slice(0, 10)) : null
}

export function writeUint64(buffer: Buffer, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `not an unsigned safe integer: ${value}`)
  buffer.writeUInt32LE(value % 0x1_0000_0000, at)
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4)
}

export function readUint64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at)
}

/** A view of the same bytes with Buffer's methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
