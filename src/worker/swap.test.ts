import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Built, LiveObject } from './build.js'
import { planSwap } from './swap.js'

interface Known {
  readonly name: string
  readonly createdVersion: number
}

const object = ({ name, createdVersion }: Known): LiveObject => ({
  name,
  createdVersion,
  kind: 'Demo',
  runtime: { commit: () => {}, withdraw: () => {}, retire: () => {} },
  keys: { words: [], caps: [], stats: [] },
})

const name = fc.constantFrom<string>('a', 'b', 'c', 'd', 'e')
const known = fc.record({ name, createdVersion: fc.nat(2) })
const objects = fc.uniqueArray(known, { selector: (each) => each.name })

/** What is live, and what of it a change builds, fails to build, and takes away. */
const change = fc.record({
  live: objects,
  built: objects,
  failed: objects,
  deletes: fc.option(fc.uniqueArray(name), { nil: null }),
})

const names = (all: readonly { readonly name: string }[]): string[] => all.map((o) => o.name).sort()

it('what is deleted, absent or another object of that name goes; all that is built comes', async () => {
  await fc.assert(
    fc.asyncProperty(change, async ({ live: before, built: come, failed: bad, deletes }) => {
      const live = new Map(before.map((each) => [each.name, object(each)]))
      const failed = bad
        .filter((each) => come.every((other) => other.name !== each.name))
        .map((each) => ({ ...each, error: 'x' }))
      const built: Built = { objects: come.map(object), failed }
      const swap = await planSwap(live, built, deletes)

      const isNamed = (each: Known): boolean =>
        [...come, ...failed].some((other) => other.name === each.name)
      const isAnother = (each: Known): boolean =>
        [...come, ...failed].some(
          (other) => other.name === each.name && other.createdVersion !== each.createdVersion,
        )
      const isGone = (each: Known): boolean =>
        deletes === null ? !isNamed(each) : deletes.includes(each.name)
      const isReplaced = (each: Known): boolean => come.some((other) => other.name === each.name)

      const withdrawn = new Set(swap.withdrawn)
      expect(withdrawn.size).toBe(swap.withdrawn.length)
      expect(names([...live.values()].filter(({ runtime }) => withdrawn.has(runtime)))).toEqual(
        names(before.filter((each) => isGone(each) || isAnother(each))),
      )
      expect(names(swap.replaced)).toEqual(
        names(before.filter((each) => isGone(each) || isAnother(each) || isReplaced(each))),
      )
      expect(swap.committed).toEqual(built.objects.map(({ runtime }) => runtime))
    }),
  )
})
