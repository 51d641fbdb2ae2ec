import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Disk, DiskError, type DiskHandle, type DiskMode } from './disk.js'
import { makeDir } from './make-dir.js'

const FLAGS: Record<DiskMode, string> = { create: 'wx+', write: 'r+', read: 'r' }

/** A {@link Disk} on a real folder, made when missing (mode 0700: the store may hold secrets). */
export class NodeDisk implements Disk {
  readonly root: string
  readonly #names = new Map<DiskHandle, string>()
  readonly #syncs: () => void

  /** `syncs` is called for everything that is made durable here, to be counted. */
  constructor(root: string, syncs: () => void = () => {}) {
    this.root = resolve(root)
    this.#syncs = syncs
    this.#call('mkdir', '.', () => {
      const first = makeDir(this.root)
      // A folder is only there for good when its parent says so on disk.
      if (first !== undefined) {
        for (let path = this.root; ; path = dirname(path)) {
          syncFolder(dirname(path))
          if (path === first) break
        }
      }
    })
  }

  list(): string[] {
    return this.#call('list', '.', () =>
      readdirSync(this.root, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name),
    )
  }

  open(name: string, mode: DiskMode): DiskHandle {
    const file = this.#call('open', name, () => openSync(this.#path(name), FLAGS[mode], 0o600))
    this.#names.set(file, name)
    return file
  }

  size(file: DiskHandle): number {
    return this.#call('stat', this.#name(file), () => fstatSync(file).size)
  }

  read(file: DiskHandle, offset: number, length: number): Uint8Array {
    return this.#call('read', this.#name(file), () => {
      const bytes = new Uint8Array(length)
      let got = 0
      while (got < length) {
        const count = readSync(file, bytes, got, length - got, offset + got)
        if (count === 0) return bytes.slice(0, got)
        got += count
      }
      return bytes
    })
  }

  write(file: DiskHandle, offset: number, bytes: Uint8Array): void {
    this.#call('write', this.#name(file), () => {
      let put = 0
      while (put < bytes.byteLength) {
        put += writeSync(file, bytes, put, bytes.byteLength - put, offset + put)
      }
    })
  }

  datasync(file: DiskHandle): void {
    this.#syncs()
    this.#call('fdatasync', this.#name(file), () => fdatasyncSync(file))
  }

  close(file: DiskHandle): void {
    const name = this.#name(file)
    this.#names.delete(file)
    this.#call('close', name, () => closeSync(file))
  }

  rename(from: string, to: string): void {
    this.#call('rename', from, () => renameSync(this.#path(from), this.#path(to)))
  }

  remove(name: string): void {
    this.#call('remove', name, () => rmSync(this.#path(name)))
  }

  syncDir(): void {
    this.#syncs()
    this.#call('fsync', '.', () => syncFolder(this.root))
  }

  free(): number {
    return this.#call('statfs', '.', () => {
      const { bavail, bsize } = statfsSync(this.root)
      return bavail * bsize
    })
  }

  #path(name: string): string {
    return join(this.root, name)
  }

  #name(file: DiskHandle): string {
    return this.#names.get(file) ?? `(closed file ${file})`
  }

  #call<T>(call: string, name: string, run: () => T): T {
    try {
      return run()
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code ?? 'UNKNOWN'
      throw new DiskError(call, this.#path(name), code, { cause: thrown })
    }
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
