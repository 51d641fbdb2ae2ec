import type { Path } from './node.js'

/** Deeper than any schema; keeps the recursion of all that walks the value bounded. */
const DEPTH_MAX = 100
/** Twice what anybody writes into the largest text; hostile ones could have millions. */
const VALUES_MAX = 500_000
/** Only what is shared can make more of the largest text than this. */
const CHARACTERS_MAX = 16 * 1024 * 1024

export interface Pruned {
  /** A tree of its own: nothing in it is shared, its mappings inherit nothing. */
  readonly value: unknown
  /** Members that were there but empty; they count as missing. */
  readonly nulls: readonly Path[]
  /** Why the value cannot be looked at at all. */
  readonly problem: { readonly path: Path; readonly message: string } | null
}

class TooMuch extends Error {
  readonly path: Path

  constructor(message: string, path: Path) {
    super(message)
    this.path = path
  }
}

const NULLS_MAX = 1000

/**
 * Copies JSON-like data without the members of mappings that are null, as v1 does before it checks
 * anything. Refuses what is nested too deeply, what shared nodes blow up, and `__proto__` as a key.
 */
export function prune(value: unknown): Pruned {
  const pruner = new Pruner()
  try {
    return { value: pruner.copy(value), nulls: pruner.nulls, problem: null }
  } catch (thrown) {
    if (!(thrown instanceof TooMuch)) throw thrown
    return { value: undefined, nulls: [], problem: { path: thrown.path, message: thrown.message } }
  }
}

class Pruner {
  readonly nulls: Path[] = []
  readonly #path: (string | number)[] = []
  #values = 0
  #characters = 0

  copy(value: unknown): unknown {
    this.#values += 1
    if (this.#values > VALUES_MAX) this.#fail(`has more than ${VALUES_MAX} values`)
    if (typeof value === 'string') this.#count(value)
    if (typeof value !== 'object' || value === null) return value
    if (this.#path.length >= DEPTH_MAX) this.#fail(`nested more than ${DEPTH_MAX} levels deep`)
    return Array.isArray(value) ? this.#copyList(value) : this.#copyMapping(value)
  }

  #copyList(list: readonly unknown[]): unknown[] {
    const copy: unknown[] = []
    for (let i = 0; i < list.length; i++) {
      this.#path.push(i)
      copy.push(this.copy(list[i]))
      this.#path.pop()
    }
    return copy
  }

  #copyMapping(mapping: object): Record<string, unknown> {
    const copy: Record<string, unknown> = Object.create(null)
    for (const [key, value] of Object.entries(mapping)) {
      this.#count(key)
      this.#path.push(key)
      if (key === '__proto__') this.#fail('"__proto__" cannot be a key')
      if (value !== null && value !== undefined) copy[key] = this.copy(value)
      else if (this.nulls.length < NULLS_MAX) this.nulls.push([...this.#path])
      this.#path.pop()
    }
    return copy
  }

  #count(text: string): void {
    this.#characters += text.length
    if (this.#characters > CHARACTERS_MAX) this.#fail('its aliases make it too large')
  }

  #fail(message: string): never {
    throw new TooMuch(message, [...this.#path])
  }
}
