import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import { JobPool, type JobPoolOptions } from './pool.js'

const url = await compileThreadFixture(new URL('./jobs.fixture.ts', import.meta.url))

async function using(
  options: Partial<JobPoolOptions>,
  test: (pool: JobPool) => Promise<void>,
): Promise<void> {
  const pool = new JobPool({ url, threadsMax: 1, queueMax: 8, timeoutMs: 20_000, ...options })
  try {
    await test(pool)
  } finally {
    await pool.close()
  }
}

const failureOf = (promise: Promise<unknown>): Promise<GatewayError> =>
  promise.then(
    () => expect.fail('it went well'),
    (thrown: unknown) => {
      expect(thrown).toBeInstanceOf(GatewayError)
      return thrown as GatewayError
    },
  )

it('runs a job by its name', () =>
  using({}, async (pool) => {
    expect(await pool.run('double', 21)).toBe(42)
  }))

it.each(['it broke', 'Task queue is at limit'])(
  'a job that throws "%s" fails as INTERNAL',
  (message) =>
    using({}, async (pool) => {
      const error = await failureOf(pool.run('fail', message))
      expect(error).toMatchObject({ code: 'INTERNAL', message })
      expect(await pool.run('double', 1)).toBe(2)
    }),
)

it('an unknown job fails as INTERNAL', () =>
  using({}, async (pool) => {
    expect((await failureOf(pool.run('no-such-job', 1))).code).toBe('INTERNAL')
    expect(await pool.run('double', 1)).toBe(2)
  }))

it('ends a job that takes too long; those behind it have their own time', () =>
  using({ timeoutMs: 1_000 }, async (pool) => {
    await pool.run('double', 1) // the thread is there
    const spinning = failureOf(pool.run('spin', null))
    const behind = [pool.run('double', 2), failureOf(pool.run('spin', null)), pool.run('double', 3)]
    const error = await spinning
    expect(error.code).toBe('TIMEOUT')
    expect(error.message).toBe('gave up after 1000 ms: spin')
    expect(await Promise.all(behind)).toMatchObject([4, { code: 'TIMEOUT' }, 6])
  }))

it('refuses more than may wait with OVERLOADED; what waits is done', () =>
  using({ queueMax: 2 }, async (pool) => {
    await pool.run('double', 1) // the thread is there
    const memory = new SharedArrayBuffer(4)
    const held = pool.run('wait', memory)
    const waiting = [pool.run<number>('double', 2), pool.run<number>('double', 3)]
    const error = await failureOf(pool.run('double', 4))
    expect(error).toMatchObject({ code: 'OVERLOADED', message: 'too many jobs wait: double' })
    Atomics.store(new Int32Array(memory), 0, 1)
    Atomics.notify(new Int32Array(memory), 0)
    expect(await held).toBe('done')
    expect(await Promise.all(waiting)).toEqual([4, 6])
  }))

it('jobs that run or wait when the pool closes fail', async () => {
  const failed: Promise<GatewayError>[] = []
  await using({}, async (pool) => {
    await pool.run('double', 1)
    failed.push(failureOf(pool.run('spin', null)), failureOf(pool.run('double', 1)))
  })
  expect((await Promise.all(failed)).map(({ code }) => code)).toEqual(['INTERNAL', 'INTERNAL'])
})
