const ALPHABET = /^[A-Za-z0-9_-]*$/
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Reads base64url without padding (RFC 7515 §2), strictly: no other alphabet, no padding, no white
 * space, and no bits left over that are not zero, so each sequence of bytes has one spelling. Null
 * when it is anything else. `Buffer.from` alone would skip what it does not know.
 */
export function decodeBase64url(text: string): Buffer | null {
  const rest = text.length % 4
  if (rest === 1 || !ALPHABET.test(text)) return null
  if (rest !== 0) {
    const unusedBits = rest === 2 ? 0b1111 : 0b11
    if ((DIGITS.indexOf(text[text.length - 1] as string) & unusedBits) !== 0) return null
  }
  return Buffer.from(text, 'base64url')
}

const ASCII_CHARS_MAX = 16_384
const asciiBytes = Buffer.alloc((ASCII_CHARS_MAX / 4) * 3)
/** By code of a digit: its six bits; -1 for all that are none. */
const VALUES = Int32Array.from({ length: 256 }, (_, code) =>
  DIGITS.indexOf(String.fromCharCode(code)),
)

/**
 * What {@link decodeBase64url} gives, as text, when all of it is ASCII and `text` has at most 16,384
 * characters; null for all else. Half as long as in steps for the payload of a token: it is read
 * once, and nothing but the result is made.
 */
export function asciiOfBase64url(text: string): string | null {
  const { length } = text
  const rest = length % 4
  if (rest === 1 || length > ASCII_CHARS_MAX) return null
  const whole = length - rest
  let seen = 0
  let to = 0
  for (let at = 0; at < whole; at += 4) {
    const bits =
      (valueAt(text, at) << 18) |
      (valueAt(text, at + 1) << 12) |
      (valueAt(text, at + 2) << 6) |
      valueAt(text, at + 3)
    // The sign: one of them was no digit.
    seen |= bits
    asciiBytes[to] = bits >> 16
    asciiBytes[to + 1] = bits >> 8
    asciiBytes[to + 2] = bits
    to += 3
  }
  if (rest !== 0) {
    const third = rest === 3 ? valueAt(text, whole + 2) : 0
    const bits = (valueAt(text, whole) << 18) | (valueAt(text, whole + 1) << 12) | (third << 6)
    // Left over, and not zero.
    if ((bits & (rest === 2 ? 0xffff : 0xff)) !== 0) return null
    seen |= bits
    asciiBytes[to] = bits >> 16
    asciiBytes[to + 1] = bits >> 8
    to += rest - 1
  }
  return seen < 0 || (seen & 0x80_80_80) !== 0 ? null : asciiBytes.toString('latin1', 0, to)
}

function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code > 0xff ? -1 : (VALUES[code] as number)
}
