import fc from 'fast-check'
import { expect, it } from 'vitest'
import { framesOf, joinFrames } from './object-frames.js'

it('what was joined comes apart again, wherever it lies', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), fc.nat(7), (frames, offset) => {
      const joined = joinFrames(frames)
      const moved = new Uint8Array(joined.byteLength + offset).subarray(offset)
      moved.set(joined)
      expect([...framesOf(moved)].map((frame) => [...frame])).toEqual(frames.map((f) => [...f]))
    }),
  )
})

it('bytes that end in the middle of a frame are not taken for one', () => {
  const joined = joinFrames([Uint8Array.of(1, 2, 3)])
  for (let end = 1; end < joined.byteLength; end++) {
    expect(() => [...framesOf(joined.subarray(0, end))]).toThrow(RangeError)
  }
})
