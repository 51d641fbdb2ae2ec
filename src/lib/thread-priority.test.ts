import { readdirSync, readFileSync } from 'node:fs'
import { getPriority, release, setPriority } from 'node:os'
import { expect, it } from 'vitest'
import {
  giveWay,
  helpersGiveWay,
  helperThreads,
  waitForTurn,
  wakePromptly,
} from './thread-priority.js'

const isLinux = process.platform === 'linux'

it('the calling thread gives way, and not more than it does already', () => {
  const before = getPriority(0)
  giveWay()
  const lowered = getPriority(0)
  expect(lowered).toBe(isLinux ? Math.max(before, 10) : before)
  if (isLinux) setPriority(0, 12)
  giveWay()
  expect(getPriority(0)).toBe(isLinux ? Math.max(before, 12) : before)
  try {
    setPriority(0, before)
  } catch {
    // Only root may take it back; this thread ends with this file.
  }
})

it.each([
  ['the first five after the main one', 100, [100, 107, 101, 103, 102, 104, 105, 106]],
  [
    'without those that a later count of the system gave lower numbers',
    100,
    [3, 100, 101, 102, 103, 104, 105],
  ],
] as const)('helpers are %s', (_name, pid, threads) => {
  expect(helperThreads(pid, threads)).toEqual([101, 102, 103, 104, 105])
})

it('helpers give way, and no other thread does', () => {
  if (!isLinux) return
  const threads = readdirSync('/proc/self/task').map(Number)
  const before = threads.map((thread) => getPriority(thread))
  helpersGiveWay()
  const helpers = helperThreads(process.pid, threads)
  expect(helpers.length).toBeGreaterThan(0)
  for (const [i, thread] of threads.entries()) {
    const was = before[i] as number
    expect(getPriority(thread)).toBe(helpers.includes(thread) ? Math.max(was, 5) : was)
  }
})

it('a thread that is to be woken at once runs in short slices, with the priority it had', () => {
  const before = getPriority(0)
  wakePromptly()
  expect(getPriority(0)).toBe(before)
  // Kernels before 6.12, and those that do not tell, have nothing to compare.
  if (!isLinux) return
  const told = readFileSync('/proc/thread-self/sched', 'utf8')
  const [, slice] = /^se\.slice\s*:\s*(\d+)/m.exec(told) ?? []
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const isTold = slice !== undefined && (major > 6 || (major === 6 && minor >= 12))
  expect(isTold ? slice : '100000').toBe('100000')
})

it('a thread that waits for its turn is one of the batch policy, with the priority it had', () => {
  const before = getPriority(0)
  waitForTurn()
  expect(getPriority(0)).toBe(before)
  if (!isLinux) return
  const told = readFileSync('/proc/thread-self/sched', 'utf8')
  const [, policy] = /^policy\s*:\s*(\d+)/m.exec(told) ?? []
  expect(policy ?? '3').toBe('3')
})
