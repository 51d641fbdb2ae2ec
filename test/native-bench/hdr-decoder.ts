import { inflateSync } from 'node:zlib'

const V2_COOKIE = 0x1c849303
const V2_COMPRESSED_COOKIE = 0x1c849304

/** The counts of a histogram by the highest value that each stands for, ascending. */
export type DecodedHistogram = {
  digits: number
  total: number
  counts: [value: number, count: number][]
}

/**
 * Decodes the compressed V2 form, written from the format's description (HdrHistogram,
 * AbstractHistogram.encodeIntoCompressedByteBuffer) and sharing nothing with the encoder.
 */
export function decodeHistogram(base64: string): DecodedHistogram {
  const outer = Buffer.from(base64, 'base64')
  if ((outer.readUInt32BE(0) & ~0xf0) >>> 0 !== V2_COMPRESSED_COOKIE)
    throw new Error('not compressed V2')
  const packed = outer.subarray(8, 8 + outer.readUInt32BE(4))
  const inner = inflateSync(packed)
  if ((inner.readUInt32BE(0) & ~0xf0) >>> 0 !== V2_COOKIE) throw new Error('not V2')
  const payload = inner.subarray(40, 40 + inner.readUInt32BE(4))
  if (payload.length !== inner.length - 40) throw new Error('wrong payload length')
  const digits = inner.readUInt32BE(12)
  const half = 2 ** (Math.ceil(Math.log2(2 * 10 ** digits)) - 1)
  const counts: [number, number][] = []
  let total = 0
  let index = 0
  for (let at = 0; at < payload.length; ) {
    const [value, next] = zigZagAt(payload, at)
    at = next
    if (value < 0) {
      index += -value
      continue
    }
    if (value > 0) counts.push([highestValueAt(index, half), value])
    total += value
    index += 1
  }
  return { digits, total, counts }
}

function zigZagAt(bytes: Buffer, from: number): [value: number, next: number] {
  let raw = 0n
  let at = from
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes.readUInt8(at++)
    if (shift === 56n) {
      raw |= BigInt(byte) << shift
      break
    }
    raw |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return [Number((raw >> 1n) ^ -(raw & 1n)), at]
}

/** Indexes run through the sub-buckets of the first bucket, then through the upper halves. */
function highestValueAt(index: number, half: number): number {
  const bucket = Math.max(0, Math.floor(index / half) - 1)
  const sub = bucket === 0 ? index : (index % half) + half
  return (sub + 1) * 2 ** bucket - 1
}

/** The value that `percentile` % of the values do not exceed. */
export function percentileOf(histogram: DecodedHistogram, percentile: number): number {
  const needed = Math.max(1, Math.ceil((percentile / 100) * histogram.total - 1e-9))
  let seen = 0
  for (const [value, count] of histogram.counts) {
    seen += count
    if (seen >= needed) return value
  }
  return 0
}
