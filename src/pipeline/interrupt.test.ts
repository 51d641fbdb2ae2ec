import { expect, it } from 'vitest'
import { DONE, type Exchange, OK, RERUN, type Scope, SUSPENDED } from '../http/exchange.js'
import { FakeBody, FakeResponseBody } from '../http/fake-client.fixture.js'
import { type Flow, flowOf, node, Step, Wrap } from './flow.fixture.js'
import { END } from './pipeline.js'

/** Suspends, and leaves the ticket for the test to resume with. */
function waits(tickets: number[]): (ex: Exchange) => number {
  return (ex) => {
    tickets.push(ex.suspend())
    return SUSPENDED
  }
}

interface Limited {
  readonly flow: Flow
  readonly trace: string[]
  readonly tickets: number[]
  /** Scopes of the filter called `limit`, as they were opened. */
  readonly limits: Scope[]
}

/** limit (result 1 leads to `last`), inner scope, a filter that waits, last. */
function limited(leave: (ex: Exchange, scope: Scope, code: number) => number): Limited {
  const trace: string[] = []
  const tickets: number[] = []
  const limits: Scope[] = []
  const enter = (_ex: Exchange, scope: Scope): number => {
    limits.push(scope)
    return OK
  }
  const flow = flowOf([
    node(new Wrap('outer', trace)),
    node(new Wrap('limit', trace, { enter, leave }), { to: [4] }),
    node(new Wrap('inner', trace)),
    node(new Step('waits', trace, waits(tickets))),
    node(new Step('last', trace)),
  ])
  return { flow, trace, tickets, limits }
}

it('gives up the inside and goes on where the result of leave leads', () => {
  const { flow, trace, tickets, limits } = limited(() => 1)
  const client = flow.start()
  expect(client.ex.interrupt(limits[0] as Scope)).toBe(true)
  expect(trace).toEqual([
    'outer enter',
    'limit enter',
    'inner enter',
    'waits',
    'waits cancelled',
    'inner cancelled',
    'limit leave 1 attempt 1',
    'last',
    'outer leave 0 attempt 1',
  ])
  client.ex.resume(tickets[0] as number, OK)
  expect([client.sends, client.ex.state, flow.pipeline.pinCount]).toEqual([1, DONE, 0])
})

it('without a target, the scopes around hear of a failure', () => {
  const { flow, trace, limits } = limited(() => 2)
  const client = flow.start()
  client.ex.interrupt(limits[0] as Scope)
  expect(trace.slice(-2)).toEqual(['limit leave 1 attempt 1', 'outer leave 1 attempt 1'])
  expect(client.sends).toBe(1)
})

it('may run the inside again; the tickets of the first run are dead', () => {
  const { flow, trace, tickets, limits } = limited((_ex, { attempt }) => (attempt < 2 ? RERUN : OK))
  const client = flow.start()
  client.ex.interrupt(limits[0] as Scope)
  expect(trace.slice(-3)).toEqual(['limit leave 1 attempt 1', 'inner enter', 'waits'])
  client.ex.resume(tickets[0] as number, OK)
  expect(client.sends).toBe(0)
  client.ex.resume(tickets[1] as number, OK)
  expect(trace.slice(-3)).toEqual([
    'inner leave 0 attempt 1',
    'limit leave 0 attempt 2',
    'outer leave 0 attempt 1',
  ])
  expect([client.sends, flow.pipeline.pinCount]).toEqual([1, 0])
})

it('leave itself may wait', () => {
  const late: number[] = []
  const { flow, trace, limits } = limited(waits(late))
  const client = flow.start()
  client.ex.interrupt(limits[0] as Scope)
  expect(client.sends).toBe(0)
  client.ex.resume(late[0] as number, 1)
  expect(trace.slice(-2)).toEqual(['last', 'outer leave 0 attempt 1'])
  expect(client.sends).toBe(1)
})

