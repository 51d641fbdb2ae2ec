import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import type {
  ConnectionGate,
  TlsIdentity,
  TrafficHandler,
  TrafficListener,
} from '../listener/contract.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { type Opening, type SocketKey, type SocketPorts, SocketTable } from './sockets.js'

class FakeListener implements TrafficListener {
  readonly port: number
  readonly gate: ConnectionGate
  handler: TrafficHandler | null = null
  activeCount = 0
  connectionCount = 0
  canLeave = false
  readonly tls: TlsIdentity | null
  readonly calls: string[] = []

  constructor(port: number, { gate, tls }: Opening) {
    this.port = port
    this.gate = gate
    this.tls = tls
  }

  leave(): boolean {
    this.calls.push('leave')
    return this.canLeave
  }

  setHandler(handler: TrafficHandler | null): void {
    this.handler = handler
  }

  stopAccepting(): void {
    this.calls.push('stop')
  }

  drain(): void {
    this.calls.push('drain')
  }

  close(): void {
    this.calls.push('close')
  }
}

/** The ports of a node, of which the test says which may be had. */
class FakePorts implements SocketPorts {
  readonly log: string[] = []
  readonly listeners: FakeListener[] = []
  /** Why a port is not granted. */
  refusal = ''
  /** Claims are answered when the test says so. */
  isSlow = false
  canOpen = true
  readonly waiting: (() => void)[] = []

  async claim({ port }: SocketKey): Promise<{ granted: boolean; reason: string }> {
    this.log.push(`claim ${port}`)
    if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve))
    if (this.refusal === 'throw') throw new Error('the root is gone')
    return { granted: this.refusal === '', reason: this.refusal }
  }

  release({ port }: SocketKey): void {
    this.log.push(`release ${port}`)
  }

  open({ port }: SocketKey, opening: Opening): TrafficListener | null {
    this.log.push(`open ${port}`)
    if (opening.tls?.fingerprint === 'unusable') throw new Error('planted')
    if (!this.canOpen) return null
    const listener = new FakeListener(port, opening)
    this.listeners.push(listener)
    return listener
  }
}

interface Counted extends ConnectionGate {
  open: number
}

/** The count of a port, which all gates of it share. */
function gateOf(count: Counted | null, max = 10): Counted {
  const shared = count ?? {
    open: 0,
    opened: () => true,
    closed: () => {},
  }
  return {
    get open() {
      return shared.open
    },
    set open(open: number) {
      shared.open = open
    },
    opened() {
      if (shared.open >= max) return false
      shared.open += 1
      return true
    },
    closed() {
      shared.open -= 1
    },
  }
}

const handler = (): TrafficHandler => ({ keepAlive: true, handle() {}, finished() {} })
const key = (port: number): SocketKey => ({ host: '', port, transport: 'tcp' })
const places = { words: new Int32Array(256), base: 0 }
const server = (
  name: string,
  createdVersion: number,
  gate = gateOf(null),
  tls: TlsIdentity | null = null,
) => ({
  server: name,
  createdVersion,
  handler: handler(),
  gate,
  tls,
  places,
})
const shown = (fingerprint: string, clientCa = ''): TlsIdentity => ({
  pairs: [],
  clientCa,
  fingerprint,
})
const secure = (name: string, createdVersion: number, tls: TlsIdentity | null) =>
  server(name, createdVersion, gateOf(null), tls)

function rig() {
  const ports = new FakePorts()
  const time = new VirtualTime()
  const table = new SocketTable(ports, new MemoryLogger(), time)
  return { ports, time, table }
}

it('opens what is claimed, and points it at its server', async () => {
  const { ports, table } = rig()
  const one = server('one', 1)
  table.claim(key(80), one)
  expect([table.isIncomplete, ports.log]).toEqual([true, []])
  await table.reconcile()
  expect(ports.log).toEqual(['claim 80', 'open 80'])
  expect(ports.listeners[0]?.handler).toBe(one.handler)
  expect([table.isIncomplete, table.states()]).toEqual([
    false,
    [{ server: 'one', state: 'running', error: '' }],
  ])
})

