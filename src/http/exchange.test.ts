import { expect, it } from 'vitest'
import {
  ABORTED,
  type Cancellable,
  DONE,
  type Engine,
  Exchange,
  OK,
  RESPONDING,
  type Responder,
  RUNNING,
  SUSPENDED,
  WAITING,
} from './exchange.js'
import { DEFAULT, namespaceIndex } from './namespaces.js'

class RecordingEngine implements Engine {
  readonly name = 'recording'
  readonly data = null
  readonly log: string[] = []

  advance(_ex: Exchange, code: number): void {
    this.log.push(`advance ${code}`)
  }
  interrupt(): void {
    this.log.push('interrupt')
  }
  failed(_ex: Exchange, thrown: unknown): void {
    this.log.push(`failed ${String(thrown)}`)
  }
  endWith(): void {
    this.log.push('endWith')
  }
  aborted(): void {
    this.log.push('aborted')
  }
  giveUp(): void {
    this.log.push('give up')
  }
  unpin(): void {
    this.log.push('unpin')
  }
}

function running(): [Exchange, string[]] {
  const ex = new Exchange()
  const engine = new RecordingEngine()
  ex.engine = engine
  return [ex, engine.log]
}

const responderAt = (address: string, log: string[] = []): Responder => ({
  send() {},
  cut() {},
  peerAddress: () => {
    log.push('asked')
    return address
  },
})

it('a ticket resumes once', () => {
  const [ex, log] = running()
  const ticket = ex.suspend()
  expect(ex.isLive(ticket)).toBe(true)
  ex.resume(ticket, 3)
  ex.resume(ticket, 4)
  expect(log).toEqual(['advance 3'])
  expect(ex.isLive(ticket)).toBe(false)
})

it('a resume inside the engine’s loop is only noted', () => {
  const [ex, log] = running()
  ex.looping = true
  const ticket = ex.suspend()
  expect(ex.resumedWith).toBe(SUSPENDED)
  ex.resume(ticket, 2)
  ex.resume(ticket, 5)
  expect([ex.resumedWith, log]).toEqual([2, []])
})

it.each<[name: string, kill: (ex: Exchange) => void]>([
  ['a newer ticket', (ex) => ex.suspend()],
  ['revoke', (ex) => ex.revoke()],
  ['reuse of the object', (ex) => ex.reset()],
  [
    'reuse and a new wait',
    (ex) => {
      ex.reset()
      ex.suspend()
    },
  ],
])('a ticket dies with %s', (_name, kill) => {
  const [ex, log] = running()
  const ticket = ex.suspend()
  kill(ex)
  ex.resume(ticket, OK)
  expect(ex.isLive(ticket)).toBe(false)
  expect(log).toEqual([])
})

it.each([
  [RUNNING, true],
  [WAITING, true],
  [RESPONDING, false],
  [DONE, false],
  [ABORTED, false],
] as const)('in state %i a ticket is live: %s', (state, live) => {
  const [ex, log] = running()
  const ticket = ex.suspend()
  ex.state = state
  expect(ex.isLive(ticket)).toBe(live)
  ex.resume(ticket, OK)
  expect(log).toEqual(live ? ['advance 0'] : [])
})

it('revoke tells the one that waits, once, and after its ticket is dead', () => {
  const [ex] = running()
  const ticket = ex.suspend()
  const log: boolean[] = []
  const waiting: Cancellable = {
    cancel(each) {
      log.push(each.isLive(ticket))
      each.revoke()
    },
  }
  ex.waiting = waiting
  ex.revoke()
  ex.revoke()
  expect(log).toEqual([false])
  expect(ex.waiting).toBeNull()
})

it('enter hands what is thrown to the engine, and to the caller when there is none', () => {
  const [ex, log] = running()
  const bad = (_ex: Exchange, what: string): void => {
    throw new Error(what)
  }
  ex.enter(bad, 'oops')
  expect(log).toEqual(['failed Error: oops'])
  ex.enter((_ex, code: number) => log.push(`ran ${code}`), 7)
  expect(log.at(-1)).toBe('ran 7')
  ex.engine = null
  expect(() => ex.enter(bad, 'again')).toThrow('again')
})

