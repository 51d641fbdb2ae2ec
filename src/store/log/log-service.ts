import { AssertionError } from '../../lib/assert.js'
import type { Timer, Timers } from '../../lib/clock.js'
import { type Disk, DiskError } from '../../lib/disk.js'
import { GatewayError } from '../../lib/errors.js'
import type { LogEntry } from './format.js'
import { isDiskFull, Log, type LogOptions } from './log.js'
import { type LogReply, type LogRequest, packEntries, unpackEntries } from './messages.js'

/** Place of the durable end is noted this often while the log is written to. */
const NOTE_DURABLE_MS = 1_000
/** How long a full disk is left alone before room is looked for again. */
const DISK_FULL_RETRY_MS = 5_000
const RESTORE_BATCH_BYTES = 1024 * 1024

export interface LogServiceOptions extends LogOptions {
  readonly disk: Disk
  readonly timers: Timers
  readonly reply: (reply: LogReply) => void
}

/**
 * The log as an actor: takes one request at a time, answers by message, fences itself at the first
 * error of the disk. It runs the same on its own thread, inside a test and inside the simulator.
 */
export class LogService {
  readonly #options: LogServiceOptions
  readonly #reply: (reply: LogReply) => void
  #log: Log | null = null
  #over = false
  #noteTimer: Timer | null = null
  #idleTimer: Timer | null = null
  #diskLow = false

  constructor(options: LogServiceOptions) {
    this.#options = options
    this.#reply = options.reply
  }

