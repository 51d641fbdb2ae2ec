import { crc32 } from 'node:zlib'
import { assert } from '../../lib/assert.js'
import type { Disk, DiskHandle } from '../../lib/disk.js'
import { asBuffer, readUint64, writeUint64 } from './format.js'
import { unreadable } from './refusal.js'

/** 1 had no head: it was written by a node that was alone. */
const SNAPSHOT_FORMAT = 2
const MAGIC = 0x53474745 // 'EGGS'
const HEADER_BYTES = 32
const CHUNK_HEADER_BYTES = 16
const KIND = { chunk: 1, end: 2, head: 3 } as const
/** Above any chunk that is written; a larger length is damage and is not allocated. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024
const ASIDE = 'snapshot.tmp'
const INCOMING = 'incoming.tmp'

export interface SnapshotInfo {
  /** The last entry it covers. */
  readonly index: number
  readonly term: number
  readonly bytes: number
  /** What its writer said about it besides the state; null in format 1. */
  readonly head: Uint8Array | null
}

export function snapshotName(index: number): string {
  return `${String(index).padStart(16, '0')}.snapshot`
}

/** A whole snapshot that the log does not begin with yet. */
function installName(index: number): string {
  return `${String(index).padStart(16, '0')}.install`
}

function indexOf(name: string): number | null {
  return /^\d{16}\.(snapshot|install)$/.test(name) ? Number(name.slice(0, 16)) : null
}

/**
 * The snapshots of a log: written aside, synced, renamed; the newest good one and the one before it
 * are kept. Chunks are synced one by one, so that no sync holds up the log for long.
 *
 * One that comes from elsewhere is put together in a file of its own, byte for byte, and checked;
 * {@link stage} makes it certain to be installed, the log then begins anew behind it, and
 * {@link promote} makes it the only one there is.
 */
