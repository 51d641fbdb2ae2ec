import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { Rpc } from '../peer/peer.js'
import { type SimPeer, SimWorld } from '../peer/testing/sim-peers.js'
import type { BoardReading } from './board.js'
import { EmbeddedBoard } from './embedded-board.js'
import { BoardWorld } from './testing/board-world.js'

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const TTL = 5000

/** `member key=value`, as they come. */
function lines(reading: BoardReading): string[] {
  return reading.entries.map(
    ({ member, key, value }) => `${member.name} ${key}=${Buffer.from(value)}`,
  )
}

function three(): BoardWorld {
  const world = new BoardWorld()
  for (const name of ['a', 'b', 'c']) {
    world.add(name).publish('heartbeat', bytes(`of ${name}`), TTL)
  }
  world.elect('a', 1)
  world.time.advance(100)
  return world
}

it('what anybody says can be read anywhere', () => {
  const world = three()
  world.boards.get('b')?.publish('status/x', bytes('up'), TTL)
  world.boards.get('b')?.publish('status/y', bytes('down'), TTL)
  world.time.advance(100)
  for (const reader of ['a', 'b', 'c']) {
    const all = world.read(reader)
    expect(all.source).toBe('leader')
    expect(lines(all)).toEqual([
      'a heartbeat=of a',
      'b heartbeat=of b',
      'b status/x=up',
      'b status/y=down',
      'c heartbeat=of c',
    ])
    expect(lines(world.read(reader, 'status/'))).toEqual(['b status/x=up', 'b status/y=down'])
    expect(lines(world.read(reader, 'status/y'))).toEqual(['b status/y=down'])
    expect(lines(world.read(reader, 'z'))).toEqual([])
  }
})

it('a change, a withdrawal and a repetition arrive within milliseconds', () => {
  const world = three()
  const b = world.boards.get('b') as EmbeddedBoard
  b.publish('k', bytes('1'), TTL)
  b.publish('k', bytes('2'), TTL)
  b.publish('gone', bytes('1'), TTL)
  world.time.advance(10)
  b.withdraw('gone')
  b.withdraw('never said')
  b.publish('k', bytes('3'), TTL)
  world.time.advance(10)
  expect(lines(world.read('c', 'k'))).toEqual(['b k=3'])
  expect(lines(world.read('c', 'gone'))).toEqual([])
})

it('what is said again unchanged costs nothing but the beat', () => {
  const world = three()
  world.time.advance(2000)
  const idleFrom = world.messages
  world.time.advance(10_000)
  const idle = world.messages - idleFrom
  // Two nodes, a beat a second and its answer.
  expect(idle).toBe(40)
  const before = world.messages
  for (let second = 0; second < 10; second++) {
    for (const name of ['a', 'b', 'c']) {
      world.boards.get(name)?.publish('heartbeat', bytes(`of ${name}`), TTL)
    }
    world.time.advance(1000)
  }
  expect(world.messages - before).toBe(idle)
})

it('what is said in one turn travels together', () => {
  const world = three()
  world.time.advance(500)
  const before = world.messages
  for (let i = 0; i < 100; i++) world.boards.get('b')?.publish(`k${i}`, bytes('v'), TTL)
  world.time.advance(100)
  expect(world.messages - before).toBe(2)
})

it('a member that is silent outlives its time to live, and comes back whole', () => {
  const world = three()
  world.boards.get('b')?.publish('long', bytes('1'), 60_000)
  world.time.advance(1500)
  world.isolate('b')
  world.time.advance(4000)
  const [age] = world.read('c', 'long').entries
  expect(age?.ageMs).toBeGreaterThan(3000)
  expect(lines(world.read('c', 'heartbeat'))).toContain('b heartbeat=of b')
  world.time.advance(2500)
  expect(lines(world.read('c'))).toEqual(['a heartbeat=of a', 'b long=1', 'c heartbeat=of c'])
  world.cut.clear()
  world.time.advance(2100)
  expect(lines(world.read('c'))).toContain('b heartbeat=of b')
  expect(lines(world.read('c'))).toContain('b long=1')
})

it('what the leader dropped is said again, though the member believes it known', () => {
  const world = three()
  world.boards.get('b')?.publish('short', bytes('1'), 2000)
  world.time.advance(1500)
  world.isolate('b')
  world.time.advance(4000)
  world.cut.clear()
  world.time.advance(2100)
  expect(lines(world.read('c', 'short'))).toEqual(['b short=1'])
})

