import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BackOff, type FailurePolicy, isFailure, retryWaitMs } from './retry.js'

type RetryPolicy = BackOff & FailurePolicy

const policy = (over: Partial<RetryPolicy> = {}): RetryPolicy => ({
  waitDuration: 100,
  backOffPolicy: 'random',
  randomizationFactor: 0,
  countingNetworkError: false,
  failureStatusCodes: [],
  ...over,
})

it.each<[name: string, over: Partial<RetryPolicy>, statuses: number[], want: boolean]>([
  ['nothing without a rule', {}, [200, 404, 408, 499, 500, 502, 503, 504], false],
  ['listed codes', { failureStatusCodes: [404, 500] }, [404, 500], true],
  ['only listed codes', { failureStatusCodes: [404, 500] }, [200, 503, 400], false],
  ['network errors', { countingNetworkError: true }, [408, 499, 502, 503, 504], true],
  ['no other errors', { countingNetworkError: true }, [200, 400, 404, 500, 501, 505], false],
  ['both', { countingNetworkError: true, failureStatusCodes: [418] }, [418, 503], true],
])('failures: %s', (_name, over, statuses, want) => {
  for (const status of statuses) expect(isFailure(policy(over), status)).toBe(want)
})

it.each<[over: Partial<RetryPolicy>, attempt: number, random: number, want: number]>([
  [{}, 1, 0, 100],
  [{}, 1, 0.99, 100],
  [{}, 7, 0.5, 100],
  [{ backOffPolicy: 'exponential' }, 1, 0, 100],
  [{ backOffPolicy: 'exponential' }, 2, 0, 150],
  [{ backOffPolicy: 'exponential' }, 3, 0, 225],
  [{ randomizationFactor: 0.5 }, 1, 0, 50],
  [{ randomizationFactor: 0.5 }, 1, 0.5, 100],
  [{ randomizationFactor: 0.5 }, 1, 0.75, 125],
  [{ randomizationFactor: 1 }, 1, 0, 0],
  [{ randomizationFactor: 0.5, backOffPolicy: 'exponential' }, 2, 0, 75],
  [{ waitDuration: 0, randomizationFactor: 1 }, 3, 0.5, 0],
])('the wait of %j after run %i with %d is %d ms', (over, attempt, random, want) => {
  expect(retryWaitMs(policy(over), attempt, random)).toBeCloseTo(want, 9)
})

it('waits stay within their share of the base, and grow with the random number', () => {
  const policies = fc.record({
    waitDuration: fc.double({ min: 0, max: 60_000, noNaN: true }),
    backOffPolicy: fc.constantFrom('random' as const, 'exponential' as const),
    randomizationFactor: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(policies, fc.integer({ min: 1, max: 100 }), random, random, (over, n, r, s) => {
      const retry = policy(over)
      const grows = over.backOffPolicy === 'exponential'
      const base = over.waitDuration * (grows ? 1.5 ** (n - 1) : 1)
      const wait = retryWaitMs(retry, n, Math.min(r, s))
      const slack = base * 1e-9
      expect(wait).toBeGreaterThanOrEqual(base * (1 - over.randomizationFactor) - slack)
      expect(wait).toBeLessThanOrEqual(base * (1 + over.randomizationFactor) + slack)
      expect(wait).toBeLessThanOrEqual(retryWaitMs(retry, n, Math.max(r, s)) + slack)
    }),
  )
})

it('waits within the share around the base, whatever is drawn, and grows by half', () => {
  const numbers = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const waits = fc.integer({ min: 0, max: 60_000 })
  fc.assert(
    fc.property(
      waits,
      numbers,
      numbers,
      fc.integer({ min: 1, max: 20 }),
      (base, share, random, attempt) => {
        const of = (backOffPolicy: BackOff['backOffPolicy']): number =>
          retryWaitMs(
            { waitDuration: base, backOffPolicy, randomizationFactor: share },
            attempt,
            random,
          )
        // The model: what the k-th wait may be, by the words of compat/traffic-v2.md §5.2.
        for (const [policy, growth] of [
          ['random', 1],
          ['exponential', 1.5 ** (attempt - 1)],
        ] as const) {
          const wait = of(policy)
          const middle = base * growth
          expect(wait).toBeGreaterThanOrEqual(middle * (1 - share) - 1e-6 * middle)
          expect(wait).toBeLessThanOrEqual(middle * (1 + share) + 1e-6 * middle)
          if (share === 0) expect(wait).toBe(middle)
        }
      },
    ),
  )
})
