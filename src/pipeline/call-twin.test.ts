import { expect, it } from 'vitest'
import { type Exchange, OK, RERUN, SUSPENDED, UNCHANGED } from '../http/exchange.js'
import type { FakeClient } from '../http/fake-client.fixture.js'
import { Prng } from '../lib/prng.js'
import { type Flow, flowOf, node, Step, Wrap } from './flow.fixture.js'
import type { Node } from './pipeline.js'

/** What a flow consists of: `waits` resumes in a later turn, `early` before it has returned. */
type Part =
  | { readonly type: 'step'; readonly name: string; readonly how: 'at once' | 'early' | 'waits' }
  | { readonly type: 'call'; readonly name: string; readonly flow: readonly Part[] }
  | { readonly type: 'wrap'; readonly name: string; readonly runs: number }

function draw(prng: Prng, depth: number, name: string): Part[] {
  return Array.from({ length: prng.below(5) }, (_, at): Part => {
    const own = `${name}${at}`
    const dice = prng.below(100)
    if (dice < 30 && depth > 0) {
      return { type: 'call', name: own, flow: draw(prng, depth - 1, `${own}.`) }
    }
    if (dice < 45) return { type: 'wrap', name: own, runs: 1 + prng.below(2) }
    return { type: 'step', name: own, how: prng.pick(['at once', 'early', 'waits'] as const) }
  })
}

/** The slow, obvious twin: calls are calls, and what a wrapper encloses is run by it. */
function expected(parts: readonly Part[], trace: string[]): void {
  const [part, ...rest] = parts
  if (part === undefined) return
  if (part.type === 'wrap') {
    trace.push(`${part.name} enter`)
    for (let attempt = 1; attempt <= part.runs; attempt++) {
      expected(rest, trace)
      trace.push(`${part.name} leave 0 attempt ${attempt}`)
    }
    return
  }
  trace.push(part.name)
  if (part.type === 'call') expected(part.flow, trace)
  expected(rest, trace)
}

class Run {
  readonly trace: string[] = []
  readonly flows: Flow[] = []
  /** Of filters that wait, the oldest first. */
  readonly waiting: (() => void)[] = []

  build(parts: readonly Part[]): Flow {
    const nodes = parts.map((part): Node => {
      if (part.type === 'wrap') {
        const leave = (_ex: Exchange, { attempt }: { attempt: number }): number =>
          attempt < part.runs ? RERUN : UNCHANGED
        return node(new Wrap(part.name, this.trace, { leave }))
      }
      const inner = part.type === 'call' ? this.build(part.flow) : null
      return node(
        new Step(part.name, this.trace, (ex) => {
          if (part.type === 'step' && part.how === 'at once') return OK
          const ticket = ex.suspend()
          if (inner !== null) inner.pipeline.call(ex)
          else if (part.type === 'step' && part.how === 'early') ex.resume(ticket, OK)
          else this.waiting.push(() => ex.resume(ticket, OK))
          return SUSPENDED
        }),
      )
    })
    const flow = flowOf(nodes)
    this.flows.push(flow)
    return flow
  }

  get pins(): number {
    return this.flows.reduce((sum, { pipeline }) => sum + pipeline.pinCount, 0)
  }

  get problems(): number {
    return this.flows.reduce((sum, { log }) => sum + log.records.length, 0)
  }
}

const ROUNDS = 1_000

it('flows that call flows run as calls would', () => {
  const prng = new Prng(0xca11)
  for (let round = 0; round < ROUNDS; round++) {
    const parts = draw(prng, 3, '')
    const run = new Run()
    const client = run.build(parts).start()
    while (run.waiting.length > 0) run.waiting.shift()?.()
    const trace: string[] = []
    expected(parts, trace)
    const told = `round ${round}: ${JSON.stringify(parts)}`
    expect(run.trace, told).toEqual(trace)
    expect([client.ending, client.sends, client.ex.depth, run.pins, run.problems], told).toEqual([
      'complete',
      1,
      0,
      0,
      0,
    ])
  }
})

it.each<[end: string, by: (client: FakeClient) => void, ending: string, status: number]>([
  ['a client that goes', (client) => client.abort(), 'gone', 0],
  [
    'something that throws',
    (client) =>
      client.ex.enter(() => {
        throw new Error('thrown')
      }, null),
    'complete',
    500,
  ],
])('%s ends them all, wherever they are', (_end, by, ending, status) => {
  const prng = new Prng(0xdead)
  let ended = 0
  for (let round = 0; round < ROUNDS; round++) {
    const parts = draw(prng, 3, '')
    const run = new Run()
    const client = run.build(parts).start()
    for (let left = prng.below(4); left > 0; left--) run.waiting.shift()?.()
    if (client.ending !== 'open') continue
    ended += 1
    by(client)
    const told = `round ${round}: ${JSON.stringify(parts)}`
    const { length } = run.trace
    // What comes late finds nobody.
    for (const resume of run.waiting) resume()
    expect(run.trace.length, told).toBe(length)
    expect([client.ending, client.status, client.ex.depth, run.pins], told).toEqual([
      ending,
      status,
      0,
      0,
    ])
  }
  expect(ended).toBeGreaterThan(ROUNDS / 5)
})
