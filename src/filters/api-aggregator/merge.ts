import { type JsonObject, parseJsonObject } from '../../lib/json-object.js'

/**
 * One JSON text out of several JSON objects: a list of them, or one object with the fields of all,
 * the later ones winning. Null when a body is no JSON object in UTF-8, or is nested too deeply to
 * be written again.
 */
export function mergeBodies(bodies: readonly Uint8Array[], intoOne: boolean): Uint8Array | null {
  const objects: JsonObject[] = []
  for (const body of bodies) {
    const object = parseJsonObject(body)
    if (object === null) return null
    objects.push(object)
  }
  return intoOne ? merged(objects) : listed(bodies)
}

/** As they came: numbers keep all their digits. */
function listed(bodies: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const body of bodies) parts.push(parts.length === 0 ? OPEN : COMMA, body)
  return parts.length === 0 ? EMPTY_LIST : Buffer.concat([...parts, CLOSE])
}

const OPEN = Buffer.from('[')
const COMMA = Buffer.from(',')
const CLOSE = Buffer.from(']')
const EMPTY_LIST = Buffer.from('[]')

function merged(objects: readonly JsonObject[]): Uint8Array | null {
  // Without a prototype, `__proto__` is a field like any other.
  const all = Object.create(null) as Record<string, unknown>
  for (const object of objects) {
    for (const [name, value] of Object.entries(object)) all[name] = value
  }
  try {
    return Buffer.from(JSON.stringify(all))
  } catch {
    return null
  }
}