it('a new leader is refilled within a beat', () => {
  const world = three()
  for (let i = 0; i < 5000; i++) world.boards.get('c')?.publish(`k${i}`, new Uint8Array(300), TTL)
  world.time.advance(3000)
  expect(world.read('a').entries).toHaveLength(5003)
  world.elect('b', 2)
  world.time.advance(1000)
  expect(world.read('a').entries).toHaveLength(5003)
  expect(world.read('c').source).toBe('leader')
})

it('a new leader is told with the first message', () => {
  const world = three()
  world.time.advance(500)
  const before = world.messages
  world.elect('b', 2)
  world.time.advance(50)
  expect(lines(world.read('b'))).toHaveLength(3)
  expect(world.messages - before).toBe(4)
})

it('a leader that leads again knows nothing that was withdrawn meanwhile', () => {
  const world = three()
  world.boards.get('c')?.publish('k', bytes('1'), 600_000)
  world.time.advance(100)
  world.elect('b', 2)
  world.time.advance(100)
  world.boards.get('c')?.withdraw('k')
  world.time.advance(100)
  world.elect('a', 3)
  world.time.advance(1100)
  expect(lines(world.read('b', 'k'))).toEqual([])
  expect(lines(world.read('b'))).toHaveLength(3)
})

it('a member whose answers are lost is shown as it is, not as it was', () => {
  const world = three()
  const b = world.boards.get('b') as EmbeddedBoard
  b.publish('gone', bytes('1'), 60_000)
  world.time.advance(1500)
  world.cut.add('a b')
  b.publish('k', bytes('1'), 60_000)
  world.time.advance(1500)
  b.publish('k', bytes('2'), 60_000)
  b.withdraw('gone')
  world.time.advance(1500)
  const [k] = world.read('a', 'k').entries
  expect(k?.ageMs).toBeLessThan(1100)
  expect(lines(world.read('a', 'k'))).toEqual(['b k=2'])
  expect(lines(world.read('a', 'gone'))).toEqual([])
})

it('who was purged is not heard any more, by the next leader neither', () => {
  const world = three()
  for (const board of world.boards.values()) board.forget('c')
  world.time.advance(2500)
  expect(lines(world.read('b'))).toEqual(['a heartbeat=of a', 'b heartbeat=of b'])
  world.elect('b', 2)
  world.time.advance(2500)
  expect(lines(world.read('a'))).toEqual(['a heartbeat=of a', 'b heartbeat=of b'])
})

it('a restarted member starts anew', () => {
  const world = three()
  world.boards.get('c')?.publish('k', bytes('1'), 600_000)
  world.time.advance(100)
  world.stop('c')
  const c = world.add('c')
  c.leads('a', 1)
  c.publish('l', bytes('2'), TTL)
  world.time.advance(100)
  expect(lines(world.read('b')).filter((line) => line.startsWith('c'))).toEqual(['c l=2'])
})

it('without a leader a node tells what it says itself', () => {
  const world = three()
  world.elect(null, 2)
  const reading = world.read('b')
  expect(reading.source).toBe('local')
  expect(lines(reading)).toEqual(['b heartbeat=of b'])
  expect(reading.entries[0]?.ageMs).toBe(0)
  // Who led until now has kept what it knew.
  expect(lines(world.read('a')).sort()).toEqual([
    'a heartbeat=of a',
    'b heartbeat=of b',
    'c heartbeat=of c',
  ])
  world.time.advance(10_000)
  expect(lines(world.read('a'))).toEqual(['a heartbeat=of a'])
})

it('a leader that does not answer is not waited for, beyond a second', () => {
  const world = three()
  world.isolate('a')
  const before = world.time.monotonicMs()
  expect(world.read('b').source).toBe('local')
  expect(world.time.monotonicMs() - before).toBeLessThanOrEqual(1002)
})

it('who is asked and does not lead says so, and what is here must do', () => {
  const world = three()
  world.boards.get('a')?.leads('c', 2)
  expect(world.read('b').source).toBe('local')
})

