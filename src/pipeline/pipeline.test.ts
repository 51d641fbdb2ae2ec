import { expect, it } from 'vitest'
import {
  DONE,
  type Exchange,
  OK,
  RERUN,
  RUNNING,
  SUSPENDED,
  UNCHANGED,
  WAITING,
} from '../http/exchange.js'
import { FakeClient } from '../http/fake-client.fixture.js'
import { flowOf, node, Step, Wrap } from './flow.fixture.js'
import { END, STOP } from './pipeline.js'

/** Suspends, and leaves the ticket for the test to resume with. */
function waits(tickets: number[]): (ex: Exchange) => number {
  return (ex) => {
    tickets.push(ex.suspend())
    return SUSPENDED
  }
}

/** Suspends and is resumed before it has returned. */
const resumesAtOnce =
  (code: number) =>
  (ex: Exchange): number => {
    ex.resume(ex.suspend(), code)
    return SUSPENDED
  }

const answers201 = (ex: Exchange): number => {
  ex.respond(201, Buffer.from('made'))
  return OK
}

it('runs filters in order and then answers, once', () => {
  const trace: string[] = []
  const flow = flowOf([
    node(new Step('a', trace)),
    node(new Step('b', trace, answers201)),
    node(new Step('c', trace)),
  ])
  const client = flow.start()
  expect(trace).toEqual(['a', 'b', 'c'])
  expect([client.status, client.text, client.sends]).toEqual([201, 'made', 1])
  expect(client.ex.state).toBe(DONE)
})

it('answers 200 with nothing when the flow is empty', () => {
  const client = flowOf([]).start()
  expect([client.status, client.text, client.ending]).toEqual([200, '', 'complete'])
})

it.each<[name: string, to: number[], code: number, want: string[]]>([
  ['OK goes to the next', [2], OK, ['a', 'b', 'c', 'd']],
  ['a result jumps to a later filter', [2], 1, ['a', 'c', 'd']],
  ['a result jumps to the last', [3], 1, ['a', 'd']],
  ['a result jumps to END', [END], 1, ['a']],
  ['a result without an entry stops', [STOP], 1, ['a']],
  ['results have targets of their own', [END, 3], 2, ['a', 'd']],
])('jumps: %s', (_name, to, code, want) => {
  for (const how of [() => code, resumesAtOnce(code)]) {
    const trace: string[] = []
    const rest = ['b', 'c', 'd'].map((name) => node(new Step(name, trace)))
    const client = flowOf([node(new Step('a', trace, how), { to }), ...rest]).start()
    expect(trace).toEqual(want)
    expect(client.sends).toBe(1)
  }
})

it('goes on where it waited, once the filter resumes', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const client = flowOf([
    node(new Step('a', trace)),
    node(new Step('b', trace, waits(tickets)), { to: [3] }),
    node(new Step('c', trace)),
    node(new Step('d', trace)),
  ]).start()
  expect(trace).toEqual(['a', 'b'])
  expect(client.ex.state).toBe(WAITING)
  client.ex.resume(tickets[0] as number, 1)
  expect(trace).toEqual(['a', 'b', 'd'])
  expect(client.sends).toBe(1)
})

it('takes a resume once', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const client = flowOf([
    node(new Step('a', trace, waits(tickets))),
    node(new Step('b', trace, waits(tickets))),
    node(new Step('c', trace)),
  ]).start()
  client.ex.resume(tickets[0] as number, OK)
  client.ex.resume(tickets[0] as number, OK)
  expect(trace).toEqual(['a', 'b'])
  client.ex.resume(tickets[1] as number, OK)
  client.ex.resume(tickets[1] as number, OK)
  expect(trace).toEqual(['a', 'b', 'c'])
  expect(client.sends).toBe(1)
})

it('a long chain of filters that resume at once is a loop, not a recursion', () => {
  const trace: string[] = []
  const nodes = Array.from({ length: 20_000 }, () => node(new Step('a', trace, resumesAtOnce(OK))))
  expect(flowOf(nodes).start().ending).toBe('complete')
  expect(trace).toHaveLength(20_000)
})

