import { expect, it } from 'vitest'
import { type Exchange, OK, RERUN, type Scope, SUSPENDED, UNCHANGED } from '../http/exchange.js'
import { FakeBody } from '../http/fake-client.fixture.js'
import type { Flow as CalledFlow } from '../http/flow.js'
import { type Flow, flowOf, node, Step, Wrap } from './flow.fixture.js'
import { STOP } from './pipeline.js'

/** What Bridge does. */
const calling =
  (inner: () => CalledFlow) =>
  (ex: Exchange): number => {
    ex.suspend()
    inner().call(ex)
    return SUSPENDED
  }

/** A filter that waits until the test lets it go on. */
class Gate {
  #ex: Exchange | null = null
  #ticket = 0

  readonly wait = (ex: Exchange): number => {
    this.#ex = ex
    this.#ticket = ex.suspend()
    return SUSPENDED
  }

  open(code = OK): void {
    this.#ex?.resume(this.#ticket, code)
  }
}

/** outer: a, call, z; inner: as given. */
function nested(trace: string[], inner: Flow): Flow {
  return flowOf([
    node(new Step('a', trace)),
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
    node(new Step('z', trace)),
  ])
}

it('the flow that calls goes on when the other has ended, on the same request and answer', () => {
  const trace: string[] = []
  const inner = flowOf([
    node(
      new Step('b', trace, (ex) => {
        ex.request.headers.add('x-b', '1')
        ex.response.headers.add('x-b', '2')
        return OK
      }),
    ),
  ])
  const outer = nested(trace, inner)
  const client = outer.start()
  expect(trace).toEqual(['a', 'call', 'b', 'z'])
  expect([client.ending, client.header('x-b'), client.sends]).toEqual(['complete', '2', 1])
  expect([outer.pipeline.pinCount, inner.pipeline.pinCount, client.ex.depth]).toEqual([0, 0, 0])
})

it('an empty flow may be called, and one that stops is over like any other', () => {
  for (const inner of [[], [node(new Step('b', [], () => 1), { to: [STOP] })]]) {
    const trace: string[] = []
    const client = nested(trace, flowOf(inner)).start()
    expect([trace, client.ending]).toEqual([['a', 'call', 'z'], 'complete'])
  }
})

it('goes on after an inner filter that waited, and after one behind it that waits too', () => {
  const trace: string[] = []
  const [first, second, third] = [new Gate(), new Gate(), new Gate()]
  const inner = flowOf([
    node(new Step('b', trace, first.wait)),
    node(new Step('c', trace, second.wait)),
  ])
  const outer = flowOf([
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
    node(new Step('y', trace, third.wait)),
    node(new Step('z', trace)),
  ])
  const client = outer.start()
  expect([outer.pipeline.pinCount, inner.pipeline.pinCount]).toEqual([1, 1])
  first.open()
  second.open()
  expect(trace).toEqual(['call', 'b', 'c', 'y'])
  expect([outer.pipeline.pinCount, inner.pipeline.pinCount]).toEqual([1, 0])
  third.open()
  expect([trace.at(-1), client.ending, outer.pipeline.pinCount]).toEqual(['z', 'complete', 0])
})

it('filters behind a call that ended at once may resume before they return', () => {
  const trace: string[] = []
  const loops: boolean[] = []
  const early = new Step('early', trace, (ex) => {
    loops.push(ex.looping)
    const ticket = ex.suspend()
    ex.resume(ticket, OK)
    return SUSPENDED
  })
  const inner = flowOf([node(early)])
  const outer = flowOf([
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
    node(early),
    node(new Step('z', trace)),
  ])
  expect(outer.start().ending).toBe('complete')
  expect(trace).toEqual(['call', 'early', 'early', 'z'])
  // Else each would run what follows inside of its own call.
  expect(loops).toEqual([true, true])
})

it('a retried call is a call anew', () => {
  const trace: string[] = []
  const gate = new Gate()
  const inner = flowOf([node(new Step('b', trace, gate.wait))])
  const outer = flowOf([
    node(new Wrap('retry', trace, { leave: (_ex, scope) => (scope.attempt < 3 ? RERUN : OK) })),
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
  ])
  const client = outer.start()
  for (let round = 0; round < 3; round++) gate.open()
  expect(trace.filter((each) => each === 'b').length).toBe(3)
  expect([client.ending, inner.pipeline.pinCount]).toEqual(['complete', 0])
})

it('scopes of the inner flow are closed before the outer goes on', () => {
  const trace: string[] = []
  const inner = flowOf([node(new Wrap('in', trace)), node(new Step('b', trace))])
  const outer = flowOf([
    node(new Wrap('out', trace)),
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
    node(new Step('z', trace)),
  ])
  outer.start()
  expect(trace).toEqual([
    'out enter',
    'call',
    'in enter',
    'b',
    'in leave 0 attempt 1',
    'z',
    'out leave 0 attempt 1',
  ])
})

