/** Tokens remembered, in each of two generations, and how long one may be for that. */
const TOKENS_MAX = 1_024
const TOKEN_CHARS_MAX = 4_096

/** Whose a token is, and until when: milliseconds since the Unix epoch. */
export interface Identity {
  readonly sub: string
  readonly scope: string
  readonly expiresMs: number
}

interface Verdict extends Identity {
  readonly untilMs: number
}

/**
 * What a server said of tokens that are valid, for a while: at most 2,048 of them, of which the
 * oldest half goes when there are more. Refusals are not remembered: a token may become valid.
 */
export class VerdictCache {
  readonly #keptMs: number
  #recent = new Map<string, Verdict>()
  #older = new Map<string, Verdict>()

  constructor(keptMs: number) {
    this.#keptMs = keptMs
  }

  /** `nowMs`: milliseconds since the Unix epoch, here and below. Null when it is not known. */
  get(token: string, nowMs: number): Identity | null {
    const verdict = this.#recent.get(token) ?? this.#older.get(token) ?? null
    return verdict !== null && nowMs < verdict.untilMs ? verdict : null
  }

  set(token: string, identity: Identity, nowMs: number): void {
    if (token.length > TOKEN_CHARS_MAX) return
    if (this.#recent.size >= TOKENS_MAX && !this.#recent.has(token)) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    const untilMs = Math.min(nowMs + this.#keptMs, identity.expiresMs)
    this.#recent.set(token, { ...identity, untilMs })
  }
}
