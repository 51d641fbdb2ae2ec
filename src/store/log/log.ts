/**
 * The log of one member: entries and hard state, durable when `write` returns.
 *
 * Caller's duties: one call at a time; when any of them throws `DiskError`, use nothing of it
 * again: what is on disk is known only after it was opened anew. Call `idle` while it says there is
 * work left and nothing else waits, and `noteDurable` about once a second while it is written to.
 */
import { assert } from '../../lib/assert.js'
import { type Disk, DiskError, type DiskHandle } from '../../lib/disk.js'
import {
  asBuffer,
  comparePositions,
  decodeMeta,
  type EntryPosition,
  encodeMeta,
  encodeRecord,
  encodeSegmentHeader,
  type HardState,
  LOG_FORMAT,
  type LogEntry,
  META_BYTES,
  type Meta,
  type Position,
  RECORD,
  recordBytes,
  SEGMENT_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentName,
  segmentOf,
} from './format.js'
import { NOTES_FILE, Notes } from './notes.js'
import { type Recovery, recover, type SegmentInfo } from './recovery.js'
import { damagedAt, unreadable } from './refusal.js'
import { SnapshotFiles, type SnapshotInfo, snapshotName } from './snapshot-files.js'
import { isFillFile, ZeroFiller } from './zero-filler.js'

const META_FILE = 'meta'
const NO_PAYLOAD = new Uint8Array(0)
const RESERVE_FILE = 'reserve'
/** Records of a write are put together here first. */
const SCRATCH_BYTES = 4 * 1024
const SCRATCH_BYTES_KEPT = 1024 * 1024
const RESERVE_BYTES = 32 * 1024 * 1024

export interface LogOptions {
  /** 0..2^32-1, random: the salt of a new log's checksums. An existing log keeps its own. */
  readonly salt: number
  /** Size of a new log's segments, fixed for its life; default 16 MiB. */
  readonly segmentBytes?: number
  /** Bytes kept back so that a snapshot can be written to a full disk; default 32 MiB. */
  readonly reserveBytes?: number
}

export interface RecoveredLog {
  readonly hardState: HardState
  readonly snapshot: SnapshotInfo | null
  /** Those after the snapshot. */
  readonly entries: readonly LogEntry[]
  readonly lastIndex: number
  readonly lastTerm: number
  readonly notedCommit: number
  readonly notes: readonly string[]
}

/** What one sync makes durable, in this order. */
export interface WriteBatch {
  readonly hardState: HardState | null
  /** The log begins anew behind the snapshot that was received and checked. */
  readonly install: EntryPosition | null
  readonly entries: readonly LogEntry[]
  /** Entries up to here are committed; all of them are in the log. */
  readonly commit: number | null
}

export class Log {
  readonly snapshots: SnapshotFiles
  readonly #disk: Disk
  readonly #salt: number
  readonly #segmentBytes: number
  readonly #reserveBytes: number
  readonly #notes: Notes
  readonly #filler: ZeroFiller
  #segments: SegmentInfo[] = []
  /** Zero-filled segments not yet in use, by number. */
  #blank: number[] = []
  #file: DiskHandle = -1
  /** End of what was written; it is durable up to `#synced`. */
  #end: Position = { segment: 1, offset: 0 }
  #synced: Position = { segment: 1, offset: 0 }
  #hardState: HardState
  #lastIndex = 0
  #scratch: Buffer = Buffer.alloc(SCRATCH_BYTES)
  #scratchUsed = 0
  #reserveHeld = false
  /** The reserve is on the disk. Known, not looked up: this is asked after every write. */
  #reserveMade = false

  /**
   * Opens the log in the folder of `disk`, or makes one if the folder has none. Throws
   * STORE_UNAVAILABLE naming file and offset when it must not be opened, or `DiskError`.
   */
  static open(disk: Disk, options: LogOptions): { log: Log; recovered: RecoveredLog } {
    const meta = readMeta(disk) ?? create(disk, options)
    const notes = new Notes(disk, meta.salt)
    const recovery = recover(disk, meta.salt, meta.segmentBytes, notes.durable)
    const snapshots = new SnapshotFiles(disk)
    const remarks = snapshots.open()
    const { staged } = snapshots
    const entries = staged === null ? entriesAfter(disk, snapshots, recovery) : []
    if (recovery.tailIsDirty || recovery.leftover.length > 0) {
      remarks.push(
        `cut an unfinished write at ${segmentName(recovery.end.segment)}:${recovery.end.offset}; nothing in it was acknowledged`,
      )
    }
    const reserveBytes = options.reserveBytes ?? RESERVE_BYTES
    const log = new Log(disk, meta, notes, snapshots, recovery, reserveBytes)
    if (staged !== null) log.#install(recovery.base, staged)
    const last = staged ?? recovery.entries.at(-1) ?? recovery.base
    const recovered: RecoveredLog = {
      hardState: recovery.hardState,
      snapshot: snapshots.newest,
      entries,
      lastIndex: last?.index ?? 0,
      lastTerm: last?.term ?? 0,
      notedCommit: Math.max(notes.commitIndex, recovery.commit),
      notes: remarks,
    }
    return { log, recovered }
  }

