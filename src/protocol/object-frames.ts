/**
 * Object frames of one message, one after the other, each behind its length: one byte field to
 * decode, whatever their number, so that a worker takes out thousands when it has time for them.
 */
export type ObjectFrames = Uint8Array

const LENGTH_BYTES = 4

export function joinFrames(frames: readonly Uint8Array[]): ObjectFrames {
  const bytes = frames.reduce((sum, frame) => sum + LENGTH_BYTES + frame.byteLength, 0)
  const joined = new Uint8Array(bytes)
  const view = new DataView(joined.buffer)
  let at = 0
  for (const frame of frames) {
    view.setUint32(at, frame.byteLength)
    joined.set(frame, at + LENGTH_BYTES)
    at += LENGTH_BYTES + frame.byteLength
  }
  return joined
}

/** Views of `joined`, in order. Bytes that no {@link joinFrames} made are a bug, and throw. */
export function* framesOf(joined: ObjectFrames): Generator<Uint8Array> {
  const view = new DataView(joined.buffer, joined.byteOffset, joined.byteLength)
  for (let at = 0; at < joined.byteLength; ) {
    const from = at + LENGTH_BYTES
    at = from + view.getUint32(at)
    if (at > joined.byteLength) throw new RangeError('object frames end in the middle of one')
    yield joined.subarray(from, at)
  }
}
