/** A broken rule of the protocol or of the caller's duties; whoever drives the core must stop. */
export class RaftAssertionError extends Error {
  override readonly name = 'RaftAssertionError'
}

/**
 * Throws {@link RaftAssertionError} unless `condition` holds. Always on: a consensus core that goes
 * on after a broken rule can only make the damage permanent. The message is a function where
 * building it would cost something on a path that is taken for every message.
 */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (condition) return
  throw new RaftAssertionError(typeof message === 'string' ? message : message())
}

/** Makes an unhandled member of a union a compile error. */
export function unreachable(value: never): never {
  throw new RaftAssertionError(`unreachable: ${JSON.stringify(value)}`)
}