it('a flow without its end resumed costs nothing but its pin', () => {
  const flow = flowOf([node(new Step('a', [], waits([])))])
  flow.start()
  expect(flow.pipeline.pinCount).toBe(1)
})

// -- scopes --------------------------------------------------------------------------------------

it('a wrapping filter is asked once all behind it is done', () => {
  const trace: string[] = []
  flowOf([
    node(new Step('a', trace)),
    node(new Wrap('w', trace)),
    node(new Step('b', trace)),
    node(new Step('c', trace)),
  ]).start()
  expect(trace).toEqual(['a', 'w enter', 'b', 'c', 'w leave 0 attempt 1'])
})

it('scopes close innermost first', () => {
  const trace: string[] = []
  flowOf([
    node(new Wrap('v', trace)),
    node(new Wrap('w', trace)),
    node(new Step('a', trace)),
  ]).start()
  expect(trace).toEqual(['v enter', 'w enter', 'a', 'w leave 0 attempt 1', 'v leave 0 attempt 1'])
})

it.each<[name: string, to: number, want: number]>([
  ['END is OK', END, 0],
  ['a result without an entry is a failure', STOP, 1],
])('leave hears how the inside ended: %s', (_name, to, want) => {
  const trace: string[] = []
  flowOf([
    node(new Wrap('v', trace)),
    node(new Wrap('w', trace)),
    node(new Step('a', trace, () => 1), { to: [to] }),
    node(new Step('b', trace)),
  ]).start()
  expect(trace.slice(3)).toEqual([`w leave ${want} attempt 1`, `v leave ${want} attempt 1`])
})

it('RERUN runs the inside again, with the scope around it still open', () => {
  const trace: string[] = []
  const again = new Wrap('w', trace, { leave: (_ex, scope) => (scope.attempt < 3 ? RERUN : OK) })
  flowOf([node(new Wrap('v', trace)), node(again), node(new Step('a', trace))]).start()
  expect(trace).toEqual([
    'v enter',
    'w enter',
    'a',
    'w leave 0 attempt 1',
    'a',
    'w leave 0 attempt 2',
    'a',
    'w leave 0 attempt 3',
    'v leave 0 attempt 1',
  ])
})

it('an inner scope is opened anew by each run of the outer', () => {
  const trace: string[] = []
  const leave = (_ex: Exchange, scope: { attempt: number }): number =>
    scope.attempt < 2 ? RERUN : UNCHANGED
  flowOf([
    node(new Wrap('v', trace, { leave })),
    node(new Wrap('w', trace, { leave })),
    node(new Step('a', trace)),
  ]).start()
  const inner = ['w enter', 'a', 'w leave 0 attempt 1', 'a', 'w leave 0 attempt 2']
  expect(trace).toEqual([
    'v enter',
    ...inner,
    'v leave 0 attempt 1',
    ...inner,
    'v leave 0 attempt 2',
  ])
})

it('RERUN of a wrapping filter with nothing behind it leaves again', () => {
  const trace: string[] = []
  const again = new Wrap('w', trace, { leave: (_ex, { attempt }) => (attempt < 2 ? RERUN : OK) })
  expect(flowOf([node(again)]).start().sends).toBe(1)
  expect(trace).toEqual(['w enter', 'w leave 0 attempt 1', 'w leave 0 attempt 2'])
})

it.each<[name: string, to: number[], code: number, want: string[]]>([
  ['UNCHANGED hands the failure up', [3], UNCHANGED, ['v leave 1 attempt 1']],
  ['OK does so too', [3], OK, ['v leave 1 attempt 1']],
  ['a result of its own jumps, outside the scope', [3], 1, ['c', 'v leave 0 attempt 1']],
  ['a result without an entry stops', [STOP], 1, ['v leave 1 attempt 1']],
  ['a result may jump to END', [END], 1, ['v leave 0 attempt 1']],
])('leave: %s', (_name, to, code, want) => {
  for (const how of [() => code, resumesAtOnce(code)]) {
    const trace: string[] = []
    flowOf([
      node(new Wrap('v', trace)),
      node(new Wrap('w', trace, { leave: how }), { to }),
      node(new Step('a', trace, () => 1)),
      node(new Step('c', trace)),
    ]).start()
    expect(trace.slice(4)).toEqual(want)
  }
})

