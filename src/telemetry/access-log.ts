import type { Time, Timer } from '../lib/clock.js'
import type { AppendFile } from './append-file.js'
import type { Logger } from './log.js'
import { escapeControls } from './log-format.js'

const ENTRIES_MAX = 1024
const LENGTH_MAX = 65_536
const FLUSH_MS = 2000
const FAILURE_LOG_MS = 10_000

export interface AccessLogOptions {
  readonly file: AppendFile
  readonly time: Time
  /** Hears of write errors. */
  readonly log: Logger
}

/**
 * Lines, one for each request, collected and written together: at 1,024 of them, at 64 KiB, or 2 s
 * after the first. One for each thread on the same file. Lines that the disk does not take are
 * dropped and counted.
 */
export class AccessLog {
  readonly #options: AccessLogOptions
  #text = ''
  #entries = 0
  #timer: Timer | null = null
  #dropped = 0
  #unlogged = 0
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: AccessLogOptions) {
    this.#options = options
  }

  /** Lines lost since the beginning. */
  get dropped(): number {
    return this.#dropped
  }

  /** Adds one line, given without its newline; control characters are escaped. */
  write(line: string): void {
    this.#text += `${escapeControls(line)}\n`
    this.#entries += 1
    if (this.#entries >= ENTRIES_MAX || this.#text.length >= LENGTH_MAX) this.flush()
    else this.#timer ??= this.#options.time.after(FLUSH_MS, () => this.flush())
  }

  /** Writes what was collected; called by itself, and once before the end. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#entries === 0) return
    const text = this.#text
    const entries = this.#entries
    this.#text = ''
    this.#entries = 0
    const error = this.#options.file.append(text)
    if (error !== null) this.#lose(entries, error)
  }

  /** After SIGHUP: what was collected goes to the old file. */
  reopen(): void {
    this.flush()
    const error = this.#options.file.reopen()
    if (error !== null) this.#warn(error)
  }

  close(): void {
    this.flush()
    this.#options.file.close()
  }

  /** Some of a batch may have been written: the count is of those not known to be. */
  #lose(entries: number, error: Error): void {
    this.#dropped += entries
    this.#unlogged += entries
    this.#warn(error)
  }

  #warn(error: Error): void {
    const { file, time, log } = this.#options
    const nowMs = time.monotonicMs()
    if (nowMs - this.#loggedAtMs < FAILURE_LOG_MS) return
    const { message } = error
    log.warn('access log write failed', {
      path: file.path,
      error: message,
      dropped: this.#unlogged,
    })
    this.#loggedAtMs = nowMs
    this.#unlogged = 0
  }
}
