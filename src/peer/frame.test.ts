import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  BODY_BYTES_MAX,
  encodeFrame,
  FRAME,
  FrameDecoder,
  type FrameFault,
  type FrameType,
  HEADER_BYTES,
} from './frame.js'
import { strangerAnswer } from './stranger.js'

interface Read {
  readonly frames: { readonly type: number; readonly body: number[] }[]
  readonly faults: FrameFault[]
  readonly decoder: FrameDecoder
}

function reader(admit: (type: number, bytes: number) => string | null = () => null): Read {
  const frames: Read['frames'] = []
  const faults: FrameFault[] = []
  const decoder = new FrameDecoder({
    admit,
    onFrame: (type, body) => frames.push({ type, body: [...body] }),
    onFault: (fault) => faults.push(fault),
  })
  return { frames, faults, decoder }
}

const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))
const ascii = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))
const types = Object.values(FRAME)
const good = encodeFrame(FRAME.RAFT, ascii('body of the frame'))

function changed(at: number, value: number): Uint8Array {
  const bytes = good.slice()
  bytes[at] = value
  return bytes
}

it('gives back what went in, however it is cut', () => {
  const frame = fc.record({
    type: fc.constantFrom<FrameType>(...types),
    body: fc.uint8Array({ maxLength: 300 }),
  })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.infiniteStream(fc.nat(40)), (list, cuts) => {
      const stream = join(list.map(({ type, body }) => encodeFrame(type, body)))
      const { frames, faults, decoder } = reader()
      for (let at = 0; at < stream.length; ) {
        const size = (cuts.next().value as number) + 1
        decoder.push(stream.subarray(at, at + size))
        at += size
      }
      decoder.end()
      expect(faults).toEqual([])
      expect(frames).toEqual(list.map(({ type, body }) => ({ type, body: [...body] })))
    }),
  )
})

it('a body does not share memory with what arrived', () => {
  const arrived = good.slice()
  const bodies: Uint8Array[] = []
  const decoder = new FrameDecoder({
    admit: () => null,
    onFrame: (_type, body) => bodies.push(body),
    onFault: () => expect.unreachable(),
  })
  decoder.push(arrived)
  arrived.fill(0)
  expect(Buffer.from(bodies[0] as Uint8Array).toString()).toBe('body of the frame')
})

/** As somebody would send it who means it: the check of the header is right. */
const length = (bytes: number): Uint8Array => {
  const frame = good.slice()
  const view = new DataView(frame.buffer)
  view.setUint32(8, bytes)
  view.setUint16(6, crc16(Buffer.from([...frame.subarray(4, 6), ...frame.subarray(8, 12)])))
  return frame
}

/** Bit by bit, to judge the table. */
function crc16(bytes: Uint8Array): number {
  let rest = 0xffff
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const isOdd = ((rest >> 15) ^ (byte >> bit)) & 1
      rest = ((rest << 1) & 0xffff) ^ (isOdd === 1 ? 0x1021 : 0)
    }
  }
  return rest
}

it('the check of the header is CRC-16/CCITT', () => {
  // The check value of the catalogues.
  expect(crc16(ascii('123456789'))).toBe(0x29b1)
  expect([...length(good.byteLength - HEADER_BYTES)]).toEqual([...good])
})

it('a header that was damaged anywhere is a fault at once, and waits for no body', () => {
  for (let at = 0; at < HEADER_BYTES - 4; at++) {
    for (let bits = 1; bits < 256; bits++) {
      const { frames, faults, decoder } = reader()
      decoder.push(changed(at, (good[at] as number) ^ bits).subarray(0, HEADER_BYTES))
      const isLetterOfMethod = at === 0 && faults.length === 0
      if (isLetterOfMethod) decoder.end()
      expect([faults.length, frames.length], `byte ${at} ^ ${bits}`).toEqual([1, 0])
    }
  }
})

