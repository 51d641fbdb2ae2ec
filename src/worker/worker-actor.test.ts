import { expect, it, onTestFinished, vi } from 'vitest'
import { Prng } from '../lib/prng.js'
import { joinFrames } from '../protocol/object-frames.js'
import { type Demo, DemoNode, type Shown } from './node.fixture.js'

const pipe = (name: string, n: number, more: Partial<Demo> = {}): Demo => ({
  name,
  kind: 'DemoPipe',
  n,
  ...more,
})
const gate = (name: string, n: number, more: Partial<Demo> = {}): Demo => ({
  ...pipe(name, n, more),
  kind: 'DemoGate',
})

const numbers = (running: ReadonlyMap<string, Shown>): Record<string, number> =>
  Object.fromEntries([...running].map(([name, { n }]) => [name, n] as const).sort())

it('brings a worker up with everything, then with changes alone', async () => {
  const node = new DemoNode(2)
  await node.outcome(node.put(pipe('a', 1)))
  await node.outcome(node.put(pipe('b', 1)))
  await node.outcome(node.put(pipe('a', 2)))
  await node.outcome(node.delete('b'))
  for (const { running, heard } of node.workers.values()) {
    expect(numbers(running)).toEqual({ a: 2 })
    expect(heard.filter((type) => type === 'full-end')).toHaveLength(1)
    expect(heard.filter((type) => type === 'delta')).toHaveLength(4)
  }
})

it('sends a large set in parts', async () => {
  const node = new DemoNode(1)
  const all = Array.from({ length: 200 }, (_, i) => node.put(pipe(`o${i}`, i)))
  for (const each of all) await node.outcome(each)
  node.crashWorker(0)
  const life = node.startWorker(0)
  await node.until(() => life.running.size === 200)
  expect(life.heard.filter((type) => type.startsWith('full'))).toEqual([
    'full-begin',
    ...Array(4).fill('full-part'),
    'full-end',
  ])
})

it('what changes while a change is under way is joined to the next', async () => {
  const node = new DemoNode(1)
  await node.outcome(node.put(pipe('a', 1)))
  const life = node.worker(0)
  life.heard.length = 0
  const release = life.block()
  const writes = [
    node.put(pipe('a', 2)),
    node.put(pipe('b', 1)),
    node.put(pipe('b', 2)),
    node.put(pipe('c', 1)),
  ]
  await node.pass(100)
  writes.push(node.delete('c'), node.put(pipe('a', 3)))
  await node.pass(100)
  expect(life.heard.filter((type) => type === 'delta')).toHaveLength(1)
  release()
  for (const write of writes) expect((await node.outcome(write)).lagging).toEqual([])
  expect(life.heard.filter((type) => type === 'delta')).toHaveLength(2)
  expect(numbers(life.running)).toEqual({ a: 3, b: 2 })
})

it('takes a change that comes in parts, and forgets parts whose end never came', async () => {
  const node = new DemoNode(1)
  await node.outcome(node.put(pipe('a', 1)))
  await node.outcome(node.put(pipe('b', 1)))
  const life = node.worker(0)
  // Nothing of this could be built.
  life.ref.tell({ type: 'delta-part', puts: joinFrames([Uint8Array.of(0xc1)]) })
  await node.pass()
  node.crashCoordinator()
  node.startCoordinator()
  await node.pass(100)
  await node.outcome(node.delete('a'))
  expect(numbers(life.running)).toEqual({ b: 1 })
})

it('predecessors of a very large change are retired in slices, all of them', async () => {
  const node = new DemoNode(1)
  const names = Array.from({ length: 300 }, (_, i) => `o${i}`)
  for (const each of names.map((name) => node.put(pipe(name, 1)))) await node.outcome(each)
  const life = node.worker(0)
  const from = life.lastServing?.version ?? { epoch: 0, version: 0 }
  const to = { ...from, version: from.version + 1 }
  life.ref.tell({ type: 'delta', from, to, puts: joinFrames([]), deletes: names })
  await node.until(() => life.running.size === 0)
  const retired = names.map((name) => `retire ${name} 1`)
  await node.until(() => retired.every((event) => life.events.includes(event)))
})