it.each<[name: string, to: number[], want: string[]]>([
  ['stops', [STOP], ['v leave 1 attempt 1']],
  ['jumps', [3], ['c', 'v leave 0 attempt 1']],
])('a result of enter %s, and its scope is not left', (_name, to, want) => {
  for (const enter of [() => 1, resumesAtOnce(1)]) {
    const trace: string[] = []
    flowOf([
      node(new Wrap('v', trace)),
      node(new Wrap('w', trace, { enter }), { to }),
      node(new Step('a', trace)),
      node(new Step('c', trace)),
    ]).start()
    expect(trace).toEqual(['v enter', 'w enter', ...want])
  }
})

it('enter and leave may wait', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const wait = waits(tickets)
  const wrap = new Wrap('w', trace, {
    enter: wait,
    leave: (ex, { attempt }) => (attempt < 2 ? wait(ex) : UNCHANGED),
  })
  const { ex, sends } = flowOf([node(wrap), node(new Step('a', trace))]).start()
  expect(trace).toEqual(['w enter'])
  ex.resume(tickets[0] as number, OK)
  expect(trace).toEqual(['w enter', 'a', 'w leave 0 attempt 1'])
  expect([ex.state, sends]).toEqual([WAITING, 0])
  ex.resume(tickets[1] as number, RERUN)
  expect(trace.slice(3)).toEqual(['a', 'w leave 0 attempt 2'])
  expect(ex.state).toBe(DONE)
})

it('a ticket of an earlier run cannot move a later one', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const { ex } = flowOf([
    node(new Wrap('w', trace, { leave: (_ex, { attempt }) => (attempt < 2 ? RERUN : UNCHANGED) })),
    node(new Step('a', trace, waits(tickets))),
  ]).start()
  ex.resume(tickets[0] as number, OK)
  expect(tickets).toHaveLength(2)
  ex.resume(tickets[0] as number, OK)
  expect(ex.state).toBe(WAITING)
  ex.resume(tickets[1] as number, OK)
  expect(ex.state).toBe(DONE)
})

it('a ticket dies with the reuse of the object', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const flow = flowOf([node(new Step('a', trace, waits(tickets)))])
  const first = flow.start()
  first.abort()
  first.ex.reset()
  const second = new FakeClient({}, first.ex)
  flow.pipeline.start(second.ex)
  second.ex.resume(tickets[0] as number, OK)
  expect(second.sends).toBe(0)
  second.ex.resume(tickets[1] as number, OK)
  expect(second.sends).toBe(1)
})

// -- what throws ---------------------------------------------------------------------------------

const boom = (): never => {
  throw new Error('boom')
}

it.each<[name: string, trace: string[], nodes: (trace: string[]) => ReturnType<typeof node>[]]>([
  ['handle', ['a'], (trace) => [node(new Step('a', trace, boom))]],
  ['enter', ['w enter', 'w cancelled'], (trace) => [node(new Wrap('w', trace, { enter: boom }))]],
  [
    'leave',
    ['w enter', 'a', 'w leave 0 attempt 1', 'w cancelled'],
    (trace) => [node(new Wrap('w', trace, { leave: boom })), node(new Step('a', trace))],
  ],
  ['a result that its kind has not', ['a'], (trace) => [node(new Step('a', trace, () => 9))]],
])('what %s throws costs a 500 and is counted', (_name, want, nodes) => {
  const trace: string[] = []
  const flow = flowOf(nodes(trace))
  const client = flow.start({ path: '/x' })
  expect([client.status, client.sends, flow.pipeline.failures]).toEqual([500, 1, 1])
  expect(trace).toEqual(want)
  const [record] = flow.log.records
  expect(record).toMatchObject({ level: 'error', fields: { pipeline: 'demo' } })
  expect(flow.pipeline.pinCount).toBe(0)
})

