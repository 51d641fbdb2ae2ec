import type { Entry, Message } from '../raft/raft.js'

type AppendRequest = Extract<Message, { type: 'append' }>
type AppendReply = Extract<Message, { type: 'append-reply' }>

/**
 * The two messages of Raft that each write consists of, read and written by hand: the same bytes as
 * {@link packBody} makes of them, so that nobody can tell which way they went. Whatever is not exactly
 * in that form is left to the general way, which also says what is wrong with it. That way is quick in
 * a loop (2 µs), but not with cold caches between two sleeps of a thread: there a follower spent 28 of
 * its 195 µs for a write on decoding it.
 */

/** Larger ones go the general way: there the bytes are what costs. */
const BODY_BYTES = 64 * 1024
const ENTRIES_MAX = 256
/** What a message without entries takes at most, and an entry beside its data. */
const MESSAGE_BYTES = 160
const ENTRY_BYTES = 56

/** Something is not as expected; what is written or read from then on means nothing. */
let isOther = false

const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3

/** Texts of less than 32 ASCII characters, one after the other, in msgpack. */
function texts(...all: readonly string[]): Uint8Array {
  return Buffer.concat(all.map((text) => Buffer.from([0xa0 | text.length, ...Buffer.from(text)])))
}

/** A map of `fields` fields, up to its first number. */
const map = (fields: number, ...all: readonly string[]): Uint8Array =>
  Buffer.concat([Buffer.of(0x80 | fields), texts(...all)])

const FROM_OF_APPEND = map(8, 'type', 'append', 'from')
const FROM_OF_REPLY = map(9, 'type', 'append-reply', 'from')
const TO = texts('to')
const TERM = texts('term')
const PREV_INDEX = texts('prevIndex')
const PREV_TERM = texts('prevTerm')
const ENTRIES = texts('entries')
const COMMIT = texts('commit')
const ACCEPTED = texts('accepted')
const INDEX = texts('index')
const HINT_INDEX = texts('hintIndex')
const HINT_TERM = texts('hintTerm')
const INDEX_OF_ENTRY = map(4, 'index')
const DATA = texts('data')
const CHANGE = texts('change')

// ---- writing -----------------------------------------------------------------------------------

const written = new Uint8Array(BODY_BYTES)
const writtenView = new DataView(written.buffer)
let end = 0

/** In memory that the next call writes over; null: it goes the general way. */
export function packAppend(message: Message): Uint8Array | null {
  end = 0
  isOther = false
  if (message.type === 'append-reply') putReply(message)
  else if (message.type !== 'append' || !isSmall(message.entries)) return null
  else putRequest(message)
  return isOther ? null : written.subarray(0, end)
}

function isSmall(entries: readonly Entry[]): boolean {
  if (entries.length > ENTRIES_MAX) return false
  let bytes = MESSAGE_BYTES
  for (const { data, change } of entries) {
    if (change !== null) return false
    bytes += ENTRY_BYTES + data.byteLength
  }
  return bytes <= BODY_BYTES
}

function putRequest(message: AppendRequest): void {
  const { from, to, term, prevIndex, prevTerm, entries, commit } = message
  putNumber(FROM_OF_APPEND, from)
  putNumber(TO, to)
  putNumber(TERM, term)
  putNumber(PREV_INDEX, prevIndex)
  putNumber(PREV_TERM, prevTerm)
  put(ENTRIES)
  if (entries.length < 16) written[end++] = 0x90 | entries.length
  else {
    written[end] = 0xdc
    writtenView.setUint16(end + 1, entries.length)
    end += 3
  }
  for (const { index, term: termOfEntry, data } of entries) {
    putNumber(INDEX_OF_ENTRY, index)
    putNumber(TERM, termOfEntry)
    put(DATA)
    putBytes(data)
    put(CHANGE)
    written[end++] = NIL
  }
  putNumber(COMMIT, commit)
}

function putReply(message: AppendReply): void {
  const { from, to, term, accepted, index, hintIndex, hintTerm, commit } = message
  putNumber(FROM_OF_REPLY, from)
  putNumber(TO, to)
  putNumber(TERM, term)
  put(ACCEPTED)
  written[end++] = accepted ? TRUE : FALSE
  putNumber(INDEX, index)
  putNumber(HINT_INDEX, hintIndex)
  putNumber(HINT_TERM, hintTerm)
  putNumber(COMMIT, commit)
}

function put(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) written[end++] = bytes[i] as number
}

