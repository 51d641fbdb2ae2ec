import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import type { MembershipChange, Roster } from './cluster.js'
import type { GetResult, LeaseGrant, Op, Outcome, TxnResult } from './contract.js'
import { ENTRY, writeUint64 } from './log/format.js'
import { Log } from './log/log.js'
import { snapshotName } from './log/snapshot-files.js'
import { encodeCommand } from './machine/command.js'
import { Machine } from './machine/machine.js'
import { foundingOf } from './roster.js'
import { SimClock } from './sim/sim-clock.js'
import { CALM, SimNet } from './sim/sim-net.js'
import { SimNode, type SimNodeOptions } from './sim/sim-node.js'

const put = (key: string, value = 'v'): Op => ({ type: 'put', key, value: Buffer.from(value) })

/** Nodes `a`, `b`, `c` and so on over a network in virtual time. */
class World {
  readonly prng = new Prng(7)
  readonly clock = new SimClock(() => {})
  readonly net = new SimNet(this.clock, this.prng)
  readonly nodes: SimNode[] = []
  readonly stopped = new Set<SimNode>()

  constructor(founders: string, options: Partial<SimNodeOptions> = {}) {
    for (const name of founders) this.add(name, true, options)
  }

  add(name: string, founds: boolean, options: Partial<SimNodeOptions> = {}): SimNode {
    const founding = () => foundingOf(this.nodes.slice(0).map((node) => node.identity))
    const node = new SimNode({
      name,
      clock: this.clock,
      net: this.net,
      prng: this.prng,
      plant: {},
      snapshotAfterBytes: 1_000_000,
      limits: {},
      companion: null,
      diskMs: [0.2, 0.5],
      founding: founds ? founding : null,
      events: {
        onOpened: () => {},
        onReady: () => {},
        onBlank: () => {},
        onFailed: () => {},
        onWrite: () => {},
        onCore: () => {},
        onSend: () => {},
        onSendChunk: () => {},
      },
      ...options,
    })
    this.nodes.push(node)
    this.net.add(node)
    return node
  }

  /** All started, one of them leading. */
  static led(founders: string, options: Partial<SimNodeOptions> = {}): World {
    const world = new World(founders, options)
    for (const node of world.nodes) node.start()
    world.until(() =>
      world.nodes.every((node) => node.isReady && node.consensus?.hasQuorum === true),
    )
    return world
  }

  run(ms: number): void {
    const untilMs = this.clock.nowMs + ms
    while (this.clock.step(untilMs));
  }

  until(condition: () => boolean, ms = 20_000): void {
    const untilMs = this.clock.nowMs + ms
    while (!condition()) {
      if (this.clock.nowMs >= untilMs) throw new Error('it did not come to that')
      this.run(1)
    }
  }

  node(name: string): SimNode {
    return this.nodes.find((node) => node.name === name) as SimNode
  }

  get leader(): SimNode {
    const leader = this.nodes.find(
      ({ consensus, replica }) =>
        consensus?.role === 'leader' && replica?.store.status().state === 'serving',
    )
    if (leader === undefined) throw new Error('nobody leads')
    return leader
  }

  get followers(): SimNode[] {
    return this.nodes.filter((node) => node.isUp && node.consensus?.role === 'follower')
  }

  /** What is passed to the callback that `call` is given. */
  answer<T>(call: (done: (answer: T) => void) => void, ms = 20_000): T {
    let answer: { value: T } | null = null
    call((value) => {
      answer = { value }
    })
    this.until(() => answer !== null, ms)
    return (answer as unknown as { value: T }).value
  }

  txn(node: SimNode, ...ops: Op[]): Outcome<TxnResult> {
    return this.answer((done) => node.replica?.store.txn([], ops, [], done))
  }

  get(node: SimNode, key: string, consistency: 'local' | 'linearizable'): string | null {
    const outcome = this.answer<Outcome<GetResult>>((done) =>
      node.replica?.store.get(key, consistency, done),
    )
    if (!outcome.ok) throw outcome.error
    return outcome.value.kv === null ? null : Buffer.from(outcome.value.kv.value).toString()
  }

  change(node: SimNode, change: MembershipChange): Outcome<Roster> {
    return this.answer((done) => node.replica?.changeMembership(change, done))
  }

