/**
 * `npm test`: format and lint, types, then every test. Each stage says what it took and what it
 * may take; what failed is told once more at the end, where it is looked for, and the last line
 * counts. `npm test -- unit` runs the named stages alone.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

interface Stage {
  readonly name: string
  readonly budgetSeconds: number
  run(): Promise<Counts> | Counts
}

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** What is worth reading of a failure. */
  readonly failures: readonly string[]
}

const LINES_TOLD = 40

const bin = (...path: string[]): string => join(ROOT, 'node_modules', ...path)

/** A command that passes or fails as a whole. */
function command(
  script: string,
  args: readonly string[],
  budgetSeconds: number,
): () => Promise<Counts> {
  return async () => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: ROOT,
      stdio: ['inherit', 'pipe', 'pipe'],
      timeout: budgetSeconds * 1000,
      killSignal: 'SIGKILL',
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        process.stdout.write(chunk)
        said += chunk.toString()
      })
    }
    const code = await new Promise((resolve) => child.on('close', resolve))
    if (code === 0) return { passed: 1, failed: 0, skipped: 0, failures: [] }
    return { passed: 0, failed: 1, skipped: 0, failures: said.trimEnd().split('\n') }
  }
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numFailedTestSuites: number
  readonly success: boolean
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[] | null
    }[]
  }[]
}

function failuresOf(report: VitestReport): string[] {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    if (status !== 'failed') return []
    const file = relative(ROOT, name)
    const tests = assertionResults.filter((test) => test.status === 'failed')
    if (tests.length === 0) return `${file}\n${message}`.split('\n')
    return tests.flatMap((test) =>
      [`${file}: ${test.fullName}`, ...(test.failureMessages ?? [])].join('\n').split('\n'),
    )
  })
}

function vitest(project: string, budgetSeconds: number): () => Counts {
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'easegress-test-'))
    const file = join(folder, 'report.json')
    try {
      const args = ['run', '--project', project, '--reporter=default', '--reporter=json']
      const done = spawnSync(
        process.execPath,
        [bin('vitest', 'vitest.mjs'), ...args, `--outputFile.json=${file}`],
        { cwd: ROOT, stdio: 'inherit', timeout: budgetSeconds * 1000, killSignal: 'SIGKILL' },
      )
      const report = JSON.parse(readFileSync(file, 'utf8')) as VitestReport
      // A file that cannot be loaded fails without a failed test.
      const failed = Math.max(report.numFailedTests, done.status === 0 && report.success ? 0 : 1)
      const { numPassedTests: passed, numPendingTests: skipped } = report
      return { passed, failed, skipped, failures: failuresOf(report) }
    } catch {
      return { passed: 0, failed: 1, skipped: 0, failures: ['over its budget, or never started'] }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

const STAGES: readonly Stage[] = [
  {
    name: 'lint',
    budgetSeconds: 60,
    run: command(
      bin('@biomejs', 'biome', 'bin', 'biome'),
      ['check', '--error-on-warnings', '.'],
      60,
    ),
  },
  {
    name: 'types',
    budgetSeconds: 90,
    run: command(bin('typescript', 'bin', 'tsc'), ['-p', 'test/tsconfig.json'], 90),
  },
  { name: 'tidy', budgetSeconds: 90, run: vitest('tidy', 90) },
  { name: 'unit', budgetSeconds: 300, run: vitest('unit', 300) },
  {
    name: 'sim',
    budgetSeconds: 180,
    run: command(join(ROOT, 'dist', 'scripts', 'sim.js'), ['--seconds', '120'], 180),
  },
  { name: 'native', budgetSeconds: 240, run: vitest('native', 240) },
  { name: 'integration', budgetSeconds: 780, run: vitest('integration', 780) },
]

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !STAGES.some((stage) => stage.name === name))
if (unknown.length > 0) {
  const known = STAGES.map((stage) => stage.name).join(', ')
  process.stderr.write(`no stage ${unknown.join(', ')}; there are ${known}\n`)
  process.exit(2)
}

const lines: string[] = []
const failures: string[] = []
const total = { passed: 0, failed: 0, skipped: 0 }
for (const stage of STAGES) {
  if (wanted.length > 0 && !wanted.includes(stage.name)) continue
  process.stdout.write(`\n== ${stage.name} (budget ${stage.budgetSeconds} s)\n`)
  const started = Date.now()
  const counts = await stage.run()
  const seconds = ((Date.now() - started) / 1000).toFixed(0)
  const { passed, failed, skipped } = counts
  lines.push(
    `${stage.name.padEnd(12)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed ` +
      `${String(skipped).padStart(4)} skipped   ${seconds} s of ${stage.budgetSeconds} s`,
  )
  if (failed > 0) {
    failures.push(`\n== what failed of ${stage.name}`, ...counts.failures.slice(-LINES_TOLD))
  }
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}
for (const line of failures) process.stdout.write(`${line}\n`)
process.stdout.write(`\n${lines.join('\n')}\n\n`)
const skippedText = total.skipped === 0 ? '' : `, ${total.skipped} skipped`
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skippedText}\n`)
process.exitCode = total.failed === 0 ? 0 : 1
