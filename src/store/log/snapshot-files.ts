import { crc32 } from 'node:zlib'
import type { Disk, DiskHandle } from '../../lib/disk.js'
import { asBuffer, readUint64, writeUint64 } from './format.js'
import { unreadable } from './refusal.js'

const SNAPSHOT_FORMAT = 1
const MAGIC = 0x53474745 // 'EGGS'
const HEADER_BYTES = 32
const CHUNK_HEADER_BYTES = 16
const KIND = { chunk: 1, end: 2 } as const
/** Above any chunk that is written; a larger length is damage and is not allocated. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024
const ASIDE = 'snapshot.tmp'

export interface SnapshotInfo {
  /** The last entry it covers. */
  readonly index: number
  readonly term: number
  readonly bytes: number
}

export function snapshotName(index: number): string {
  return `${String(index).padStart(16, '0')}.snapshot`
}

function indexOf(name: string): number | null {
  return /^\d{16}\.snapshot$/.test(name) ? Number(name.slice(0, 16)) : null
}

/**
 * The snapshots of a log: written aside, synced, renamed; the newest good one and the one before it
 * are kept. Chunks are synced one by one, so that no sync holds up the log for long.
 */
export class SnapshotFiles {
  readonly #disk: Disk
  /** Known to be whole, oldest first. */
  #good: SnapshotInfo[] = []
  /** Passed over; kept until a new one is whole, for whoever wants to look. */
  #damaged: string[] = []
  #writing: {
    readonly file: DiskHandle
    readonly index: number
    readonly term: number
    at: number
    count: number
  } | null = null

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Checks what is there from the newest on; returns a note for each file passed over. */
  open(): string[] {
    const names = this.#disk.list()
    if (names.includes(ASIDE)) this.#disk.remove(ASIDE)
    const notes: string[] = []
    for (const name of names.sort()) {
      const index = indexOf(name)
      if (index === null) continue
      const info = this.#check(name, index)
      if (info !== null) this.#good.push(info)
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
        yield new Uint8Array(chunk.bytes)
        at += CHUNK_HEADER_BYTES + chunk.bytes.byteLength
      }
    } finally {
      this.#disk.close(file)
    }
  }

  begin(index: number, term: number): void {
    this.abandon()
    const file = this.#disk.open(ASIDE, 'create')
    this.#writing = { file, index, term, at: HEADER_BYTES, count: 0 }
    const header = Buffer.alloc(HEADER_BYTES)
    header.writeUInt32LE(MAGIC, 4)
    header.writeUInt32LE(SNAPSHOT_FORMAT, 8)
    writeUint64(header, 16, index)
    writeUint64(header, 24, term)
    header.writeUInt32LE(crc32(header.subarray(4)), 0)
    this.#disk.write(file, 0, header)
  }

  add(bytes: Uint8Array): void {
    this.#append(KIND.chunk, bytes)
  }

  /** Makes the snapshot count, drops what it makes superfluous, and returns it. */
  end(): SnapshotInfo | null {
    if (this.#writing === null) return null
    this.#append(KIND.end, new Uint8Array(0))
    const { file, index, term, at } = this.#writing
    this.#disk.close(file)
    this.#writing = null
    this.#disk.rename(ASIDE, snapshotName(index))
    this.#disk.syncDir()
    const info = { index, term, bytes: at }
    this.#good = [...this.#good.filter((good) => good.index !== index), info]
    this.#damaged = this.#damaged.filter((name) => name !== snapshotName(index))
    for (const old of this.#good.splice(0, this.#good.length - 2)) {
      this.#disk.remove(snapshotName(old.index))
    }
    for (const name of this.#damaged.splice(0)) this.#disk.remove(name)
    return info
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
      if (format !== SNAPSHOT_FORMAT) {
        throw unreadable(
          `${this.#disk.root}/${name}`,
          `has format ${format}, this version reads ${SNAPSHOT_FORMAT}; start a newer one`,
        )
      }
      if (readUint64(header, 16) !== index) return null
      let at = HEADER_BYTES
      for (let sequence = 0; ; sequence++) {
        const chunk = this.#readChunk(file, at, sequence)
        if (chunk === null) return null
        at += CHUNK_HEADER_BYTES + chunk.bytes.byteLength
        if (chunk.kind === KIND.end) return { index, term: readUint64(header, 24), bytes: at }
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
