/** An open file of a {@link Disk}. */
export type DiskHandle = number

/**
 * `create`: a new, empty file to read and write; fails with EEXIST. `write`: an existing file to
 * read and write. `read`: an existing file.
 */
export type DiskMode = 'create' | 'write' | 'read'

/**
 * The files of one folder, as the log needs them: synchronous calls that a simulator can replace.
 * Every call throws {@link DiskError} when the system refuses.
 *
 * What survives a loss of power: bytes of a file after {@link datasync} of it; names (after create,
 * rename, remove) after {@link syncDir}. Anything else may be there, or not, or in part.
 */
export interface Disk {
  /** Path of the folder, for messages. */
  readonly root: string
  /** Names in the folder, in no order. */
  list(): string[]
  open(name: string, mode: DiskMode): DiskHandle
  size(file: DiskHandle): number
  /** Fewer bytes than asked for only at the end of the file. The bytes are the caller's. */
  read(file: DiskHandle, offset: number, length: number): Uint8Array
  /** Writes all of `bytes`, or throws. */
  write(file: DiskHandle, offset: number, bytes: Uint8Array): void
  datasync(file: DiskHandle): void
  close(file: DiskHandle): void
  /** Replaces `to` if it exists. */
  rename(from: string, to: string): void
  remove(name: string): void
  syncDir(): void
  /** Bytes left on the file system for this process. */
  free(): number
}

/** The system refused a call of a {@link Disk}. `code` as in errno(3): EIO, ENOSPC, EACCES… */
export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: string
  readonly call: string
  readonly path: string

  constructor(call: string, path: string, code: string, options?: ErrorOptions) {
    super(`${call} ${path}: ${code}`, options)
    this.call = call
    this.path = path
    this.code = code
  }
}