it('a reading of many pages is whole', () => {
  const world = three()
  const value = new Uint8Array(1000)
  for (const name of ['a', 'b']) {
    for (let i = 0; i < 5000; i++) world.boards.get(name)?.publish(`k/${i}`, value, TTL)
  }
  world.time.advance(5000)
  const keys = world.read('c', 'k/').entries.map(({ member, key }) => `${member.name} ${key}`)
  expect(new Set(keys).size).toBe(10_000)
  expect(keys).toHaveLength(10_000)
  expect([...keys].sort()).toEqual(keys)
})

it.each<[string, string, Uint8Array, number, string]>([
  ['an empty key', '', bytes('v'), TTL, 'REQUEST_INVALID'],
  ['a long key', 'k'.repeat(513), bytes('v'), TTL, 'REQUEST_INVALID'],
  ['a large value', 'k', new Uint8Array(256 * 1024 + 1), TTL, 'REQUEST_INVALID'],
  ['no time to live', 'k', bytes('v'), 0, 'REQUEST_INVALID'],
  ['a broken time to live', 'k', bytes('v'), 1.5, 'REQUEST_INVALID'],
  ['an endless time to live', 'k', bytes('v'), Number.POSITIVE_INFINITY, 'REQUEST_INVALID'],
])('%s is refused', (_name, key, value, ttlMs, code) => {
  const board = new BoardWorld().add('a')
  expect(() => board.publish(key, value, ttlMs)).toThrow(
    expect.objectContaining({ code }) as unknown as GatewayError,
  )
})

it('what a node says is bounded in number and in bytes', () => {
  const limits = { keysMax: 10, bytesMax: 10_000 }
  const board = new BoardWorld().add('a', { limits })
  for (let i = 0; i < 10; i++) board.publish(`k${i}`, bytes('v'), TTL)
  expect(() => board.publish('more', bytes('v'), TTL)).toThrow(GatewayError)
  board.publish('k1', bytes('other'), TTL)
  expect(() => board.publish('k1', new Uint8Array(10_000), TTL)).toThrow(GatewayError)
  board.withdraw('k0')
  board.publish('more', bytes('v'), TTL)
  for (let i = 0; i < 1000; i++) board.publish('k1', new Uint8Array(i), TTL)
  expect(board.status().publishedBytes).toBeLessThan(10_000)
})

it('a leader without room takes no more, keeps what it has, and goes on when there is', () => {
  const world = new BoardWorld()
  world.add('a', { tableBytesMax: 20_000 })
  const b = world.add('b')
  const c = world.add('c')
  world.elect('a', 1)
  b.publish('k', new Uint8Array(15_000), TTL)
  world.time.advance(100)
  c.publish('k', new Uint8Array(10_000), TTL)
  world.time.advance(3000)
  const a = world.boards.get('a') as EmbeddedBoard
  expect(a.status().tableBytes).toBeLessThan(20_000)
  expect(a.status().refused).toBeGreaterThan(1)
  expect(c.status().isCurrent).toBe(false)
  expect(world.read('b').entries).toHaveLength(1)
  b.withdraw('k')
  world.time.advance(1100)
  expect(world.read('b').entries.map((entry) => entry.member.name)).toEqual(['c'])
  expect(c.status().isCurrent).toBe(true)
})

it('many withdrawals do not pile up: who lags behind starts anew', () => {
  const world = three()
  const b = world.boards.get('b') as EmbeddedBoard
  b.publish('kept', bytes('1'), 600_000)
  b.publish('k0', bytes('1'), 600_000)
  world.time.advance(100)
  world.isolate('b')
  for (let i = 0; i < 10_000; i++) {
    b.publish(`k${i}`, bytes('1'), 600_000)
    b.withdraw(`k${i}`)
  }
  world.cut.clear()
  world.time.advance(1100)
  expect(lines(world.read('c', 'k'))).toEqual(['b kept=1'])
})

