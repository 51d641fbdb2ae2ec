export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** Fields of a log line beside its constant message. Never tokens, never bodies. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * `error`: someone must act. `warn`: degraded but serving. `info`: lifecycle. `debug`: for the
 * author; guard costly fields with `debugOn`.
 */
export interface Logger {
  readonly debugOn: boolean
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** The same log under another component name. */
  child(component: string): Logger
}
