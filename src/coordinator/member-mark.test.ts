import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { createIdentity } from '../store/identity.js'
import { SimDisk } from '../store/sim-disk.js'
import { checkIdentityIsThere, isMarked, logIsGone, mark } from './member-mark.js'

it('a directory is marked once, for good', () => {
  const disk = new SimDisk(new Prng(1))
  expect(isMarked(disk)).toBe(false)
  mark(disk)
  expect(isMarked(disk)).toBe(true)
  const files = disk.list()
  mark(disk)
  expect(disk.list()).toEqual(files)
})

it('a disk that cannot be written is said to be so', () => {
  const disk = new SimDisk(new Prng(1))
  disk.failWhen = (call) => call === 'fdatasync'
  expect(() => mark(disk)).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }))
  expect(isMarked(disk)).toBe(false)
})

it('says which log is gone, and what to do', () => {
  expect(logIsGone('/data', 'eg-1').message).toMatch(
    /^the log in \/data\/log is gone.*"eg-1".*purge/,
  )
})

it('a member without its identity is refused; a new directory, and a whole one, are not', () => {
  const disk = new SimDisk(new Prng(1))
  checkIdentityIsThere(disk, 'eg-1')
  createIdentity(disk, { name: 'eg-1', incarnation: 'first' })
  mark(disk)
  checkIdentityIsThere(disk, 'eg-1')
  disk.remove('identity')
  expect(() => checkIdentityIsThere(disk, 'eg-1')).toThrow(/identity is gone.*"eg-1".*purge/)
})