it('a 500 keeps nothing of the answer that was being made', () => {
  const flow = flowOf([
    node(
      new Step('a', [], (ex) => {
        ex.response.headers.add('x-made', 'half')
        ex.response.body = Buffer.from('half')
        return OK
      }),
    ),
    node(new Step('b', [], boom)),
  ])
  const client = flow.start()
  expect([client.status, client.headers, client.text]).toEqual([500, [], ''])
})

it('what a callback throws through `enter` ends the exchange that waits', () => {
  const trace: string[] = []
  const flow = flowOf([
    node(new Wrap('w', trace)),
    node(new Step('a', trace, waits([]))),
    node(new Step('b', trace)),
  ])
  const client = flow.start()
  client.ex.enter(boom, null)
  expect(trace).toEqual(['w enter', 'a', 'a cancelled', 'w cancelled'])
  expect([client.status, flow.pipeline.failures]).toEqual([500, 1])
  expect(flow.log.records[0]?.fields).toMatchObject({ filter: 'a' })
})

it('what throws in a resumed filter costs a 500, and nothing its resumer', () => {
  const tickets: number[] = []
  const flow = flowOf([node(new Step('a', [], waits(tickets))), node(new Step('b', [], boom))])
  const client = flow.start()
  client.ex.resume(tickets[0] as number, OK)
  expect([client.status, flow.pipeline.failures]).toEqual([500, 1])
})

it('once the head is out the connection is cut', () => {
  const flow = flowOf([node(new Step('a', []))])
  const client = new FakeClient()
  client.send = () => {
    client.sends += 1 // the head is out, the body is not
  }
  flow.pipeline.start(client.ex)
  client.ex.enter(boom, null)
  expect([client.sends, client.cuts]).toEqual([1, 1])
  expect(flow.pipeline.pinCount).toBe(0)
})

it('an answer that cannot be sent, and whose 500 cannot either, cuts the connection', () => {
  const flow = flowOf([node(new Step('a', [], boom))])
  const client = new FakeClient()
  client.send = boom
  flow.pipeline.start(client.ex)
  expect(client.cuts).toBe(1)
  expect(flow.pipeline.pinCount).toBe(0)
})

it('one that fails to cancel is logged, and the others are told all the same', () => {
  const trace: string[] = []
  const [bad, worse] = [new Step('a', trace, waits([])), new Wrap('w', trace)]
  bad.cancel = boom
  worse.cancel = boom
  const flow = flowOf([node(new Wrap('v', trace)), node(worse), node(bad)])
  flow.start().abort()
  expect(trace.at(-1)).toBe('v cancelled')
  expect(flow.log.records).toMatchObject(
    ['a', 'w'].map((filter) => ({ message: 'filter failed to cancel', fields: { filter } })),
  )
})

// -- abort ---------------------------------------------------------------------------------------

it('an abort tells the filter that waits, then its scopes, and nobody else', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const flow = flowOf([
    node(new Step('a', trace)),
    node(new Wrap('v', trace)),
    node(new Wrap('w', trace)),
    node(new Step('b', trace, waits(tickets))),
    node(new Step('c', trace)),
  ])
  const client = flow.start()
  client.abort()
  const ended = ['a', 'v enter', 'w enter', 'b', 'b cancelled', 'w cancelled', 'v cancelled']
  expect(trace).toEqual(ended)
  client.ex.resume(tickets[0] as number, OK)
  expect(trace).toEqual(ended)
  expect([client.sends, flow.pipeline.pinCount]).toEqual([0, 0])
})

it('an abort in the back-off of a scope tells each scope once', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const client = flowOf([
    node(new Wrap('v', trace)),
    node(new Wrap('w', trace, { leave: waits(tickets) })),
    node(new Step('a', trace)),
  ]).start()
  client.abort()
  client.ex.resume(tickets[0] as number, RERUN)
  expect(trace.slice(3)).toEqual(['w leave 0 attempt 1', 'w cancelled', 'v cancelled'])
})

