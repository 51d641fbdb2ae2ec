import { type Disk, DiskError, type DiskHandle, type DiskMode } from '../lib/disk.js'
import type { Prng } from '../lib/prng.js'

const SECTOR_BYTES = 512

interface Pending {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** A file apart from its names. */
interface Inode {
  /** What a read sees. */
  cached: Uint8Array
  /** What the platter holds. */
  durable: Uint8Array
  /** Written since the last sync, in order. */
  pending: Pending[]
}

/** How a crash treats what was not synced. */
export type CrashMode = 'all-lost' | 'all-kept' | 'prefix' | 'sectors' | 'torn'
export const CRASH_MODES: readonly CrashMode[] = [
  'all-lost',
  'all-kept',
  'prefix',
  'sectors',
  'torn',
]

/**
 * A disk in memory that forgets as a real one may: at a crash each write that was not synced is
 * kept, lost, kept in some of its sectors, or cut within one, in any combination; names since the
 * last sync of the folder are kept up to some point. Test support.
 */
export class SimDisk implements Disk {
  readonly root = '/sim'
  readonly #prng: Prng
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  /** The table of names after each change since the last sync of the folder. */
  #pendingNames: Map<string, Inode>[] = []
  #open = new Map<DiskHandle, { readonly inode: Inode; readonly name: string }>()
  #nextHandle = 1
  #crashed = false
  /** Bytes all files together may take. */
  capacityBytes = Number.POSITIVE_INFINITY
  /** Calls that change something, so far; the clock by which faults are planned. */
  changeCount = 0
  /** The change at which the machine loses power, and during which nothing is certain. */
  crashAt = Number.POSITIVE_INFINITY
  /** Fails a call with EIO when it says so. A sync that fails forgets what it was to write. */
  failWhen: (call: string, name: string) => boolean = () => false

  constructor(prng: Prng) {
    this.#prng = prng
  }

  get isCrashed(): boolean {
    return this.#crashed
  }

  /** Power is lost, now. */
  crash(): void {
    this.#crashed = true
  }

  /** Power comes back: what is left is what the platter happened to get. */
  restart(mode: CrashMode): void {
    const tables = [this.#durableNames, ...this.#pendingNames]
    const upTo =
      mode === 'all-lost'
        ? 0
        : mode === 'all-kept'
          ? tables.length - 1
          : this.#prng.below(tables.length)
    this.#durableNames = new Map(tables[upTo])
    for (const inode of new Set(this.#durableNames.values())) this.#settle(inode, mode)
    this.#names = new Map(this.#durableNames)
    this.#pendingNames = []
    this.#reset()
  }

  /** The process dies and the machine does not: the page cache stays. */
  killProcess(): void {
    this.#reset()
  }

  /** Changes a byte that is on the platter, as a failing disk would. */
  flip(name: string, offset: number): void {
    const inode = this.#inode('flip', name)
    for (const bytes of new Set([inode.cached, inode.durable])) {
      if (offset < bytes.length) bytes[offset] = (bytes[offset] as number) ^ 0x5a
    }
  }

  /** The content of a file as a read would see it; changing it changes the file for good. */
  contentForTest(name: string): Uint8Array {
    const inode = this.#inode('read', name)
    inode.durable = inode.cached
    return inode.cached
  }

  list(): string[] {
    return [...this.#names.keys()]
  }

  open(name: string, mode: DiskMode): DiskHandle {
    if (mode === 'create') {
      this.#change('open', name)
      if (this.#names.has(name)) throw new DiskError('open', name, 'EEXIST')
      this.#rename(() => {
        this.#names.set(name, {
          cached: new Uint8Array(0),
          durable: new Uint8Array(0),
          pending: [],
        })
      })
    } else this.#alive('open', name)
    const inode = this.#inode('open', name)
    const handle = this.#nextHandle++
    this.#open.set(handle, { inode, name })
    return handle
  }

  size(file: DiskHandle): number {
    return this.#file('stat', file).inode.cached.length
  }

  read(file: DiskHandle, offset: number, length: number): Uint8Array {
    return this.#file('read', file).inode.cached.slice(offset, offset + length)
  }

  write(file: DiskHandle, offset: number, bytes: Uint8Array): void {
    const { inode, name } = this.#file('write', file)
    const growth = Math.max(0, offset + bytes.length - inode.cached.length)
    const full = growth > 0 && this.free() < growth
    // The bytes may be on their way before the power goes: they count as unsynced, not as unsaid.
    const kept = full ? new Uint8Array(0) : new Uint8Array(bytes)
    inode.cached = overlay(inode.cached, offset, kept)
    inode.pending.push({ offset, bytes: kept })
    this.#change('write', name)
    if (full) throw new DiskError('write', name, 'ENOSPC')
  }

  datasync(file: DiskHandle): void {
    const { inode, name } = this.#file('fdatasync', file)
    try {
      this.#change('fdatasync', name)
    } catch (thrown) {
      // The page cache calls these pages clean from now on, though they never reached the disk.
      if (!this.#crashed) inode.pending = []
      throw thrown
    }
    for (const { offset, bytes } of inode.pending) {
      inode.durable = overlay(inode.durable, offset, bytes)
    }
    inode.pending = []
  }

  close(file: DiskHandle): void {
    this.#file('close', file)
    this.#open.delete(file)
  }

  rename(from: string, to: string): void {
    this.#change('rename', from)
    const inode = this.#inode('rename', from)
    this.#rename(() => {
      this.#names.delete(from)
      this.#names.set(to, inode)
    })
  }

