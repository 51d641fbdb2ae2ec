import { GatewayError } from '../lib/errors.js'
import { type BoardLimits, entryBytes, publicationProblem } from './board.js'
import type { Batch, Put } from './messages.js'

interface Said {
  readonly value: Uint8Array
  readonly ttlMs: number
  readonly seq: number
  readonly bytes: number
}

/** A thing said; outdated once it was said again, or withdrawn. */
interface Line {
  readonly key: string
  readonly seq: number
}

/** Outdated lines that are kept at most, beside as many as there are others. */
const OUTDATED_MAX = 64

/** Withdrawn keys that are remembered; beyond them, who lags behind starts anew. */
const GONE_MAX = 4096

/**
 * What this node says, in the order in which it was said last. Every change has a number, so that
 * whoever knows everything up to one number is told the rest.
 */
export class Publisher {
  readonly #limits: BoardLimits
  /** Rising `seq`: an entry that changes goes to the end. */
  readonly #said = new Map<string, Said>()
  /** The same by number, so that the last of many are found without a look at all. */
  #lines: Line[] = []
  readonly #gone = new Map<string, number>()
  /** What was withdrawn up to here may be forgotten. */
  #forgottenUpTo = 0
  #seq = 0
  #bytes = 0

  constructor(limits: BoardLimits) {
    this.#limits = limits
  }

  /** Number of the last change. */
  get seq(): number {
    return this.#seq
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): Uint8Array | null {
    return this.#said.get(key)?.value ?? null
  }

  /** True when that is news. Throws as `Board.publish` does. */
  publish(key: string, value: Uint8Array, ttlMs: number): boolean {
    const problem = publicationProblem(key, value, ttlMs)
    if (problem !== null) throw new GatewayError('REQUEST_INVALID', problem)
    const before = this.#said.get(key)
    if (before !== undefined && before.ttlMs === ttlMs && isEqual(before.value, value)) return false
    const bytes = entryBytes(key, value)
    const sum = this.#bytes - (before?.bytes ?? 0) + bytes
    const count = this.#said.size + (before === undefined ? 1 : 0)
    if (sum > this.#limits.bytesMax || count > this.#limits.keysMax) {
      throw new GatewayError(
        'OVERLOADED',
        `a node may say ${this.#limits.keysMax} things of ${this.#limits.bytesMax} bytes in all on the board`,
        { key },
      )
    }
    this.#said.delete(key)
    this.#gone.delete(key)
    this.#said.set(key, { value: new Uint8Array(value), ttlMs, seq: ++this.#seq, bytes })
    this.#bytes = sum
    this.#lines.push({ key, seq: this.#seq })
    if (this.#lines.length > 2 * this.#said.size + OUTDATED_MAX) {
      this.#lines = [...this.#said].map(([said, { seq }]) => ({ key: said, seq }))
    }
    return true
  }

  /** True when it was said. */
  withdraw(key: string): boolean {
    const before = this.#said.get(key)
    if (before === undefined) return false
    this.#said.delete(key)
    this.#bytes -= before.bytes
    this.#gone.set(key, ++this.#seq)
    if (this.#gone.size > GONE_MAX) {
      const [[oldest, seq]] = this.#gone as unknown as [[string, number]]
      this.#gone.delete(oldest)
      this.#forgottenUpTo = seq
    }
    return true
  }

  /** Whether who knows everything up to `seq` can be told the rest; else it starts from 0. */
  canContinue(seq: number): boolean {
    return seq === 0 || seq >= this.#forgottenUpTo
  }

  /** The next changes after `from`, about `bytesMax` bytes of them, one at least if there is any. */
  batch(sync: number, from: number, bytesMax: number): Batch {
    if (from === this.#seq) return { sync, from, to: from, puts: [], deletes: [] }
    const puts: Put[] = []
    let bytes = 0
    let to = this.#seq
    for (let at = this.#lineAfter(from); at < this.#lines.length; at++) {
      const { key, seq } = this.#lines[at] as Line
      const said = this.#said.get(key)
      if (said?.seq !== seq) continue
      const { value, ttlMs, bytes: weight } = said
      if (puts.length > 0 && bytes + weight > bytesMax) {
        to = seq - 1
        break
      }
      puts.push([key, value, ttlMs])
      bytes += weight
    }
    // Who starts from 0 has nothing that could have gone.
    const gone = from === 0 ? [] : [...this.#gone].filter(([, seq]) => seq > from && seq <= to)
    return { sync, from, to, puts, deletes: gone.map(([key]) => key) }
  }

  /** The first line of a higher number, by bisection. */
  #lineAfter(seq: number): number {
    let low = 0
    let high = this.#lines.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#lines[middle] as Line).seq <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  /** All of it, for a reading without a leader. */
  *entries(prefix: string): Generator<readonly [key: string, value: Uint8Array]> {
    const keys = [...this.#said.keys()].filter((key) => key.startsWith(prefix)).sort()
    for (const key of keys) yield [key, (this.#said.get(key) as Said).value]
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, at) => byte === b[at])
}