it('a new generation takes over in the same turn, without touching the socket', async () => {
  const { ports, table } = rig()
  table.claim(key(80), server('one', 1))
  await table.reconcile()
  const next = server('one', 1)
  table.claim(key(80), next)
  expect(ports.listeners[0]?.handler).toBe(next.handler)
  await table.reconcile()
  expect(ports.log).toEqual(['claim 80', 'open 80'])
})

it('of two servers on one port the older holds it; the younger takes over in one turn', async () => {
  const { ports, table } = rig()
  const [young, old] = [server('young', 7), server('old', 3)]
  table.claim(key(80), young)
  await table.reconcile()
  expect(ports.listeners[0]?.handler).toBe(young.handler)
  table.claim(key(80), old)
  expect(ports.listeners[0]?.handler).toBe(old.handler)
  expect(table.states()).toEqual([
    { server: 'old', state: 'running', error: '' },
    { server: 'young', state: 'failed', error: 'port 80 is held by HTTPServer old' },
  ])
  table.release(key(80), 'old')
  expect(ports.listeners[0]?.handler).toBe(young.handler)
  await table.reconcile()
  expect([ports.log, ports.listeners[0]?.calls]).toEqual([['claim 80', 'open 80'], []])
})

it('what nobody wants any more is drained, closed later, and given back', async () => {
  const { ports, time, table } = rig()
  table.claim(key(80), server('one', 1))
  table.claim(key(81), server('two', 2))
  await table.reconcile()
  const [listener, other] = ports.listeners as [FakeListener, FakeListener]
  table.release(key(80), 'one')
  expect(listener.handler).toBeNull()
  listener.activeCount = 1
  other.activeCount = 2
  await table.reconcile()
  expect(listener.calls).toEqual(['drain', 'stop'])
  expect(ports.log.slice(4)).toEqual(['release 80'])
  expect(table.states()).toHaveLength(1)
  expect(table.activeCount).toBe(3)
  time.advance(60_000)
  expect(listener.calls).toEqual(['drain', 'stop'])
  listener.activeCount = 0
  time.advance(1_000)
  expect(listener.calls).toEqual(['drain', 'stop', 'close'])
  time.advance(60_000)
  expect([listener.calls.length, other.calls, table.activeCount]).toEqual([3, [], 2])
})

it('idle connections of a closed socket get time to end', async () => {
  const { ports, time, table } = rig()
  table.claim(key(80), server('one', 1))
  await table.reconcile()
  table.release(key(80), 'one')
  await table.reconcile()
  time.advance(14_000)
  expect(ports.listeners[0]?.calls).not.toContain('close')
  time.advance(3_000)
  expect(ports.listeners[0]?.calls).toContain('close')
})

it('a port that is released and wanted again before anything closed stays open', async () => {
  const { ports, table } = rig()
  table.claim(key(80), server('one', 1))
  await table.reconcile()
  table.release(key(80), 'one')
  const two = server('two', 2)
  table.claim(key(80), two)
  await table.reconcile()
  expect(ports.log).toEqual(['claim 80', 'open 80'])
  expect(ports.listeners[0]?.handler).toBe(two.handler)
})

it.each<[name: string, spoil: (ports: FakePorts) => void, error: string, log: string[]]>([
  [
    'is taken',
    (ports) => {
      ports.refusal = 'port 80 is in use by another process'
    },
    'port 80 is in use by another process',
    ['claim 80'],
  ],
  [
    'cannot be bound',
    (ports) => {
      ports.canOpen = false
    },
    'cannot listen on port 80',
    ['claim 80', 'open 80', 'release 80'],
  ],
  [
    'nobody answers for',
    (ports) => {
      ports.refusal = 'throw'
    },
    'the root is gone',
    ['claim 80'],
  ],
])('a port that %s: the state says so, and it is tried again', async (_name, spoil, error, log) => {
  const { ports, table } = rig()
  spoil(ports)
  table.claim(key(80), server('one', 1))
  await table.reconcile()
  expect(ports.log).toEqual(log)
  expect(table.states()).toEqual([{ server: 'one', state: 'failed', error }])
  expect(table.isIncomplete).toBe(true)
  ports.refusal = ''
  ports.canOpen = true
  await table.reconcile()
  expect(table.states()).toEqual([{ server: 'one', state: 'running', error: '' }])
  expect(table.isIncomplete).toBe(false)
})