it('whatever the network does, the board ends up as everybody says', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const world = new BoardWorld(seed)
    const { prng } = world
    const names = ['a', 'b', 'c', 'd']
    const said = new Map(names.map((name) => [name, new Map<string, string>()]))
    for (const name of names) world.add(name)
    Object.assign(world.weather, { lossPercent: 20, doublePercent: 20, delayMsMax: 700 })
    let term = 0
    for (let step = 0; step < 150; step++) {
      const name = prng.pick(names)
      const board = world.boards.get(name) as EmbeddedBoard
      const key = `k${prng.below(8)}`
      const what = prng.below(20)
      if (what < 10) {
        board.publish(key, bytes(`${step}`), 8000)
        said.get(name)?.set(key, `${step}`)
      } else if (what < 14) {
        board.withdraw(key)
        said.get(name)?.delete(key)
      } else if (what === 14) {
        // Not everybody hears of it at once, or at all.
        term += 1
        const leader = prng.chance(15) ? null : prng.pick(names)
        for (const each of world.boards.values()) if (prng.chance(70)) each.leads(leader, term)
      } else if (what === 15) world.isolate(prng.pick(names))
      else if (what === 16) world.cut.clear()
      else if (what === 17 && prng.chance(40)) {
        world.stop(name)
        world.add(name)
        said.get(name)?.clear()
      } else world.time.advance(prng.below(3000))
    }
    world.cut.clear()
    Object.assign(world.weather, { lossPercent: 0, doublePercent: 0, delayMsMax: 5 })
    world.time.advance(1000)
    world.elect('b', term + 1)
    world.time.advance(1100)
    const wanted = names.flatMap((name) =>
      [...(said.get(name) as Map<string, string>)]
        .sort()
        .map(([key, value]) => `${name} ${key}=${value}`),
    )
    for (const reader of names) {
      const reading = world.read(reader)
      expect(reading.source, `seed ${seed}`).toBe('leader')
      expect(lines(reading), `seed ${seed}, read by ${reader}`).toEqual(wanted)
    }
    for (const name of names) expect(world.boards.get(name)?.status().isCurrent).toBe(true)
  }
})

it('under the same leader losses heal by the beats alone', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const world = new BoardWorld(seed)
    const { prng } = world
    for (const name of ['a', 'b']) world.add(name)
    world.elect('a', 1)
    Object.assign(world.weather, { lossPercent: 40, doublePercent: 30, delayMsMax: 1500 })
    const b = world.boards.get('b') as EmbeddedBoard
    const said = new Map<string, string>()
    for (let step = 0; step < 60; step++) {
      const key = `k${prng.below(6)}`
      if (prng.chance(70)) said.set(key, `${step}`)
      else said.delete(key)
      const value = said.get(key)
      if (value === undefined) b.withdraw(key)
      else b.publish(key, bytes(value), 2000 + prng.below(4000))
      if (prng.chance(50)) world.time.advance(prng.below(2500))
    }
    Object.assign(world.weather, { lossPercent: 0, doublePercent: 0, delayMsMax: 5 })
    world.time.advance(5000)
    expect(lines(world.read('a')), `seed ${seed}`).toEqual(
      [...said].sort().map(([key, value]) => `b ${key}=${value}`),
    )
  }
})

it('over real links: a leader is lost, another is told everything', () => {
  const world = new SimWorld(3, { latencyMs: [1, 5] })
  const names = ['a', 'b', 'c']
  const peers = world.cluster(names) as SimPeer[]
  const boards = new Map<string, EmbeddedBoard>()
  for (const peer of peers) {
    const rpc = new Rpc({ time: world.time, links: peer.links })
    const { name, incarnation, bootId } = peer.local
    const board = new EmbeddedBoard({ time: world.time, rpc, self: { name, incarnation, bootId } })
    peer.onTraffic = (traffic, from) => rpc.receive(traffic, from)
    peer.onDown = (from) => rpc.peerDown(from)
    peer.onUp = (from) => board.peerUp(from)
    board.publish('heartbeat', bytes(name), TTL)
    board.leads('inc-a', 1)
    boards.set(name, board)
  }
  const read = (name: string): string[] => {
    let found: string[] = []
    boards.get(name)?.read('', (outcome) => {
      found = outcome.ok ? [outcome.value.source, ...lines(outcome.value)] : ['failed']
    })
    world.time.advance(50)
    return found
  }
  world.time.advance(500)
  expect(read('c')).toEqual(['leader', 'a heartbeat=a', 'b heartbeat=b', 'c heartbeat=c'])
  boards.get('a')?.close()
  world.kill('a')
  for (const name of ['b', 'c']) boards.get(name)?.leads('inc-b', 2)
  world.time.advance(1000)
  expect(read('c')).toEqual(['leader', 'b heartbeat=b', 'c heartbeat=c'])
})
