import { getPriority, setPriority } from 'node:os'
import { expect, it } from 'vitest'
import { giveWay } from './thread-priority.js'

const isLinux = process.platform === 'linux'

it('the calling thread gives way, and not more than it does already', () => {
  const before = getPriority(0)
  giveWay()
  const lowered = getPriority(0)
  expect(lowered).toBe(isLinux ? Math.max(before, 5) : before)
  if (isLinux) setPriority(0, 7)
  giveWay()
  expect(getPriority(0)).toBe(isLinux ? Math.max(before, 7) : before)
  try {
    setPriority(0, before)
  } catch {
    // Only root may take it back; this thread ends with this file.
  }
})
