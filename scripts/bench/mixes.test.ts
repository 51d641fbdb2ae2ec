import { expect, it } from 'vitest'
import { varyingRequests } from './mixes.js'

it('requests vary: in their targets, in their fields, and in how many those are', () => {
  const entries = varyingRequests(100)
  expect(new Set(entries.map(({ path }) => path)).size).toBe(100)
  expect(new Set(entries.map(({ headers }) => JSON.stringify(headers))).size).toBe(100)
  const counts = new Set(entries.map(({ headers = {} }) => Object.keys(headers).length))
  expect(counts.size).toBeGreaterThan(2)
})

it('are the same in each run', () => {
  expect(varyingRequests(10)).toEqual(varyingRequests(10))
})
