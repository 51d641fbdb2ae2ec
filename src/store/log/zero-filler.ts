import type { Disk, DiskHandle } from '../../lib/disk.js'

const STEP_BYTES = 1024 * 1024
const ZEROS = new Uint8Array(STEP_BYTES)

/**
 * Makes files of zeros in small steps, each written and synced, so that a write that waits behind
 * one waits a few milliseconds. A file gets its name when it is whole.
 */
export class ZeroFiller {
  readonly #disk: Disk
  #name = ''
  #file: DiskHandle | null = null
  #done = 0

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /**
   * One step towards a file `name` of `bytes`; true when it is there, durable. When it throws
   * (`DiskError`), the next step begins anew: a file whose sync failed is not to be trusted.
   */
  step(name: string, bytes: number): boolean {
    try {
      return this.#step(name, bytes)
    } catch (thrown) {
      this.#giveUp()
      throw thrown
    }
  }

  #step(name: string, bytes: number): boolean {
    if (this.#file === null || this.#name !== name) this.#begin(name)
    const file = this.#file as DiskHandle
    const count = Math.min(STEP_BYTES, bytes - this.#done)
    if (count > 0) {
      this.#disk.write(file, this.#done, ZEROS.subarray(0, count))
      this.#disk.datasync(file)
      this.#done += count
    }
    if (this.#done < bytes) return false
    this.#disk.close(file)
    this.#file = null
    this.#disk.rename(aside(name), name)
    this.#disk.syncDir()
    return true
  }

  /** Drops the file being made, if any. */
  abandon(): void {
    if (this.#file === null) return
    this.#disk.close(this.#file)
    this.#file = null
    this.#disk.remove(aside(this.#name))
  }

  #giveUp(): void {
    try {
      this.abandon()
    } catch {
      // The first failure is the one to report; what is left is removed by the next begin.
      this.#file = null
    }
  }

  #begin(name: string): void {
    this.abandon()
    if (this.#disk.list().includes(aside(name))) this.#disk.remove(aside(name))
    this.#file = this.#disk.open(aside(name), 'create')
    this.#name = name
    this.#done = 0
  }
}

/** Whether the file is one that was being made. */
export function isFillFile(name: string): boolean {
  return name.endsWith('.fill')
}

function aside(name: string): string {
  return `${name}.fill`
}