it('two that ask for the same socket wait for one opening', async () => {
  const { ports, table } = rig()
  ports.isSlow = true
  table.claim(key(80), server('one', 1))
  const first = table.reconcile()
  table.claim(key(80), server('two', 2))
  const second = table.reconcile()
  ports.waiting[0]?.()
  await Promise.all([first, second])
  expect(ports.log).toEqual(['claim 80', 'open 80'])
})

it('a socket that nobody wants by the time it is granted is given back', async () => {
  const { ports, table } = rig()
  ports.isSlow = true
  table.claim(key(80), server('one', 1))
  const opening = table.reconcile()
  table.release(key(80), 'one')
  const again = table.reconcile()
  ports.waiting[0]?.()
  await Promise.all([opening, again])
  expect(ports.log).toEqual(['claim 80', 'release 80'])
  expect([table.states(), table.isIncomplete]).toEqual([[], false])
})

it('wanted again before the grant, it is claimed once: a release would undo both', async () => {
  const { ports, table } = rig()
  ports.isSlow = true
  table.claim(key(80), server('one', 1))
  const opening = table.reconcile()
  table.release(key(80), 'one')
  const closing = table.reconcile()
  const two = server('two', 2)
  table.claim(key(80), two)
  const again = table.reconcile()
  for (const resolve of ports.waiting) resolve()
  await Promise.all([opening, closing, again])
  expect(ports.log).toEqual(['claim 80', 'open 80'])
  expect(ports.listeners[0]?.handler).toBe(two.handler)
})

it('connections are counted over changes of the server; the newest cap counts', async () => {
  const { ports, table } = rig()
  const count = gateOf(null, 2)
  table.claim(key(80), server('one', 1, count))
  await table.reconcile()
  const { gate } = ports.listeners[0] as FakeListener
  expect([gate.opened(), gate.opened(), gate.opened()]).toEqual([true, true, false])
  table.claim(key(80), server('one', 1, gateOf(count, 3)))
  expect([gate.opened(), gate.opened()]).toEqual([true, false])
  gate.closed()
  expect(count.open).toBe(2)
  table.release(key(80), 'one')
  gate.closed()
  gate.closed()
  expect(count.open).toBe(0)
  expect(gate.opened()).toBe(true)
})

it('draining stops all sockets and opens no new one', async () => {
  const { ports, table } = rig()
  table.claim(key(80), server('one', 1))
  await table.reconcile()
  ports.isSlow = true
  table.claim(key(81), server('two', 2))
  const opening = table.reconcile()
  table.drain()
  ports.waiting[0]?.()
  await opening
  expect(ports.listeners[0]?.calls).toEqual(['drain', 'stop'])
  expect(ports.log).toEqual(['claim 80', 'open 80', 'claim 81', 'release 81'])
})

it('closing all ends also what was retired, once', async () => {
  const { ports, time, table } = rig()
  table.claim(key(80), server('one', 1))
  table.claim(key(81), server('two', 2))
  await table.reconcile()
  table.release(key(80), 'one')
  await table.reconcile()
  table.closeAll()
  time.advance(60_000)
  expect(ports.listeners.map(({ calls }) => calls)).toEqual([['drain', 'stop', 'close'], ['close']])
  expect([table.states(), table.activeCount]).toEqual([[], 0])
})

it('a release of what is not held is nothing', () => {
  const { ports, table } = rig()
  table.release(key(80), 'one')
  table.claim(key(80), server('one', 1))
  table.release(key(80), 'other')
  expect([table.states().length, ports.log]).toEqual([1, []])
})

it('other certificates: new connections go to another socket, old ones stay and are served', async () => {
  const { ports, time, table } = rig()
  table.claim(key(443), secure('s', 1, shown('one')))
  await table.reconcile()
  const [old] = ports.listeners as [FakeListener]
  old.connectionCount = 3
  old.canLeave = true
  table.claim(key(443), secure('s', 1, shown('two')))
  expect(table.isIncomplete).toBe(true)
  await table.reconcile()
  const [, now] = ports.listeners as [FakeListener, FakeListener]
  expect(now.tls?.fingerprint).toBe('two')
  // The port was never given back.
  expect(ports.log).toEqual(['claim 443', 'open 443', 'open 443'])
  expect(old.calls).toEqual(['leave'])
  time.advance(600)
  expect(old.calls).toEqual(['leave', 'stop'])
  const newest = secure('s', 1, shown('two'))
  table.claim(key(443), newest)
  expect([old.handler, now.handler]).toEqual([newest.handler, newest.handler])
  time.advance(60_000)
  expect(old.calls).toEqual(['leave', 'stop'])
  old.connectionCount = 0
  time.advance(1_000)
  expect(old.calls).toEqual(['leave', 'stop', 'close'])
  expect(now.calls).toEqual([])
  expect([table.isIncomplete, table.states()]).toEqual([
    false,
    [{ server: 's', state: 'running', error: '' }],
  ])
})

