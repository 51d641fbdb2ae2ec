import { expect, it } from 'vitest'
import { type Exchange, OK, RERUN, SUSPENDED, UNCHANGED } from '../http/exchange.js'
import { FakeClient } from '../http/fake-client.fixture.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { flowOf, node, Step, Wrap, type Wrapping } from './flow.fixture.js'
import type { Node, Pipeline } from './pipeline.js'
import { type Surroundings, surround } from './stages.js'

/** Stages of filters that enclose what follows: pipelines of v1 under a GlobalFilter may have them. */
function stages(parts: Readonly<Record<'before' | 'main' | 'after', readonly Node[]>>) {
  const of = (nodes: readonly Node[]) => (nodes.length === 0 ? null : flowOf(nodes).pipeline)
  const around: Surroundings = {
    before: of(parts.before),
    after: of(parts.after),
    mainAnyway: false,
    afterAnyway: true,
  }
  return surround(flowOf(parts.main).pipeline, around, new MemoryLogger())
}

const trace: string[] = []
const step = (name: string, does?: (ex: Exchange) => number): Node =>
  node(new Step(name, trace, does))
const wrap = (name: string, does?: Wrapping): Node => node(new Wrap(name, trace, does))

function run(parts: Parameters<typeof stages>[0]): { traced: string; client: FakeClient } {
  trace.length = 0
  const client = new FakeClient()
  stages(parts).start(client.ex)
  return { traced: trace.join(', '), client }
}

it('what encloses in the middle closes before the last stage', () => {
  const { traced, client } = run({
    before: [step('b')],
    main: [wrap('w'), step('m')],
    after: [step('a')],
  })
  expect(traced).toBe('b, w enter, m, w leave 0 attempt 1, a')
  expect(client.ending).toBe('complete')
})

it('what encloses before stays open over all that follows', () => {
  const { traced } = run({
    before: [wrap('w'), step('b')],
    main: [step('m')],
    after: [step('a')],
  })
  expect(traced).toBe('w enter, b, m, a, w leave 0 attempt 1')
})

it('scopes close from the inside, stage by stage, also when the middle one stops', () => {
  const { traced } = run({
    before: [wrap('v')],
    main: [wrap('w'), step('m', () => 1), step('n')],
    after: [wrap('x'), step('a')],
  })
  expect(traced).toBe(
    'v enter, w enter, m, w leave 1 attempt 1, x enter, a, x leave 0 attempt 1, v leave 0 attempt 1',
  )
})

it('a scope that is the last of its stage runs nothing of the next one again', () => {
  let left = 1
  const again: Wrapping = { leave: () => (left-- > 0 ? RERUN : UNCHANGED) }
  const { traced } = run({ before: [], main: [step('m'), wrap('w', again)], after: [step('a')] })
  expect(traced).toBe('m, w enter, w leave 0 attempt 1, w leave 0 attempt 2, a')
})

it('a scope before runs all that follows again', () => {
  let left = 1
  const again: Wrapping = { leave: () => (left-- > 0 ? RERUN : UNCHANGED) }
  const { traced } = run({
    before: [wrap('w', again)],
    main: [step('m')],
    after: [step('a')],
  })
  expect(traced).toBe('w enter, m, a, w leave 0 attempt 1, m, a, w leave 0 attempt 2')
})

it('goes on in its stage after a wait', () => {
  const tickets: number[] = []
  const waits = (ex: Exchange): number => {
    tickets.push(ex.suspend())
    return SUSPENDED
  }
  const { client } = run({
    before: [step('b', waits)],
    main: [step('m', waits)],
    after: [step('a', waits)],
  })
  for (let i = 0; i < 3; i++) {
    expect(client.ending).toBe('open')
    client.ex.resume(tickets[i] as number, OK)
  }
  expect([trace.join(), client.ending]).toEqual(['b,m,a', 'complete'])
})

it('a filter that throws in one stage ends all, and closes scopes of others', () => {
  const { traced, client } = run({
    before: [wrap('v')],
    main: [
      step('m', () => {
        throw new Error('thrown')
      }),
    ],
    after: [step('a')],
  })
  expect(traced).toBe('v enter, m, v cancelled')
  expect([client.status, client.ending]).toEqual([500, 'complete'])
})

it('a client that goes ends all', () => {
  const { client } = run({
    before: [wrap('v')],
    main: [
      step('m', (ex) => {
        ex.suspend()
        return SUSPENDED
      }),
    ],
    after: [step('a')],
  })
  client.abort()
  expect(trace.join(', ')).toBe('v enter, m, m cancelled, v cancelled')
})

it.each([
  ['b', [1, 0, 0]],
  ['m', [0, 1, 0]],
  ['n', [0, 1, 0]],
  ['a', [0, 0, 1]],
])('what %s throws is counted where it belongs', (name, counts) => {
  const may = (own: string): Node =>
    step(own, () => {
      if (own === name) throw new Error('boom')
      return OK
    })
  const parts = [[may('b')], [may('m'), may('n')], [may('a')]].map((nodes) => flowOf(nodes))
  const [before, main, after] = parts.map(({ pipeline }) => pipeline) as [
    Pipeline,
    Pipeline,
    Pipeline,
  ]
  const around = { before, after, mainAnyway: false, afterAnyway: false }
  const client = new FakeClient()
  surround(main, around, new MemoryLogger()).start(client.ex)
  expect(client.status).toBe(500)
  expect(parts.map(({ pipeline }) => pipeline.failures)).toEqual(counts)
})
