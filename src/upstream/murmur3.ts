const MASK = (1n << 64n) - 1n
const C1 = 0x87c37b91114253d5n
const C2 = 0x4cf5ad432745937fn

const rotl = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK

function finalMix(value: bigint): bigint {
  let k = value
  k = ((k ^ (k >> 33n)) * 0xff51afd7ed558ccdn) & MASK
  k = ((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK
  return k ^ (k >> 33n)
}

/** The first 64 bits of MurmurHash3_x64_128 with seed 0 (Appleby), as an unsigned number. */
export function murmur64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { length } = bytes
  const blocks = Math.floor(length / 16)
  let h1 = 0n
  let h2 = 0n
  for (let i = 0; i < blocks; i++) {
    const k1 = view.getBigUint64(16 * i, true)
    const k2 = view.getBigUint64(16 * i + 8, true)
    h1 ^= (rotl((k1 * C1) & MASK, 31n) * C2) & MASK
    h1 = (((rotl(h1, 27n) + h2) & MASK) * 5n + 0x52dce729n) & MASK
    h2 ^= (rotl((k2 * C2) & MASK, 33n) * C1) & MASK
    h2 = (((rotl(h2, 31n) + h1) & MASK) * 5n + 0x38495ab5n) & MASK
  }
  const tail = length - 16 * blocks
  if (tail > 8) h2 ^= (rotl((read(bytes, 16 * blocks + 8, length) * C2) & MASK, 33n) * C1) & MASK
  if (tail > 0) {
    const end = Math.min(length, 16 * blocks + 8)
    h1 ^= (rotl((read(bytes, 16 * blocks, end) * C1) & MASK, 31n) * C2) & MASK
  }
  h1 ^= BigInt(length)
  h2 ^= BigInt(length)
  h1 = (h1 + h2) & MASK
  h2 = (h2 + h1) & MASK
  return (finalMix(h1) + finalMix(h2)) & MASK
}

/** Up to eight bytes, little-endian. */
function read(bytes: Uint8Array, from: number, to: number): bigint {
  let value = 0n
  for (let at = to - 1; at >= from; at--) value = (value << 8n) | BigInt(bytes[at] as number)
  return value
}
