import { systemTime } from '../lib/clock.js'
import { AppendFile } from './append-file.js'
import type { LogLevel } from './log.js'
import { jsonLine } from './log-format.js'
import { createLogger, FileSink, type LeveledLogger, StderrSink } from './logger.js'

/** How the threads of one process log; plain data, handed to each of them. */
export interface LogOptions {
  /** Name of this member. */
  readonly node: string
  readonly level: LogLevel
  /** Of the lines on stderr; the file holds JSON lines. */
  readonly format: 'text' | 'json'
  /** Path of the log file. */
  readonly file: string
}

/** The log of the calling thread: stderr, and the file that all threads append to. */
export interface OpenLog {
  readonly log: LeveledLogger
  /** After SIGHUP. */
  reopen(): void
}

/** Throws when the file cannot be opened. */
export function openLog(options: LogOptions, thread: string, component: string): OpenLog {
  const { node, level, format } = options
  const file = new FileSink(new AppendFile(options.file))
  const stderr = format === 'json' ? new StderrSink(jsonLine) : new StderrSink()
  const log = createLogger({
    node,
    thread,
    component,
    level,
    sinks: [stderr, file],
    clock: systemTime,
  })
  return { log, reopen: () => file.reopen() }
}

/** A log of its own that goes to its file alone, such as that of admin calls. */
export function openFileLog(options: LogOptions): OpenLog {
  const file = new FileSink(new AppendFile(options.file))
  const log = createLogger({
    node: options.node,
    thread: 'main',
    component: 'admin',
    sinks: [file],
    clock: systemTime,
  })
  return { log, reopen: () => file.reopen() }
}