  /** Makes a newcomer a voter. */
  join(name: string): SimNode {
    const node = this.add(name, false)
    node.start()
    this.run(5)
    const learner = this.change(this.leader, { type: 'add-learner', member: node.identity })
    if (!learner.ok) throw learner.error
    node.replica?.join(learner.value)
    this.until(() => node.isReady)
    this.until(
      () => this.change(this.leader, { type: 'promote', incarnation: node.incarnation }).ok,
    )
    return node
  }
}

const unavailable = (outcome: string) => ({
  ok: false,
  error: { code: 'STORE_UNAVAILABLE', detail: { outcome } },
})

it('a node that is alone leads at once', () => {
  const world = new World('a')
  world.node('a').start()
  world.run(20)
  expect(world.node('a').isReady).toBe(true)
  expect(world.txn(world.node('a'), put('k'))).toMatchObject({ ok: true, value: { revision: 1 } })
})

it('writes go through any node, reads see them on any other', () => {
  const world = World.led('abc')
  for (const [at, node] of world.nodes.entries()) {
    expect(world.txn(node, put('k', `${at}`))).toMatchObject({ ok: true })
    for (const other of world.nodes) expect(world.get(other, 'k', 'linearizable')).toBe(`${at}`)
  }
})

it('an answer of a follower means that it is applied there', () => {
  const world = World.led('abc')
  const [follower] = world.followers as [SimNode]
  world.net.weather = { ...CALM, delayMsMax: 50 }
  for (let at = 0; at < 20; at++) {
    const done = world.txn(follower, put('k', `${at}`))
    expect(done.ok).toBe(true)
    expect(world.get(follower, 'k', 'local')).toBe(`${at}`)
  }
})

it('a cluster that is idle writes nothing to its disks', () => {
  const world = World.led('abc')
  world.txn(world.leader, put('k'))
  world.run(5_000)
  const before = world.nodes.map((node) => node.disk.changeCount)
  world.run(600_000)
  expect(world.nodes.map((node) => node.disk.changeCount)).toEqual(before)
}, 60_000)

it('a leader that stops hands over first: nobody waits for a timeout', () => {
  const world = World.led('abc')
  const { leader } = world
  leader.replica?.store.stop()
  world.until(() => leader.replica?.store.status().state === 'stopped', 100)
  expect(world.leader).not.toBe(leader)
})

it('a leader that dies is missed by its connections, not by a timeout', () => {
  const world = World.led('abc')
  world.run(100)
  world.leader.end(true)
  const survivors = world.nodes.filter((node) => node.isUp)
  world.until(() => survivors.some(({ consensus }) => consensus?.role === 'leader'), 300)
})

it('writes wait for a new leader, and are answered', () => {
  const world = World.led('abc')
  const [follower] = world.followers as [SimNode]
  world.leader.end(false)
  expect(world.txn(follower, put('k', 'x'))).toMatchObject({ ok: true })
  expect(world.get(follower, 'k', 'linearizable')).toBe('x')
})

it('without most voters nothing is written, and that is said soon; local reads go on', () => {
  const world = World.led('abc')
  world.txn(world.leader, put('k', 'x'))
  world.run(200)
  const [one, other] = world.followers as [SimNode, SimNode]
  world.leader.end(true)
  other.end(true)
  world.run(3_000)
  expect(world.txn(one, put('k', 'y'))).toMatchObject(unavailable('none'))
  const read = world.answer<Outcome<GetResult>>((done) =>
    one.replica?.store.get('k', 'linearizable', done),
  )
  expect(read).toMatchObject(unavailable('none'))
  expect(world.get(one, 'k', 'local')).toBe('x')
  expect(one.replica?.consensus()).toMatchObject({ hasQuorum: false, leader: 0 })
  expect(one.replica?.consensus().staleMs).toBeGreaterThan(2_900)
})

it('restarted without a quorum, a node applies what it knew to be committed', () => {
  const world = World.led('abc')
  world.txn(world.leader, put('k', 'x'))
  world.run(500)
  for (const node of world.nodes) {
    node.end(true)
    node.disk.killProcess()
  }
  const node = world.node('b')
  node.start()
  world.until(() => node.isReady, 100)
  expect(world.get(node, 'k', 'local')).toBe('x')
  expect(node.replica?.consensus()).toMatchObject({ role: 'follower', hasQuorum: false })
})

