import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildNativeBench, MissingToolError } from './native.js'

function inFolder(work: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), 'easegress-native-test-'))
  try {
    work(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

function withoutPrograms(work: () => void): void {
  const before = process.env['PATH']
  process.env['PATH'] = ''
  try {
    work()
  } finally {
    process.env['PATH'] = before
  }
}

const quiet = (): void => {}

it('says what is missing and how it is had', () =>
  inFolder((root) =>
    withoutPrograms(() => {
      const build = () => buildNativeBench(root, quiet)
      expect(build).toThrow(MissingToolError)
      expect(build).toThrow(/make and g\+\+.*apt-get install/)
    }),
  ))

it('takes what was built before when there is no compiler', () =>
  inFolder((root) =>
    withoutPrograms(() => {
      const folder = join(root, 'native-bench', 'build')
      mkdirSync(folder, { recursive: true })
      for (const name of ['loadgen', 'origin']) writeFileSync(join(folder, name), '')
      expect(buildNativeBench(root, quiet).loadgen).toBe(join(folder, 'loadgen'))
    }),
  ))

it('says when the sources are not there', () =>
  inFolder((root) => {
    expect(() => buildNativeBench(root, quiet)).toThrow(MissingToolError)
  }))