it('a worker that lost its place asks for everything', async () => {
  const node = new DemoNode(1)
  await node.outcome(node.put(pipe('a', 1)))
  const life = node.worker(0)
  const { version } = life.lastServing ?? { version: { epoch: 0, version: 0 } }
  const later = { ...version, version: version.version + 5 }
  const from = { ...version, version: version.version + 4 }
  life.ref.tell({ type: 'delta', from, to: later, puts: joinFrames([]), deletes: ['a'] })
  await node.pass()
  expect(life.told.at(-2)).toEqual({ type: 'need-full' })
  expect(life.told.at(-1)).toMatchObject({ type: 'serving', version })
  expect(numbers(life.running)).toEqual({ a: 1 })
})

it.each([
  ['from what it runs to something older', 0, -1],
  ['of long ago', -2, -1],
])('a worker takes no delta %s', async (_name, fromBy, toBy) => {
  const node = new DemoNode(1)
  for (let n = 1; n <= 3; n++) await node.outcome(node.put(pipe('a', n)))
  const life = node.worker(0)
  const version = life.lastServing?.version ?? { epoch: 0, version: 0 }
  const at = (by: number) => ({ ...version, version: version.version + by })
  life.told.length = 0
  if (fromBy !== 0) {
    life.ref.tell({
      type: 'delta',
      from: at(fromBy),
      to: at(toBy),
      puts: joinFrames([]),
      deletes: ['a'],
    })
  }
  life.ref.tell({ type: 'full-begin', to: at(toBy) })
  life.ref.tell({ type: 'full-end', to: at(toBy) })
  await node.pass()
  expect(life.told).toEqual([])
  expect(numbers(life.running)).toEqual({ a: 3 })
})

it('a restarted worker gets everything', async () => {
  const node = new DemoNode(2)
  await node.outcome(node.put(pipe('a', 1)))
  node.crashWorker(0)
  expect((await node.outcome(node.put(pipe('b', 1)))).lagging).toEqual([])
  node.startWorker(0)
  expect((await node.outcome(node.put(pipe('c', 1)))).lagging).toEqual([])
  expect(numbers(node.worker(0).running)).toEqual({ a: 1, b: 1, c: 1 })
})

it('last words of an earlier life are not taken for those of the next', async () => {
  const node = new DemoNode(1)
  await node.outcome(node.put(pipe('a', 1)))
  const before = node.worker(0)
  node.crashWorker(0)
  const life = node.startWorker(0)
  const release = life.block()
  await node.pass()
  const write = node.put(pipe('b', 1))
  await node.pass()
  const version = { epoch: 9e9, version: 99 }
  node.deskFor(0, before)?.tell({ type: 'serving', version, failed: [], listeners: [] })
  await node.pass(100)
  release()
  expect((await node.outcome(write)).lagging).toEqual([])
  expect(numbers(life.running)).toEqual({ a: 1, b: 1 })
})

it('a restarted coordinator leaves workers alone that are current', async () => {
  const node = new DemoNode(2)
  await node.outcome(node.put(pipe('a', 1)))
  node.crashCoordinator()
  for (const life of node.workers.values()) life.heard.length = 0
  node.startCoordinator()
  await node.pass()
  for (const { heard } of node.workers.values()) {
    expect(heard).toEqual(['coordinator-here'])
  }
  await node.outcome(node.put(pipe('a', 2)))
  for (const { running, heard } of node.workers.values()) {
    expect(heard.filter((type) => type === 'delta')).toHaveLength(1)
    expect(heard).not.toContain('full-begin')
    expect(numbers(running)).toEqual({ a: 2 })
  }
})

it('a restarted coordinator brings older workers up to date', async () => {
  const node = new DemoNode(2)
  await node.outcome(node.put(pipe('a', 1)))
  const release = node.worker(0).block()
  void node.put(pipe('a', 2)).catch(() => {})
  await node.until(() => node.worker(1).running.get('a')?.n === 2)
  node.crashCoordinator()
  release()
  node.startCoordinator()
  await node.until(() => node.worker(0).running.get('a')?.n === 2)
  expect((await node.outcome(node.put(pipe('b', 1)))).lagging).toEqual([])
})

