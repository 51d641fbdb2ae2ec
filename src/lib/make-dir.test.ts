import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeDir } from './make-dir.js'

it('makes what is missing, and says what came first', () => {
  const dir = mkdtempSync(join(tmpdir(), 'make-dir-'))
  try {
    expect(makeDir(dir)).toBeUndefined()
    expect(makeDir(join(dir, 'a', 'b', 'c'))).toBe(join(dir, 'a'))
    expect(statSync(join(dir, 'a', 'b', 'c')).mode & 0o777).toBe(0o700)
    expect(makeDir(join(dir, 'a', 'b', 'd'))).toBe(join(dir, 'a', 'b', 'd'))
    writeFileSync(join(dir, 'file'), '')
    expect(() => makeDir(join(dir, 'file'))).toThrow('EEXIST')
    expect(() => makeDir(join(dir, 'file', 'x'))).toThrow()
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('ends where the system makes none', () => {
  expect(() => makeDir('/proc/closed/data')).toThrow('ENOENT')
})
