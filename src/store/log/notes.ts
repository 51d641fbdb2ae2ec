import { crc32 } from 'node:zlib'
import type { Disk, DiskHandle } from '../../lib/disk.js'
import { asBuffer, type Position, readUint64, writeUint64 } from './format.js'

export const NOTES_FILE = 'notes'
/** A slot has a sector of its own, so that a torn write harms no other. */
const SLOT_BYTES = 512
const SLOT_COUNT = 4
const KIND = { commit: 1, durable: 2 } as const

interface Slot {
  readonly sequence: number
  readonly a: number
  readonly b: number
}

/**
 * Two small facts beside the log: the commit index, written unsynced each time it advances, and the
 * place up to which the log was durable, written and synced now and then. Each has two slots used in
 * turn, so that the older one survives whatever happens to a write of the newer.
 */
export class Notes {
  readonly #disk: Disk
  readonly #file: DiskHandle
  readonly #salt: number
  #commitSequence: number
  #durableSequence: number
  #commitIndex: number
  #durable: Position

  constructor(disk: Disk, salt: number) {
    this.#disk = disk
    this.#salt = salt
    this.#file = disk.open(NOTES_FILE, 'write')
    const bytes = asBuffer(disk.read(this.#file, 0, SLOT_BYTES * SLOT_COUNT))
    const commit = this.#newest(bytes, KIND.commit)
    const durable = this.#newest(bytes, KIND.durable)
    this.#commitSequence = commit.sequence
    this.#durableSequence = durable.sequence
    this.#commitIndex = commit.a
    this.#durable = { segment: durable.a, offset: durable.b }
  }

  /** Makes the empty file, durable but for its name. */
  static create(disk: Disk): void {
    const file = disk.open(NOTES_FILE, 'create')
    disk.write(file, 0, new Uint8Array(SLOT_BYTES * SLOT_COUNT))
    disk.datasync(file)
    disk.close(file)
  }

  get commitIndex(): number {
    return this.#commitIndex
  }

  /** Everything before this was durable once. */
  get durable(): Position {
    return this.#durable
  }

  noteCommit(index: number): void {
    if (index <= this.#commitIndex) return
    this.#commitIndex = index
    this.#commitSequence += 1
    this.#write(KIND.commit, this.#commitSequence, index, 0)
  }

  noteDurable(position: Position): void {
    this.#durable = position
    this.#durableSequence += 1
    this.#write(KIND.durable, this.#durableSequence, position.segment, position.offset)
    this.#disk.datasync(this.#file)
  }

  close(): void {
    this.#disk.close(this.#file)
  }

  #write(kind: number, sequence: number, a: number, b: number): void {
    const slot = Buffer.alloc(40)
    slot.writeUInt32LE(kind, 4)
    writeUint64(slot, 8, sequence)
    writeUint64(slot, 16, a)
    writeUint64(slot, 24, b)
    slot.writeUInt32LE(crc32(slot.subarray(4), this.#salt), 0)
    this.#disk.write(this.#file, slotOffset(kind, sequence), slot)
  }

  #newest(bytes: Buffer, kind: number): Slot {
    let newest: Slot = { sequence: 0, a: 0, b: 0 }
    for (const sequence of [0, 1]) {
      const at = slotOffset(kind, sequence)
      const slot = bytes.subarray(at, at + 40)
      if (slot.length < 40 || slot.readUInt32LE(4) !== kind) continue
      if (slot.readUInt32LE(0) !== crc32(slot.subarray(4), this.#salt)) continue
      const read = {
        sequence: readUint64(slot, 8),
        a: readUint64(slot, 16),
        b: readUint64(slot, 24),
      }
      if (read.sequence > newest.sequence) newest = read
    }
    return newest
  }
}

function slotOffset(kind: number, sequence: number): number {
  return ((kind - 1) * 2 + (sequence % 2)) * SLOT_BYTES
}
