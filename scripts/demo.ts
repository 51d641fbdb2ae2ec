/**
 * `npm run demo`: one gateway, three mirror back ends, the objects of the README. Runs until
 * Ctrl-C; with `--once` it ends by itself, with exit code 0 only if all of it worked.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const TRAFFIC = 10_080
const ADMIN = 2_381
const MIRRORS = [9_095, 9_096, 9_097]
const WAIT_MS = 30_000

const SERVER = `kind: HTTPServer
name: server-demo
port: ${TRAFFIC}
keepAlive: true
https: false
rules:
  - paths:
    - pathPrefix: /pipeline
      backend: pipeline-demo
`

const PIPELINE = `name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: proxy
filters:
  - name: proxy
    kind: Proxy
    mainPool:
      servers:
${MIRRORS.map((port) => `      - url: http://127.0.0.1:${port}`).join('\n')}
      loadBalance:
        policy: roundRobin
`

const once = process.argv.includes('--once')
const children: ChildProcess[] = []
const home = mkdtempSync(join(tmpdir(), 'easegress-demo-'))

const say = (text: string): void => void process.stdout.write(`${text}\n`)
const step = (text: string): void => say(`\n== ${text}`)

interface Answer {
  readonly status: number
  readonly mirror: string
  readonly body: string
}

function ask(port: number, path: string, body: string | null): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === null ? 'GET' : 'POST'
    const asking = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => {
        const mirror = String(response.headers['x-mirror-port'] ?? '')
        resolve({ status: response.statusCode ?? 0, mirror, body: text })
      })
    })
    asking.on('error', reject)
    asking.end(body ?? undefined)
  })
}

function start(script: string, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(ROOT, 'dist', script), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // Ctrl-C in the terminal is for us; we stop the others in order.
    detached: true,
  })
  children.push(child)
  return child
}

function egctl(args: readonly string[], input: string): void {
  say(`$ egctl ${args.join(' ')}`)
  const done = spawnSync(process.execPath, [join(ROOT, 'bin', 'egctl'), ...args], {
    input,
    encoding: 'utf8',
  })
  process.stdout.write(done.stdout)
  process.stderr.write(done.stderr)
  if (done.status !== 0) throw new Error(`egctl ${args.join(' ')} failed`)
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${WAIT_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Better said at once than found out from a child that fails. */
async function checkPorts(): Promise<void> {
  for (const port of [ADMIN, TRAFFIC, ...MIRRORS]) {
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (!free) throw new Error(`port ${port} is in use: is another demo or server running?`)
  }
}

async function show(): Promise<void> {
  step('starting three mirror back ends and a one-node gateway')
  start('test/backend-service/mirror.js', MIRRORS.map(String))
  start('src/parent.js', ['--home-dir', home, '--traffic-host', '127.0.0.1'])
  await until(
    'the gateway',
    async () => (await ask(ADMIN, '/apis/v1/healthz', null)).status === 200,
  )
  await until('the mirrors', async () => (await ask(9_097, '/', null)).status === 200)

  step('an HTTPServer that routes /pipeline to a pipeline which does not exist yet')
  say(SERVER)
  egctl(['object', 'create'], SERVER)
  const early = await ask(TRAFFIC, '/pipeline', null)
  say(`$ curl http://127.0.0.1:${TRAFFIC}/pipeline → ${early.status}`)
  if (early.status !== 503) throw new Error(`expected 503, got ${early.status}`)

  step('the pipeline: a proxy in front of three servers')
  say(PIPELINE)
  egctl(['object', 'create'], PIPELINE)

  step('requests, answered by the three in turn')
  const seen = new Set<string>()
  for (let i = 0; i < 6; i++) {
    const answer = await ask(TRAFFIC, '/pipeline', 'Hello, Easegress')
    if (answer.status !== 200 || !answer.body.includes('Hello, Easegress')) {
      throw new Error(`expected the mirror's answer, got ${answer.status}:\n${answer.body}`)
    }
    seen.add(answer.mirror)
    say(
      `$ curl http://127.0.0.1:${TRAFFIC}/pipeline -d 'Hello, Easegress' → 200 from ${answer.mirror}`,
    )
    if (i === 0) say(answer.body.replace(/^/gm, '    '))
  }
  if (seen.size !== MIRRORS.length) throw new Error(`only ${[...seen].join(', ')} answered`)
}

async function stopAll(): Promise<void> {
  await Promise.all(
    children.map(
      (child) =>
        new Promise<void>((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) resolve()
          child.once('exit', () => resolve())
          child.kill('SIGTERM')
        }),
    ),
  )
  rmSync(home, { recursive: true, force: true })
}

async function interrupted(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
}

try {
  await checkPorts()
  await show()
  if (once) step('all of it worked')
  else {
    step('running until Ctrl-C; try in another terminal')
    say(`  curl http://127.0.0.1:${TRAFFIC}/pipeline -d 'Hello'`)
    say('  bin/egctl object status get server-demo')
    say('  bin/egctl object get pipeline-demo > pipeline-demo.yaml   # edit it, then')
    say('  bin/egctl object update -f pipeline-demo.yaml')
    await interrupted()
  }
} catch (thrown) {
  process.stderr.write(`\ndemo: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 1
} finally {
  await stopAll()
}