it.each<[string, FrameFault['code'], Uint8Array]>([
  ['a length above the bound', 'length', length(BODY_BYTES_MAX + 1)],
  ['the largest length there is', 'length', length(0xffff_ffff)],
  ['a length that is too short', 'checksum', length(3)],
  ['a length that is too long', 'truncated', length(5000)],
  ['another magic', 'magic', changed(3, 0x51)],
  ['another version', 'version', changed(4, 1)],
  ['a damaged check of the header', 'header', changed(7, (good[7] as number) ^ 1)],
  ['a damaged type', 'header', changed(5, FRAME.CHUNK)],
  ['a damaged length', 'header', changed(10, 1)],
  ['a damaged checksum', 'checksum', changed(12, (good[12] as number) ^ 1)],
  ['a damaged body', 'checksum', changed(HEADER_BYTES + 4, 0)],
  ['a cut header', 'truncated', good.subarray(0, 9)],
  ['a cut magic', 'truncated', good.subarray(0, 2)],
  ['a cut body', 'truncated', good.subarray(0, good.length - 1)],
  ['a request', 'http', ascii('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['a PUT', 'http', ascii('PUT /v3/kv/put HTTP/1.1\r\n\r\n')],
  ['an HTTP/2 preface', 'http2', ascii('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ['letters that are no method', 'magic', ascii('HELO there')],
  ['a word that ends early', 'magic', ascii('GE')],
  ['a TLS client', 'tls', Uint8Array.of(0x16, 3, 1, 2, 0)],
  ['zeros', 'magic', new Uint8Array(40)],
])('%s is a fault: %s, in one piece and byte by byte', (_name, code, bytes) => {
  for (const size of [bytes.length, 1]) {
    const { frames, faults, decoder } = reader()
    for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size))
    decoder.push(good)
    decoder.end()
    const wanted = code === 'truncated' ? faults.length > 0 : faults[0]?.code === code
    expect(wanted, JSON.stringify(faults)).toBe(true)
    expect(faults).toHaveLength(1)
    expect(frames).toEqual([])
  }
})

it.each<[string, Uint8Array]>([
  ['a header', good.subarray(0, 9)],
  ['a body', good.subarray(0, good.length - 1)],
])('an end within %s is a fault', (_name, bytes) => {
  const { faults, decoder } = reader()
  decoder.push(bytes)
  decoder.end()
  expect(faults.map((fault) => fault.code)).toEqual(['truncated'])
})

it('an end between two frames is none', () => {
  const { frames, faults, decoder } = reader()
  decoder.push(good)
  decoder.end()
  expect([frames.length, faults.length]).toEqual([1, 0])
})

it('a frame that is not admitted allocates nothing', () => {
  const { frames, faults, decoder } = reader((type, bytes) => (bytes > 10 ? `type ${type}` : null))
  decoder.push(good)
  expect(faults).toEqual([{ code: 'type', message: 'type 32' }])
  expect(frames).toEqual([])
  expect(decoder.heldBytes).toBe(0)
})

it('a large body is held as it arrives, not as it is announced', () => {
  const large = encodeFrame(FRAME.CHUNK, new Uint8Array(BODY_BYTES_MAX).fill(7))
  const { frames, faults, decoder } = reader()
  for (let at = 0; at < large.length; at += 60_000) {
    decoder.push(large.subarray(at, at + 60_000))
    expect(decoder.heldBytes).toBeLessThanOrEqual(Math.max(65_536, 2 * (at + 60_000)))
  }
  expect(faults).toEqual([])
  expect(frames[0]?.body).toHaveLength(BODY_BYTES_MAX)
})

it('nothing comes out once it is stopped, even from within a frame', () => {
  let count = 0
  const decoder: FrameDecoder = new FrameDecoder({
    admit: () => null,
    onFrame: () => {
      count += 1
      decoder.stop()
    },
    onFault: () => expect.unreachable(),
  })
  decoder.push(join([good, good, ascii('garbage')]))
  decoder.end()
  expect(count).toBe(1)
})

it('random bytes, and frames with a damaged byte, never throw and hold little', () => {
  const damaged = fc
    .tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }))
    .map(([at, flip]) => changed(at, (good[at] as number) ^ flip))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), fc.nat(20), (bytes, cut) => {
      const { frames, faults, decoder } = reader()
      decoder.push(bytes.subarray(0, cut))
      decoder.push(bytes.subarray(cut))
      expect(decoder.heldBytes).toBeLessThanOrEqual(64 * 1024)
      decoder.end()
      expect(frames).toEqual([])
      expect(faults.length).toBe(bytes.length === 0 ? 0 : 1)
    }),
    { numRuns: 500 },
  )
})

it('a client of HTTP is told about egctl in one line', () => {
  const [head, line] = Buffer.from(strangerAnswer('http') as Uint8Array)
    .toString()
    .split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 400 /)
  expect(line).toContain('egctl')
  expect(line?.match(/\n/g)).toHaveLength(1)
  expect(head).toContain(`Content-Length: ${line?.length}`)
  const h2 = Buffer.from(strangerAnswer('http2') as Uint8Array)
  expect([h2.readUIntBE(0, 3), h2[3], h2[9 + 3]]).toEqual([0, 4, 7])
  expect(h2.readUIntBE(9, 3)).toBe(h2.length - 18)
  expect(h2.toString('latin1')).toContain('egctl')
  expect(strangerAnswer('magic')).toBe(null)
})
