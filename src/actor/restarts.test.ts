import { expect, it } from 'vitest'
import { type RestartOptions, Restarts } from './restarts.js'

it.each<[string, RestartOptions, crashes: number[], want: (number | null)[]]>([
  ['doubles within the window', {}, [0, 0, 0], [100, 200, 400]],
  ['never waits longer than the longest', { backoffMaxMs: 250 }, [0, 0, 0], [100, 200, 250]],
  ['gives up on one crash too many', { restartsMax: 2 }, [0, 1, 2], [100, 200, null]],
  ['forgets what left the window', { restartsMax: 1, windowMs: 10 }, [0, 10, 20], [100, 100, 100]],
  ['counts what is just inside', { restartsMax: 1, windowMs: 10 }, [0, 9], [100, null]],
  ['may allow none', { restartsMax: 0 }, [5], [null]],
])('Restarts: %s', (_name, options, crashes, want) => {
  const restarts = new Restarts(options)
  expect(crashes.map((atMs) => restarts.crashed(atMs))).toEqual(want)
  expect(restarts.total).toBe(crashes.length)
})
