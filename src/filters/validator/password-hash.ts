import { createHash, timingSafeEqual } from 'node:crypto'
import { compareSync } from 'bcryptjs'

/** How a password is kept; `slow` ones take a millisecond or much more to check. */
export type HashForm =
  | 'bcrypt'
  | 'apr1'
  | 'sha256-crypt'
  | 'sha512-crypt'
  | 'sha'
  | 'ssha'
  | 'plain'

/** Of what a password file has behind the name. */
export function formOf(kept: string): HashForm {
  if (/^\$2[aby]\$/.test(kept)) return 'bcrypt'
  if (kept.startsWith('$apr1$')) return 'apr1'
  if (kept.startsWith('$5$')) return 'sha256-crypt'
  if (kept.startsWith('$6$')) return 'sha512-crypt'
  if (kept.startsWith('{SHA}')) return 'sha'
  return kept.startsWith('{SSHA}') ? 'ssha' : 'plain'
}

/** Whether it has to be checked off the thread that serves requests. */
export function isSlow(kept: string): boolean {
  return !['sha', 'ssha', 'plain'].includes(formOf(kept))
}

/** More is not a password but an attack: `crypt` takes time by the square of the length. */
const PASSWORD_BYTES_MAX = 512
/** Of sha-crypt; its default is 5,000. */
const ROUNDS_MAX = 1_000_000

/** Whether `password` is the one that `kept` stands for; takes as long as its form wants. */
export function isPassword(kept: string, password: string): boolean {
  const bytes = Buffer.from(password)
  if (bytes.byteLength > PASSWORD_BYTES_MAX) return false
  switch (formOf(kept)) {
    case 'bcrypt':
      return compareSync(password, kept)
    case 'apr1':
      return isEqual(kept, apr1(bytes, saltIn(kept)))
    case 'sha256-crypt':
      return isShaCrypt(kept, bytes, 'sha256')
    case 'sha512-crypt':
      return isShaCrypt(kept, bytes, 'sha512')
    case 'sha':
      return isEqual(kept, `{SHA}${createHash('sha1').update(bytes).digest('base64')}`)
    case 'ssha': {
      const raw = Buffer.from(kept.slice('{SSHA}'.length), 'base64')
      const digest = createHash('sha1').update(bytes).update(raw.subarray(20)).digest()
      return raw.byteLength >= 20 && timingSafeEqual(raw.subarray(0, 20), digest)
    }
    default:
      return isEqual(kept, password)
  }
}

/** Takes the same time wherever the two differ. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

/** Between the second and the third dollar. */
function saltIn(kept: string): string {
  return kept.split('$')[2] ?? ''
}

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Six bits a character, lowest first. */
function encode(value: number, characters: number): string {
  let text = ''
  for (let left = value, i = 0; i < characters; i++, left >>>= 6) text += ALPHABET[left & 63]
  return text
}

function repeated(block: Uint8Array, length: number): Buffer {
  const out = Buffer.alloc(length)
  for (let i = 0; i < length; i++) out[i] = block[i % block.byteLength] as number
  return out
}

function hashOf(algorithm: string, ...parts: Uint8Array[]): Buffer {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The MD5 scheme of the Apache server (`htpasswd -m`), after Poul-Henning Kamp's of FreeBSD. */
function apr1(password: Buffer, saltText: string): string {
  const salt = Buffer.from(saltText.slice(0, 8))
  const inner = hashOf('md5', password, salt, password)
  const start = [password, Buffer.from('$apr1$'), salt, repeated(inner, password.byteLength)]
  for (let length = password.byteLength; length > 0; length >>= 1) {
    start.push((length & 1) === 1 ? Buffer.of(0) : password.subarray(0, 1))
  }
  let digest = hashOf('md5', ...start)
  for (let round = 0; round < 1_000; round++) {
    const parts: Buffer[] = [round % 2 === 1 ? password : digest]
    if (round % 3 !== 0) parts.push(salt)
    if (round % 7 !== 0) parts.push(password)
    parts.push(round % 2 === 1 ? digest : password)
    digest = hashOf('md5', ...parts)
  }
  let text = ''
  for (const [a, b, c] of APR1_ORDER) text += encode(threeBytes(digest, a, b, c), 4)
  return `$apr1$${salt}$${text}${encode(digest[11] as number, 2)}`
}

const APR1_ORDER: readonly (readonly [number, number, number])[] = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
]

function threeBytes(digest: Uint8Array, a: number, b: number, c: number): number {
  return ((digest[a] as number) << 16) | ((digest[b] as number) << 8) | (digest[c] as number)
}

const SHA_CRYPT = /^\$[56]\$(?:rounds=(\d+)\$)?([^$]{0,16})[^$]*\$[./0-9A-Za-z]+$/
const ROUNDS_DEFAULT = 5_000
const ROUNDS_MIN = 1_000

function isShaCrypt(kept: string, password: Buffer, algorithm: 'sha256' | 'sha512'): boolean {
  const found = SHA_CRYPT.exec(kept)
  if (found === null) return false
  const [, said, salt = ''] = found
  const rounds = said === undefined ? ROUNDS_DEFAULT : Math.max(ROUNDS_MIN, Number(said))
  if (rounds > ROUNDS_MAX) return false
  const digest = shaCrypt(password, Buffer.from(salt), rounds, algorithm)
  return isEqual(kept.slice(kept.lastIndexOf('$') + 1), digest)
}

/** Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"; gives the last part alone. */
function shaCrypt(
  password: Buffer,
  salt: Buffer,
  rounds: number,
  algorithm: 'sha256' | 'sha512',
): string {
  const size = password.byteLength
  const b = hashOf(algorithm, password, salt, password)
  const parts = [password, salt, repeated(b, size)]
  for (let length = size; length > 0; length >>= 1) parts.push((length & 1) === 1 ? b : password)
  let digest = hashOf(algorithm, ...parts)
  const p = repeated(hashOf(algorithm, ...new Array<Buffer>(size).fill(password)), size)
  const saltCount = 16 + (digest[0] as number)
  const ds = hashOf(algorithm, ...new Array<Buffer>(saltCount).fill(salt))
  const s = repeated(ds, salt.byteLength)
  for (let round = 0; round < rounds; round++) {
    const step: Buffer[] = [round % 2 === 1 ? p : digest]
    if (round % 3 !== 0) step.push(s)
    if (round % 7 !== 0) step.push(p)
    step.push(round % 2 === 1 ? digest : p)
    digest = hashOf(algorithm, ...step)
  }
  return algorithm === 'sha256' ? encode256(digest) : encode512(digest)
}

function encode256(digest: Buffer): string {
  let text = ''
  let [a, b, c] = [0, 10, 20]
  do {
    text += encode(threeBytes(digest, a, b, c), 4)
    ;[a, b, c] = [(a + 21) % 30, (b + 21) % 30, (c + 21) % 30]
  } while (a !== 0)
  return text + encode(((digest[31] as number) << 8) | (digest[30] as number), 3)
}

function encode512(digest: Buffer): string {
  let text = ''
  let [a, b, c] = [0, 21, 42]
  for (let group = 0; group < 21; group++) {
    text += encode(threeBytes(digest, a, b, c), 4)
    ;[a, b, c] = [(a + 22) % 63, (b + 22) % 63, (c + 22) % 63]
  }
  return text + encode(digest[63] as number, 2)
}
