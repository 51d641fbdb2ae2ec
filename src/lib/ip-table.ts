/**
 * An IP address as a number: IPv4 as a signed 32-bit integer (which engines keep unboxed), IPv6 as
 * a 128-bit bigint. IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is IPv4.
 */
export type Address = number | bigint

const DOT = 0x2e
const COLON = 0x3a
const ZERO = 0x30
const NINE = 0x39
const MAPPED = 0xffff

/** Set by {@link scanV4}; a number beside the range of results would cost a boxed value. */
let scannedV4 = 0
const words = new Uint16Array(8)

/**
 * Strict: four decimal parts without leading zeros (`010.1.1.1` is not an address), or RFC 4291
 * §2.2 without a zone. Null for all else.
 */
export function parseAddress(text: string): Address | null {
  if (scanV4(text, 0)) return scannedV4
  if (!scanV6(text)) return null
  const [a, b, c, d, e, f, g, h] = words as unknown as Words
  if ((a | b | c | d | e) === 0 && f === MAPPED) return (g << 16) | h
  const high = (BigInt(a) << 48n) | (BigInt(b) << 32n) | (BigInt(c) << 16n) | BigInt(d)
  const low = (BigInt(e) << 48n) | (BigInt(f) << 32n) | (BigInt(g) << 16n) | BigInt(h)
  return (high << 64n) | low
}

type Words = [number, number, number, number, number, number, number, number]

/** Reads an IPv4 address from `start` to the end of `text`. */
function scanV4(text: string, start: number): boolean {
  const { length } = text
  if (length - start < 7 || length - start > 15) return false
  let address = 0
  let at = start
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text.charCodeAt(at++) !== DOT) return false
    const partStart = at
    let value = 0
    for (; at < length && at - partStart < 3; at++) {
      const code = text.charCodeAt(at)
      if (code < ZERO || code > NINE) break
      value = value * 10 + code - ZERO
    }
    const digits = at - partStart
    if (digits === 0 || value > 255) return false
    if (digits > 1 && text.charCodeAt(partStart) === ZERO) return false
    address = (address << 8) | value
  }
  scannedV4 = address
  return at === length
}

/** Fills `words`. */
function scanV6(text: string): boolean {
  const { length } = text
  if (length < 2 || length > 45) return false
  let count = 0
  let gap = -1
  let at = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false
    gap = 0
    at = 2
  }
  while (at < length) {
    if (count === 8) return false
    const wordStart = at
    let value = 0
    for (; at < length && at - wordStart < 4; at++) {
      const digit = hexDigit(text.charCodeAt(at))
      if (digit < 0) break
      value = (value << 4) | digit
    }
    if (at === wordStart) return false
    if (at < length && text.charCodeAt(at) === DOT) {
      if (count > 6 || !scanV4(text, wordStart)) return false
      words[count++] = scannedV4 >>> 16
      words[count++] = scannedV4 & 0xffff
      break
    }
    words[count++] = value
    if (at === length) break
    if (text.charCodeAt(at++) !== COLON) return false
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false
      gap = count
      at += 1
    } else if (at === length) return false
  }
  if (gap < 0) return count === 8
  if (count === 8) return false
  words.copyWithin(8 - (count - gap), gap, count)
  words.fill(0, gap, 8 - (count - gap))
  return true
}

function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** A CIDR block; a lone address is a block of one. Bits behind the prefix mean nothing. */
interface Block {
  readonly address: Address
  /** 0..32 for IPv4, 0..128 for IPv6. */
  readonly prefixBits: number
}

const PREFIX_BITS = /^(?:0|[1-9][0-9]{0,2})$/

function parseBlock(text: string): Block | null {
  const slash = text.indexOf('/')
  const addressText = slash < 0 ? text : text.slice(0, slash)
  const address = parseAddress(addressText)
  if (address === null) return null
  const isMapped = typeof address === 'number' && addressText.includes(':')
  const bitsMax = addressText.includes(':') ? 128 : 32
  if (slash < 0) return { address, prefixBits: typeof address === 'number' ? 32 : 128 }
  const bitsText = text.slice(slash + 1)
  const prefixBits = Number(bitsText)
  if (!PREFIX_BITS.test(bitsText) || prefixBits > bitsMax) return null
  if (!isMapped) return { address, prefixBits }
  // A block that holds more than the mapped addresses is an IPv6 block.
  if (prefixBits >= 96) return { address, prefixBits: prefixBits - 96 }
  return { address: (BigInt(MAPPED) << 32n) | BigInt(address >>> 0), prefixBits }
}

/** An address or a CIDR block, strict as {@link parseAddress}. */
export function isIpOrCidr(text: string): boolean {
  return parseBlock(text) !== null
}

/**
 * A set of addresses and CIDR blocks: one hash set for each prefix length that occurs, so that a
 * look-up costs the same for ten blocks and for ten thousand.
 */
export class IpTable {
  readonly #shiftsV4: number[] = []
  readonly #setsV4: Set<number>[] = []
  readonly #shiftsV6: bigint[] = []
  readonly #setsV6: Set<bigint>[] = []
  #allV4 = false

  /** `entries` were checked with {@link isIpOrCidr}; throws RangeError for one that is not. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const block = parseBlock(entry)
      if (block === null) throw new RangeError(`expected an IP address or CIDR, got "${entry}"`)
      const { address, prefixBits } = block
      if (typeof address === 'bigint') this.#addV6(address, BigInt(128 - prefixBits))
      else if (prefixBits === 0)
        this.#allV4 = true // a shift by 32 is a shift by 0
      else this.#addV4(address, 32 - prefixBits)
    }
  }

  #addV4(address: number, shift: number): void {
    let index = this.#shiftsV4.indexOf(shift)
    if (index < 0) {
      index = this.#shiftsV4.push(shift) - 1
      this.#setsV4.push(new Set())
    }
    this.#setsV4[index]?.add(address >> shift)
  }

  #addV6(address: bigint, shift: bigint): void {
    let index = this.#shiftsV6.indexOf(shift)
    if (index < 0) {
      index = this.#shiftsV6.push(shift) - 1
      this.#setsV6.push(new Set())
    }
    this.#setsV6[index]?.add(address >> shift)
  }

  has(address: Address): boolean {
    if (typeof address === 'number') {
      if (this.#allV4) return true
      const shifts = this.#shiftsV4
      for (let i = 0; i < shifts.length; i++) {
        if ((this.#setsV4[i] as Set<number>).has(address >> (shifts[i] as number))) return true
      }
      return false
    }
    const shifts = this.#shiftsV6
    for (let i = 0; i < shifts.length; i++) {
      if ((this.#setsV6[i] as Set<bigint>).has(address >> (shifts[i] as bigint))) return true
    }
    return false
  }
}

/** A decoded `ipFilter`. */
export interface IpFilterSpec {
  readonly blockByDefault: boolean
  readonly allowIPs?: readonly string[] | undefined
  readonly blockIPs?: readonly string[] | undefined
}

/** The verdict of compat/traffic-v1.md §3.4: a list decides only when the other does not. */
export class IpFilter {
  readonly #allow: IpTable
  readonly #block: IpTable
  readonly #default: boolean

  constructor(spec: IpFilterSpec) {
    this.#allow = new IpTable(spec.allowIPs ?? [])
    this.#block = new IpTable(spec.blockIPs ?? [])
    this.#default = !spec.blockByDefault
  }

  /** Null stands for text that is no address. */
  allows(address: Address | null): boolean {
    if (address === null) return this.#default
    const allowed = this.#allow.has(address)
    return allowed === this.#block.has(address) ? this.#default : allowed
  }
}
