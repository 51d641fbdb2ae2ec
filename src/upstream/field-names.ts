/** What a field of an answer means to the client itself; ORDINARY ones are only passed on. */
export const ORDINARY = 0
export const CONTENT_LENGTH = 1
export const TRANSFER_ENCODING = 2
export const CONNECTION = 3
export const KEEP_ALIVE = 4
/** Ends at this hop and says nothing we need: RFC 9110 §7.6.1. */
export const DROPPED = 5

/** A field name, and what it means. */
export class FieldName {
  readonly text: string
  readonly meaning: number

  constructor(text: string, meaning: number) {
    this.text = text
    this.meaning = meaning
  }
}

const MEANINGS: ReadonlyMap<string, number> = new Map([
  ['content-length', CONTENT_LENGTH],
  ['transfer-encoding', TRANSFER_ENCODING],
  ['connection', CONNECTION],
  ['keep-alive', KEEP_ALIVE],
  ['proxy-connection', DROPPED],
  ['te', DROPPED],
  ['trailer', DROPPED],
  ['upgrade', DROPPED],
])

/** For each byte of a token (RFC 9110 §5.6.2) itself in lower case; 0 for any other byte. */
export const TOKEN_LOWER: Uint8Array = new Uint8Array(256)
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  const byte = char.charCodeAt(0)
  TOKEN_LOWER[byte] = byte
  if (char >= 'a' && char <= 'z') TOKEN_LOWER[char.toUpperCase().charCodeAt(0)] = byte
}

const TABLE_SIZE = 1024
const EMPTY = new FieldName('', ORDINARY)
const table: FieldName[] = new Array<FieldName>(TABLE_SIZE).fill(EMPTY)

/** One step of the hash that {@link internFieldName} expects over the lower-case bytes of a name. */
export function hashStep(hash: number, lowerByte: number): number {
  return (Math.imul(hash, 31) + lowerByte) | 0
}

/**
 * The name in `bytes[start, end)`, which must be token bytes, in lower case. Back ends repeat a few
 * names for ever, so a direct-mapped table (bounded: a later name displaces an earlier one) gives
 * the same string again and nothing is allocated.
 */
export function internFieldName(
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
): FieldName {
  const slot = (hash ^ (hash >>> 10)) & (TABLE_SIZE - 1)
  const known = table[slot] as FieldName
  if (isSameName(known.text, bytes, start, end)) return known
  let text = ''
  for (let i = start; i < end; i++) {
    text += String.fromCharCode(TOKEN_LOWER[bytes[i] as number] as number)
  }
  const made = new FieldName(text, MEANINGS.get(text) ?? ORDINARY)
  if (text.length <= 64) table[slot] = made
  return made
}

function isSameName(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== TOKEN_LOWER[bytes[start + i] as number]) return false
  }
  return true
}