  private constructor(
    disk: Disk,
    meta: Meta,
    notes: Notes,
    snapshots: SnapshotFiles,
    recovery: Recovery,
    reserveBytes: number,
  ) {
    this.#disk = disk
    this.#salt = meta.salt
    this.#segmentBytes = meta.segmentBytes
    this.#reserveBytes = reserveBytes
    this.#notes = notes
    this.snapshots = snapshots
    this.#filler = new ZeroFiller(disk)
    this.#hardState = recovery.hardState
    this.#lastIndex = recovery.entries.at(-1)?.index ?? recovery.base?.index ?? 0
    this.#repair(recovery)
  }

  get lastIndex(): number {
    return this.#lastIndex
  }

  /** Makes it durable. An entry at or below the last index replaces it and all behind it. */
  write({ hardState, install, entries, commit }: WriteBatch): void {
    if (hardState !== null) {
      this.#hardState = hardState
      this.#appendHardState()
    }
    if (install !== null) {
      // The term it came in must not be forgotten when the snapshot is not.
      this.#sync()
      this.snapshots.stage(install.index, install.term)
      this.#install(null, install)
    }
    for (const { index, term, type, payload } of entries) {
      assert(index >= 1 && index <= this.#lastIndex + 1, `entry ${index} would leave a gap`)
      this.#append(RECORD.entry, type, index, term, payload)
      this.#lastIndex = index
      const segment = this.#segments.at(-1) as SegmentInfo
      segment.maxIndex = Math.max(segment.maxIndex, index)
    }
    if (commit !== null) {
      assert(commit <= this.#lastIndex, `entry ${commit} is committed and not in the log`)
      this.#append(RECORD.commit, 0, commit, 0, NO_PAYLOAD)
    }
    this.#sync()
  }

  /**
   * The first write of the first members of a cluster: an empty state at `position`, described by
   * `head`, and the term it is of.
   */
  found(position: EntryPosition, head: Uint8Array): void {
    assert(this.#lastIndex === 0, 'a log that is not empty cannot be founded')
    this.#hardState = { term: position.term, vote: '' }
    this.#appendHardState()
    this.#sync()
    this.snapshots.begin(position.index, position.term, head)
    this.snapshots.endAsStaged()
    this.#install(null, position)
  }

  /** Begins anew behind the staged snapshot. May be cut short anywhere and done again. */
  #install(base: EntryPosition | null, at: EntryPosition): void {
    if (base?.index !== at.index || base.term !== at.term) {
      this.#append(RECORD.base, 0, at.index, at.term, NO_PAYLOAD)
      this.#sync()
    }
    this.snapshots.promote()
    for (const segment of this.#segments) segment.maxIndex = 0
    const segment = this.#segments.at(-1) as SegmentInfo
    segment.maxIndex = at.index
    this.#lastIndex = at.index
    this.compact()
  }

  /** Not synced: a hint. */
  noteCommit(index: number): void {
    this.#notes.noteCommit(index)
  }

  /** Records how far the log is durable; costs a sync, so only when that has moved. */
  noteDurable(): void {
    if (comparePositions(this.#notes.durable, this.#synced) < 0) {
      this.#notes.noteDurable(this.#synced)
    }
  }

  /** Drops segments that only hold what the older of the two snapshots covers. */
  compact(): void {
    const upTo = this.snapshots.keepFrom
    while (this.#segments.length > 1 && (this.#segments[0] as SegmentInfo).maxIndex <= upTo) {
      const { segment } = this.#segments.shift() as SegmentInfo
      this.#disk.remove(segmentName(segment))
      // One by one: a hole in the row of segments would look like damage.
      this.#disk.syncDir()
    }
    this.#reserveHeld = false
  }

  /** Gives the reserve back to the file system, until the next {@link compact}. */
  releaseReserve(): void {
    this.#reserveHeld = true
    this.#filler.abandon()
    if (this.#disk.list().includes(RESERVE_FILE)) this.#disk.remove(RESERVE_FILE)
    this.#reserveMade = false
    this.#disk.syncDir()
  }

  /** Whether {@link idle} has something to do. */
  get hasIdleWork(): boolean {
    return this.#blank.length === 0 || !(this.#reserveHeld || this.#reserveMade)
  }

  /**
   * A few milliseconds of work that makes later writes quick: fills the next segment, then the
   * reserve, with zeros. False when there is none left. Throws `DiskError`; after ENOSPC it may be
   * called again later.
   */
  idle(): boolean {
    if (this.#blank.length === 0) {
      const next = this.#end.segment + 1
      if (this.#filler.step(segmentName(next), this.#segmentBytes)) this.#blank.push(next)
      return true
    }
    if (!this.hasIdleWork) return false
    this.#reserveMade = this.#filler.step(RESERVE_FILE, this.#reserveBytes)
    return true
  }

  close(): void {
    this.noteDurable()
    this.snapshots.close()
    this.#filler.abandon()
    this.#notes.close()
    this.#disk.close(this.#file)
  }

  #appendHardState(): void {
    const { term, vote } = this.#hardState
    this.#append(RECORD.hardState, 0, 0, term, Buffer.from(vote, 'utf8'))
  }

  #append(kind: number, entryType: number, index: number, term: number, payload: Uint8Array): void {
    const bytes = recordBytes(payload.byteLength)
    if (this.#end.offset + bytes > this.#segmentBytes) this.#roll(bytes)
    if (this.#scratchUsed + bytes > this.#scratch.length) this.#growScratch(bytes)
    const { segment, offset } = this.#end
    const syncedUpTo = this.#synced
    const record = { kind, entryType, index, term, syncedUpTo, payload }
    encodeRecord(this.#scratch, this.#scratchUsed, this.#salt, segment, record)
    this.#scratchUsed += bytes
    this.#end = { segment, offset: offset + bytes }
  }

  #growScratch(bytes: number): void {
    const grown = Buffer.alloc(Math.max(this.#scratchUsed + bytes, this.#scratch.length * 2))
    this.#scratch.copy(grown, 0, 0, this.#scratchUsed)
    this.#scratch = grown
  }

  #sync(): void {
    if (this.#scratchUsed > 0) {
      const from = this.#end.offset - this.#scratchUsed
      this.#disk.write(this.#file, from, this.#scratch.subarray(0, this.#scratchUsed))
      this.#scratchUsed = 0
      // A rare large write should not keep its memory.
      if (this.#scratch.length > SCRATCH_BYTES_KEPT) this.#scratch = Buffer.alloc(SCRATCH_BYTES)
    }
    this.#disk.datasync(this.#file)
    this.#synced = this.#end
  }

  /**
   * Goes on in the next segment. The old one is synced first, so the header of the new one proves
   * how far the old one reaches; the hard state is repeated, since old segments get dropped.
   */
  #roll(bytes: number): void {
    const room = this.#segmentBytes - SEGMENT_HEADER_BYTES - this.#hardStateBytes()
    assert(bytes <= room, `a record of ${bytes} bytes does not fit a segment`)
    this.#sync()
    this.#disk.close(this.#file)
    const next = this.#end.segment + 1
    if (this.#blank[0] !== next) while (!this.#filler.step(segmentName(next), this.#segmentBytes));
    else this.#blank.shift()
    this.#useSegment(next, this.#end)
    this.#appendHardState()
  }

  #useSegment(segment: number, previousEnd: Position): void {
    this.#file = this.#disk.open(segmentName(segment), 'write')
    const header = encodeSegmentHeader(this.#salt, { segment, previousEnd })
    this.#disk.write(this.#file, 0, header)
    this.#segments.push({ segment, maxIndex: 0 })
    this.#end = { segment, offset: SEGMENT_HEADER_BYTES }
  }

  #hardStateBytes(): number {
    return recordBytes(Buffer.byteLength(this.#hardState.vote, 'utf8'))
  }

  /**
   * Makes the disk hold what recovery found, and nothing else. A process that was killed left its
   * last bytes in the page cache alone, where a failed sync may even have marked them as written:
   * they are written and synced again before anybody acts on them. Running it twice is harmless.
   */
  #repair(recovery: Recovery): void {
    const { end, proven, lastSegment } = recovery
    for (const segment of [...recovery.leftover].reverse()) {
      this.#disk.remove(segmentName(segment))
    }
    for (const name of this.#disk.list()) {
      if (isFillFile(name)) this.#disk.remove(name)
      else if (name === RESERVE_FILE) this.#reserveMade = true
    }
    this.#disk.syncDir()
    this.#blank = [...recovery.blank]
    this.#segments = recovery.segments
    this.#file = this.#disk.open(segmentName(end.segment), 'write')
    this.#end = end
    if (recovery.tailIsDirty) this.#zeroFrom(end.offset)
    if (end.offset === 0) {
      this.#disk.close(this.#file)
      this.#useSegment(end.segment, { segment: 0, offset: 0 })
    } else if (comparePositions(proven, end) < 0) {
      const from = proven.segment === end.segment ? proven.offset : 0
      this.#disk.write(this.#file, from, lastSegment.subarray(from))
    }
    // Of a segment that was just begun when the power went only the header may be there, and what
    // the one before it says is gone with it.
    if (recovery.hardStateSegment !== end.segment) this.#appendHardState()
    this.#sync()
  }

  #zeroFrom(offset: number): void {
    const zeros = Buffer.alloc(Math.min(1024 * 1024, this.#segmentBytes - offset))
    for (let at = offset; at < this.#segmentBytes; at += zeros.length) {
      this.#disk.write(this.#file, at, zeros.subarray(0, this.#segmentBytes - at))
    }
    this.#disk.datasync(this.#file)
  }
}

/** Null when the folder holds no log yet. */
function readMeta(disk: Disk): Meta | null {
  const names = disk.list()
  const path = `${disk.root}/${META_FILE}`
  if (!names.includes(META_FILE)) {
    const orphan = names.find((name) => name.endsWith('.snapshot') || holdsData(disk, name))
    if (orphan === undefined) return null
    throw unreadable(path, `is missing, but ${orphan} holds data; restore it from a backup`)
  }
  const file = disk.open(META_FILE, 'read')
  const meta = decodeMeta(asBuffer(disk.read(file, 0, META_BYTES)))
  disk.close(file)
  if (meta === null) throw damagedAt(path, 0, 'its checksum does not match')
  if (meta.format !== LOG_FORMAT) {
    throw unreadable(
      path,
      `says format ${meta.format}, this version reads ${LOG_FORMAT}; start a newer one`,
    )
  }
  return meta
}

function holdsData(disk: Disk, name: string): boolean {
  if (segmentOf(name) === null) return false
  const file = disk.open(name, 'read')
  const head = disk.read(file, 0, SEGMENT_HEADER_BYTES)
  disk.close(file)
  return head.some((byte) => byte !== 0)
}

/** The file `meta` comes last: without it nothing was ever written, and it is done again. */
function create(disk: Disk, options: LogOptions): Meta {
  const unfinished = [NOTES_FILE, `${META_FILE}.tmp`, `${segmentName(1)}.fill`, segmentName(1)]
  for (const name of disk.list()) if (unfinished.includes(name)) disk.remove(name)
  Notes.create(disk)
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
  const filler = new ZeroFiller(disk)
  while (!filler.step(segmentName(1), segmentBytes));
  const meta = { format: LOG_FORMAT, salt: options.salt >>> 0, segmentBytes }
  const aside = `${META_FILE}.tmp`
  const file = disk.open(aside, 'create')
  disk.write(file, 0, encodeMeta(meta))
  disk.datasync(file)
  disk.close(file)
  disk.rename(aside, META_FILE)
  disk.syncDir()
  return meta
}

/** The entries the snapshot does not cover; refuses when some are missing. */
function entriesAfter(disk: Disk, snapshots: SnapshotFiles, recovery: Recovery): LogEntry[] {
  const covered = snapshots.newest?.index ?? 0
  const { base } = recovery
  const first = recovery.entries[0]?.index ?? (base === null ? 1 : base.index + 1)
  const last = recovery.entries.at(-1)?.index ?? base?.index ?? 0
  if (last < covered) {
    const { segment, offset } = recovery.end
    const path = `${disk.root}/${segmentName(segment)}`
    throw damagedAt(path, offset, `the log ends at entry ${last}, a snapshot covers ${covered}`)
  }
  // Segments are dropped only behind snapshots, so without the first there must be one.
  const beheaded = covered === 0 && (recovery.segments[0]?.segment ?? recovery.end.segment) > 1
  if (first > covered + 1 || beheaded) {
    const damaged = snapshots.damaged.at(-1)
    const name = damaged ?? snapshotName(first - 1)
    throw unreadable(
      `${disk.root}/${name}`,
      `is ${damaged === undefined ? 'missing' : 'damaged'}, and the log does not reach back to it. Restore the data directory from a backup; in a cluster of several members, purge this one and let it join with an empty directory`,
    )
  }
  return recovery.entries.filter((entry) => entry.index > covered)
}

/** Whether the file system is full, or the user's share of it. */
export function isDiskFull(thrown: unknown): thrown is DiskError {
  return thrown instanceof DiskError && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')
}
