import { expect, it } from 'vitest'
import { defineFilterKind, type Filter, type FilterContext } from '../filters/contract.js'
import { type Exchange, OK } from '../http/exchange.js'
import { FakeClient } from '../http/fake-client.fixture.js'
import { DEFAULT_NAMESPACE, namespaceIndex, namespaceName } from '../http/namespaces.js'
import { object } from '../spec/schema.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { checkFlowV2, checkPolicyUse } from './check-v2.js'
import type { CompiledPipeline, FilterSpec, LoadedKind } from './compile.js'
import { compilePipelineV2, type FlowSpecV2, type PipelineSpecV2 } from './compile-v2.js'
import { EARLY, END, STOP } from './pipeline.js'
import { type Surroundings, surround } from './stages.js'

const log = new MemoryLogger()

/** A filter that notes that it ran, and where, and gives the result that `spec` is. */
class Noting implements Filter {
  retired = 0
  readonly #name: string
  readonly #code: number
  readonly #trace: string[]

  constructor(name: string, code: number, trace: string[]) {
    this.#name = name
    this.#code = code
    this.#trace = trace
  }

  handle(ex: Exchange): number {
    const space = namespaceName(ex.namespace)
    this.#trace.push(space === DEFAULT_NAMESPACE ? this.#name : `${this.#name}@${space}`)
    if (this.#code === 9) throw new Error('thrown')
    if (this.#name.startsWith('answer')) ex.response.status = 201
    return this.#code
  }

  retire(): void {
    this.retired += 1
  }
}

const RESULTS = ['one', 'two']

function workshop() {
  const trace: string[] = []
  const made: { readonly context: FilterContext; readonly filter: Noting }[] = []
  const kind = defineFilterKind({
    kind: 'Noting',
    summary: '',
    results: RESULTS,
    spec: object({}) as never,
    load: () => Promise.reject(new Error('loaded already')),
  })
  const module = {
    create(spec: unknown, context: FilterContext): Filter {
      const filter = new Noting(context.name, spec as number, trace)
      made.push({ context, filter })
      return filter
    },
  }
  const kinds = new Map<string, LoadedKind>([['Noting', { kind, module }]])
  return { trace, made, kinds }
}

/** `a`, or `a=1` for one that gives result 1. */
function filtersOf(texts: readonly string[]): FilterSpec[] {
  return texts.map((text) => {
    const [name = '', code = '0'] = text.split('=')
    return { name, kind: 'Noting', spec: Number(code) }
  })
}

/** `filter as alias @namespace {"": "x"}`, all but the filter optional. */
function flowOf(texts: readonly string[]): FlowSpecV2[] {
  return texts.map((text) => {
    const match = /^(\S+)(?: as (\S+))?(?: @(\S+))?(?: (\{.*\}))?$/.exec(text)
    const [, filter = '', alias = '', namespace = '', jumpIf = '{}'] = match ?? []
    return { filter, alias, namespace, jumpIf: JSON.parse(jumpIf) }
  })
}

const specOf = (filters: readonly string[], flow: readonly string[]): PipelineSpecV2 => ({
  filters: filtersOf(filters),
  flow: flowOf(flow),
  resilience: [],
  data: {},
})

function compiled(spec: PipelineSpecV2, shop = workshop()): CompiledPipeline {
  const context = ({ name }: FilterSpec): never => ({ pipeline: 'demo', name }) as never
  return compilePipelineV2('demo', spec, shop.kinds, context, null, log)
}

function run(spec: PipelineSpecV2): { trace: string[]; client: FakeClient } {
  const shop = workshop()
  const { pipeline } = compiled(spec, shop)
  const client = new FakeClient({})
  pipeline.start(client.ex)
  return { trace: shop.trace, client }
}

it.each<[name: string, filters: string[], flow: string[], ran: string[]]>([
  ['all filters in order without a flow', ['a', 'b', 'c'], [], ['a', 'b', 'c']],
  ['the flow and no other', ['a', 'b', 'c'], ['c', 'a'], ['c', 'a']],
  ['nothing', [], [], []],
  ['a result without a jump ends it', ['a=1', 'b'], [], ['a']],
  ['a jump', ['a=1', 'b', 'c'], ['a {"one": "c"}', 'b', 'c'], ['a', 'c']],
  ['a jump on another result', ['a=2', 'b'], ['a {"one": "b"}', 'b'], ['a']],
  ['a jump on no result', ['a', 'b', 'c'], ['a {"": "c"}', 'b', 'c'], ['a', 'c']],
  ['a jump to END on no result', ['a', 'b'], ['a {"": "END"}', 'b'], ['a']],
  ['an alias', ['a', 'b'], ['a {"": "x"}', 'b', 'a as x'], ['a', 'a']],
  ['the name when an alias hides it', ['a', 'b'], ['a {"": "b"}', 'b as x', 'b'], ['a', 'b']],
  ['an END node', ['a', 'b'], ['a', 'END', 'b'], ['a']],
  ['a jump over an END node', ['a=1', 'b'], ['a {"one": "b"}', 'END', 'b'], ['a', 'b']],
  ['an END node with an alias', ['a=1', 'b'], ['a {"one": "x"}', 'b', 'END as x', 'b'], ['a']],
  ['an END node first', ['a'], ['END', 'a'], []],
  ['namespaces', ['a', 'b'], ['a @x', 'b @y', 'a', 'b @x'], ['a@x', 'b@y', 'a', 'b@x']],
])('runs %s', (_name, filters, flow, ran) => {
  const spec = specOf(filters, flow)
  const kinds = new Map([...workshop().kinds].map(([name, { kind }]) => [name, kind]))
  expect(checkFlowV2(spec, kinds)).toEqual([])
  const { trace, client } = run(spec)
  expect(trace).toEqual(ran)
  expect(client.ending).toBe('complete')
})

it.each<[name: string, filters: string[], flow: string[], status: number]>([
  ['no answer', ['a'], [], 503],
  ['an answer', ['answer'], [], 201],
  ['an answer in another namespace', ['answer'], ['answer @x'], 503],
  [
    'the answer of DEFAULT though the flow ends elsewhere',
    ['answer', 'a'],
    ['answer', 'a @x'],
    201,
  ],
  ['a filter that throws elsewhere', ['answer', 'b=9'], ['answer', 'b @x'], 500],
])('the client gets %s', (_name, filters, flow, status) => {
  expect(run(specOf(filters, flow)).client.status).toBe(status)
})

it('one filter has one instance, whoever runs it, and is retired once', () => {
  const shop = workshop()
  const { pipeline } = compiled(specOf(['a', 'unused'], ['a', 'a as again']), shop)
  expect(shop.made.map(({ context }) => context.name)).toEqual(['a', 'unused'])
  pipeline.retire()
  expect(shop.made.map(({ filter }) => filter.retired)).toEqual([1, 1])
})

it('texts have no variables of v1', () => {
  const shop = workshop()
  compiled(specOf(['a'], []), shop)
  const context = shop.made[0]?.context as FilterContext
  expect(context.template('[[filter.a.req.path]]').literal).toBe('[[filter.a.req.path]]')
  expect(context.template('').literal).toBe('')
})

it.each<[name: string, filters: string[], flow: string[], problem: string]>([
  ['a filter that is not there', ['a'], ['b'], 'no filter "b" in filters (there are a)'],
  ['END misspelt', ['a'], ['EMD'], 'no filter "EMD"'],
  ['a result that is not there', ['a', 'b'], ['a {"three": "b"}', 'b'], 'no result "three"'],
  ['a jump back', ['a', 'b'], ['b', 'a {"one": "b"}'], '"b" does not come later in flow'],
  ['a jump to itself', ['a'], ['a {"one": "a"}'], 'does not come later'],
  [
    'a jump to a name that an alias hides',
    ['a', 'b'],
    ['a {"one": "b"}', 'b as x'],
    'one of END, x',
  ],
  ['a jump to two', ['a', 'b'], ['a {"one": "b"}', 'b', 'b'], '"b" comes 2 times later in flow'],
  ['an alias END', ['a'], ['a as END'], 'choose another alias'],
])('refuses %s', (_name, filters, flow, problem) => {
  const kinds = new Map([...workshop().kinds].map(([name, { kind }]) => [name, kind]))
  const problems = checkFlowV2(specOf(filters, flow), kinds)
  expect(problems.map(({ message }) => message).join('\n')).toContain(problem)
})

it('refuses policies that are not there, or of another kind', () => {
  const kind = defineFilterKind({
    ...(workshop().kinds.get('Noting') as LoadedKind).kind,
    policies: () => [
      { path: ['retryPolicy'], name: 'r', kind: 'Retry' },
      { path: ['other'], name: 'none', kind: 'CircuitBreaker' },
    ],
  })
  const retry = { name: 'c', kind: 'CircuitBreaker', spec: {} }
  const problemsOf = (name: string) =>
    checkPolicyUse(
      { filters: filtersOf(['a']), resilience: [{ ...retry, name }] as never },
      new Map([['Noting', kind]]),
    ).map(({ path, message }) => `${path.join('/')}: ${message}`)
  expect(problemsOf('r')).toEqual([
    'filters/0/retryPolicy: "r" in resilience is a CircuitBreaker, expected a Retry (there are none)',
    'filters/0/other: no CircuitBreaker "none" in resilience (there are r)',
  ])
})

// -- stages --------------------------------------------------------------------------------------

interface Part {
  readonly filters: readonly string[]
  readonly flow?: readonly string[]
}

function surrounded(
  parts: { before?: Part; main: Part; after?: Part },
  anyway: Partial<Surroundings> = {},
) {
  const shop = workshop()
  const of = (part: Part | undefined) =>
    part === undefined ? null : compiled(specOf(part.filters, part.flow ?? []), shop).pipeline
  const main = compiled(
    { ...specOf(parts.main.filters, parts.main.flow ?? []), data: { of: 'main' } },
    shop,
  )
  const around: Surroundings = {
    before: of(parts.before),
    after: of(parts.after),
    mainAnyway: false,
    afterAnyway: false,
    ...anyway,
  }
  return { shop, main: main.pipeline, around, pipeline: surround(main.pipeline, around, log) }
}

const through = (...names: string[]): Part => ({ filters: names })
const early = (name: string): Part => ({
  filters: [name, `${name}2`],
  flow: [`${name} {"": "END"}`, `${name}2`],
})
const stops = (name: string): Part => ({ filters: [`${name}=1`, `${name}2`] })

it.each<
  [
    name: string,
    parts: Parameters<typeof surrounded>[0],
    anyway: Partial<Surroundings>,
    ran: string,
  ]
>([
  [
    'all three',
    { before: through('b'), main: through('m', 'n'), after: through('a') },
    {},
    'b m n a',
  ],
  ['without before', { main: through('m'), after: through('a') }, {}, 'm a'],
  ['without after', { before: through('b'), main: through('m') }, {}, 'b m'],
  ['an empty main', { before: through('b'), main: through(), after: through('a') }, {}, 'b a'],
  ['nothing at all', { before: through(), main: through(), after: through() }, {}, ''],
  ['before ends early', { before: early('b'), main: through('m'), after: through('a') }, {}, 'b'],
  ['before stops', { before: stops('b'), main: through('m'), after: through('a') }, {}, 'b'],
  [
    'before ends early, main anyway',
    { before: early('b'), main: through('m'), after: through('a') },
    { mainAnyway: true },
    'b m a',
  ],
  [
    'before ends early, after anyway',
    { before: early('b'), main: through('m'), after: through('a') },
    { afterAnyway: true },
    'b a',
  ],
  ['main ends early', { before: through('b'), main: early('m'), after: through('a') }, {}, 'b m'],
  [
    'main stops, after anyway',
    { main: stops('m'), after: through('a') },
    { afterAnyway: true },
    'm a',
  ],
  [
    'both end early, all anyway',
    { before: stops('b'), main: early('m'), after: early('a') },
    { mainAnyway: true, afterAnyway: true },
    'b m a',
  ],
  [
    'a jump in the middle one',
    { before: through('b'), main: { filters: ['m', 'n', 'o'], flow: ['m {"": "o"}', 'n', 'o'] } },
    {},
    'b m o',
  ],
])('surrounds: %s', (_name, parts, anyway, ran) => {
  const { shop, pipeline } = surrounded(parts, anyway)
  const client = new FakeClient({})
  pipeline.start(client.ex)
  expect(shop.trace.join(' ')).toBe(ran)
  expect(client.ending).toBe('complete')
})

it('what surrounds and is surrounded stays until the last exchange is through', () => {
  const { shop, main, around, pipeline } = surrounded({
    before: through('b'),
    main: through('m'),
    after: through('a'),
  })
  const seen: unknown[] = []
  const client = new FakeClient({})
  client.ex.owner = {
    finished: (ex) => {
      seen.push(ex.engine?.name, ex.engine?.data)
      for (const each of [main, around.before, around.after]) {
        seen.push(each?.pinCount)
        each?.retire()
      }
      seen.push(shop.made.map(({ filter }) => filter.retired).join(''))
    },
  }
  pipeline.start(client.ex)
  expect(seen).toEqual(['demo', { of: 'main' }, 1, 1, 1, '000'])
  expect(shop.made.map(({ filter }) => filter.retired)).toEqual([1, 1, 1])
})

it('targets of jumps are places apart from each other', () => {
  expect(new Set([OK, END, STOP, EARLY]).size).toBe(4)
  expect(namespaceIndex('x')).toBeGreaterThan(0)
})
