/**
 * The real disk, the real log thread, `kill -9`. Needs the build: runs what is in `dist/`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { systemTime } from '../../src/lib/clock.js'
import type { GatewayError } from '../../src/lib/errors.js'
import { Prng } from '../../src/lib/prng.js'
import type { EmbeddedStore } from '../../src/store/embedded-store.js'
import { PromiseStore } from '../../src/store/promise-store.js'
import type { Logger } from '../../src/telemetry/log.js'

const BUILT = new URL('../../dist/src/', import.meta.url)
const ROUNDS = 6
const ACKS_BEFORE_KILL_MAX = 1_500
const DEADLINE_MS = 30_000

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

type Opened = typeof import('../../src/store/open-embedded-store.js')
type Spawned = typeof import('../../src/store/spawn-log-thread.js')

/** Each write puts the same value under two keys; an acknowledgement is a line on stdout. */
const WRITER = `
import { openEmbeddedStore } from '${BUILT.href}store/open-embedded-store.js'
import { spawnLogThread } from '${BUILT.href}store/spawn-log-thread.js'
import { systemTime } from '${BUILT.href}lib/clock.js'
const [dataDir, round] = process.argv.slice(1)
const say = (line) => process.stdout.write(line + '\\n')
const silent = { debugOn: false, error() {}, warn() {}, info() {}, debug() {}, child: () => silent }
let count = 0
const store = openEmbeddedStore({
  time: systemTime, log: silent, nodeId: 'test/1', spawnLog: spawnLogThread(dataDir),
  snapshotAfterBytes: 2_000_000,
  listener: {
    onReady() { say('ready'); for (let i = 0; i < 32; i++) write() },
    onFailed(error) { say('failed ' + error.code + ' ' + error.message); process.exit(3) },
    onStopped() {},
  },
})
function write() {
  const id = round + '-' + count++
  const value = Buffer.alloc(50 + (count * 7919) % 3000, id)
  const ops = ['a/', 'b/'].map((half) => ({ type: 'put', key: half + id, value }))
  // Old ones go, so that the log grows and the state does not.
  const old = round + '-' + (count - 400)
  if (count > 400) ops.push({ type: 'delete', key: 'a/' + old }, { type: 'delete', key: 'b/' + old })
  store.txn([], ops, [], (outcome) => {
    if (outcome.ok) say('ack ' + id + ' ' + outcome.value.revision)
    write()
  })
}
`

function startWriter(dataDir: string, round: number): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', WRITER, dataDir, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

interface Acks {
  /** Revision by id. */
  readonly byId: Map<string, number>
  failure: string | null
}

/** Collects acknowledgements and kills the writer after `killAfter` of them. */
function writeUntilKilled(dataDir: string, round: number, killAfter: number): Promise<Acks> {
  return new Promise((resolve, reject) => {
    const child = startWriter(dataDir, round)
    const acks: Acks = { byId: new Map(), failure: null }
    const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    lines.on('line', (line) => {
      const [what, id, revision] = line.split(' ')
      if (what === 'ack') acks.byId.set(id as string, Number(revision))
      else if (what === 'failed') acks.failure = line
      if (acks.byId.size === killAfter) child.kill('SIGKILL')
    })
    child.once('error', reject)
    lines.once('close', () => {
      clearTimeout(deadline)
      resolve(acks)
    })
  })
}

async function openBuilt(dataDir: string): Promise<EmbeddedStore> {
  const { openEmbeddedStore } = (await import(
    new URL('store/open-embedded-store.js', BUILT).href
  )) as Opened
  const { spawnLogThread } = (await import(
    new URL('store/spawn-log-thread.js', BUILT).href
  )) as Spawned
  return new Promise((resolve, reject: (error: GatewayError) => void) => {
    const store = openEmbeddedStore({
      time: systemTime,
      log: silent,
      nodeId: 'test/1',
      spawnLog: spawnLogThread(dataDir),
      listener: {
        onReady: () => resolve(store),
        onFailed: reject,
        onStopped: () => stopped.get(store)?.(),
      },
    })
  })
}

const stopped = new WeakMap<EmbeddedStore, () => void>()

function close(store: EmbeddedStore): Promise<void> {
  return new Promise((resolve) => {
    stopped.set(store, resolve)
    store.stop()
  })
}

async function inDataDir(run: (dataDir: string) => Promise<void>): Promise<void> {
  expect(existsSync(new URL('store/log-thread.js', BUILT)), 'run the build first').toBe(true)
  const folder = mkdtempSync(join(tmpdir(), 'store-kill-'))
  try {
    await run(join(folder, 'data'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

it('after kill -9 at random moments every acknowledged write is there and none is half there', () =>
  inDataDir(async (dataDir) => {
    const seed = Date.now() % 1_000_000
    const prng = new Prng(seed)
    let lastRevision = 0
    for (let round = 0; round < ROUNDS; round++) {
      const killAfter = 1 + prng.below(ACKS_BEFORE_KILL_MAX)
      const acks = await writeUntilKilled(dataDir, round, killAfter)
      const where = `seed ${seed}, round ${round}, killed after ${killAfter}`
      expect(acks.failure, where).toBeNull()
      expect(acks.byId.size, where).toBeGreaterThanOrEqual(killAfter)
      const store = await openBuilt(dataDir)
      const { kvs, revision } = await new PromiseStore(store).range('')
      const found = new Map(kvs.map((kv) => [kv.key, kv]))
      // A write deletes the one 400 before it, so only of the latest it is known they must be there.
      const numbers = [...acks.byId.keys()].map((id) => Number(id.split('-')[1]))
      const newest = numbers.reduce((a, b) => Math.max(a, b), 0)
      for (const [id, acked] of acks.byId) {
        if (Number(id.split('-')[1]) <= newest + 64 - 400) continue
        expect(found.get(`a/${id}`)?.modRevision, `${where}: ${id}`).toBe(acked)
      }
      for (const kv of kvs) {
        const other = found.get((kv.key.startsWith('a/') ? 'b/' : 'a/') + kv.key.slice(2))
        expect(other?.modRevision, `${where}: ${kv.key}`).toBe(kv.modRevision)
        expect(Buffer.compare(kv.value, other?.value ?? Buffer.alloc(0)), where).toBe(0)
      }
      const acked = [...acks.byId.values()].reduce((a, b) => Math.max(a, b), 0)
      expect(revision, where).toBeGreaterThanOrEqual(Math.max(acked, lastRevision))
      lastRevision = revision
      await close(store)
    }
  }))

it('a second process on the same data directory gets a clear error; the first goes on', () =>
  inDataDir(async (dataDir) => {
    const store = await openBuilt(dataDir)
    const refused = await writeUntilKilled(dataDir, 0, 1)
    expect(refused.failure).toContain('failed STORE_UNAVAILABLE')
    expect(refused.failure).toContain(`${dataDir} is in use by another running process`)
    const { revision } = await new PromiseStore(store).txn(
      [],
      [{ type: 'put', key: 'still', value: Buffer.from('here') }],
    )
    expect(revision).toBe(1)
    await close(store)
    // Closed means closed: the directory is free at once, in this process too.
    const again = await openBuilt(dataDir)
    expect((await new PromiseStore(again).get('still')).kv?.version).toBe(1)
    await close(again)
  }))
