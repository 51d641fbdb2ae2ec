/** The bench itself: a short run through the command that users have, with real servers. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildNativeBench, MissingToolError } from '../../scripts/bench/native.js'
import { EGCTL, ROOT } from './support/paths.js'

function missing(): string | null {
  try {
    buildNativeBench(ROOT, () => {})
    return null
  } catch (thrown) {
    if (thrown instanceof MissingToolError) return thrown.message
    throw thrown
  }
}

const reason = missing()
if (reason !== null) process.stderr.write(`bench: not tested: ${reason}\n`)

const bench = (...words: readonly string[]) =>
  spawnSync(process.execPath, [EGCTL, 'bench', ...words], {
    encoding: 'utf8',
    env: { ...process.env, CI: 'true' },
    timeout: 55_000,
  })

interface Results {
  readonly scenarios: readonly {
    readonly name: string
    readonly failure: string | null
    readonly phases: readonly {
      readonly series: readonly {
        readonly name: string
        readonly rounds: readonly { readonly requests: number; readonly cpuSeconds: number }[]
      }[]
    }[]
  }[]
}

it.skipIf(reason !== null)('egctl bench measures, judges, and writes what it found', () => {
  const folder = mkdtempSync(join(tmpdir(), 'easegress-bench-run-'))
  try {
    const short = ['--quick', '--rounds', '2', '--seconds', '0.2', '--connections', '8']
    const done = bench('--scenario', 'mock', '--peer', 'nginx', ...short, '--out', folder)
    expect(done.status, done.stderr).toBe(0)
    expect(done.stdout).toContain('CPU µs/request')
    const text = readFileSync(join(folder, 'results.json'), 'utf8')
    const { scenarios } = JSON.parse(text) as Results
    expect(scenarios).toMatchObject([{ name: 'mock', failure: null }])
    const [closed, open] = scenarios[0]?.phases ?? []
    for (const phase of [closed, open]) {
      const ours = phase?.series.find(({ name }) => name === 'easegress-ts')
      expect(ours?.rounds).toHaveLength(2)
      for (const round of ours?.rounds ?? []) {
        expect(round.requests).toBeGreaterThan(0)
        expect(round.cpuSeconds).toBeGreaterThan(0)
      }
    }
    expect(readFileSync(join(folder, 'results.html'), 'utf8')).toContain('<polyline')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.skipIf(reason !== null)(
  'egctl bench lists its scenarios, and refuses what it does not know',
  () => {
    const list = bench('--list')
    expect(list.status).toBe(0)
    expect(list.stdout).toMatch(/^proxy +GET, proxied/m)
    const wrong = bench('--scenario', 'nonsense')
    expect(wrong.status).toBe(2)
    expect(wrong.stderr).toContain('there is no nonsense; there are proxy, ')
  },
)