it('a filter without `cancel` may wait too', () => {
  const tickets: number[] = []
  const step = { handle: waits(tickets) }
  const flow = flowOf([{ ...node(new Step('a', [])), filter: step }])
  const client = flow.start()
  client.abort()
  client.ex.resume(tickets[0] as number, OK)
  expect(client.sends).toBe(0)
})

it.each<[name: string, code: number]>([
  ['returned', OK],
  ['suspended', SUSPENDED],
])('an exchange that ended inside a call goes no further: %s', (_name, code) => {
  const trace: string[] = []
  const flow = flowOf([
    node(new Wrap('w', trace)),
    node(
      new Step('a', trace, (ex) => {
        client.abort()
        if (code === SUSPENDED) ex.suspend()
        return code
      }),
    ),
    node(new Step('b', trace)),
  ])
  const client = new FakeClient()
  flow.pipeline.start(client.ex)
  expect(trace).toEqual(['w enter', 'a', 'w cancelled'])
  expect([client.ending, client.sends, flow.pipeline.failures]).toEqual(['gone', 0, 0])
})

it('an exchange made ready for reuse while it is answered stays so', () => {
  const flow = flowOf([node(new Step('a', []))])
  const client = new FakeClient()
  const { send } = client
  client.send = (ex) => {
    send.call(client, ex)
    ex.reset()
  }
  flow.pipeline.start(client.ex)
  const { state, waiting, looping, engine } = client.ex
  expect([state, waiting, looping, engine]).toEqual([RUNNING, null, false, null])
})

// -- pins ----------------------------------------------------------------------------------------

it('filters close at once when nobody is inside', () => {
  const trace: string[] = []
  const { pipeline } = flowOf([node(new Wrap('w', trace)), node(new Step('a', trace))])
  pipeline.retire()
  pipeline.retire()
  expect(trace).toEqual(['w retired', 'a retired'])
})

it('filters close when the last exchange is over, also its body', () => {
  const trace: string[] = []
  const tickets: number[] = []
  const flow = flowOf([node(new Step('a', trace, waits(tickets)))])
  const [first, second] = [flow.start(), flow.start()]
  flow.pipeline.retire()
  expect(flow.pipeline.pinCount).toBe(2)
  first.ex.resume(tickets[0] as number, OK)
  expect(trace).toEqual(['a', 'a'])
  second.abort()
  expect(trace).toEqual(['a', 'a', 'a cancelled', 'a retired'])
})

it('one that fails to close does not keep the others open', () => {
  const trace: string[] = []
  const bad = new Step('a', trace)
  bad.retire = boom
  const flow = flowOf([node(bad), node(new Step('b', trace))])
  flow.pipeline.retire()
  expect(trace).toEqual(['b retired'])
  expect(flow.log.count('filter failed to close')).toBe(1)
})

it('every field of an exchange keeps its place from request to request', () => {
  const tickets: number[] = []
  const flow = flowOf([node(new Wrap('w', [])), node(new Step('a', [], waits(tickets)))])
  const { ex } = flow.start()
  const fields = Object.keys(ex)
  ex.resume(tickets[0] as number, OK)
  expect(Object.keys(ex)).toEqual(fields)
  ex.reset()
  expect(Object.keys(ex)).toEqual(fields)
})

it('pipelines that look alike share their form, and nothing else', () => {
  const traces: string[][] = [[], []]
  const tickets: number[] = []
  const flows = traces.map((trace, at) =>
    flowOf([
      node(new Step(`a${at}`, trace, waits(tickets))),
      node(new Step(`b${at}`, trace, () => at), { to: [END] }),
      node(new Step(`c${at}`, trace)),
    ]),
  )
  const clients = flows.map((flow) => flow.start())
  expect(traces).toEqual([['a0'], ['a1']])
  for (const [at, client] of clients.entries()) client.ex.resume(tickets[at] as number, OK)
  expect(traces).toEqual([
    ['a0', 'b0', 'c0'],
    ['a1', 'b1'],
  ])
})