it('what a leader could not replicate before it was cut off has no known outcome', () => {
  const world = World.led('abc')
  const { leader, followers } = world
  for (const other of followers) {
    world.net.cut(leader, other)
    world.net.cut(other, leader)
  }
  const outcome = world.txn(leader, put('k', 'lost'))
  expect(outcome).toMatchObject(unavailable('unknown'))
  world.net.heal()
  world.until(() => leader.replica?.consensus().role === 'follower')
  expect(world.get(leader, 'k', 'linearizable')).toBeNull()
})

it('a write that another leader overruled is known not to have happened', () => {
  const world = World.led('abc')
  const { leader, followers } = world
  for (const other of followers) {
    world.net.cut(leader, other)
    world.net.cut(other, leader)
  }
  let lost: Outcome<TxnResult> | null = null
  leader.replica?.store.txn([], [put('k', 'lost')], [], (outcome) => {
    lost = outcome
  })
  world.run(2_000)
  world.txn(followers[0] as SimNode, put('k', 'kept'))
  world.net.heal()
  world.until(() => lost !== null)
  expect(lost).toMatchObject(unavailable('none'))
})

it('a log that fails ends the leadership of its node at once, and nothing is lost', () => {
  const world = World.led('abc')
  const { leader } = world
  world.txn(leader, put('k', 'x'))
  leader.disk.failWhen = (call) => call === 'fdatasync'
  expect(world.txn(leader, put('k', 'y'))).toMatchObject(unavailable('unknown'))
  expect(leader.failed?.message).toContain('EIO')
  expect(leader.replica?.consensus()).toMatchObject({ isVoting: false })
  world.until(
    () => world.nodes.some((node) => node !== leader && node.consensus?.role === 'leader'),
    300,
  )
  const [survivor] = world.nodes.filter((node) => node !== leader) as [SimNode]
  expect(world.get(survivor, 'k', 'linearizable')).toMatch(/x|y/)
  expect(world.get(leader, 'k', 'local')).toBe('x')
})

it('leadership goes where it is sent, whoever is asked', () => {
  const world = World.led('abc')
  const [one, other] = world.followers as [SimNode, SimNode]
  const done = world.answer((answer) => one.replica?.transferLeadership(other.nodeId, answer))
  expect(done).toEqual({ ok: true, value: other.nodeId })
  expect(world.leader).toBe(other)
  const away = world.answer((answer) => other.replica?.transferLeadership(null, answer))
  expect(away).toMatchObject({ ok: true })
  expect(world.leader).not.toBe(other)
})

it('a leader that a node does not know yet is named once it is known', () => {
  const world = World.led('abc')
  const [away] = world.followers as [SimNode]
  away.end(true)
  away.disk.killProcess()
  const newcomer = world.join('d')
  world.answer((done) => world.leader.replica?.transferLeadership(newcomer.nodeId, done))
  away.start()
  world.until(() => away.consensus?.hasQuorum === true)
  world.run(1_000)
  // Nothing else has changed meanwhile that would be worth a word.
  expect(away.consensus?.leaderIncarnation).toBe(newcomer.incarnation)
})

it('leadership cannot be sent to nobody', () => {
  const world = World.led('a')
  const done = world.answer((answer) => world.node('a').replica?.transferLeadership(null, answer))
  expect(done).toMatchObject(unavailable('none'))
})

it('a lease is kept alive through any node, and ends when nobody does', () => {
  const world = World.led('abc')
  const [follower] = world.followers as [SimNode]
  const grant = world.answer<Outcome<LeaseGrant>>((done) =>
    follower.replica?.store.lease.grant(5_000, done),
  )
  if (!grant.ok) throw grant.error
  const { id } = grant.value
  world.txn(follower, { type: 'put', key: 'k', value: Buffer.from('x'), lease: id })
  for (let at = 0; at < 4; at++) {
    world.run(3_000)
    const kept = world.answer((done) => follower.replica?.store.lease.keepAlive(id, done))
    expect(kept).toMatchObject({ ok: true, value: { id, ttlMs: 5_000 } })
  }
  expect(world.get(follower, 'k', 'linearizable')).toBe('x')
  world.run(6_000)
  expect(world.get(follower, 'k', 'linearizable')).toBeNull()
  const gone = world.answer((done) => follower.replica?.store.lease.keepAlive(id, done))
  expect(gone).toMatchObject({ ok: false, error: { detail: { reason: 'lease-not-found' } } })
})