it('tells scopes within why they are given up', () => {
  const told: number[] = []
  const inner = new Wrap('inner', [])
  inner.cancel = (...args: unknown[]): void => {
    told.push(args[2] as number)
  }
  let scope: Scope | null = null
  const enter = (_ex: Exchange, opened: Scope): number => {
    scope = opened
    return OK
  }
  const build = (does: (ex: Exchange) => number) =>
    flowOf([
      node(new Wrap('limit', [], { enter })),
      node(inner),
      node(new Step('waits', [], does)),
      node(new Step('needs all', []), { requestBodyBytes: 4 }),
    ])
  const client = build(waits([])).start()
  client.ex.interrupt(scope as unknown as Scope)
  build(waits([])).start().abort()
  build(() => {
    throw new Error('boom')
  }).start()
  build(() => OK).start({ body: new FakeBody(5) })
  expect(told).toEqual([408, 499, 500, 413])
})

it('a scope within that waits to leave is given up too', () => {
  const trace: string[] = []
  let scope: Scope | null = null
  const enter = (_ex: Exchange, opened: Scope): number => {
    scope = opened
    return OK
  }
  const flow = flowOf([
    node(new Wrap('limit', trace, { enter, leave: () => 1 }), { to: [END] }),
    node(new Wrap('retry', trace, { leave: waits([]) })),
  ])
  const client = flow.start()
  client.ex.interrupt(scope as unknown as Scope)
  expect(trace.slice(-2)).toEqual(['retry cancelled', 'limit leave 1 attempt 1'])
  expect(client.sends).toBe(1)
})

it('a body that is being collected inside is given back', () => {
  const body = new FakeResponseBody(null)
  let scope: Scope | null = null
  const flow = flowOf([
    node(
      new Wrap('limit', [], {
        enter: (_ex, opened) => {
          scope = opened
          return OK
        },
      }),
    ),
    node(
      new Step('answers', [], (ex) => {
        ex.response.source = body
        return OK
      }),
    ),
    node(new Step('needs it', []), { responseBodyBytes: 100 }),
  ])
  const client = flow.start()
  body.push('some')
  expect(client.sends).toBe(0)
  client.ex.interrupt(scope as unknown as Scope)
  expect([body.cancels, client.sends, client.text]).toEqual([1, 1, ''])
})

it('a filter that throws as it is cancelled, or in leave, costs a 500 at most', () => {
  const { flow, limits } = limited(() => {
    throw new Error('boom')
  })
  const client = flow.start()
  client.ex.interrupt(limits[0] as Scope)
  expect([client.status, client.sends, flow.pipeline.pinCount]).toEqual([500, 1, 0])
  expect(flow.pipeline.failures).toBe(1)
})

it.each<[name: string, before: (client: ReturnType<Flow['start']>, tickets: number[]) => void]>([
  ['the inside is done', (client, tickets) => client.ex.resume(tickets[0] as number, OK)],
  ['the client is gone', (client) => client.abort()],
])('does nothing once %s', (_name, before) => {
  const { flow, trace, tickets, limits } = limited(() => OK)
  const client = flow.start()
  before(client, tickets)
  const so = [...trace]
  expect(client.ex.interrupt(limits[0] as Scope)).toBe(false)
  expect(trace).toEqual(so)
  expect(flow.pipeline.pinCount).toBe(0)
})

it('does nothing for a scope that is closed while the exchange waits outside it', () => {
  const tickets: number[] = []
  let scope: Scope | null = null
  const enter = (_ex: Exchange, opened: Scope): number => {
    scope = opened
    return OK
  }
  const flow = flowOf([
    node(new Wrap('limit', [], { enter, leave: () => 1 }), { to: [2] }),
    node(new Step('a', [])),
    node(new Step('outside', [], waits(tickets))),
  ])
  const client = flow.start()
  // `a` leads on to `outside`, still within: only then is the limit left, by its own result.
  client.ex.resume(tickets[0] as number, OK)
  expect(tickets).toHaveLength(2)
  expect(client.ex.interrupt(scope as unknown as Scope)).toBe(false)
  client.ex.resume(tickets[1] as number, OK)
  expect(client.sends).toBe(1)
})
