import { MessagePort } from 'node:worker_threads'
import { addExtension, Packr } from 'msgpackr'
import { assert } from '../lib/assert.js'
import type { ErrorJson } from '../lib/errors.js'

/** What travels between two threads. */
export type Frame =
  | readonly [kind: typeof TELL, message: unknown]
  | readonly [kind: typeof ASK, id: number, timeoutMs: number, message: unknown]
  | readonly [kind: typeof OK, id: number, value: unknown]
  | readonly [kind: typeof FAIL, id: number, error: ErrorJson]
  | readonly [kind: typeof CREDIT, count: number]

export const TELL = 0
export const ASK = 1
export const OK = 2
export const FAIL = 3
/** The receiver took `count` more frames out of the port. */
export const CREDIT = 4

type Attachment = SharedArrayBuffer | MessagePort

/** What goes through `postMessage`: packed bytes, alone or with what bytes cannot say. */
export type Parcel = Uint8Array | readonly [bytes: Uint8Array, attachments: readonly Attachment[]]

// Types of msgpack extensions, 0..127; msgpackr itself uses letters.
const SHARED_MEMORY = 1
const PORT = 2

const packr = new Packr({ useRecords: false })

/** Attachments of the frame that is packed or unpacked right now; packing is synchronous. */
let attached: Attachment[] | null = null

function attach(attachment: Attachment): Uint8Array {
  assert(attached !== null, 'shared memory and ports travel in messages between threads only')
  attached.push(attachment)
  const index = attached.length - 1
  return Uint8Array.of(index >> 8, index)
}

function attachment(bytes: Uint8Array): Attachment {
  const found = attached?.[((bytes[0] as number) << 8) | (bytes[1] as number)]
  assert(found !== undefined, 'a frame refers to an attachment that did not come with it')
  return found
}

addExtension({ Class: SharedArrayBuffer, type: SHARED_MEMORY, pack: attach, unpack: attachment })
addExtension({ Class: MessagePort, type: PORT, pack: attach, unpack: attachment })

/** `useRecords: false`: record structures would need all earlier frames of the same thread. */
export function encode(frame: Frame): { readonly parcel: Parcel; readonly moved: Transfer } {
  attached = []
  try {
    // A copy of exact size: `pack` returns a view of a pool, and posting that clones the pool.
    const bytes = new Uint8Array(packr.pack(frame))
    const moved: Transfer = [bytes.buffer]
    if (attached.length === 0) return { parcel: bytes, moved }
    for (const each of attached) if (each instanceof MessagePort) moved.push(each)
    return { parcel: [bytes, attached], moved }
  } finally {
    attached = null
  }
}

export type Transfer = (ArrayBuffer | MessagePort)[]

/** Byte fields of the result are views of the frame. A damaged parcel is a bug, and throws. */
export function decode(parcel: Parcel): Frame {
  const alone = parcel instanceof Uint8Array
  attached = alone ? [] : [...parcel[1]]
  try {
    return packr.unpack(alone ? parcel : parcel[0]) as Frame
  } finally {
    attached = null
  }
}
