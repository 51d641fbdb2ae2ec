/**
 * What runs inside the simulator (`src/store/sim/`) takes time, chance and the outside world from
 * its caller: a seed that fails must fail again.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const SRC = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src')
const FOLDERS = ['raft', 'store', 'peer', 'board']

/** Where the real world is handed in; the simulator has others in their place. */
const DOORS: Readonly<Record<string, string>> = {
  'store/log-thread.ts': 'the entry of the log thread',
  'store/spawn-log-thread.ts': 'starts it',
  'store/data-dir-lock.ts': 'asks the kernel who owns a directory',
  'peer/node-transport.ts': 'sockets',
}

/** Modules of Node that only compute. */
const PURE_MODULES = ['node:crypto', 'node:zlib', 'node:buffer']

const BANNED: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bDate\b(?!\w)/, 'Time of lib/clock.ts'],
  [/\bperformance\b/, 'Time of lib/clock.ts'],
  [/\bsystemTime\b/, 'the Time that is handed in'],
  [/\bMath\.random\b/, 'the source of chance that is handed in'],
  [/\b(?:randomBytes|randomUUID|randomInt|randomFillSync|getRandomValues)\b/, 'the same'],
  [/\bset(?:Timeout|Interval|Immediate)\b/, 'Timers of lib/clock.ts'],
  [/\bprocess\.(?:nextTick|hrtime)\b|\bqueueMicrotask\b/, 'Timers, or what defers'],
  [/\bWeakRef\b|\bFinalizationRegistry\b/, 'nothing: collection has no order'],
  [/\blocaleCompare\b|\bIntl\b/, 'an order that is the same everywhere'],
  [
    /\bPromise\b|\basync (?:function|\(|[#\w]+\()|\bawait\b/,
    'callbacks, whose order is that of the messages',
  ],
]

/** Comments and strings may speak of anything. */
function codeOf(text: string): string[] {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/`(?:[^`\\]|\\.)*`/g, (literal) =>
      [...literal.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]).join(' '),
    )
    .split('\n')
}

function problemsOf(file: string, text: string): string[] {
  const problems: string[] = []
  for (const [at, line] of codeOf(text).entries()) {
    for (const [pattern, instead] of BANNED) {
      const found = pattern.exec(line)
      if (found !== null) problems.push(`${file}:${at + 1}: ${found[0]}; use ${instead}`)
    }
  }
  for (const [, specifier] of text.matchAll(/^(?:import|export)[^'"]*?from\s+'(node:[^']+)'/gm)) {
    if (!PURE_MODULES.includes(specifier as string)) problems.push(`${file}: imports ${specifier}`)
  }
  return problems
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sources(path)
    return /(?<!\.test|\.fixture)\.ts$/.test(entry.name) ? [path] : []
  })
}

/** Not run inside: a suite of promises for whoever has them, and the way out of callbacks. */
const OUTSIDE = ['store/contract-suite.ts', 'store/promise-store.ts']

const files = FOLDERS.flatMap((folder) => sources(join(SRC, folder)))
  .map((path) => relative(SRC, path))
  .filter((file) => !OUTSIDE.includes(file))

it('the doors to the real world are there', () => {
  for (const door of [...Object.keys(DOORS), ...OUTSIDE]) {
    expect(() => readFileSync(join(SRC, door)), door).not.toThrow()
  }
})

it('what is simulated has no clock, chance, timer or world of its own', () => {
  expect(files.length).toBeGreaterThan(80)
  const problems = files
    .filter((file) => !(file in DOORS))
    .flatMap((file) => problemsOf(file, readFileSync(join(SRC, file), 'utf8')))
  expect(problems).toEqual([])
})

it.each([
  ['a wall clock', 'const now = Date.now()'],
  ['a monotonic clock', 'const now = performance.now()'],
  ['chance', 'const n = Math.random()'],
  ['a timer', 'setTimeout(() => {}, 1)'],
  ['a promise', 'const p = Promise.resolve()'],
  ['a file', "import { readFileSync } from 'node:fs'"],
  ['a thread', "import { Worker } from 'node:worker_threads'"],
  ['chance within a template', `const s = \`a\${Math.random()}\``],
])('would notice %s', (_name, code) => {
  expect(problemsOf('x.ts', code)).not.toEqual([])
})

it.each([
  ['a comment', '// Date.now() and setTimeout are banned'],
  ['a comment of many lines', '/**\n * performance.now()\n */'],
  ['a string', "const s = 'Date.now()'"],
  ['a checksum', "import { crc32 } from 'node:zlib'"],
])('would not mind %s', (_name, code) => {
  expect(problemsOf('x.ts', code)).toEqual([])
})