it('a leader that was stopped does not end a lease for the next one', () => {
  const world = World.led('abc')
  const { leader } = world
  const grant = world.answer<Outcome<LeaseGrant>>((done) =>
    leader.replica?.store.lease.grant(5_000, done),
  )
  if (!grant.ok) throw grant.error
  const { id } = grant.value
  const [node] = world.followers as [SimNode]
  world.txn(node, { type: 'put', key: 'k', value: Buffer.from('x'), lease: id })
  leader.pausedUntilMs = world.clock.nowMs + 7_000
  world.until(() =>
    world.nodes.some((each) => each !== leader && each.consensus?.role === 'leader'),
  )
  const untilMs = leader.pausedUntilMs + 3_000
  while (world.clock.nowMs < untilMs) {
    world.run(500)
    const kept = world.answer((done) => node.replica?.store.lease.keepAlive(id, done))
    expect(kept).toMatchObject({ ok: true })
  }
  expect(world.get(node, 'k', 'linearizable')).toBe('x')
  expect(leader.consensus?.role).toBe('follower')
})

it('the time of a lease starts anew with a new leader', () => {
  const world = World.led('abc')
  const grant = world.answer<Outcome<LeaseGrant>>((done) =>
    world.leader.replica?.store.lease.grant(5_000, done),
  )
  if (!grant.ok) throw grant.error
  const [node] = world.followers as [SimNode]
  world.txn(node, { type: 'put', key: 'k', value: Buffer.from('x'), lease: grant.value.id })
  world.run(4_000)
  world.answer((done) => node.replica?.transferLeadership(node.nodeId, done))
  world.run(4_500)
  expect(world.get(node, 'k', 'linearizable')).toBe('x')
  world.run(1_500)
  expect(world.get(node, 'k', 'linearizable')).toBeNull()
})

it('a follower that was away for long gets a snapshot, and its watchers list again', () => {
  const world = World.led('abc', { snapshotAfterBytes: 4_000 })
  const [away] = world.followers as [SimNode]
  world.txn(world.leader, put('k', 'first'))
  world.run(100)
  away.pausedUntilMs = world.clock.nowMs + 60_000
  for (let at = 0; at < 5_000; at++) {
    world.leader.replica?.store.txn([], [put(`k/${at % 50}`, `${at}`)], [], () => {})
    if (at % 20 === 0) world.run(10)
  }
  world.run(1_000)
  const before = away.replica?.store.status().revision
  let compacted = 0
  away.replica?.store.watch('', (before ?? 0) + 1, {
    onBatch: () => {},
    onCompacted: (revision) => {
      compacted = revision
    },
    onFailed: () => {},
  })
  away.pausedUntilMs = 0
  const { revision } = world.leader.replica?.store.status() ?? { revision: 0 }
  world.until(() => away.replica?.store.status().revision === revision, 90_000)
  expect(compacted).toBeGreaterThan(before ?? 0)
  expect(world.get(away, 'k/49', 'local')).toBe('4999')
  // And from its own disk.
  away.end(true)
  away.disk.restart('all-lost')
  away.start()
  world.until(() => away.isReady)
  expect(world.get(away, 'k/49', 'linearizable')).toBe('4999')
}, 60_000)

it('a cluster grows from one to three, and shrinks again', () => {
  const world = World.led('a')
  world.txn(world.node('a'), put('k', 'x'))
  const b = world.join('b')
  const c = world.join('c')
  expect(world.get(c, 'k', 'linearizable')).toBe('x')
  const roster = c.replica?.roster()
  expect(roster?.members.map(({ name, suffrage }) => `${name} ${suffrage}`)).toEqual([
    'a voter',
    'b voter',
    'c voter',
  ])
  expect(roster?.clusterId).toBe(world.node('a').replica?.roster().clusterId)
  // The leader, too; asked through another.
  const { leader } = world
  const removed = world.change(leader === b ? c : b, {
    type: 'remove',
    incarnation: leader.incarnation,
  })
  expect(removed.ok).toBe(true)
  world.until(() => leader.consensus?.role === 'outsider')
  world.until(() => [b, c].some((node) => node !== leader && node.consensus?.role === 'leader'))
  expect(world.txn(c === leader ? b : c, put('k', 'y')).ok).toBe(true)
  expect(world.leader.replica?.roster().removed).toMatchObject([{ name: leader.name }])
}, 60_000)

