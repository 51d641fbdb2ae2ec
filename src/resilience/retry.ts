/** Statuses that `countingNetworkError` adds to the failures (compat/traffic-v1.md §2.5). */
const NETWORK_ERRORS: ReadonlySet<number> = new Set([408, 499, 502, 503, 504])

const GROWTH = 1.5

export interface FailurePolicy {
  readonly countingNetworkError: boolean
  readonly failureStatusCodes: readonly number[]
}

/** How long to wait between runs. */
export interface BackOff {
  /** Before the second run, in ms. */
  readonly waitDuration: number
  readonly backOffPolicy: 'random' | 'exponential'
  readonly randomizationFactor: number
}

export function isFailure(policy: FailurePolicy, status: number): boolean {
  if (policy.failureStatusCodes.includes(status)) return true
  return policy.countingNetworkError && NETWORK_ERRORS.has(status)
}

/**
 * Milliseconds between run `attempt` (from 1) and the next. `random` in [0, 1) is spread over the
 * randomization factor's share below and above the base, which grows by half with each run when
 * the policy is exponential.
 */
export function retryWaitMs(policy: BackOff, attempt: number, random: number): number {
  const growth = policy.backOffPolicy === 'exponential' ? GROWTH ** (attempt - 1) : 1
  const baseMs = policy.waitDuration * growth
  const spreadMs = baseMs * policy.randomizationFactor
  return baseMs - spreadMs + 2 * spreadMs * random
}