it('nothing older is pushed to workers that are ahead of the store', async () => {
  const node = new DemoNode(1)
  await node.outcome(node.put(pipe('a', 1)))
  const life = node.worker(0)
  const version = life.lastServing?.version ?? { epoch: 0, version: 0 }
  // What an operator sees after an old disk was put back: the worker runs what came later.
  const ahead = { ...version, version: version.version + 2 }
  life.ref.tell({ type: 'delta', from: version, to: ahead, puts: joinFrames([]), deletes: [] })
  await node.pass()
  node.crashCoordinator()
  life.heard.length = 0
  node.startCoordinator()
  await node.pass()
  // Nor on demand.
  node.deskFor(0, life)?.tell({ type: 'need-full' })
  await node.outcome(node.put(pipe('a', 2)))
  await node.outcome(node.put(pipe('b', 1)))
  expect(life.heard).toEqual(['coordinator-here'])
  expect(numbers(life.running)).toEqual({ a: 1 })
  // Once the store has passed it, it gets all that changed.
  await node.outcome(node.put(pipe('c', 1)))
  expect(numbers(life.running)).toEqual({ a: 2, b: 1, c: 1 })
})

it('a newer epoch is pushed, whatever version the worker ran', async () => {
  const node = new DemoNode(1)
  for (let n = 1; n <= 3; n++) await node.outcome(node.put(pipe('a', n)))
  const life = node.worker(0)
  const epoch = life.lastServing?.version.epoch ?? 0
  life.ref.tell({ type: 'full-begin', to: { epoch: epoch + 1, version: 0 } })
  life.ref.tell({ type: 'full-end', to: { epoch: epoch + 1, version: 0 } })
  await node.pass()
  expect(numbers(life.running)).toEqual({})
  expect(life.lastServing?.version).toEqual({ epoch: epoch + 1, version: 0 })
})

it('a write is answered only when every worker serves it', async () => {
  const node = new DemoNode(3)
  await node.outcome(node.put(pipe('a', 1)))
  const releases = [0, 2].map((index) => node.worker(index).block())
  let answer: unknown = null
  const write = node.put(pipe('a', 2)).then((result) => {
    answer = result
  })
  await node.pass(1_000)
  expect(node.worker(1).running.get('a')?.n).toBe(2)
  expect(answer).toBeNull()
  releases[0]?.()
  await node.pass(1_000)
  expect(answer).toBeNull()
  releases[1]?.()
  await node.outcome(write)
  expect(answer).toMatchObject({ lagging: [], changed: true })
})

it('after five seconds the answer names who lags', async () => {
  const node = new DemoNode(3)
  await node.outcome(node.put(pipe('a', 1)))
  const releases = [2, 0].map((index) => node.worker(index).block())
  const write = node.put(pipe('a', 2))
  let isOver = false
  void write.then(() => {
    isOver = true
  })
  await node.pass(4_900)
  expect(isOver).toBe(false)
  await node.pass(200)
  expect(await node.outcome(write)).toMatchObject({
    lagging: ['eg-1/worker-0', 'eg-1/worker-2'],
    version: { version: 2 },
  })
  for (const release of releases) release()
  await node.until(() => node.worker(0).running.get('a')?.n === 2)
})

it('a worker that goes away while it is waited for is waited for no more', async () => {
  // No slice is used up: another worker that rests by the real clock would let ours run on meanwhile.
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const node = new DemoNode(2)
  await node.outcome(node.put(pipe('a', 1)))
  node.worker(1).block()
  const write = node.put(pipe('a', 2))
  await node.pass(100)
  node.crashWorker(1)
  const startMs = node.harness.time.monotonicMs()
  expect((await node.outcome(write)).lagging).toEqual([])
  expect(node.harness.time.monotonicMs() - startMs).toBeLessThan(100)
})

