import { isAscii, isUtf8 } from 'node:buffer'

export type JsonObject = Readonly<Record<string, unknown>>

/** Reads a JSON object from bytes that have to be UTF-8; null when they are anything else. */
export function parseJsonObject(bytes: Uint8Array): JsonObject | null {
  const text = textOf(bytes)
  return text === null ? null : parseJsonText(text)
}

/** The same from text. */
export function parseJsonText(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as JsonObject) : null
  } catch {
    return null
  }
}

/** Most is ASCII, which takes a third less time than to look for UTF-8 and to decode it. */
function textOf(bytes: Uint8Array): string | null {
  const { buffer, byteOffset, byteLength } = bytes
  const whole = Buffer.isBuffer(bytes) ? bytes : Buffer.from(buffer, byteOffset, byteLength)
  if (isAscii(whole)) return whole.toString('latin1')
  return isUtf8(whole) ? whole.toString('utf8') : null
}
