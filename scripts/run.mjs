// The door to all npm commands: installs and builds what is missing or stale, then runs the
// command. Plain JavaScript with nothing but Node's own modules: it runs before anything is
// installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const STAMPS = join(ROOT, 'node_modules', '.easegress-stamps.json')
const NODE_MIN = [20, 15]
const BUILT = ['src', 'scripts', 'test/backend-service']

const COMMANDS = {
  build: () => {},
  start: (args) => node('dist/src/parent.js', args),
  demo: (args) => node('dist/scripts/demo.js', args),
  docs: (args) => node('dist/scripts/docs.js', args),
  test: (args) => node('dist/scripts/test.js', args),
  bench: (args) => node('dist/scripts/bench.js', args),
  'bench-guard': (args) => node('dist/scripts/bench.js', ['guard', ...args]),
  'bench-filters': (args) => node('dist/scripts/bench.js', ['filters', ...args]),
  sim: (args) => node('dist/scripts/sim.js', args),
}

const say = (text) => process.stderr.write(`${text}\n`)

function fail(text) {
  say(text)
  process.exit(1)
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  fail(`Node.js ${NODE_MIN.join('.')} or newer is needed; this is ${process.versions.node}.`)
}

/** Content, not times: a fresh clone and a switched branch are told apart rightly. */
function fingerprint(paths) {
  const hash = createHash('sha256')
  for (const path of paths)
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(ROOT, path)))
  return hash.digest('hex')
}

function filesUnder(folder) {
  const found = []
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) found.push(...filesUnder(path))
    else if (path.endsWith('.ts') && !path.endsWith('.test.ts')) found.push(path)
  }
  return found.sort()
}

function readStamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, 'utf8'))
  } catch {
    return {}
  }
}

function stamp(name, value) {
  mkdirSync(dirname(STAMPS), { recursive: true })
  writeFileSync(STAMPS, JSON.stringify({ ...readStamps(), [name]: value }))
}

function timed(what, work) {
  const started = Date.now()
  say(`${what} …`)
  work()
  say(`${what}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

function install() {
  const want = fingerprint(['package.json', 'package-lock.json', '.npmrc'])
  if (readStamps().install === want) return
  timed('installing packages (about 100 MB, once)', () => {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    // Test and build tools are development dependencies, whatever NODE_ENV says.
    // Not `ci`: it cannot do with a lock file that names no download addresses.
    const args = ['install', '--no-save', '--include=dev', '--loglevel=error']
    const done = spawnSync(npm, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
    if (done.error) fail(`npm cannot be run: ${done.error.message}`)
    if (done.status !== 0) fail('npm install failed: see above; is the package registry reachable?')
  })
  stamp('install', want)
}

function build() {
  const want = fingerprint(['tsconfig.json', 'package.json', ...BUILT.flatMap(filesUnder)])
  if (readStamps().build === want && existsSync(join(ROOT, 'bin', 'egctl'))) return
  timed('building', () => {
    rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const done = spawnSync(process.execPath, [tsc], { cwd: ROOT, stdio: 'inherit' })
    if (done.status !== 0) fail('the build failed: see above')
    launcher('easegress-server', 'dist/src/parent.js')
    launcher('egctl', 'dist/src/cli/main.js')
  })
  stamp('build', want)
}

/** A script that works from anywhere, also through a link. */
function launcher(name, target) {
  const path = join(ROOT, 'bin', name)
  mkdirSync(dirname(path), { recursive: true })
  const inside = relative(dirname(path), join(ROOT, target))
  writeFileSync(path, `#!/usr/bin/env node\nimport '${inside}'\n`)
  chmodSync(path, 0o755)
}

function node(script, args) {
  const done = spawnSync(process.execPath, [join(ROOT, script), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  process.exitCode = done.status ?? 1
}

const [name, ...args] = process.argv.slice(2)
const command = COMMANDS[name]
if (command === undefined) fail(`expected one of ${Object.keys(COMMANDS).join(', ')}`)
checkNode()
install()
build()
// Ctrl-C reaches the command too, which ends in its own way; this process waits for it.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
command(args)