it.each(['shared', 'load', 'build'] as const)(
  'an object that fails (%s) keeps its previous generation, and says so',
  async (fail) => {
    const node = new DemoNode(2)
    await node.outcome(node.put(pipe('a', 1, { keys: ['k'] })))
    const bad = await node.outcome(node.put(pipe('a', 2, { fail, keys: ['k', 'new'] })))
    expect(bad.lagging).toEqual([])
    expect(bad.warnings).toEqual([`not running: told to fail: ${fail}; the version before goes on`])
    for (const life of node.workers.values()) {
      expect(numbers(life.running)).toEqual({ a: 1 })
      expect(life.lastServing?.failed).toEqual([{ name: 'a', error: `told to fail: ${fail}` }])
      expect([...life.held].filter((key) => key.includes('new'))).toEqual([])
    }
    const good = await node.outcome(node.put(pipe('a', 3)))
    expect(good.warnings).toEqual([])
    for (const life of node.workers.values()) {
      expect(life.running.get('a')).toMatchObject({ n: 3, inherited: 1 })
      expect(life.lastServing?.failed).toEqual([])
      expect([...life.held]).toEqual([])
    }
  },
)

it('one object that fails does not take from another what both use', async () => {
  const node = new DemoNode(1)
  const release = node.worker(0).block()
  const writes = [
    node.put(pipe('warm', 1)),
    node.put(gate('a', 1, { fail: 'build', keys: ['port'] })),
    node.put(gate('b', 1, { keys: ['port'] })),
  ]
  await node.pass(100)
  release()
  for (const write of writes) await node.outcome(write)
  expect(numbers(node.worker(0).running)).toEqual({ warm: 1, b: 1 })
  expect(node.harness.escalations).toEqual([])
  await node.outcome(node.delete('b'))
  await node.pass()
  expect([...node.worker(0).held]).toEqual([])
})

it('a kind that the worker does not have fails alone', async () => {
  const node = new DemoNode(1)
  const write = await node.outcome(node.put({ ...pipe('x', 1), kind: 'Else' as Demo['kind'] }))
  expect(write.warnings[0]).toMatch(/kind Else is not supported here/)
  expect((await node.outcome(node.put(pipe('a', 1)))).lagging).toEqual([])
})

it('in one turn: gone objects first, then what is named before what names it, the old retire last', async () => {
  const node = new DemoNode(1)
  const life = node.worker(0)
  for (const demo of [pipe('old', 1), gate('g', 1), pipe('p', 1)])
    await node.outcome(node.put(demo))
  const release = life.block()
  const writes = [node.put(pipe('wait', 1))]
  await node.pass(50)
  writes.push(
    node.put(gate('g', 2)),
    node.put(pipe('p', 2)),
    node.put({ ...pipe('b', 1), kind: 'DemoBusiness' }),
    node.delete('old'),
  )
  await node.pass(50)
  life.events.length = 0
  release()
  for (const write of writes) await node.outcome(write)
  expect(life.events).toEqual([
    'commit wait 1',
    'withdraw old 1',
    'commit b 1',
    'commit p 2',
    'commit g 2',
    'retire old 1',
    'retire p 1',
    'retire g 1',
  ])
})

it.each([
  ['of another kind', gate('a', 2)],
  ['of the same kind', pipe('a', 2)],
])('an object %s that takes the name of a deleted one inherits nothing', async (_name, next) => {
  const node = new DemoNode(1)
  const life = node.worker(0)
  await node.outcome(node.put(pipe('a', 1)))
  const release = life.block()
  const first = node.put(pipe('wait', 1))
  await node.pass(50)
  const writes = [first, node.delete('a'), node.put(next)]
  await node.pass(50)
  life.events.length = 0
  release()
  for (const write of writes) await node.outcome(write)
  expect(life.running.get('a')).toMatchObject({ n: 2, inherited: 0 })
  expect(life.events).toEqual(['commit wait 1', 'withdraw a 1', 'commit a 2', 'retire a 1'])
})

it('a deleted object does not go on because its successor fails', async () => {
  const node = new DemoNode(1)
  const life = node.worker(0)
  await node.outcome(node.put(pipe('a', 1, { keys: ['k'] })))
  const release = life.block()
  const first = node.put(pipe('wait', 1))
  await node.pass(50)
  const writes = [first, node.delete('a'), node.put(pipe('a', 2, { fail: 'build' }))]
  await node.pass(50)
  release()
  for (const write of writes) await node.outcome(write)
  await node.pass()
  expect(numbers(life.running)).toEqual({ wait: 1 })
  expect([...life.held]).toEqual([])
})

