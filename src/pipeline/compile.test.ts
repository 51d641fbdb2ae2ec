import { expect, it } from 'vitest'
import {
  defineFilterKind,
  type Filter,
  type FilterContext,
  type FilterKind,
  type FilterModule,
} from '../filters/contract.js'
import { type Exchange, OK } from '../http/exchange.js'
import { FakeClient } from '../http/fake-client.fixture.js'
import { object } from '../spec/schema.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import {
  type CompiledPipeline,
  compilePipeline,
  type FilterSpec,
  type FlowSpec,
  type LoadedKind,
} from './compile.js'
import { END, STOP } from './pipeline.js'
import { CAPTURED_BODY_BYTES } from './variables.js'

interface Made {
  readonly context: FilterContext
  readonly previous: Filter | null
  readonly filter: Filter & { retired: number }
}

/** Kinds whose filters note how they were made. */
function workshop(more: Partial<FilterKind<string>> = {}) {
  const made: Made[] = []
  const module: FilterModule<string> = {
    create(spec, context, previous) {
      if (spec === 'broken') throw new Error('cannot be made')
      const filter = {
        retired: 0,
        handle(ex: Exchange) {
          ex.response.headers.add('x-ran', context.name)
          ex.response.headers.add('x-text', context.template(spec).render(ex))
          return OK
        },
        retire() {
          this.retired += 1
        },
        needsRequestBody: (ex: Exchange) => ex.request.method === spec,
      }
      // Compiled while it is made, as real ones do.
      context.template(spec)
      made.push({ context, previous, filter })
      return filter
    },
  }
  const kind = (name: string): LoadedKind => ({
    kind: defineFilterKind({
      kind: name,
      summary: '',
      results: ['one', 'two'],
      spec: object({}) as never,
      load: () => Promise.resolve(module),
      ...more,
    }) as FilterKind,
    module: module as FilterModule<unknown>,
  })
  const kinds = new Map([
    ['K', kind('K')],
    ['L', kind('L')],
  ])
  const compile = (
    filters: readonly FilterSpec[],
    flow: readonly FlowSpec[] = [],
    previous: CompiledPipeline | null = null,
  ): CompiledPipeline =>
    compilePipeline(
      'demo',
      { flow, filters },
      kinds,
      ({ name }) => ({ pipeline: 'demo', name }) as FilterContext,
      previous,
      new MemoryLogger(),
    )
  return { made, compile }
}

const filter = (name: string, spec = '', kind = 'K'): FilterSpec => ({ name, kind, spec })
const step = (name: string, jumpIf: Record<string, string> = {}): FlowSpec => ({
  filter: name,
  jumpIf,
})

it('without a flow, makes every filter in order', () => {
  const { made, compile } = workshop()
  const { pipeline } = compile([filter('a'), filter('b')])
  expect(pipeline.nodes.map(({ name, jump }) => [name, ...jump])).toEqual([
    ['a', 1, STOP, STOP],
    ['b', END, STOP, STOP],
  ])
  expect(made.map(({ context }) => context.name)).toEqual(['a', 'b'])
  expect(made.every(({ context }) => Object.isFrozen(context))).toBe(true)
})

it('filters that the flow leaves out are not made', () => {
  const { made, compile } = workshop()
  compile([filter('a'), filter('b')], [step('b')])
  expect(made.map(({ context }) => context.name)).toEqual(['b'])
})

it('jumps become indices; a filter named twice is two, and jumps lead to the next of them', () => {
  const { made, compile } = workshop()
  const { pipeline } = compile(
    [filter('a'), filter('b')],
    [step('a', { one: 'b' }), step('b', { one: 'END', two: 'b' }), step('a'), step('b')],
  )
  expect(pipeline.nodes.map(({ jump }) => jump)).toEqual([
    [1, 1, STOP],
    [2, END, 3],
    [3, STOP, STOP],
    [END, STOP, STOP],
  ])
  expect(new Set(made.map((each) => each.filter)).size).toBe(4)
})

it('labels that every object has are no jumps', () => {
  const { compile } = workshop({ results: ['toString', 'constructor'] })
  const { pipeline } = compile([filter('a')])
  expect(pipeline.nodes[0]?.jump).toEqual([END, STOP, STOP])
})

it('a filter inherits from the one of its name and kind', () => {
  const { made, compile } = workshop()
  const first = compile([filter('a'), filter('b'), filter('c')])
  compile([filter('a'), filter('b', '', 'L'), filter('d')], [], first)
  expect(made.slice(3).map(({ previous }) => previous)).toEqual([made[0]?.filter, null, null])
})

it('when one cannot be made, those before it give back what they hold', () => {
  const { made, compile } = workshop()
  expect(() => compile([filter('a'), filter('b'), filter('c', 'broken')])).toThrow('cannot be made')
  expect(made.map((each) => each.filter.retired)).toEqual([1, 1])
})

it('variables of a later filter are stored where they are read, whoever is made first', () => {
  const { compile } = workshop()
  const { pipeline } = compile([
    filter('a', 'plain'),
    filter('b', 'at [[filter.a.req.path]], then [[filter.a.rsp.statuscode]]'),
  ])
  const client = new FakeClient({ path: '/here' })
  pipeline.start(client.ex)
  expect(client.headers.filter((_, i) => i % 2 === 1)).toEqual([
    'a',
    'plain',
    'b',
    'at /here, then 200',
  ])
  expect(pipeline.nodes.map(({ before, after }) => [before === null, after === null])).toEqual([
    [false, false],
    [true, true],
  ])
})

it.each<[name: string, own: number, want: number]>([
  ['without a bound of its own', 0, CAPTURED_BODY_BYTES],
  ['a larger one of its own stays', 1_000_000, 1_000_000],
  ['a smaller one of its own does not', 10, CAPTURED_BODY_BYTES],
])('a body that a variable reads is collected before the filter: %s', (_name, own, want) => {
  const { compile } = workshop({ requestBodyBytes: () => own })
  const { pipeline } = compile([filter('a'), filter('b', '[[filter.a.req.body.id]]')])
  const [first, second] = pipeline.nodes
  expect([first?.requestBodyBytes, first?.needsRequestBody]).toEqual([want, null])
  expect(second?.requestBodyBytes).toBe(own)
})

it('bounds of bodies come from the kind, the need for the request body from the filter', () => {
  const { compile } = workshop({ requestBodyBytes: () => 5, responseBodyBytes: () => 6 })
  const { pipeline } = compile([filter('a', 'POST')])
  const [node] = pipeline.nodes
  expect([node?.requestBodyBytes, node?.responseBodyBytes]).toEqual([5, 6])
  expect(node?.needsRequestBody?.(new FakeClient({ method: 'POST' }).ex)).toBe(true)
  expect(node?.needsRequestBody?.(new FakeClient({ method: 'GET' }).ex)).toBe(false)
})