it('a client that goes ends all flows, innermost first, and what is pinned is let go', () => {
  const trace: string[] = []
  const gate = new Gate()
  const inner = flowOf([node(new Wrap('in', trace)), node(new Step('b', trace, gate.wait))])
  const outer = flowOf([
    node(new Wrap('out', trace)),
    node(
      new Step(
        'call',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
  ])
  const client = outer.start()
  trace.length = 0
  client.abort()
  expect(trace).toEqual(['b cancelled', 'in cancelled', 'out cancelled'])
  expect([outer.pipeline.pinCount, inner.pipeline.pinCount]).toEqual([0, 0])
  gate.open()
  expect([client.ending, client.sends]).toEqual(['gone', 0])
})

it('the time limit of an outer flow ends the inner one, which waits', () => {
  const trace: string[] = []
  const gate = new Gate()
  const limits: Scope[] = []
  const middle = flowOf([
    node(new Wrap('mid', trace)),
    node(
      new Step(
        'call2',
        trace,
        calling(() => inner.pipeline),
      ),
    ),
  ])
  const inner = flowOf([node(new Wrap('in', trace)), node(new Step('b', trace, gate.wait))])
  const outer = flowOf([
    node(
      new Wrap('limit', trace, {
        enter: (_ex, scope) => {
          limits.push(scope)
          return OK
        },
        leave: (ex) => {
          ex.respond(408)
          return UNCHANGED
        },
      }),
    ),
    node(
      new Step(
        'call',
        trace,
        calling(() => middle.pipeline),
      ),
    ),
    node(new Step('z', trace)),
  ])
  const client = outer.start()
  trace.length = 0
  expect(client.ex.depth).toBe(2)
  expect(client.ex.interrupt(limits[0] as Scope)).toBe(true)
  expect(trace).toEqual(['b cancelled', 'in cancelled', 'mid cancelled', 'limit leave 1 attempt 1'])
  expect([client.status, client.ending, client.ex.depth]).toEqual([408, 'complete', 0])
  for (const { pipeline } of [outer, middle, inner]) expect(pipeline.pinCount).toBe(0)
  gate.open()
  expect(client.sends).toBe(1)
})

it('a limit inside of the inner flow ends only what it encloses', () => {
  const trace: string[] = []
  const gate = new Gate()
  const limits: Scope[] = []
  const inner = flowOf([
    node(
      new Wrap('limit', trace, {
        enter: (_ex, scope) => {
          limits.push(scope)
          return OK
        },
      }),
    ),
    node(new Step('b', trace, gate.wait)),
  ])
  const outer = nested(trace, inner)
  const client = outer.start()
  expect(client.ex.interrupt(limits[0] as Scope)).toBe(true)
  expect(trace.slice(-3)).toEqual(['b cancelled', 'limit leave 1 attempt 1', 'z'])
  expect(client.ending).toBe('complete')
})

it('a scope of another exchange, or one that is over, cannot be interrupted', () => {
  const trace: string[] = []
  const gate = new Gate()
  const outer = nested(trace, flowOf([node(new Step('b', trace, gate.wait))]))
  const { ex } = outer.start()
  const elsewhere = flowOf([node(new Wrap('w', [])), node(new Step('b', [], new Gate().wait))])
  const [scope] = elsewhere.start().ex.scopes
  expect(ex.interrupt(scope as Scope)).toBe(false)
  gate.open()
})

it.each(['at once', 'after a wait'])(
  'a filter that throws in there costs the exchange, %s',
  (when) => {
    const trace: string[] = []
    const gate = new Gate()
    const bad = new Step('bad', trace, () => {
      throw new Error('bad filter')
    })
    const inner = flowOf(
      when === 'at once'
        ? [node(new Wrap('in', trace)), node(bad)]
        : [node(new Wrap('in', trace)), node(new Step('b', trace, gate.wait)), node(bad)],
    )
    const outer = flowOf([
      node(new Wrap('out', trace)),
      node(
        new Step(
          'call',
          trace,
          calling(() => inner.pipeline),
        ),
      ),
      node(new Step('z', trace)),
    ])
    const client = outer.start()
    gate.open()
    expect([client.status, client.ending, client.sends]).toEqual([500, 'complete', 1])
    expect(trace.slice(-2)).toEqual(['in cancelled', 'out cancelled'])
    expect([outer.pipeline.pinCount, inner.pipeline.pinCount]).toEqual([0, 0])
    expect(inner.log.records[0]?.fields).toMatchObject({ filter: 'bad' })
  },
)

it('a body that is too large in there is 413 for the exchange', () => {
  const trace: string[] = []
  const inner = flowOf([node(new Step('b', trace), { requestBodyBytes: 4 })])
  const outer = nested(trace, inner)
  const body = new FakeBody()
  const client = outer.start({ method: 'POST', body })
  body.push('12345')
  expect([client.status, client.sends, trace]).toEqual([413, 1, ['a', 'call']])
  expect([outer.pipeline.pinCount, inner.pipeline.pinCount]).toEqual([0, 0])
})

it('a pipeline that is replaced meanwhile closes its filters when the call has returned', () => {
  const trace: string[] = []
  const gate = new Gate()
  const inner = flowOf([node(new Step('b', trace, gate.wait))])
  const outer = nested(trace, inner)
  outer.start()
  inner.pipeline.retire()
  expect(trace).toEqual(['a', 'call', 'b'])
  gate.open()
  expect(trace).toEqual(['a', 'call', 'b', 'b retired', 'z'])
})

it('values of template variables belong to their flow', () => {
  const seen: unknown[] = []
  const inner = flowOf([
    node(
      new Step('b', [], (ex) => {
        seen.push(ex.captured)
        ex.captured = ['inner']
        return OK
      }),
    ),
  ])
  const outer = flowOf([
    node(
      new Step('a', [], (ex) => {
        ex.captured = ['outer']
        return OK
      }),
    ),
    node(
      new Step(
        'call',
        [],
        calling(() => inner.pipeline),
      ),
    ),
    node(
      new Step('z', [], (ex) => {
        seen.push(ex.captured)
        return OK
      }),
    ),
  ])
  outer.start()
  expect(seen).toEqual([null, ['outer']])
})