it('the same certificates in a new generation: nothing is opened', async () => {
  const { ports, table } = rig()
  table.claim(key(443), secure('s', 1, shown('one')))
  await table.reconcile()
  table.claim(key(443), secure('s', 1, shown('one')))
  await table.reconcile()
  expect(ports.listeners.length).toBe(1)
})

it.each<[name: string, before: TlsIdentity | null, after: TlsIdentity | null]>([
  ['clear text to TLS', null, shown('one')],
  ['TLS to clear text', shown('one'), null],
  ['client certificates are asked for', shown('one'), shown('two', 'ca')],
  ['others may be clients', shown('one', 'ca'), shown('two', 'other ca')],
])('%s: connections from before are answered no more', async (_name, before, after) => {
  const { ports, time, table } = rig()
  table.claim(key(443), secure('s', 1, before))
  await table.reconcile()
  const [old] = ports.listeners as [FakeListener]
  old.connectionCount = 1
  const next = secure('s', 1, after)
  table.claim(key(443), next)
  expect(old.handler).toBe(null)
  await table.reconcile()
  expect(old.calls).toEqual(['drain', 'leave', 'stop'])
  expect(ports.listeners[1]?.handler).toBe(next.handler)
  time.advance(20_000)
  expect(old.calls).toEqual(['drain', 'leave', 'stop', 'close'])
})

it('certificates that cannot be used: told, not tried again, the old ones go on', async () => {
  const { ports, table } = rig()
  table.claim(key(443), secure('s', 1, shown('one')))
  await table.reconcile()
  const next = secure('s', 1, shown('unusable'))
  table.claim(key(443), next)
  await table.reconcile()
  expect(ports.listeners[0]?.handler).toBe(next.handler)
  expect([table.isIncomplete, table.states()]).toEqual([
    false,
    [{ server: 's', state: 'failed', error: 'the certificates cannot be used: planted' }],
  ])
  table.claim(key(443), secure('s', 1, shown('two')))
  await table.reconcile()
  expect(table.states()).toEqual([{ server: 's', state: 'running', error: '' }])
  expect(ports.listeners[1]?.tls?.fingerprint).toBe('two')
})

it('certificates that cannot be used from the start: the port is given back', async () => {
  const { ports, table } = rig()
  table.claim(key(443), secure('s', 1, shown('unusable')))
  await table.reconcile()
  expect(ports.log).toEqual(['claim 443', 'open 443', 'release 443'])
  expect(table.states()).toEqual([{ server: 's', state: 'failed', error: 'planted' }])
})

it('a server that goes takes the connections of its former certificates along', async () => {
  const { ports, time, table } = rig()
  table.claim(key(443), secure('s', 1, shown('one')))
  await table.reconcile()
  table.claim(key(443), secure('s', 1, shown('two')))
  await table.reconcile()
  const [old, now] = ports.listeners as [FakeListener, FakeListener]
  old.connectionCount = 1
  table.release(key(443), 's')
  await table.reconcile()
  expect([old.handler, now.handler]).toEqual([null, null])
  expect(old.calls).toEqual(['leave', 'stop', 'drain', 'stop'])
  time.advance(30_000)
  expect([old.calls.at(-1), now.calls.at(-1)]).toEqual(['close', 'close'])
})

it('leaving: every socket is told, and one that could lead others on is waited for', async () => {
  const { ports, table } = rig()
  table.claim(key(80), server('a', 1))
  table.claim(key(81), server('b', 1))
  await table.reconcile()
  expect(table.leave()).toBe(false)
  const [first] = ports.listeners as [FakeListener]
  first.canLeave = true
  expect(table.leave()).toBe(true)
  expect(first.calls).toEqual(['drain', 'leave', 'drain', 'leave'])
})