export class SnapshotFiles {
  readonly #disk: Disk
  /** Known to be whole, oldest first. */
  #good: SnapshotInfo[] = []
  /** Passed over; kept until a new one is whole, for whoever wants to look. */
  #damaged: string[] = []
  #staged: SnapshotInfo | null = null
  #incoming: DiskHandle | null = null
  readonly #sending = new Map<number, DiskHandle>()
  #writing: {
    readonly file: DiskHandle
    readonly index: number
    readonly term: number
    readonly head: Uint8Array
    at: number
    count: number
  } | null = null

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Checks what is there from the newest on; returns a note for each file passed over. */
  open(): string[] {
    const names = this.#disk.list()
    for (const name of [ASIDE, INCOMING]) if (names.includes(name)) this.#disk.remove(name)
    const notes: string[] = []
    for (const name of names.sort()) {
      const index = indexOf(name)
      if (index === null) continue
      const info = this.#check(name, index)
      if (info !== null && name === installName(index)) this.#staged = info
      else if (info !== null) this.#good.push(info)
      else {
        this.#damaged.push(name)
        notes.push(`${this.#disk.root}/${name} is damaged and was passed over`)
      }
    }
    return notes
  }

  get newest(): SnapshotInfo | null {
    return this.#good.at(-1) ?? null
  }

  /** What the log must reach back to: the last entry of the older snapshot, 0 without one. */
  get keepFrom(): number {
    return this.#good.at(-2)?.index ?? 0
  }

  /** Whole, and to be installed before anything else. */
  get staged(): SnapshotInfo | null {
    return this.#staged
  }

  get damaged(): readonly string[] {
    return this.#damaged
  }

  /** The chunks of the newest. */
  *read(): Generator<Uint8Array<ArrayBuffer>, void, void> {
    const { newest } = this
    if (newest === null) return
    const file = this.#disk.open(snapshotName(newest.index), 'read')
    try {
      let at = HEADER_BYTES
      for (let sequence = 0; ; sequence++) {
        const chunk = this.#readChunk(file, at, sequence)
        if (chunk === null || chunk.kind === KIND.end) return
        if (chunk.kind === KIND.chunk) yield new Uint8Array(chunk.bytes)
        at += CHUNK_HEADER_BYTES + chunk.bytes.byteLength
      }
    } finally {
      this.#disk.close(file)
    }
  }

  begin(index: number, term: number, head: Uint8Array): void {
    this.abandon()
    const file = this.#disk.open(ASIDE, 'create')
    this.#writing = { file, index, term, head, at: HEADER_BYTES, count: 0 }
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(MAGIC, 4)
    header.writeUInt32LE(SNAPSHOT_FORMAT, 8)
    writeUint64(header, 16, index)
    writeUint64(header, 24, term)
    header.writeUInt32LE(crc32(header.subarray(4)), 0)
    this.#disk.write(file, 0, header)
    this.#append(KIND.head, head)
  }

  add(bytes: Uint8Array): void {
    this.#append(KIND.chunk, bytes)
  }

  /** Makes the snapshot count, drops what it makes superfluous, and returns it. */
  end(): SnapshotInfo | null {
    if (this.#writing === null) return null
    const { index } = this.#writing
    const info = this.#finish(ASIDE, snapshotName(index))
    this.#good = [...this.#good.filter((good) => good.index !== index), info]
    this.#damaged = this.#damaged.filter((name) => name !== snapshotName(index))
    for (const old of this.#good.splice(0, this.#good.length - 2)) {
      this.#disk.remove(snapshotName(old.index))
    }
    for (const name of this.#damaged.splice(0)) this.#disk.remove(name)
    return info
  }

  /** The one being written is to be installed, as if it had come from elsewhere. */
  endAsStaged(): void {
    assert(this.#writing !== null, 'no snapshot is being written')
    this.#staged = this.#finish(ASIDE, installName(this.#writing.index))
  }

  #finish(aside: string, name: string): SnapshotInfo {
    assert(this.#writing !== null, 'no snapshot is being written')
    this.#append(KIND.end, new Uint8Array(0))
    const { file, index, term, at, head } = this.#writing
    this.#disk.close(file)
    this.#writing = null
    this.#disk.rename(aside, name)
    this.#disk.syncDir()
    return { index, term, bytes: at, head }
  }

  // ---- from elsewhere --------------------------------------------------------------------------

  /** Bytes of a snapshot as {@link send} reads them; `fresh`: the first ones, of another. */
  receive(fresh: boolean, offset: number, bytes: Uint8Array): void {
    if (fresh) {
      this.dropIncoming()
      this.#incoming = this.#disk.open(INCOMING, 'create')
    }
    if (this.#incoming === null) return
    this.#disk.write(this.#incoming, offset, bytes)
    this.#disk.datasync(this.#incoming)
  }

  /** Whether what came is a whole snapshot of that place. */
  checkIncoming(index: number, term: number): boolean {
    if (this.#incoming === null) return false
    const info = this.#check(INCOMING, index)
    return info?.term === term && info.head !== null
  }

  dropIncoming(): void {
    if (this.#incoming === null) return
    this.#disk.close(this.#incoming)
    this.#incoming = null
    this.#disk.remove(INCOMING)
  }

  /** What was checked is certain to be installed, durably: the log may begin anew behind it. */
  stage(index: number, term: number): void {
    assert(this.#incoming !== null, 'no snapshot has come')
    const info = this.#check(INCOMING, index)
    assert(info !== null && info.term === term, `what came is no snapshot of entry ${index}`)
    this.#disk.close(this.#incoming)
    this.#incoming = null
    this.#disk.rename(INCOMING, installName(index))
    this.#disk.syncDir()
    this.#staged = info
  }

  /** The log begins behind the staged one: it counts, and no other does. */
  promote(): void {
    const info = this.#staged
    assert(info !== null, 'no snapshot is staged')
    this.#disk.rename(installName(info.index), snapshotName(info.index))
    this.#disk.syncDir()
    this.#staged = null
    for (const old of this.#good) {
      if (old.index !== info.index) this.#disk.remove(snapshotName(old.index))
    }
    for (const name of this.#damaged.splice(0)) {
      if (name !== snapshotName(info.index)) this.#disk.remove(name)
    }
    this.#good = [info]
  }

  // ---- to elsewhere ----------------------------------------------------------------------------

  /** Opens the newest, if it is that one or a newer one, and keeps it readable until closed. */
  openToSend(transfer: number, index: number): SnapshotInfo | null {
    const { newest } = this
    if (newest === null || newest.index < index) return null
    this.closeSent(transfer)
    this.#sending.set(transfer, this.#disk.open(snapshotName(newest.index), 'read'))
    return newest
  }

  /** Null when it is not open. */
  send(transfer: number, offset: number, length: number): Uint8Array<ArrayBuffer> | null {
    const file = this.#sending.get(transfer)
    return file === undefined ? null : new Uint8Array(this.#disk.read(file, offset, length))
  }

  closeSent(transfer: number): void {
    const file = this.#sending.get(transfer)
    if (file === undefined) return
    this.#sending.delete(transfer)
    this.#disk.close(file)
  }

  /** Drops what is not finished, closes what is open. */
  close(): void {
    this.abandon()
    this.dropIncoming()
    for (const transfer of [...this.#sending.keys()]) this.closeSent(transfer)
  }

  /** Drops the one being written, if any. */
  abandon(): void {
    if (this.#writing === null) return
    this.#disk.close(this.#writing.file)
    this.#writing = null
    this.#disk.remove(ASIDE)
  }

  get isWriting(): boolean {
    return this.#writing !== null
  }

  #append(kind: number, bytes: Uint8Array): void {
    const writing = this.#writing
    if (writing === null) return
    const chunk = Buffer.allocUnsafe(CHUNK_HEADER_BYTES + bytes.byteLength)
    chunk.writeUInt32LE(bytes.byteLength, 4)
    chunk.writeUInt32LE(writing.count, 8)
    chunk.writeUInt32LE(kind, 12)
    chunk.set(bytes, CHUNK_HEADER_BYTES)
    chunk.writeUInt32LE(crc32(chunk.subarray(4)), 0)
    this.#disk.write(writing.file, writing.at, chunk)
    this.#disk.datasync(writing.file)
    writing.at += chunk.length
    writing.count += 1
  }

  /** Null when the file is not whole. Throws when a newer version wrote it. */
  #check(name: string, index: number): SnapshotInfo | null {
    const file = this.#disk.open(name, 'read')
    try {
      const header = asBuffer(this.#disk.read(file, 0, HEADER_BYTES))
      if (header.length < HEADER_BYTES || header.readUInt32LE(4) !== MAGIC) return null
      if (header.readUInt32LE(0) !== crc32(header.subarray(4))) return null
      const format = header.readUInt32LE(8)
      if (format < 1 || format > SNAPSHOT_FORMAT) {
        throw unreadable(
          `${this.#disk.root}/${name}`,
          `has format ${format}, this version reads ${SNAPSHOT_FORMAT}; start a newer one`,
        )
      }
      if (readUint64(header, 16) !== index) return null
      const term = readUint64(header, 24)
      let head: Uint8Array | null = null
      let at = HEADER_BYTES
      for (let sequence = 0; ; sequence++) {
        const chunk = this.#readChunk(file, at, sequence)
        if (chunk === null) return null
        at += CHUNK_HEADER_BYTES + chunk.bytes.byteLength
        if (chunk.kind === KIND.head) head = new Uint8Array(chunk.bytes)
        if (chunk.kind === KIND.end) return { index, term, bytes: at, head }
      }
    } finally {
      this.#disk.close(file)
    }
  }

  #readChunk(
    file: DiskHandle,
    at: number,
    sequence: number,
  ): { kind: number; bytes: Uint8Array } | null {
    const header = asBuffer(this.#disk.read(file, at, CHUNK_HEADER_BYTES))
    if (header.length < CHUNK_HEADER_BYTES || header.readUInt32LE(8) !== sequence) return null
    const length = header.readUInt32LE(4)
    if (length > CHUNK_BYTES_MAX) return null
    const bytes = this.#disk.read(file, at + CHUNK_HEADER_BYTES, length)
    if (bytes.byteLength < length) return null
    const crc = crc32(bytes, crc32(header.subarray(4)))
    return header.readUInt32LE(0) === crc ? { kind: header.readUInt32LE(12), bytes } : null
  }
}
