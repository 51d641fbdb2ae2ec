import { isUtf8 } from 'node:buffer'

export type JsonObject = Readonly<Record<string, unknown>>

/** Reads a JSON object from bytes that have to be UTF-8; null when they are anything else. */
export function parseJsonObject(bytes: Uint8Array): JsonObject | null {
  if (!isUtf8(bytes)) return null
  try {
    const { buffer, byteOffset, byteLength } = bytes
    const text = Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as JsonObject) : null
  } catch {
    return null
  }
}
