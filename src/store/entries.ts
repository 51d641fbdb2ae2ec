/**
 * Entries of Raft as entries of the log, and back. What an entry of Raft carries begins with a byte
 * that tells what it is: a command of the machine, or one of {@link MARK}.
 */
import type { ConfChange, Entry, NodeId } from '../raft/raft.js'
import { asBuffer, ENTRY, type LogEntry, readUint64, writeUint64 } from './log/format.js'
import { decodeJson, decodeRosterChange, encodeJson, type RosterChange } from './roster.js'

/**
 * First bytes beside the kinds of commands, which stay below 64. Part of the wire format, append
 * only. `alien`: an entry of the log of a type that this version does not know, kept as it is.
 */
export const MARK = { forwarded: 64, roster: 65, alien: 66 } as const

/** Where a command was proposed that somebody else put into the log. */
export interface Origin {
  readonly nodeId: NodeId
  /** Of that life of the member. */
  readonly boot: number
  readonly ticket: number
}

const ORIGIN_BYTES = 21

export function encodeForwarded(origin: Origin, command: Uint8Array): Uint8Array {
  const data = Buffer.allocUnsafe(ORIGIN_BYTES + command.byteLength)
  data[0] = MARK.forwarded
  writeUint64(data, 1, origin.nodeId)
  data.writeUInt32LE(origin.boot, 9)
  writeUint64(data, 13, origin.ticket)
  data.set(command, ORIGIN_BYTES)
  return data
}

/** Without a change of the voters. */
export function encodeRosterEntry(change: RosterChange): Uint8Array {
  return Buffer.concat([Buffer.of(MARK.roster), encodeJson(change)])
}

export type EntryContent =
  /** The first of a term, or a step of a change of the configuration. */
  | { readonly type: 'nothing' }
  | { readonly type: 'command'; readonly command: Uint8Array; readonly origin: Origin | null }
  | { readonly type: 'roster'; readonly change: RosterChange }
  | { readonly type: 'alien'; readonly entryType: number }

export function contentOf({ data, change }: Entry): EntryContent {
  if (data.byteLength === 0) return { type: 'nothing' }
  if (change !== null) return { type: 'roster', change: decodeRosterChange(data) }
  if (data[0] === MARK.roster)
    return { type: 'roster', change: decodeRosterChange(data.subarray(1)) }
  if (data[0] === MARK.alien) return { type: 'alien', entryType: data[1] as number }
  if (data[0] !== MARK.forwarded) return { type: 'command', command: data, origin: null }
  const bytes = asBuffer(data)
  const origin = {
    nodeId: readUint64(bytes, 1),
    boot: bytes.readUInt32LE(9),
    ticket: readUint64(bytes, 13),
  }
  return { type: 'command', command: data.subarray(ORIGIN_BYTES), origin }
}

export function toLogEntry({ index, term, data, change }: Entry): LogEntry {
  if (change !== null) {
    const payload = encodeJson({ change, data: Buffer.from(data).toString('utf8') })
    return { index, term, type: ENTRY.membership, payload }
  }
  if (data.byteLength === 0) return { index, term, type: ENTRY.noop, payload: data }
  if (data[0] === MARK.forwarded) return { index, term, type: ENTRY.forwarded, payload: data }
  if (data[0] === MARK.roster) {
    const payload = encodeJson({ change: null, data: Buffer.from(data).toString('utf8', 1) })
    return { index, term, type: ENTRY.membership, payload }
  }
  if (data[0] === MARK.alien) {
    return { index, term, type: data[1] as number, payload: data.subarray(2) }
  }
  return { index, term, type: ENTRY.command, payload: data }
}

export function fromLogEntry({ index, term, type, payload }: LogEntry): Entry {
  if (type === ENTRY.command || type === ENTRY.noop || type === ENTRY.forwarded) {
    return { index, term, data: payload, change: null }
  }
  if (type === ENTRY.membership && payload.byteLength > 0) {
    const { change, data } = decodeJson(payload) as { change: ConfChange | null; data: string }
    const bytes = Buffer.from(data, 'utf8')
    if (change !== null) return { index, term, data: bytes, change }
    return { index, term, data: Buffer.concat([Buffer.of(MARK.roster), bytes]), change: null }
  }
  return { index, term, data: Buffer.concat([Buffer.of(MARK.alien, type), payload]), change: null }
}
