import fs from 'node:fs'
import type { Clock } from '../lib/clock.js'
import type { AppendFile } from './append-file.js'
import type { LogFields, Logger, LogLevel } from './log.js'
import { jsonLine, type LogRecord, textLine } from './log-format.js'

/** Where records go. `write` never throws. */
export interface LogSink {
  write(record: LogRecord): void
}

/** JSON lines in a file, `stdout.log` of the log folder. Each thread has its own on the one file. */
export class FileSink implements LogSink {
  readonly #file: AppendFile
  #failures = 0

  /** Throws when the file cannot be opened. */
  constructor(file: AppendFile) {
    this.#file = file
  }

  /** Records lost or cut by a full disk or the like. */
  get failures(): number {
    return this.#failures
  }

  write(record: LogRecord): void {
    if (this.#file.append(jsonLine(record)) !== null) this.#failures += 1
  }

  /** After SIGHUP. */
  reopen(): void {
    if (this.#file.reopen() !== null) this.#failures += 1
  }

  close(): void {
    this.#file.close()
  }
}

const STDERR = 2

/** Synchronous, so that the last words of a dying process come out. */
export class StderrSink implements LogSink {
  readonly #format: (record: LogRecord) => string
  #failures = 0

  /** `format`: `textLine`, for people (default), or `jsonLine`. */
  constructor(format: (record: LogRecord) => string = textLine) {
    this.#format = format
  }

  /** Records lost, for example because nobody reads the pipe. */
  get failures(): number {
    return this.#failures
  }

  write(record: LogRecord): void {
    try {
      fs.writeSync(STDERR, this.#format(record))
    } catch {
      this.#failures += 1
    }
  }
}

export interface LoggerOptions {
  /** Name of this member. */
  readonly node: string
  /** Such as `main`, `coordinator`, `worker-0`. */
  readonly thread: string
  readonly component: string
  /** Default `info`. */
  readonly level?: LogLevel
  readonly sinks: readonly LogSink[]
  readonly clock: Clock
}

const RANK: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 }

/** What a logger and all its children share. */
class Root {
  readonly #options: LoggerOptions
  level: LogLevel

  constructor(options: LoggerOptions) {
    this.#options = options
    this.level = options.level ?? 'info'
  }

  write(level: LogLevel, component: string, message: string, fields: LogFields | undefined): void {
    if (RANK[level] > RANK[this.level]) return
    const { node, thread, sinks, clock } = this.#options
    const wallMs = clock.wallMs()
    for (const sink of sinks)
      sink.write({ wallMs, level, node, thread, component, message, fields })
  }
}

/** A logger whose level, shared with all its children, can be changed while it is used. */
export class LeveledLogger implements Logger {
  readonly #root: Root
  readonly #component: string

  /** Use {@link createLogger}. */
  constructor(root: Root, component: string) {
    this.#root = root
    this.#component = component
  }

  get debugOn(): boolean {
    return this.#root.level === 'debug'
  }

  get level(): LogLevel {
    return this.#root.level
  }

  set level(level: LogLevel) {
    this.#root.level = level
  }

  error(message: string, fields?: LogFields): void {
    this.#root.write('error', this.#component, message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#root.write('warn', this.#component, message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#root.write('info', this.#component, message, fields)
  }

  debug(message: string, fields?: LogFields): void {
    this.#root.write('debug', this.#component, message, fields)
  }

  child(component: string): LeveledLogger {
    return new LeveledLogger(this.#root, component)
  }
}

/** The log of one thread. */
export function createLogger(options: LoggerOptions): LeveledLogger {
  return new LeveledLogger(new Root(options), options.component)
}
