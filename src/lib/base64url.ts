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
