/**
 * Reads the segments of a log and decides what of them counts. The rule: the log ends at the first
 * place X that holds no whole record, unless something behind X proves that X was on disk before
 * that something was written; then the disk lost data and the log must not be opened.
 *
 * A record proves it by `syncedUpTo`, a segment's header by `previousEnd`, the notes by their
 * durable place. Good records behind X that prove nothing are leftovers of a batch that was never
 * acknowledged: they are cut with the rest.
 */
import type { Disk } from '../../lib/disk.js'
import {
  asBuffer,
  comparePositions,
  decodeRecord,
  decodeSegmentHeader,
  type EntryPosition,
  type HardState,
  type LogEntry,
  type Position,
  RECORD,
  RECORD_ALIGN,
  type Record,
  recordBytes,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentOf,
} from './format.js'
import { damagedAt, unreadable } from './refusal.js'

export interface SegmentInfo {
  readonly segment: number
  /** Highest index of an entry in it; 0 for none. */
  maxIndex: number
}

export interface Recovery {
  /** Segments in use, in order; the last one is written to. Empty when none has a header. */
  readonly segments: SegmentInfo[]
  /** Where the log ends; offset 0 when the segment has no header. */
  readonly end: Position
  /** Everything before it is known to be on disk. */
  readonly proven: Position
  /** Bytes of the last segment up to `end`. */
  readonly lastSegment: Buffer
  /** Something other than zeros stands behind `end` in the last segment. */
  readonly tailIsDirty: boolean
  /** Later segments: those that hold only zeros can be used, the others must go. */
  readonly blank: readonly number[]
  readonly leftover: readonly number[]
  readonly hardState: HardState
  /** The last segment that says so; 0 for none. */
  readonly hardStateSegment: number
  /** Where the log begins: an installed snapshot; null when it was never begun anew. */
  readonly base: EntryPosition | null
  /** Highest index recorded as committed; 0 for none. */
  readonly commit: number
  /** Without gaps; what was replaced later is gone. */
  readonly entries: readonly LogEntry[]
}

/** Throws a `GatewayError` that names file and offset when the log must not be opened. */
export function recover(disk: Disk, salt: number, segmentBytes: number, noted: Position): Recovery {
  return new Scan(disk, salt, segmentBytes, noted).run()
}

class Scan {
  readonly #disk: Disk
  readonly #salt: number
  readonly #segmentBytes: number
  readonly #numbers: number[]
  readonly #segments: SegmentInfo[] = []
  #entries: LogEntry[] = []
  #base: EntryPosition | null = null
  #commit = 0
  #hardState: HardState = { term: 0, vote: '' }
  #hardStateSegment = 0
  #end: Position
  #proven: Position
  #buffer: Buffer = Buffer.alloc(0)

  constructor(disk: Disk, salt: number, segmentBytes: number, noted: Position) {
    this.#disk = disk
    this.#salt = salt
    this.#segmentBytes = segmentBytes
    this.#numbers = disk
      .list()
      .map(segmentOf)
      .filter((number) => number !== null)
      .sort((a, b) => a - b)
    this.#end = { segment: this.#numbers[0] ?? 1, offset: 0 }
    this.#proven = noted
  }

