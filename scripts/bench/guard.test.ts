import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { baseCommit, verdictOf } from './guard.js'
import { BenchOptionError } from './options.js'

it.each([
  [1.052, 1.01, 1.09, 'slower by 5.2 % (95 % interval 1.0 % … 9.0 %)'],
  [1.052, 1, 1.09, 'no difference found (95 % interval 0.0 % … 9.0 %)'],
  [0.9, 0.85, 0.99, 'faster by 10.0 % (95 % interval -15.0 % … -1.0 %)'],
  [0.9, 0.85, 1.02, 'no difference found (95 % interval -15.0 % … 2.0 %)'],
])('a ratio of %d in %d … %d is %s', (median, low, high, want) => {
  expect(verdictOf({ median, low, high })).toBe(want)
})

it('compares with the last release tag, or with the commit that is named', () => {
  const root = mkdtempSync(join(tmpdir(), 'easegress-guard-test-'))
  const git = (...args: string[]): string => {
    const name = ['-c', 'user.name=t', '-c', 'user.email=t@example.com']
    const done = spawnSync('git', ['-C', root, ...name, ...args], { encoding: 'utf8' })
    expect(done.status, done.stderr).toBe(0)
    return done.stdout.trim()
  }
  const commit = (text: string): string => {
    git('commit', '-q', '--allow-empty', '-m', text)
    return git('rev-parse', 'HEAD')
  }
  try {
    git('init', '-q')
    const first = commit('one')
    expect(() => baseCommit(root, null)).toThrow(BenchOptionError)
    expect(() => baseCommit(root, null)).toThrow('--base')
    git('tag', 'v0.1.0')
    const second = commit('two')
    git('tag', 'not-a-release')
    expect(baseCommit(root, null)).toBe(first)
    expect(baseCommit(root, 'HEAD')).toBe(second)
    expect(baseCommit(root, first.slice(0, 10))).toBe(first)
    for (const wrong of ['nonsense', '', '--all', 'HEAD~9']) {
      expect(() => baseCommit(root, wrong), wrong).toThrow(BenchOptionError)
    }
  } finally {
    rmSync(root, { recursive: true })
  }
})
