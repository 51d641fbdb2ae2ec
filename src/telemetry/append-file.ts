import fs from 'node:fs'

/** The system calls used; replaced in tests of full disks. */
export interface AppendCalls {
  open(path: string): number
  /** Returns the number of bytes written, which may be fewer. */
  write(fd: number, bytes: Uint8Array): number
  close(fd: number): void
}

const REAL_CALLS: AppendCalls = {
  // O_APPEND: threads that append to one file do not overwrite each other.
  open: (path) => fs.openSync(path, 'a', 0o640),
  write: (fd, bytes) => fs.writeSync(fd, bytes),
  close: (fd) => fs.closeSync(fd),
}

const NEWLINE = 10

/**
 * A file of lines that several threads append to, each with its own AppendFile. Writing never
 * throws: what a full disk does not take is the caller's to count.
 */
export class AppendFile {
  readonly path: string
  readonly #calls: AppendCalls
  #fd: number
  /** The last write left half a line, which the next must not continue. */
  #torn = false

  /** Opens or creates (mode 0640) the file; throws what `open` throws. */
  constructor(path: string, calls: AppendCalls = REAL_CALLS) {
    this.path = path
    this.#calls = calls
    this.#fd = calls.open(path)
  }

  /** Appends `text`, whole lines. Returns null, or the error that kept it from being whole. */
  append(text: string): Error | null {
    let rest: Uint8Array = Buffer.from(this.#torn ? `\n${text}` : text)
    let tail = NEWLINE
    try {
      while (rest.length > 0) {
        const count = this.#calls.write(this.#fd, rest)
        if (count === 0) throw new Error('nothing was written')
        tail = rest[count - 1] as number
        this.#torn = tail !== NEWLINE
        rest = rest.subarray(count)
      }
      return null
    } catch (thrown) {
      return thrown as Error
    }
  }

  /**
   * Opens the path anew, after a rotation has moved the old file away. Returns null, or why that
   * failed: then the old file stays in use.
   */
  reopen(): Error | null {
    let fd: number
    try {
      fd = this.#calls.open(this.path)
    } catch (thrown) {
      return thrown as Error
    }
    this.#close()
    this.#fd = fd
    this.#torn = false
    return null
  }

  close(): void {
    this.#close()
    this.#fd = -1 // later writes fail with EBADF instead of landing in another's file
  }

  #close(): void {
    try {
      this.#calls.close(this.#fd)
    } catch {
      // A descriptor that cannot be closed is gone all the same.
    }
  }
}
