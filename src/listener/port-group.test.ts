import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { PLACES_BYTES, type TrafficListener } from './contract.js'
import { openListener } from './open-listener.js'
import { PortGroup, programFor } from './port-group.js'

const open = new Set<TrafficListener>()
afterEach(() => {
  for (const each of open) each.close()
  open.clear()
})

/** What the workers of a node would have open on one port; all of them in this thread. */
class Node {
  readonly places = { words: new Int32Array(PLACES_BYTES / 4 + 16), base: 16 }
  port = 0
  /** Connections that each listener got, and it has closed. */
  readonly counts = new Map<TrafficListener, number>()

  open(worker: number): TrafficListener {
    let own: TrafficListener | null = null
    const gate = {
      // None is let in: what counts is who would have been asked.
      opened: () => {
        const listener = own as TrafficListener
        this.counts.set(listener, (this.counts.get(listener) ?? 0) + 1)
        return false
      },
      closed: () => {},
    }
    const address = { host: '127.0.0.1', port: this.port }
    const group = new PortGroup(this.places, worker, address)
    own = openListener(address, gate, new MemoryLogger(), { group })
    if (own === null) throw new Error('cannot listen')
    open.add(own)
    return own
  }

  close(listener: TrafficListener): void {
    open.delete(listener)
    listener.close()
  }

  /** Who gets `count` new connections, one after the other. */
  async ask(count: number): Promise<ReadonlyMap<TrafficListener, number>> {
    this.counts.clear()
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(this.port, '127.0.0.1')
        socket.on('error', (error: NodeJS.ErrnoException) =>
          error.code === 'ECONNRESET' ? resolve() : reject(error),
        )
        socket.on('close', () => resolve())
      })
    }
    return new Map(this.counts)
  }
}

/** A port that is free now. */
async function node(): Promise<Node> {
  const it = new Node()
  const probe = openListener(
    { host: '127.0.0.1', port: 0 },
    { opened: () => false, closed: () => {} },
    new MemoryLogger(),
    {},
  ) as TrafficListener
  it.port = probe.port
  probe.close()
  return it
}

it('a listener that leaves gets no new connection, and the others get all', async () => {
  const it = await node()
  const [a, b, c] = [0, 1, 2].map((worker) => it.open(worker)) as TrafficListener[]
  expect((await it.ask(60)).size).toBe(3)
  expect(b?.leave()).toBe(true)
  const counts = await it.ask(60)
  expect([...counts.keys()].every((each) => each === a || each === c)).toBe(true)
  it.close(b as TrafficListener)
  // The kernel chooses again, and a newcomer gets its part.
  const d = it.open(1)
  expect((await it.ask(90)).get(d)).toBeGreaterThan(0)
})

it('the last one leads nobody away', async () => {
  const it = await node()
  const a = it.open(0)
  expect(a.leave()).toBe(false)
  const b = it.open(1)
  expect(a.leave()).toBe(true)
  expect(b.leave()).toBe(false)
  expect((await it.ask(20)).get(b)).toBe(20)
})

it('sockets come and go in any order, and those that leave are always the right ones', async () => {
  const it = await node()
  const prng = new Prng(0x9a7e)
  const listeners: TrafficListener[] = [it.open(0), it.open(1)]
  for (let round = 0; round < 40; round++) {
    if (listeners.length < 3 || (listeners.length < 6 && prng.below(2) === 0)) {
      listeners.push(it.open(round & 7))
      continue
    }
    const leaving = listeners.splice(prng.below(listeners.length), 1)
    if (listeners.length > 2 && prng.below(3) === 0) {
      leaving.push(...listeners.splice(prng.below(listeners.length), 1))
    }
    for (const each of leaving) expect(each.leave()).toBe(true)
    const counts = await it.ask(12)
    for (const each of counts.keys()) expect(listeners, `round ${round}`).toContain(each)
    for (const each of leaving) {
      it.close(each)
      for (const one of (await it.ask(4)).keys()) expect(listeners).toContain(one)
    }
  }
})

it('those that leave stay open while others come, and get nothing', async () => {
  const it = await node()
  const prng = new Prng(0x1ea7)
  const leaving: TrafficListener[] = []
  const current = [it.open(0), it.open(1)]
  for (let round = 0; round < 30; round++) {
    for (const worker of [0, 1]) {
      const next = it.open(worker)
      const before = current[worker] as TrafficListener
      current[worker] = next
      expect(before.leave()).toBe(true)
      leaving.push(before)
    }
    for (const each of (await it.ask(8)).keys()) expect(current, `round ${round}`).toContain(each)
    while (leaving.length > prng.below(6)) {
      it.close(leaving.splice(prng.below(leaving.length), 1)[0] as TrafficListener)
      for (const each of (await it.ask(3)).keys()) expect(current, `${round}`).toContain(each)
    }
  }
})

it('without the C library sockets are closed as they are', async () => {
  const { places } = await node()
  const group = new PortGroup(places, 0, { host: '127.0.0.1', port: 9 }, () => null)
  const closed: string[] = []
  const one = group.join(() => true)
  const two = group.join(() => true)
  expect([one.leave(), two.leave()]).toEqual([false, false])
  one.left(() => closed.push('one'))
  two.left(() => closed.push('two'))
  expect(closed).toEqual(['one', 'two'])
})

it('what could not be opened has no place', () => {
  const places = { words: new Int32Array(PLACES_BYTES / 4), base: 0 }
  const group = new PortGroup(places, 0, { host: '', port: 9 })
  expect(group.join(() => false).leave()).toBe(false)
  expect([...places.words].every((word) => word === 0)).toBe(true)
})

it('more sockets than can be noted: no order is known, none is led away', () => {
  const places = { words: new Int32Array(PLACES_BYTES / 4), base: 0 }
  const group = new PortGroup(places, 0, { host: '', port: 9 })
  const all = Array.from({ length: 128 }, () => group.join(() => true))
  expect(all.map((each) => each.leave()).some(Boolean)).toBe(false)
  for (const each of all) each.left(() => {})
})

it('a lock that is never given back stops nobody', () => {
  const places = { words: new Int32Array(new SharedArrayBuffer(PLACES_BYTES)), base: 0 }
  places.words[0] = 7
  let isClosed = false
  const group = new PortGroup(places, 0, { host: '', port: 9 })
  const place = group.join(() => true)
  place.left(() => {
    isClosed = true
  })
  expect(isClosed).toBe(true)
})

it.each([
  [[0], [0]],
  [
    [1, 2],
    [1, 2],
  ],
  [
    [0, 3, 5],
    [0, 3, 5],
  ],
])('the program for %j gives one of them', (indices, want) => {
  const given = programFor(indices).filter(({ code }) => code === 0x06)
  expect(given.map(({ k }) => k)).toEqual(want)
})