  /** Recovers and says what was found; once, before any request. */
  open(): void {
    try {
      const { log, recovered } = Log.open(this.#options.disk, this.#options)
      this.#log = log
      this.#replySnapshot(log)
      this.#replyEntries(recovered.entries)
      this.#reply({
        type: 'recovered',
        hardState: recovered.hardState,
        lastIndex: recovered.lastIndex,
        lastTerm: recovered.lastTerm,
        notedCommit: recovered.notedCommit,
        notes: recovered.notes,
      })
      this.#scheduleIdle(0)
    } catch (thrown) {
      this.#over = true
      this.#reply({ type: 'refused', error: refusal(thrown).toJSON() })
    }
  }

  handle(request: LogRequest): void {
    if (this.#over || this.#log === null) {
      if (request.type === 'stop') this.#reply({ type: 'stopped' })
      return
    }
    try {
      this.#handle(this.#log, request)
    } catch (thrown) {
      this.#fence(thrown)
    }
  }

  #handle(log: Log, request: LogRequest): void {
    switch (request.type) {
      case 'write': {
        const { seq, hardState, install, commit } = request
        if (install !== null && log.snapshots.isWriting) {
          // Of a state that is about to be an old one.
          log.snapshots.abandon()
          this.#reply({ type: 'snapshot-failed', reason: 'a snapshot of the leader came' })
        }
        log.write({ hardState, install, entries: unpackEntries(request.entries), commit })
        if (install !== null) this.#replySnapshot(log)
        this.#written(log, seq)
        return
      }
      case 'found':
        log.found({ index: request.index, term: request.term }, request.head)
        this.#replySnapshot(log)
        this.#written(log, request.seq)
        return
      case 'note-commit':
        log.noteCommit(request.index)
        return
      case 'send-open':
      case 'send-read':
      case 'send-close':
        this.#handleSend(log, request)
        return
      case 'receive':
      case 'receive-check':
      case 'receive-drop':
        this.#handleReceive(log, request)
        return
      case 'stop':
        this.#stop(log)
        return
      default:
        this.#handleSnapshot(log, request)
    }
  }

  #written(log: Log, seq: number): void {
    this.#reply({ type: 'durable', seq })
    this.#noteTimer ??= this.#options.timers.after(NOTE_DURABLE_MS, () => this.#note(log))
    if (log.hasIdleWork) this.#scheduleIdle(0)
  }

  #handleSend(log: Log, request: LogRequest & { type: `send-${string}` }): void {
    const { transfer } = request
    if (request.type === 'send-close') log.snapshots.closeSent(transfer)
    else if (request.type === 'send-open') {
      const info = log.snapshots.openToSend(transfer, request.index)
      const snapshot = info === null || info.head === null ? null : { ...info, head: info.head }
      this.#reply({ type: 'sending', transfer, snapshot })
    } else {
      const { offset, length } = request
      const bytes = log.snapshots.send(transfer, offset, length)
      this.#reply({ type: 'send-bytes', transfer, offset, bytes })
    }
  }

  #handleReceive(log: Log, request: LogRequest & { type: `receive${string}` }): void {
    if (request.type === 'receive-drop') {
      log.snapshots.dropIncoming()
      return
    }
    const { key } = request
    if (request.type === 'receive-check') {
      const whole = log.snapshots.checkIncoming(request.index, request.term)
      this.#reply({ type: 'receive-checked', key, whole })
      return
    }
    try {
      log.snapshots.receive(request.fresh, request.offset, request.bytes)
      this.#reply({ type: 'received', key, problem: null })
    } catch (thrown) {
      if (!isDiskFull(thrown)) throw thrown
      log.snapshots.dropIncoming()
      log.releaseReserve()
      this.#reply({ type: 'received', key, problem: thrown.message })
    }
  }

  /** A full disk costs the snapshot, not the log; giving up the reserve makes room for the next. */
  #handleSnapshot(log: Log, request: LogRequest): void {
    try {
      if (request.type === 'snapshot-begin') {
        log.snapshots.begin(request.index, request.term, request.head)
      } else if (request.type === 'snapshot-chunk') {
        if (!log.snapshots.isWriting) return
        log.snapshots.add(request.bytes)
        this.#reply({ type: 'snapshot-more' })
      } else if (request.type === 'snapshot-end') {
        const info = log.snapshots.end()
        if (info === null) return
        log.compact()
        this.#reply({ type: 'snapshot-done', index: info.index, bytes: info.bytes })
        this.#scheduleIdle(0)
      }
    } catch (thrown) {
      if (!isDiskFull(thrown)) throw thrown
      log.snapshots.abandon()
      log.releaseReserve()
      this.#reply({ type: 'snapshot-failed', reason: thrown.message })
    }
  }

  #stop(log: Log): void {
    this.#over = true
    this.#cancelTimers()
    log.close()
    this.#reply({ type: 'stopped' })
  }

  #note(log: Log): void {
    this.#noteTimer = null
    if (this.#over) return
    try {
      log.noteDurable()
    } catch (thrown) {
      this.#fence(thrown)
    }
  }

  #scheduleIdle(delayMs: number): void {
    this.#idleTimer ??= this.#options.timers.after(delayMs, () => this.#idle())
  }

  #idle(): void {
    this.#idleTimer = null
    if (this.#over || this.#log === null) return
    try {
      const more = this.#log.idle()
      if (this.#diskLow && !more) {
        this.#diskLow = false
        this.#reply({ type: 'disk-ok' })
      }
      if (more) this.#scheduleIdle(0)
    } catch (thrown) {
      if (!isDiskFull(thrown)) {
        this.#fence(thrown)
        return
      }
      if (!this.#diskLow) this.#reply({ type: 'disk-low', reason: thrown.message })
      this.#diskLow = true
      this.#scheduleIdle(DISK_FULL_RETRY_MS)
    }
  }

  #fence(thrown: unknown): void {
    if (thrown instanceof AssertionError) throw thrown
    this.#over = true
    this.#cancelTimers()
    this.#reply({ type: 'fenced', reason: refusal(thrown).message })
  }

  #cancelTimers(): void {
    this.#noteTimer?.cancel()
    this.#idleTimer?.cancel()
  }

  #replySnapshot(log: Log): void {
    const { newest } = log.snapshots
    if (newest === null) return
    const { index, term, head } = newest
    this.#reply({ type: 'restore-begin', index, term, head })
    for (const bytes of log.snapshots.read()) this.#reply({ type: 'restore-chunk', bytes })
  }

  #replyEntries(entries: readonly LogEntry[]): void {
    let batch: LogEntry[] = []
    let bytes = 0
    for (const entry of entries) {
      batch.push(entry)
      bytes += entry.payload.byteLength
      if (bytes < RESTORE_BATCH_BYTES) continue
      this.#reply({ type: 'restore-entries', entries: packEntries(batch) })
      batch = []
      bytes = 0
    }
    if (batch.length > 0) this.#reply({ type: 'restore-entries', entries: packEntries(batch) })
  }
}

/** The system's refusals in words an operator can act on; bugs stay bugs. */
function refusal(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown
  if (!(thrown instanceof DiskError)) throw thrown
  const what = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the disk quota is used up',
    EACCES: 'this user may not do that',
    EROFS: 'the file system is read-only',
    EIO: 'the disk reports an error',
  }[thrown.code]
  const message = what === undefined ? thrown.message : `${thrown.message} (${what})`
  return new GatewayError('STORE_UNAVAILABLE', message, { file: thrown.path, errno: thrown.code })
}