it('respond replaces status and body, keeps fields not about the body, gives a stream back', () => {
  const [ex] = running()
  let cancels = 0
  for (const name of ['x', 'content-encoding', 'etag', 'vary', 'cache-control', 'x']) {
    ex.response.headers.add(name, 'y')
  }
  ex.response.source = {
    length: 3,
    open() {},
    pause() {},
    resume() {},
    cancel: () => {
      cancels += 1
    },
  }
  ex.respond(503, Buffer.from('no'))
  expect([ex.response.status, ex.response.headers.flat, cancels]).toEqual([
    503,
    ['x', 'y', 'vary', 'y', 'x', 'y'],
    1,
  ])
  expect(ex.response.body).toEqual(Buffer.from('no'))
  ex.respond(404)
  expect([ex.response.status, ex.response.body]).toEqual([404, null])
})

it('the real address is fixed at the first call, and the peer asked only then', () => {
  const [ex] = running()
  const asked: string[] = []
  ex.responder = responderAt('9.9.9.9', asked)
  expect(asked).toEqual([])
  expect(ex.realIp).toBe('9.9.9.9')
  ex.request.headers.add('x-real-ip', '1.1.1.1')
  ex.responder = null
  expect(ex.realIp).toBe('9.9.9.9')
  expect(asked).toEqual(['asked'])
  ex.reset()
  ex.request.headers.add('x-forwarded-for', '2.2.2.2')
  expect(ex.realIp).toBe('2.2.2.2')
})

it('without peer and headers the address is empty', () => {
  expect(new Exchange().realIp).toBe('')
})

it('reset leaves what a new exchange has, and the fields keep their order', () => {
  const ex = new Exchange()
  const fields = Object.keys(ex)
  // The first two are reset by themselves; the last is the connection's, not the exchange's.
  const apart = ['request', 'response', 'isTls']
  const changed = fields.filter((field) => !apart.includes(field))
  for (const field of changed) Object.assign(ex, { [field]: 'left over' })
  ex.request.rawPath = '/a'
  ex.respond(500)
  ex.reset()
  expect(ex).toEqual(new Exchange())
  expect(Object.keys(ex)).toEqual(fields)
  ex.isTls = true
  ex.reset()
  expect(ex.isTls).toBe(true)
})

it('keeps a request and an answer for each namespace, and gives back what is left of them', () => {
  const ex = new Exchange()
  const [one, two] = [namespaceIndex('one'), namespaceIndex('two')]
  ex.request.method = 'GET'
  const { request, response } = ex
  expect([ex.requestIn(DEFAULT), ex.responseIn(DEFAULT)]).toEqual([request, response])
  expect([ex.requestIn(one), ex.responseIn(one), ex.pairs]).toEqual([null, null, null])
  ex.useNamespace(one)
  expect([ex.request.isPresent, ex.response.isPresent]).toEqual([false, false])
  expect([ex.requestIn(DEFAULT), ex.requestIn(one), ex.responseIn(one)]).toEqual([
    request,
    null,
    null,
  ])
  ex.request.method = 'PUT'
  ex.response.ensure()
  let cancelled = 0
  ex.response.source = {
    length: -1,
    open: () => {},
    pause: () => {},
    resume: () => {},
    cancel: () => {
      cancelled += 1
    },
  }
  const ofOne = ex.request
  ex.useNamespace(two)
  ex.useNamespace(DEFAULT)
  expect([ex.request, ex.response]).toEqual([request, response])
  expect(ex.requestIn(one)).toBe(ofOne)
  expect(ex.responseIn(one)?.status).toBe(200)
  ex.useNamespace(one)
  ex.leaveNamespaces()
  expect([ex.namespace, ex.pairs, cancelled]).toEqual([DEFAULT, null, 1])
  expect(ex.request).toBe(request)
  expect(ex.response).toBe(response)
})

it('numbers namespaces by name, the empty one being DEFAULT', () => {
  expect([namespaceIndex(''), namespaceIndex('DEFAULT')]).toEqual([DEFAULT, DEFAULT])
  const index = namespaceIndex('another')
  expect(index).toBeGreaterThan(DEFAULT)
  expect(namespaceIndex('another')).toBe(index)
})
