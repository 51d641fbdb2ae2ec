import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

it('no dead files, dead exports or unused dependencies (knip)', () => {
  const knip = join(ROOT, 'node_modules', 'knip', 'bin', 'knip.js')
  const done = spawnSync(process.execPath, [knip, '--no-progress'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  expect(done.stdout + done.stderr).toBe('')
  expect(done.status).toBe(0)
}, 60_000)