it.each<[name: string, change: (world: World) => MembershipChange, message: string]>([
  [
    'a name in use',
    () => ({ type: 'add-learner', member: { name: 'b', incarnation: 'new', peerUrl: null } }),
    'the name "b" belongs to another member',
  ],
  [
    'to promote whom nobody knows',
    () => ({ type: 'promote', incarnation: 'nobody' }),
    'no member has the incarnation nobody',
  ],
  [
    'to move whom nobody knows',
    () => ({ type: 'move', incarnation: 'nobody', peerUrl: null }),
    'no member has the incarnation nobody',
  ],
])('a change of the membership is refused: %s', (_name, change, message) => {
  const world = World.led('abc')
  for (const node of world.nodes) {
    const outcome = world.change(node, change(world))
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'REQUEST_INVALID', message: expect.stringContaining(message) },
    })
  }
})

it('a change that is so already succeeds, an address changes, the last voter stays', () => {
  const world = World.led('ab')
  const [a, b] = world.nodes as [SimNode, SimNode]
  const before = a.replica?.roster()
  expect(world.change(a, { type: 'remove', incarnation: 'nobody' })).toEqual({
    ok: true,
    value: before,
  })
  expect(world.change(a, { type: 'promote', incarnation: b.incarnation }).ok).toBe(true)
  world.change(b, { type: 'move', incarnation: b.incarnation, peerUrl: 'http://elsewhere:1' })
  world.run(500)
  for (const node of [a, b]) {
    expect(node.replica?.roster().members[1]).toMatchObject({ peerUrl: 'http://elsewhere:1' })
  }
  const survivor = world.leader
  const other = survivor === a ? b : a
  expect(world.change(survivor, { type: 'remove', incarnation: other.incarnation }).ok).toBe(true)
  const last = world.change(survivor, { type: 'remove', incarnation: survivor.incarnation })
  expect(last).toMatchObject({ ok: false, error: { code: 'REQUEST_INVALID' } })
})

it('the last one of a cluster leads again after a restart, though its snapshot knows of more', () => {
  const world = World.led('abc')
  const { leader } = world
  for (const { incarnation } of world.followers) {
    expect(world.change(leader, { type: 'remove', incarnation }).ok).toBe(true)
  }
  expect(world.txn(leader, put('k', 'v')).ok).toBe(true)
  for (const node of world.nodes) {
    node.end(true)
    node.disk.killProcess()
  }
  leader.start()
  world.until(() => leader.isReady, 2_000)
  expect(world.txn(leader, put('k', 'w')).ok).toBe(true)
})

it('who was removed does not come back under the same incarnation', () => {
  const world = World.led('abc')
  const [gone] = world.followers as [SimNode]
  world.change(world.leader, { type: 'remove', incarnation: gone.incarnation })
  const again = world.change(world.leader, { type: 'add-learner', member: gone.identity })
  expect(again).toMatchObject({
    ok: false,
    error: { message: expect.stringContaining('was removed from the cluster') },
  })
})

it('a learner that hears nothing is not made a voter', () => {
  const world = World.led('abc')
  const node = world.add('d', false)
  const { leader } = world
  world.change(leader, { type: 'add-learner', member: node.identity })
  world.run(2_000)
  const promoted = world.change(leader, { type: 'promote', incarnation: node.incarnation })
  expect(promoted).toMatchObject(unavailable('none'))
})

/** What a version that knew no clusters left on the disk of `a`. */
function spineDirectory(world: World, withSnapshot: boolean): void {
  const { disk } = world.node('a')
  const options = { salt: 1, segmentBytes: 32 * 1024, reserveBytes: 1024 }
  const { log } = Log.open(disk, options)
  const command = (index: number) => ({
    index,
    term: 1,
    type: ENTRY.command,
    payload: encodeCommand({
      type: 'txn',
      compares: [],
      thenOps: [put(`k/${index}`)],
      elseOps: [],
    }),
  })
  const noop = { index: 1, term: 1, type: ENTRY.noop, payload: new Uint8Array(0) }
  const hardState = { term: 1, vote: 'a/inc-a' }
  log.write({ hardState, install: null, entries: [noop], commit: null })
  for (let index = 2; index <= 9; index++) {
    log.write({ hardState: null, install: null, entries: [command(index)], commit: null })
    log.noteCommit(index)
  }
  if (withSnapshot) {
    const machine = new Machine()
    for (let index = 2; index <= 5; index++) machine.apply(index, command(index).payload)
    writeFormat1(world, 5, [...machine.snapshot()])
  }
  log.close()
  disk.killProcess()
}