function putNumber(key: Uint8Array, value: number): void {
  put(key)
  if (!Number.isSafeInteger(value) || value < 0) isOther = true
  if (value < 0x80) written[end++] = value
  else if (value < 0x100) {
    written[end] = 0xcc
    written[end + 1] = value
    end += 2
  } else if (value < 0x1_0000) {
    written[end] = 0xcd
    writtenView.setUint16(end + 1, value)
    end += 3
  } else if (value < 0x1_0000_0000) {
    written[end] = 0xce
    writtenView.setUint32(end + 1, value)
    end += 5
  } else {
    written[end] = 0xcb
    writtenView.setFloat64(end + 1, value)
    end += 9
  }
}

function putBytes(data: Uint8Array): void {
  const { byteLength } = data
  if (byteLength < 0x100) {
    written[end] = 0xc4
    written[end + 1] = byteLength
    end += 2
  } else {
    written[end] = 0xc5
    writtenView.setUint16(end + 1, byteLength)
    end += 3
  }
  written.set(data, end)
  end += byteLength
}

// ---- reading -----------------------------------------------------------------------------------

const NOTHING: Uint8Array = new Uint8Array(0)
let read = NOTHING
let at = 0
/** Null: it goes the general way. Data of entries are views of `body`. */
export function readAppend(body: Uint8Array): Message | null {
  read = body
  at = 0
  isOther = false
  const message = body[0] === FROM_OF_REPLY[0] ? takeReply() : takeRequest()
  const isWhole = !isOther && at === body.byteLength && message.from > 0 && message.to > 0
  read = NOTHING
  return isWhole ? message : null
}

function takeRequest(): AppendRequest {
  const from = takeNumber(FROM_OF_APPEND)
  const to = takeNumber(TO)
  const term = takeNumber(TERM)
  const prevIndex = takeNumber(PREV_INDEX)
  const prevTerm = takeNumber(PREV_TERM)
  take(ENTRIES)
  const entries: Entry[] = []
  const count = takeCount()
  for (let i = 0; i < count && !isOther; i++) entries.push(takeEntry())
  const commit = takeNumber(COMMIT)
  return { type: 'append', from, to, term, prevIndex, prevTerm, entries, commit }
}

function takeEntry(): Entry {
  const index = takeNumber(INDEX_OF_ENTRY)
  const term = takeNumber(TERM)
  take(DATA)
  const data = takeBytes()
  take(CHANGE)
  if (read[at++] !== NIL) isOther = true
  return { index, term, data, change: null }
}

function takeReply(): AppendReply {
  const from = takeNumber(FROM_OF_REPLY)
  const to = takeNumber(TO)
  const term = takeNumber(TERM)
  take(ACCEPTED)
  const flag = read[at++]
  if (flag !== TRUE && flag !== FALSE) isOther = true
  const accepted = flag === TRUE
  const index = takeNumber(INDEX)
  const hintIndex = takeNumber(HINT_INDEX)
  const hintTerm = takeNumber(HINT_TERM)
  const commit = takeNumber(COMMIT)
  return { type: 'append-reply', from, to, term, accepted, index, hintIndex, hintTerm, commit }
}

function take(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) if (read[at++] !== bytes[i]) isOther = true
}

/** So many bytes of a number, big-endian; behind the end of the body there is nothing to be found. */
function takeUint(bytes: number): number {
  if (at + bytes > read.byteLength) isOther = true
  if (isOther) return 0
  let value = 0
  for (let i = 0; i < bytes; i++) value = value * 256 + (read[at++] as number)
  return value
}

function takeNumber(key: Uint8Array): number {
  take(key)
  const token = takeUint(1)
  if (token < 0x80) return token
  if (token === 0xcc) return takeUint(1)
  if (token === 0xcd) return takeUint(2)
  if (token === 0xce) return takeUint(4)
  if (token === 0xcb && at + 8 <= read.byteLength) {
    const value = new DataView(read.buffer, read.byteOffset + at, 8).getFloat64(0)
    at += 8
    // Also without the zero below zero, which the general way would keep.
    if (Number.isSafeInteger(value) && value > 0) return value
  }
  isOther = true
  return 0
}

function takeCount(): number {
  const token = takeUint(1)
  if (token >= 0x90 && token <= 0x9f) return token & 0x0f
  const count = token === 0xdc ? takeUint(2) : ENTRIES_MAX + 1
  if (count > ENTRIES_MAX) isOther = true
  return count
}

function takeBytes(): Uint8Array {
  const token = takeUint(1)
  if (token !== 0xc4 && token !== 0xc5) isOther = true
  const bytes = takeUint(token === 0xc4 ? 1 : 2)
  if (isOther || at + bytes > read.byteLength) {
    isOther = true
    return NOTHING
  }
  at += bytes
  return read.subarray(at - bytes, at)
}