  run(): Recovery {
    // A log has had its first segment before it had anything else.
    if (this.#numbers.length === 0) throw unreadable(this.#path(1), 'is missing')
    let used = 0
    while (used < this.#numbers.length && this.#readSegment(this.#numbers[used] as number)) {
      used += 1
    }
    if (used === 0 && this.#numbers[0] !== undefined) this.#buffer = this.#load(this.#numbers[0])
    const later = this.#numbers.filter((number) => number > this.#end.segment)
    const { blank, leftover } = this.#judge(later)
    if (comparePositions(this.#proven, this.#end) > 0) throw this.#lost()
    return {
      segments: this.#segments,
      end: this.#end,
      proven: this.#proven,
      lastSegment: this.#buffer.subarray(0, this.#end.offset),
      tailIsDirty: !isZero(this.#buffer.subarray(this.#end.offset)),
      blank,
      leftover,
      hardState: this.#hardState,
      hardStateSegment: this.#hardStateSegment,
      base: this.#base,
      commit: this.#commit,
      entries: this.#entries,
    }
  }

  /** False when the log ends before this segment. */
  #readSegment(number: number): boolean {
    const first = this.#segments.length === 0
    if (!first && number !== this.#end.segment + 1) return false
    const buffer = this.#load(number)
    const header = decodeSegmentHeader(buffer, this.#salt)
    if (header === null || header.segment !== number) return false
    if (!first) {
      const order = comparePositions(header.previousEnd, this.#end)
      if (order > 0) throw this.#damaged(`segment ${number} says it was whole`)
      if (order < 0) throw this.#damaged(`segment ${number} continues an earlier place`)
    }
    const info: SegmentInfo = { segment: number, maxIndex: 0 }
    this.#segments.push(info)
    this.#buffer = buffer
    this.#prove(header.previousEnd)
    let at = SEGMENT_HEADER_BYTES
    this.#end = { segment: number, offset: at }
    for (;;) {
      const record = decodeRecord(buffer, at, this.#salt, number)
      if (record === null) return true
      this.#take(record, info)
      at += recordBytes(record.payload.byteLength)
      this.#end = { segment: number, offset: at }
    }
  }

  #take(record: Record, info: SegmentInfo): void {
    this.#prove(record.syncedUpTo)
    const { index, term, payload } = record
    if (record.kind === RECORD.hardState) {
      this.#hardState = { term, vote: Buffer.from(payload).toString('utf8') }
      this.#hardStateSegment = info.segment
      return
    }
    if (record.kind === RECORD.commit) {
      this.#commit = Math.max(this.#commit, index)
      return
    }
    if (record.kind === RECORD.base) {
      this.#base = { index, term }
      this.#entries = []
      for (const segment of this.#segments) segment.maxIndex = 0
      info.maxIndex = index
      return
    }
    if (record.kind !== RECORD.entry) {
      throw unreadable(
        this.#path(this.#end.segment),
        `holds a record of kind ${record.kind} at offset ${this.#end.offset}, which this version does not know; start a newer one`,
      )
    }
    const base = this.#base
    // The ones before it may be in a segment that a snapshot made superfluous, while some that were
    // replaced later still stand here.
    if (base === null && index < (this.#entries[0]?.index ?? 0)) this.#entries = []
    const firstIndex = this.#entries[0]?.index ?? (base === null ? index : base.index + 1)
    if (index < firstIndex || index > firstIndex + this.#entries.length) {
      throw this.#damaged(`entry ${index} does not follow the one before it`)
    }
    this.#entries.length = index - firstIndex
    // Of the entry before it, not of one it replaces: a new leader's entries may be older.
    const termBefore = this.#entries.at(-1)?.term ?? base?.term ?? 0
    if (term < termBefore) throw this.#damaged(`entry ${index} is of an earlier term`)
    this.#entries.push({ index, term, type: record.entryType, payload })
    info.maxIndex = Math.max(info.maxIndex, index)
  }

  /** Looks behind the end for proof that more was there. */
  #judge(later: readonly number[]): { blank: number[]; leftover: number[] } {
    this.#searchProof(this.#buffer, this.#end.segment, this.#end.offset)
    const blank: number[] = []
    const leftover: number[] = []
    for (const number of later) {
      const buffer = this.#load(number)
      const usable = leftover.length === 0 && number === this.#end.segment + blank.length + 1
      if (usable && buffer.length === this.#segmentBytes && isZero(buffer)) blank.push(number)
      else {
        const header = decodeSegmentHeader(buffer, this.#salt)
        if (header !== null) this.#prove(header.previousEnd)
        this.#searchProof(buffer, number, 0)
        leftover.push(number)
      }
    }
    return { blank, leftover }
  }

  #searchProof(buffer: Buffer, segment: number, from: number): void {
    if (isZero(buffer.subarray(from))) return
    for (let at = from; at < buffer.length; at += RECORD_ALIGN) {
      const record = decodeRecord(buffer, at, this.#salt, segment)
      if (record !== null) this.#prove(record.syncedUpTo)
    }
  }

  /** What is proven reaches beyond the end: says where the hole begins. */
  #lost(): Error {
    const what = `bytes up to ${place(this.#proven)} were on disk and are gone`
    const next = this.#end.segment + 1
    // A last segment that just ends is not to blame when the one after it lost its first bytes.
    const endsClean = isZero(this.#buffer.subarray(this.#end.offset))
    if (!endsClean || this.#proven.segment <= this.#end.segment) return this.#damaged(what)
    if (!this.#numbers.includes(next)) return unreadable(this.#path(next), `is missing: ${what}`)
    return damagedAt(this.#path(next), 0, what)
  }

  #prove(position: Position): void {
    if (comparePositions(position, this.#proven) > 0) this.#proven = position
  }

  #load(number: number): Buffer {
    const file = this.#disk.open(segmentName(number), 'read')
    const bytes = this.#disk.read(file, 0, this.#segmentBytes)
    this.#disk.close(file)
    return asBuffer(bytes)
  }

  #path(segment: number): string {
    return `${this.#disk.root}/${segmentName(segment)}`
  }

  #damaged(what: string): Error {
    return damagedAt(this.#path(this.#end.segment), this.#end.offset, what)
  }
}

function place(position: Position): string {
  return `${segmentName(position.segment)}:${position.offset}`
}

const ZEROS = Buffer.alloc(64 * 1024)

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length)
    if (part.compare(ZEROS, 0, part.length) !== 0) return false
  }
  return true
}
