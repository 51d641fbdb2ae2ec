import { decodeBody, encodeBody } from '../peer/peer.js'
import { BOARD_KEY_LENGTH_MAX, publicationProblem } from './board.js'

/** Name of the service between nodes; part of the wire format. */
export const BOARD_SERVICE = 'board'

export type Put = readonly [key: string, value: Uint8Array, ttlMs: number]

/**
 * What a node says, to the leader: its changes after number `from` up to `to`. Without a change it
 * is a beat. `sync` grows each time the node starts from 0, so that what is late is told from what
 * is new.
 */
export interface Batch {
  readonly sync: number
  readonly from: number
  readonly to: number
  readonly puts: readonly Put[]
  readonly deletes: readonly string[]
}

/** The leader to a node: it knows everything of that sync up to `have`; 0: start anew. */
export interface Ack {
  readonly sync: number
  readonly have: number
}

/** A reading goes on behind this entry. */
export type Cursor = readonly [name: string, incarnation: string, key: string]

export interface ReadRequest {
  readonly prefix: string
  readonly after: Cursor | null
}

export interface Page {
  readonly members: readonly (readonly [name: string, incarnation: string, ageMs: number])[]
  /** `member`: place in `members`. */
  readonly entries: readonly (readonly [member: number, key: string, value: Uint8Array])[]
  readonly next: Cursor | null
}

export type Notice = { readonly batch: Batch } | { readonly ack: Ack }

export const encodeBatch = (batch: Batch): Uint8Array => encodeBody({ batch })
export const encodeAck = (ack: Ack): Uint8Array => encodeBody({ ack })
export const encodeRead = (request: ReadRequest): Uint8Array => encodeBody(request)
export const encodePage = (page: Page): Uint8Array => encodeBody(page)

/** Null: it is none. */
export function decodeNotice(body: Uint8Array): Notice | null {
  const { batch, ack } = fields(body)
  if (isBatch(batch)) return { batch }
  return isAck(ack) ? { ack } : null
}

export function decodeRead(body: Uint8Array): ReadRequest | null {
  const { prefix, after } = fields(body)
  if (typeof prefix !== 'string' || prefix.length > BOARD_KEY_LENGTH_MAX) return null
  return after === null || isCursor(after) ? { prefix, after } : null
}

export function decodePage(body: Uint8Array): Page | null {
  const { members, entries, next } = fields(body)
  if (!isListOf(members, isMember) || !isListOf(entries, isEntry)) return null
  if (!entries.every(([member]) => member < members.length)) return null
  return next === null || isCursor(next) ? { members, entries, next } : null
}

function fields(body: Uint8Array): Record<string, unknown> {
  const decoded = decodeBody(body)
  const value = decoded.ok ? decoded.value : null
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMap ? (value as Record<string, unknown>) : {}
}

const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0
const isText = (value: unknown): value is string => typeof value === 'string'
const isListOf = <T>(value: unknown, is: (item: unknown) => item is T): value is T[] =>
  Array.isArray(value) && value.every(is)

function isPut(value: unknown): value is Put {
  if (!Array.isArray(value)) return false
  const [key, bytes, ttlMs] = value as unknown[]
  const hasTypes = isText(key) && bytes instanceof Uint8Array && isWhole(ttlMs)
  return hasTypes && publicationProblem(key, bytes, ttlMs) === null
}

function isBatch(value: unknown): value is Batch {
  if (typeof value !== 'object' || value === null) return false
  const { sync, from, to, puts, deletes } = value as Record<string, unknown>
  const inOrder = isWhole(sync) && isWhole(from) && isWhole(to) && from <= to
  return inOrder && isListOf(puts, isPut) && isListOf(deletes, isText)
}

function isAck(value: unknown): value is Ack {
  if (typeof value !== 'object' || value === null) return false
  const { sync, have } = value as Record<string, unknown>
  return isWhole(sync) && isWhole(have)
}

function isCursor(value: unknown): value is Cursor {
  return Array.isArray(value) && value.length === 3 && value.every(isText)
}

function isMember(value: unknown): value is readonly [string, string, number] {
  if (!Array.isArray(value)) return false
  const [name, incarnation, ageMs] = value as unknown[]
  return isText(name) && isText(incarnation) && Number.isFinite(ageMs)
}

function isEntry(value: unknown): value is readonly [number, string, Uint8Array] {
  if (!Array.isArray(value)) return false
  const [member, key, bytes] = value as unknown[]
  return isWhole(member) && isText(key) && bytes instanceof Uint8Array
}