  remove(name: string): void {
    this.#change('remove', name)
    this.#inode('remove', name)
    this.#rename(() => this.#names.delete(name))
  }

  syncDir(): void {
    this.#change('fsync', '.')
    this.#durableNames = new Map(this.#names)
    this.#pendingNames = []
  }

  free(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }

  get usedBytes(): number {
    let used = 0
    for (const inode of this.#names.values()) used += inode.cached.length
    return used
  }

  #rename(change: () => void): void {
    change()
    this.#pendingNames.push(new Map(this.#names))
  }

  #reset(): void {
    this.#open = new Map()
    this.#crashed = false
    this.crashAt = Number.POSITIVE_INFINITY
    this.failWhen = () => false
  }

  #settle(inode: Inode, mode: CrashMode): void {
    const { pending } = inode
    const upTo = mode === 'prefix' ? this.#prng.below(pending.length + 1) : pending.length
    if (mode !== 'all-lost') {
      for (const write of pending.slice(0, upTo)) this.#settleWrite(inode, write, mode)
    }
    inode.pending = []
    inode.cached = inode.durable.slice()
  }

  #settleWrite(inode: Inode, { offset, bytes }: Pending, mode: CrashMode): void {
    if (mode === 'all-kept' || mode === 'prefix') {
      inode.durable = overlay(inode.durable, offset, bytes)
      return
    }
    const torn = mode === 'torn' ? this.#prng.below(Math.max(1, bytes.length)) : -1
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((offset + at) % SECTOR_BYTES))
      const cut = torn >= at && torn < end ? torn : end
      if (torn < 0 ? this.#prng.chance(50) : at <= torn) {
        inode.durable = overlay(inode.durable, offset + at, bytes.subarray(at, cut))
      }
      at = end
    }
  }

  #file(call: string, file: DiskHandle): { readonly inode: Inode; readonly name: string } {
    const open = this.#open.get(file)
    if (open === undefined) throw new DiskError(call, `handle ${file}`, 'EBADF')
    this.#alive(call, open.name)
    return open
  }

  #inode(call: string, name: string): Inode {
    const inode = this.#names.get(name)
    if (inode === undefined) throw new DiskError(call, name, 'ENOENT')
    return inode
  }

  /** A call that changes something: the moment for a planned fault. */
  #change(call: string, name: string): void {
    this.#alive(call, name)
    this.changeCount += 1
    if (this.changeCount >= this.crashAt) this.#crashed = true
    this.#alive(call, name)
    if (this.failWhen(call, name)) throw new DiskError(call, `${this.root}/${name}`, 'EIO')
  }

  #alive(call: string, name: string): void {
    if (this.#crashed) throw new DiskError(call, name, 'ENODEV')
  }
}

function overlay(base: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const size = Math.max(base.length, offset + bytes.length)
  const result = size > base.length ? new Uint8Array(size) : base
  if (result !== base) result.set(base)
  result.set(bytes, offset)
  return result
}
