/**
 * Whether a history of one register could have happened one operation at a time (Herlihy and Wing
 * 1990): the search of Wing and Gong (1993) with the memory that Lowe (2017) gave it, as Porcupine
 * has it. Exponential at worst, so for short histories; the second judge beside `history.ts`.
 */

/** What was done to a register, and what came of it. Times are places in one order. */
export interface RegisterOp {
  readonly startedAt: number
  /** Infinity: nobody knows when, or whether, it happened. */
  readonly endedAt: number
  /** Writes `value` if the register holds `expected` (undefined: whatever it holds). */
  readonly write: { readonly value: string | null; readonly expected?: string | null } | null
  /** What was seen: undefined for nothing; for a failed compare, what it found. */
  readonly saw?: string | null
  /** Of a compare: whether it held; null when nobody knows. */
  readonly held?: boolean | null
}

/** Null: it is linearizable. Else a sentence. `stepsMax` bounds the search; beyond it, null. */
export function registerProblem(
  ops: readonly RegisterOp[],
  initial: string | null = null,
  stepsMax = 200_000,
): string | null {
  const sorted = [...ops].sort((a, b) => a.startedAt - b.startedAt)
  const must = sorted.filter((op) => op.endedAt !== Number.POSITIVE_INFINITY).length
  const seen = new Set<string>()
  let steps = 0

  /** `done`: which have happened; `left`: how many are still to be placed that must be. */
  const search = (done: Uint8Array, state: string | null, left: number): boolean => {
    if (left === 0) return true
    steps += 1
    if (steps > stepsMax) return true
    const key = `${Buffer.from(done).toString('latin1')}|${state ?? '\u0000'}`
    if (seen.has(key)) return false
    seen.add(key)
    // None may be placed that started after another one, not placed, had ended.
    let firstEnd = Number.POSITIVE_INFINITY
    for (let at = 0; at < sorted.length; at++) {
      const op = sorted[at] as RegisterOp
      if (done[at] === 0 && op.endedAt < firstEnd) firstEnd = op.endedAt
    }
    for (let at = 0; at < sorted.length; at++) {
      const op = sorted[at] as RegisterOp
      if (op.startedAt > firstEnd) break
      if (done[at] !== 0) continue
      const next = after(op, state)
      if (next === undefined) continue
      done[at] = 1
      const counts = op.endedAt === Number.POSITIVE_INFINITY ? 0 : 1
      if (search(done, next, left - counts)) return true
      done[at] = 0
    }
    return false
  }
  if (search(new Uint8Array(sorted.length), initial, must)) return null
  return `no order of these ${ops.length} operations explains what was seen`
}

/** The state after it; undefined when it cannot happen in this state. */
function after(op: RegisterOp, state: string | null): string | null | undefined {
  const { write, saw, held } = op
  if (write === null) return saw === undefined || saw === state ? state : undefined
  const holds = write.expected === undefined || write.expected === state
  if (held !== undefined && held !== null && held !== holds) return undefined
  if (!holds) return saw === undefined || saw === state ? state : undefined
  return write.value
}