function writeFormat1(world: World, index: number, contents: readonly Uint8Array[]): void {
  const { disk } = world.node('a')
  const header = Buffer.alloc(32)
  header.writeUInt32LE(0x53474745, 4)
  header.writeUInt32LE(1, 8)
  writeUint64(header, 16, index)
  writeUint64(header, 24, 1)
  header.writeUInt32LE(crc32(header.subarray(4)), 0)
  const chunks = [...contents, null].map((content, at) => {
    const chunk = Buffer.concat([Buffer.alloc(16), content ?? Buffer.alloc(0)])
    chunk.writeUInt32LE(content?.byteLength ?? 0, 4)
    chunk.writeUInt32LE(at, 8)
    chunk.writeUInt32LE(content === null ? 2 : 1, 12)
    chunk.writeUInt32LE(crc32(chunk.subarray(4)), 0)
    return chunk
  })
  const file = disk.open(snapshotName(index), 'create')
  disk.write(file, 0, Buffer.concat([header, ...chunks]))
  disk.datasync(file)
  disk.syncDir()
}

it.each([
  ['a log alone', false],
  ['a log and a snapshot', true],
])('a directory from before there were clusters opens, and grows into one: %s', (_name, snap) => {
  const world = new World('a')
  spineDirectory(world, snap)
  const a = world.node('a')
  a.start()
  world.until(() => a.isReady, 100)
  expect(a.replica?.store.status()).toMatchObject({ revision: 8, keyCount: 8 })
  expect(world.txn(a, put('k/10'))).toMatchObject({ ok: true, value: { revision: 9 } })
  expect(a.replica?.roster()).toMatchObject({
    clusterId: expect.stringMatching(/^[0-9a-f]{16}$/),
    members: [{ name: 'a', suffrage: 'voter' }],
  })
  a.end(true)
  a.disk.restart('all-lost')
  a.start()
  world.until(() => a.isReady, 100)
  expect(a.replica?.store.status()).toMatchObject({ revision: 9, keyCount: 9 })
  const b = world.join('b')
  expect(world.get(b, 'k/10', 'linearizable')).toBe('v')
  expect(b.replica?.roster().clusterId).toBe(a.replica?.roster().clusterId)
})

it('a voter whose log is gone does not come back as if nothing had happened', () => {
  const world = World.led('a')
  const b = world.join('b')
  b.end(true)
  for (const name of b.disk.list()) b.disk.remove(name)
  b.start()
  world.run(20)
  const again = world.change(world.node('a'), { type: 'add-learner', member: b.identity })
  // With one of two voters gone this may well have no answer; the roster is what it was.
  const roster = again.ok ? again.value : (world.node('a').replica?.roster() as Roster)
  b.replica?.join(roster)
  expect(b.failed?.message).toContain('the log of this member is gone')
  expect(b.replica?.consensus()).toMatchObject({ nodeId: 0, isVoting: false })
})

it('a stop while the log is being founded is a stop', () => {
  const world = new World('a')
  const a = world.node('a')
  a.start()
  world.run(0.1)
  a.replica?.store.stop()
  world.until(() => a.replica?.store.status().state === 'stopped', 1_000)
  world.run(100)
  expect(a.replica?.store.status().state).toBe('stopped')
})

it('who lost its log gets no vote from who it had acknowledged to', () => {
  const world = World.led('abc')
  world.txn(world.leader, put('k', 'x'))
  world.run(200)
  const { leader } = world
  const [forgetful] = world.followers as [SimNode]
  leader.onPeerUp({ ...forgetful.introduction(), logEnd: { index: 1, term: 1 } })
  // Its acknowledgements count no more: with the other gone, nothing can be committed.
  const other = world.followers.find((node) => node !== forgetful) as SimNode
  other.end(true)
  expect(world.txn(leader, put('k', 'y'))).toMatchObject({ ok: false })
})