it('a full set ends the failures of objects that are gone', async () => {
  const node = new DemoNode(1)
  const life = node.worker(0)
  await node.outcome(node.put(pipe('a', 1, { fail: 'build' })))
  expect(life.lastServing?.failed).toHaveLength(1)
  node.crashCoordinator()
  node.startCoordinator()
  const { version } = life.lastServing ?? { version: { epoch: 0, version: 0 } }
  const to = { ...version, version: version.version + 1 }
  life.ref.tell({ type: 'full-begin', to })
  life.ref.tell({ type: 'full-end', to })
  await node.pass()
  expect(life.lastServing).toMatchObject({ version: to, failed: [] })
})

it('a change is acknowledged once its sockets are open, or known to fail', async () => {
  const node = new DemoNode(1)
  await node.pass()
  const open = node.holdPort(80)
  const write = node.put(gate('g', 1, { port: 80 }))
  await node.until(() => node.worker(0).running.has('g'))
  await node.pass(100)
  expect(node.worker(0).lastServing?.version.version).toBe(0)
  open()
  expect((await node.outcome(write)).warnings).toEqual([])
  expect(node.worker(0).lastServing?.listeners).toEqual([
    { server: 'g', state: 'running', error: '' },
  ])
})

it('nor is it acknowledged to a coordinator that comes meanwhile', async () => {
  const node = new DemoNode(1)
  await node.pass()
  const open = node.holdPort(80)
  void node.put(gate('g', 1, { port: 80 })).catch(() => {})
  const life = node.worker(0)
  await node.until(() => life.running.has('g'))
  const told = life.told.length
  node.crashCoordinator()
  node.startCoordinator()
  await node.pass(100)
  expect(life.told).toHaveLength(told)
  open()
  await node.pass()
  expect(life.told.slice(told)).toMatchObject([{ version: { version: 1 } }])
})

it('a busy port is a warning, is tried every second, and told when it opens', async () => {
  const node = new DemoNode(1)
  node.busyPorts.add(80)
  const { warnings } = await node.outcome(node.put(gate('g', 1, { port: 80 })))
  expect(warnings).toEqual(['not listening: port 80 is taken; retrying'])
  const life = node.worker(0)
  const before = life.told.length
  for (let i = 0; i < 5; i++) await node.pass(1_000)
  expect(life.told).toHaveLength(before) // no news, no message
  node.busyPorts.clear()
  await node.pass(1_100)
  await node.pass()
  expect(life.lastServing?.listeners).toEqual([{ server: 'g', state: 'running', error: '' }])
})

it('a retried socket does not acknowledge a change whose own socket is not open yet', async () => {
  const node = new DemoNode(1)
  node.busyPorts.add(80)
  await node.outcome(node.put(gate('g', 1, { port: 80 })))
  const life = node.worker(0)
  const [open80, open81] = [node.holdPort(80), node.holdPort(81)]
  // The retry waits for its port; meanwhile a change is swapped in, and waits for its own.
  await node.pass(1_100)
  const write = node.put(gate('h', 1, { port: 81 }))
  await node.until(() => life.running.has('h'))
  const told = life.told.length
  node.busyPorts.clear()
  open80()
  await node.pass(50)
  expect(life.told).toHaveLength(told)
  open81()
  await node.outcome(write)
  expect(life.told.slice(told)).toMatchObject([
    {
      version: { version: 2 },
      listeners: [
        { server: 'g', state: 'running' },
        { server: 'h', state: 'running' },
      ],
    },
  ])
})

it('goes on retrying a socket when a change came between', async () => {
  const node = new DemoNode(1)
  node.busyPorts.add(80)
  await node.outcome(node.put(gate('g', 1, { port: 80 })))
  const life = node.worker(0)
  const [open80, open81] = [node.holdPort(80), node.holdPort(81)]
  await node.pass(1_100)
  const write = node.put(gate('h', 1, { port: 81 }))
  await node.until(() => life.running.has('h'))
  open80()
  await node.pass(50)
  open81()
  await node.outcome(write)
  node.busyPorts.clear()
  await node.pass(2_200)
  await node.pass()
  expect(life.lastServing?.listeners).toMatchObject([{ state: 'running' }, { state: 'running' }])
})

