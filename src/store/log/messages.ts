import type { ErrorJson } from '../../lib/errors.js'
import type { EntryPosition, HardState, LogEntry } from './format.js'

/**
 * To the log. Handled in order; nothing is answered after `fenced`. Bytes in a message belong to
 * the receiver from then on (their buffers are transferred between threads).
 */
export type LogRequest =
  /**
   * Makes all of it durable; answered by `durable`. `install`: the snapshot that was received and
   * checked takes the place of log and state; it is read back first, as in a recovery.
   */
  | {
      readonly type: 'write'
      readonly seq: number
      readonly hardState: HardState | null
      readonly install: EntryPosition | null
      readonly entries: EntryBatch
      /** Entries up to here, all in the log, are committed; null: nothing to say. */
      readonly commit: number | null
    }
  /** Of an empty log: it begins with an empty state at this place; answered as an install is. */
  | {
      readonly type: 'found'
      readonly seq: number
      readonly index: number
      readonly term: number
      readonly head: Uint8Array
    }
  /** Notes the commit index, unsynced: a hint for a restart without quorum. */
  | { readonly type: 'note-commit'; readonly index: number }
  /** Begins a snapshot of the state after the entry `index`, dropping one that was under way. */
  | {
      readonly type: 'snapshot-begin'
      readonly index: number
      readonly term: number
      /** Kept with it, and given back with it. */
      readonly head: Uint8Array
    }
  /** Answered by `snapshot-more`. */
  | { readonly type: 'snapshot-chunk'; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Makes it durable and drops what it makes superfluous; answered by `snapshot-done`. */
  | { readonly type: 'snapshot-end' }
  /** Opens the newest snapshot, of `index` or later, to be sent; answered by `sending`. */
  | { readonly type: 'send-open'; readonly transfer: number; readonly index: number }
  /** Answered by `send-bytes`. */
  | {
      readonly type: 'send-read'
      readonly transfer: number
      readonly offset: number
      readonly length: number
    }
  | { readonly type: 'send-close'; readonly transfer: number }
  /** Bytes of a snapshot of another member; `fresh`: the first of it. Answered by `received`. */
  | {
      readonly type: 'receive'
      readonly key: number
      readonly fresh: boolean
      readonly offset: number
      readonly bytes: Uint8Array<ArrayBuffer>
    }
  /** All of it came; answered by `receive-checked`. */
  | {
      readonly type: 'receive-check'
      readonly key: number
      readonly index: number
      readonly term: number
    }
  | { readonly type: 'receive-drop' }
  /** Notes the durable offset and closes; answered by `stopped`. */
  | { readonly type: 'stop' }

export type LogReply =
  /** Recovery, in this order: the newest good snapshot if there is one (`restore-begin`, each
   * `restore-chunk`), any number of `restore-entries` for what follows it, one `recovered`. */
  | {
      readonly type: 'restore-begin'
      readonly index: number
      readonly term: number
      /** Null: it was written by a node that was alone, before there were clusters. */
      readonly head: Uint8Array | null
    }
  | { readonly type: 'restore-chunk'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'restore-entries'; readonly entries: EntryBatch }
  | Recovered
  /** The log cannot be opened; a person must look. Nothing follows. */
  | { readonly type: 'refused'; readonly error: ErrorJson }
  | { readonly type: 'durable'; readonly seq: number }
  | { readonly type: 'snapshot-more' }
  | { readonly type: 'snapshot-done'; readonly index: number; readonly bytes: number }
  /** No snapshot was made (the disk is full); the log is as good as before. */
  | { readonly type: 'snapshot-failed'; readonly reason: string }
  /** `index` and what follows is of the one that is sent; null: there is none of that place. */
  | {
      readonly type: 'sending'
      readonly transfer: number
      readonly snapshot: (EntryPosition & { readonly bytes: number; head: Uint8Array }) | null
    }
  /** Null: it cannot be read. */
  | {
      readonly type: 'send-bytes'
      readonly transfer: number
      readonly offset: number
      readonly bytes: Uint8Array<ArrayBuffer> | null
    }
  /** `problem`: it could not be written (the disk is full); null: it was. */
  | { readonly type: 'received'; readonly key: number; readonly problem: string | null }
  | { readonly type: 'receive-checked'; readonly key: number; readonly whole: boolean }
  /** The disk is nearly full: the log goes on while its last segments have room. */
  | { readonly type: 'disk-low'; readonly reason: string }
  /** The disk has room again. */
  | { readonly type: 'disk-ok' }
  /** The log is of no more use until a restart reads it again. What was not `durable` is unknown. */
  | { readonly type: 'fenced'; readonly reason: string }
  | { readonly type: 'stopped' }

export interface Recovered {
  readonly type: 'recovered'
  readonly hardState: HardState
  /** 0 for an empty log. */
  readonly lastIndex: number
  readonly lastTerm: number
  /** Highest commit index noted; 0 for none. It may lie beyond the log after a loss of power. */
  readonly notedCommit: number
  /** What recovery did that a person may want to know (a tail cut, a snapshot passed over). */
  readonly notes: readonly string[]
}

/** The coordinator's end of a log, wherever it runs. */
export interface LogLink {
  tell(request: LogRequest): void
}

/**
 * Starts the log of a data directory. `receive` gets its replies, none before this returns;
 * `exited` is called once when it is gone, asked to or not, and nothing is received after it.
 */
export type SpawnLog = (
  receive: (reply: LogReply) => void,
  exited: (reason: string) => void,
) => LogLink

/** Entries packed into one buffer, since cloning many small ones costs more than writing them. */
export interface EntryBatch {
  readonly count: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

const ENTRY_HEADER_BYTES = 24

export function packEntries(entries: readonly LogEntry[]): EntryBatch {
  let size = 0
  for (const entry of entries) size += ENTRY_HEADER_BYTES + entry.payload.byteLength
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const entry of entries) {
    view.setFloat64(at, entry.index)
    view.setFloat64(at + 8, entry.term)
    view.setUint32(at + 16, entry.payload.byteLength)
    view.setUint32(at + 20, entry.type)
    bytes.set(entry.payload, at + ENTRY_HEADER_BYTES)
    at += ENTRY_HEADER_BYTES + entry.payload.byteLength
  }
  return { count: entries.length, bytes }
}

/** Payloads are views of the batch. */
export function unpackEntries(batch: EntryBatch): LogEntry[] {
  const { bytes } = batch
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: LogEntry[] = []
  for (let at = 0; at < bytes.byteLength; ) {
    const from = at + ENTRY_HEADER_BYTES
    const length = view.getUint32(at + 16)
    entries.push({
      index: view.getFloat64(at),
      term: view.getFloat64(at + 8),
      type: view.getUint32(at + 20),
      payload: bytes.subarray(from, from + length),
    })
    at = from + length
  }
  return entries
}
