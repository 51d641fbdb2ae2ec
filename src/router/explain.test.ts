import { expect, it } from 'vitest'
import { HttpRequest } from '../http/message.js'
import { Prng } from '../lib/prng.js'
import type { RouteExplanation } from './explain.js'
import { compileRouter, type RouteInput } from './router.js'
import { compileRouterV2 } from './router-v2.js'
import type { PathSpec, RuleSpec } from './spec.js'
import type { PathSpecV2, RouterSpecV2 } from './spec-v2.js'

interface Ask {
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly ip?: string
}

function inputOf({ method, host, path, query, headers = {}, ip }: Ask): RouteInput {
  const request = new HttpRequest()
  request.method = method ?? 'GET'
  request.host = host ?? 'a.com'
  request.rawPath = path ?? '/a'
  request.query = query ?? ''
  for (const [name, value] of Object.entries(headers)) request.headers.add(name, value)
  return { request, realIp: ip ?? '1.2.3.4' }
}

const words = ({ verdicts, isServerDenied }: RouteExplanation<unknown>): string =>
  isServerDenied ? 'denied' : verdicts.map(({ verdict }) => verdict).join(' ')

const deny = { blockByDefault: true, allowIPs: [], blockIPs: [] }
const path = (more: Partial<PathSpec>): PathSpec => ({ backend: 'x', ...more })

it.each<[name: string, rules: RuleSpec[], ask: Ask, want: string]>([
  ['nothing', [], {}, ''],
  ['the one', [{ paths: [path({ path: '/a' })] }], {}, 'taken'],
  [
    'every way to miss',
    [
      { host: 'b.com', paths: [path({})] },
      { paths: [path({ path: '/b' })] },
      { paths: [path({ headers: [{ key: 'x', values: ['1'], backend: 'y' }] })] },
      { hostRegexp: '^a', paths: [path({}), path({})] },
      { paths: [path({}), path({ pathPrefix: '/z' })] },
    ],
    {},
    'host path header taken unreached unreached path',
  ],
  [
    'a wrong method ends the search',
    [{ paths: [path({ methods: ['PUT'] }), path({})] }],
    {},
    'method unreached',
  ],
  ['the filter of a path', [{ paths: [path({ ipFilter: deny }), path({})] }], {}, 'ip unreached'],
  [
    'the filter of a rule',
    [{ ipFilter: deny, paths: [path({}), path({ path: '/b' })] }, { paths: [path({})] }],
    {},
    'ip path unreached',
  ],
])('v1: %s', (_name, rules, ask, want) => {
  const router = compileRouter({ rules }, (backend) => backend)
  expect(words(router.explain(inputOf(ask)))).toBe(want)
})

it('v1: the filter of the server', () => {
  const router = compileRouter({ rules: [{ paths: [path({})] }], ipFilter: deny }, (each) => each)
  expect(router.explain(inputOf({}))).toEqual({
    outcome: 403,
    isServerDenied: true,
    verdicts: [],
  })
})

const pathV2 = (more: Partial<PathSpecV2>): PathSpecV2 => ({
  methods: [],
  headers: [],
  queries: [],
  matchAllHeader: false,
  matchAllQuery: false,
  ...more,
})
const ruleV2 = (paths: PathSpecV2[], more: object = {}): RouterSpecV2['rules'][number] => ({
  hosts: [],
  paths,
  ...more,
})
const condition = (key: string, ...values: string[]) => ({ key, values })