it.each([11, 12, 13, 14, 15, 16])(
  'random changes and crashes: every worker comes to run what is stored (seed %i)',
  async (seed) => {
    const prng = new Prng(seed)
    const node = new DemoNode(3, seed)
    const wanted = new Map<string, Demo>()
    const releases: (() => void)[] = []
    const open: Promise<unknown>[] = []
    const write = (): void => {
      const name = prng.pick(['a', 'b', 'c', 'd', 'e'])
      if (prng.chance(30)) open.push(node.delete(name).catch(() => {}))
      else open.push(node.put(drawDemo(prng, name)).catch(() => {}))
    }
    for (let step = 0; step < 120; step++) {
      const what = prng.below(100)
      if (what < 60) {
        if (node.isUp) write()
      } else if (what < 70) {
        const life = node.workers.get(prng.below(3))
        if (life !== undefined) releases.push(life.block())
      } else if (what < 80) for (const release of releases.splice(0)) release()
      else if (what < 86) {
        const index = prng.below(3)
        if (node.workers.has(index)) node.crashWorker(index)
        else node.startWorker(index)
      } else if (what < 89) {
        if (node.isUp) node.crashCoordinator()
        else node.startCoordinator()
      } else if (what < 95) node.busyPorts.add(80 + prng.below(3))
      else node.busyPorts.clear()
      if (prng.chance(50)) await node.pass(1 + prng.below(4))
    }
    // Now all comes to rest.
    for (const release of releases) release()
    node.busyPorts.clear()
    if (!node.isUp) node.startCoordinator()
    for (let index = 0; index < 3; index++) if (!node.workers.has(index)) node.startWorker(index)
    await node.outcome(Promise.all(open))
    const last = await node.outcome(node.put(pipe('last', seed)))
    await node.pass(3_000)
    const stored = await node.outcome(node.coordinator.ask({ type: 'list-objects' }, 1_000))
    for (const { name, spec } of stored.value) wanted.set(name, spec as Demo)
    expect(last.lagging).toEqual([])
    for (const [index, life] of node.workers) {
      const where = `seed ${seed}, worker ${index}`
      expect(life.lastServing?.version, where).toEqual(stored.version)
      // What runs is what is stored, but for what cannot be built.
      for (const { name, spec, createdVersion } of stored.value) {
        const { n, fail } = spec as Demo
        if (fail === undefined) {
          expect(life.running.get(name), `${where}, ${name}`).toMatchObject({ n, createdVersion })
        } else {
          expect(
            life.lastServing?.failed.map((each) => each.name),
            where,
          ).toContain(name)
          const before = life.running.get(name)
          if (before !== undefined) expect(before.createdVersion, where).toBe(createdVersion)
        }
      }
      for (const name of life.running.keys()) expect([...wanted.keys()], where).toContain(name)
      const failing = stored.value.filter(({ spec }) => (spec as Demo).fail !== undefined)
      expect(life.lastServing?.failed.map((each) => each.name).sort(), where).toEqual(
        failing.map(({ name }) => name),
      )
      for (const { state } of life.lastServing?.listeners ?? []) {
        expect(['running', 'failed'], where).toContain(state)
      }
    }
    expect(node.harness.escalations).toEqual([])
    // With the last object the last key goes.
    const requestId = `all-${seed}`
    await node.outcome(node.coordinator.ask({ type: 'delete-all-objects', requestId }, 60_000))
    await node.pass()
    for (const life of node.workers.values()) {
      expect(life.running.size).toBe(0)
      expect([...life.held], `seed ${seed}`).toEqual([])
    }
  },
)

function drawDemo(prng: Prng, name: string): Demo {
  const kind = prng.pick(['DemoBusiness', 'DemoPipe', 'DemoGate'] as const)
  const keys = ['k1', 'k2', 'k3', `${name}-own`].filter(() => prng.chance(40))
  const n = prng.below(1_000_000)
  return {
    name,
    kind,
    n,
    keys,
    ...(kind === 'DemoGate' ? { port: 80 + prng.below(3) } : {}),
    ...(prng.chance(15) ? { fail: prng.pick(['shared', 'load', 'build'] as const) } : {}),
  }
}
