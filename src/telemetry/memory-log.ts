import type { LogFields, Logger, LogLevel } from './log.js'

export interface MemoryRecord {
  readonly level: LogLevel
  readonly component: string
  readonly message: string
  readonly fields: LogFields
}

/** Keeps what is logged, for tests. Children write to the same list. */
export class MemoryLogger implements Logger {
  readonly debugOn = true
  readonly records: MemoryRecord[]
  readonly #component: string

  constructor(component = 'test', records: MemoryRecord[] = []) {
    this.#component = component
    this.records = records
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields)
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields)
  }

  child(component: string): Logger {
    return new MemoryLogger(component, this.records)
  }

  /** How many records have `message`. */
  count(message: string): number {
    return this.records.filter((record) => record.message === message).length
  }

  #add(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.records.push({ level, component: this.#component, message, fields })
  }
}