it.each<[name: string, kind: 'Ordered' | 'RadixTree', rules: RouterSpecV2['rules'], want: string]>([
  [
    'every way to miss',
    'Ordered',
    [
      ruleV2([pathV2({})], { host: 'b.com' }),
      ruleV2([pathV2({})], { ipFilter: deny }),
      ruleV2([
        pathV2({ path: '/b' }),
        pathV2({ methods: ['PUT'] }),
        pathV2({ headers: [condition('x', '1')] }),
        pathV2({ queries: [condition('q', '2')] }),
        pathV2({ ipFilter: deny }),
        pathV2({ path: '/a' }),
        pathV2({}),
      ]),
    ],
    'host ip path method header query ip taken unreached',
  ],
  [
    'a tree: text before parameters',
    'RadixTree',
    [
      ruleV2([
        pathV2({ path: '/{id}' }),
        pathV2({ path: '/a', methods: ['PUT'] }),
        pathV2({ path: '/*' }),
        pathV2({ path: '/b' }),
      ]),
    ],
    'taken method unreached path',
  ],
])('v2: %s', (_name, routerKind, rules, want) => {
  const spec: RouterSpecV2 = { routerKind, cacheSize: 0, rules }
  const router = compileRouterV2(spec, (_path, rule, index) => `${rule}/${index}`)
  expect(words(router.explain(inputOf({ query: 'q=1' })))).toBe(want)
})

it('says what the router does, whatever the rules', () => {
  const prng = new Prng(0xe8)
  const maybe = <T>(value: T): T[] => (prng.chance(30) ? [value] : [])
  for (let round = 0; round < 1_500; round++) {
    const methods = (): string[] => maybe(prng.pick(['GET', 'PUT']))
    const filter = () => maybe({ blockByDefault: prng.chance(50) })[0]
    const ofPath = () => ({
      ...(prng.chance(60) ? { path: prng.pick(['/a', '/b', '/a/b']) } : {}),
      methods: methods(),
      ipFilter: filter(),
    })
    const ofRule = () => ({ host: maybe(prng.pick(['a.com', 'b.com']))[0], ipFilter: filter() })
    const count = (): unknown[] => Array.from({ length: prng.below(4) })
    const v1: RuleSpec[] = count().map(() => ({
      ...ofRule(),
      paths: count().map(() => ({
        ...ofPath(),
        backend: 'x',
        headers: maybe({ key: 'h', values: ['1'], backend: 'y' }),
      })),
    }))
    const routerKind = prng.pick(['Ordered', 'RadixTree'] as const)
    const v2 = count().map(() =>
      ruleV2(
        count().map(() =>
          pathV2({
            path: '/a',
            ...ofPath(),
            headers: maybe(condition('h', '1')),
            queries: maybe(condition('q', '1')),
          }),
        ),
        ofRule(),
      ),
    )
    const input = inputOf({
      method: prng.pick(['GET', 'PUT', 'BREW']),
      host: prng.pick(['a.com', 'b.com:1', 'c.com']),
      path: prng.pick(['/a', '/b', '/a/b', '/c']),
      query: prng.pick(['', 'q=1', 'q=2']),
      headers: prng.chance(50) ? { h: prng.pick(['1', '2']) } : {},
    })
    const routers = [
      compileRouter({ rules: v1 }, (backend) => backend),
      compileRouterV2({ routerKind, cacheSize: 0, rules: v2 }, (_p, rule, at) => `${rule}/${at}`),
    ]
    for (const router of routers) {
      const where = `round ${round}`
      const { outcome, verdicts } = router.explain(input)
      expect(outcome, where).toBe(router.route(input))
      const taken = verdicts.filter(({ verdict }) => verdict === 'taken')
      expect(taken.length, where).toBe(typeof outcome === 'number' ? 0 : 1)
      const has = (verdict: string): boolean => verdicts.some((each) => each.verdict === verdict)
      if (outcome === 404) expect(has('method') || has('ip'), where).toBe(false)
      if (outcome === 405) expect(has('method'), where).toBe(true)
      if (outcome === 400) expect(has('header') || has('query'), where).toBe(true)
      if (outcome === 403) expect(verdicts.length === 0 || has('ip') || !has('taken')).toBe(true)
      for (const { rule, path: at } of taken) {
        if (typeof outcome !== 'number' && outcome.target.includes('/')) {
          expect(outcome.target, where).toBe(`${rule}/${at}`)
        }
      }
    }
  }
})
