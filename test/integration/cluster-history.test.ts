/** The judge of the cluster tests, before it judges. */
import { expect, it } from 'vitest'
import { History } from './support/cluster-history.js'
import { sleep } from './support/wait.js'

/** Time passes between two steps. */
const step = (): Promise<void> => sleep(2)

it('finds nothing wrong with what one order explains', async () => {
  const history = new History()
  const first = history.write('a', '1')
  const lost = history.write('a', '2')
  await step()
  first(1)
  await step()
  const sentMs = performance.now()
  history.read('a', '2', 2, sentMs) // the one nobody heard of
  history.read('b', null, 2, sentMs)
  history.write('b', '1')(3)
  history.read('b', '1', 3, performance.now())
  void lost
  expect(history.problems()).toEqual([])
  expect(history.acknowledged).toBe(2)
  expect(history.finals().get('a')).toMatchObject({ value: '1', others: ['2'] })
})

it.each<[name: string, plant: (history: History) => Promise<void>, problem: RegExp]>([
  [
    'two writes with one version',
    async (history) => {
      history.write('a', '1')(1)
      history.write('b', '1')(1)
    },
    /both made version 1/,
  ],
  [
    'a version that is older than one acknowledged before',
    async (history) => {
      history.write('a', '1')(2)
      await step()
      history.write('b', '1')(1)
    },
    /b=1 made version 1 after a=1 had made 2/,
  ],
  [
    'a read that misses what was acknowledged',
    async (history) => {
      history.write('a', '1')(1)
      await step()
      history.read('a', '0', 0, performance.now())
    },
    /after version 1 had been acknowledged/,
  ],
  [
    'a write that is gone',
    async (history) => {
      history.write('a', '1')(1)
      history.write('a', '2')(2)
      await step()
      history.read('a', '1', 2, performance.now())
    },
    /gave 1, not 2 \(version 2\)/,
  ],
  [
    'an object that is gone',
    async (history) => {
      history.write('a', '1')(1)
      await step()
      history.read('a', null, 5, performance.now())
    },
    /gave null, not 1/,
  ],
  [
    'a value from nowhere',
    async (history) => {
      history.read('a', '7', 1, performance.now())
    },
    /which nobody wrote/,
  ],
])('finds %s', async (_name, plant, problem) => {
  const history = new History()
  await plant(history)
  expect(history.problems().join('\n')).toMatch(problem)
})
