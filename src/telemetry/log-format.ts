import type { LogFields, LogLevel } from './log.js'
import { rfc3339 } from './timestamp.js'

/** One event, as sinks get it. */
export interface LogRecord {
  readonly wallMs: number
  readonly level: LogLevel
  readonly node: string
  readonly thread: string
  readonly component: string
  readonly message: string
  readonly fields: LogFields | undefined
}

/** Second line of defence: code never logs these on purpose. */
const SECRET =
  /^(authorization|proxy-?authorization|cookie|set-?cookie|.*token|password|passphrase|.*secret|private-?key|api-?key|body)$/i
const REDACTED = '[redacted]'

/** Longest text of one value, and of all fields of a line, in UTF-16 units. */
const VALUE_MAX = 8192
const FIELDS_MAX = 32_768

/** One line of JSON, newline included. Never throws. */
export function jsonLine(record: LogRecord): string {
  const { wallMs, level, node, thread, component, message, fields } = record
  const head = { time: rfc3339(wallMs), level, node, thread, component, message: cut(message) }
  if (fields === undefined) return `${JSON.stringify(head)}\n`
  return `${JSON.stringify(head).slice(0, -1)},"fields":${stringify(fields)}}\n`
}

/** `time TAB LEVEL TAB component TAB message key=value …`, newline included. Never throws. */
export function textLine(record: LogRecord): string {
  const { wallMs, level, component, message, fields = {} } = record
  let line = `${rfc3339(wallMs)}\t${level.toUpperCase()}\t${escapeControls(component)}\t${escapeControls(cut(message))}`
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${escapeControls(key)}=${textValue(key, value)}`
  }
  return `${line}\n`
}

function textValue(key: string, value: unknown): string {
  const json = stringify(value, key)
  // Quotes only where the end of the value would not be clear without them.
  return /^"[\w.:/@%+,*-]+"$/.test(json) ? json.slice(1, -1) : escapeControls(json)
}

function stringify(value: unknown, key = ''): string {
  try {
    const json = JSON.stringify(plain(key, value), replace) ?? 'null'
    return json.length <= FIELDS_MAX ? json : JSON.stringify({ cut: json.slice(0, VALUE_MAX) })
  } catch (thrown) {
    return JSON.stringify({ unprintable: String(thrown).slice(0, 200) }) // a cycle, or too deep
  }
}

/** Looks at the value itself, not at what its `toJSON` made of it. */
function replace(this: Record<string, unknown>, key: string, json: unknown): unknown {
  const value = this[key]
  return plain(key, value instanceof Uint8Array || value instanceof Error ? value : json)
}

function plain(key: string, value: unknown): unknown {
  if (SECRET.test(key)) return REDACTED
  if (typeof value === 'string') return cut(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (value instanceof Error) return cut(value.stack ?? value.message)
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  return value
}

function cut(text: string): string {
  return text.length <= VALUE_MAX
    ? text
    : `${text.slice(0, VALUE_MAX)}… (${text.length} characters)`
}

/** No text that came from outside may start a line of its own or steer a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

export function escapeControls(text: string): string {
  return text.replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
