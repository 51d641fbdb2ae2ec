import { expect, it } from 'vitest'
import { HttpRequest } from '../http/message.js'
import { Prng } from '../lib/prng.js'
import type { RouteInput } from './router.js'
import { compileRouterV2, type RouterV2 } from './router-v2.js'
import type { PathSpecV2, RouterSpecV2, RuleSpecV2 } from './spec-v2.js'

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
  request.rawPath = path ?? '/'
  request.query = query ?? ''
  for (const [name, value] of Object.entries(headers)) request.headers.add(name, value)
  return {
    request,
    get realIp(): string {
      if (ip === undefined) throw new Error('nobody should have asked for the address')
      return ip
    },
  }
}

type Path = Partial<PathSpecV2> & { readonly to: string }
type Rule = Omit<Partial<RuleSpecV2>, 'paths'> & { readonly paths: readonly Path[] }

function routerOf(rules: readonly Rule[], more: Partial<RouterSpecV2> = {}): RouterV2<string> {
  const backends = rules.map((rule) => rule.paths.map(({ to }) => to))
  const spec: RouterSpecV2 = {
    routerKind: 'Ordered',
    cacheSize: 0,
    ...more,
    rules: rules.map((rule) => ({
      hosts: [],
      ...rule,
      paths: rule.paths.map(({ to: _, ...path }) => ({
        methods: [],
        headers: [],
        queries: [],
        matchAllHeader: false,
        matchAllQuery: false,
        ...path,
      })),
    })),
  }
  return compileRouterV2(spec, (_path, rule, index) => backends[rule]?.[index] as string)
}

function ask(router: RouterV2<string>, request: Ask): string | number {
  const found = router.route(inputOf(request))
  return typeof found === 'number' ? found : found.target
}

const value = (key: string, values: string[], regexp?: string) => ({ key, values, regexp })
const wildcard = (text: string) => ({ isRegexp: false, value: text })
const pattern = (text: string) => ({ isRegexp: true, value: text })
const only = (...allowIPs: string[]) => ({ blockByDefault: false, allowIPs, blockIPs: [] })
const x = { to: 'x' }

it.each<[name: string, rules: Rule[], request: Ask, want: string | number]>([
  ['no rules', [], {}, 404],
  ['a rule without paths', [{ paths: [] }], {}, 404],
  ['exact', [{ paths: [{ ...x, path: '/a' }] }], { path: '/a' }, 'x'],
  ['prefix', [{ paths: [{ ...x, pathPrefix: '/a' }] }], { path: '/ab' }, 'x'],
  ['regexp', [{ paths: [{ ...x, pathRegexp: 'a.c' }] }], { path: '/abc' }, 'x'],
  ['a host', [{ host: 'A.com', paths: [x] }], { host: 'a.com:80' }, 'x'],
  ['another host', [{ host: 'b.com', paths: [x] }], {}, 404],
  ['one of hosts', [{ hosts: [wildcard('b.com'), wildcard('a.com')], paths: [x] }], {}, 'x'],
  ['host or hosts', [{ host: 'a.com', hosts: [wildcard('b.com')], paths: [x] }], {}, 'x'],
  ['a suffix', [{ hosts: [wildcard('*.com')], paths: [x] }], { host: 'A.COM:8080' }, 'x'],
  ['not the suffix', [{ hosts: [wildcard('*.org')], paths: [x] }], {}, 404],
  ['a prefix of hosts', [{ hosts: [wildcard('a.*')], paths: [x] }], {}, 'x'],
  ['a lone star', [{ hosts: [wildcard('*')], paths: [x] }], {}, 404],
  ['two stars', [{ hosts: [wildcard('*a*')], paths: [x] }], {}, 404],
  ['a star inside', [{ hosts: [wildcard('a*m')], paths: [x] }], {}, 404],
  ['a pattern of hosts', [{ hosts: [pattern('^a')], paths: [x] }], {}, 'x'],
  ['a method', [{ paths: [{ ...x, methods: ['POST'] }] }], {}, 405],
  [
    'a method elsewhere',
    [{ paths: [{ ...x, methods: ['POST'] }] }, { paths: [{ to: 'y', methods: ['GET'] }] }],
    {},
    'y',
  ],
  ['an own method', [{ paths: [x] }], { method: 'PURGE' }, 'x'],
  [
    'an own method with conditions',
    [{ paths: [{ ...x, headers: [value('a', ['1'])] }] }],
    { method: 'PURGE', headers: { a: '1' } },
    405,
  ],
  ['a header', [{ paths: [{ ...x, headers: [value('A', ['1'])] }] }], { headers: { a: '1' } }, 'x'],
  ['not the header', [{ paths: [{ ...x, headers: [value('A', ['1'])] }] }], {}, 400],
  ['a missing one as empty', [{ paths: [{ ...x, headers: [value('A', [], '^$')] }] }], {}, 'x'],
  [
    'one of two headers',
    [{ paths: [{ ...x, headers: [value('a', ['1']), value('b', ['2'])] }] }],
    { headers: { b: '2' } },
    'x',
  ],
  [
    'all headers',
    [{ paths: [{ ...x, matchAllHeader: true, headers: [value('a', ['1']), value('b', ['2'])] }] }],
    { headers: { b: '2' } },
    400,
  ],
  [
    'values or pattern',
    [{ paths: [{ ...x, headers: [value('a', ['1'], '^2')] }] }],
    { headers: { a: '22' } },
    'x',
  ],
  [
    'values and pattern with matchAll',
    [{ paths: [{ ...x, matchAllHeader: true, headers: [value('a', ['1'], '^2')] }] }],
    { headers: { a: '22' } },
    400,
  ],
  ['a query', [{ paths: [{ ...x, queries: [value('q', ['é'])] }] }], { query: 'q=%C3%A9' }, 'x'],
  [
    'the first of its name',
    [{ paths: [{ ...x, queries: [value('q', ['2'])] }] }],
    { query: 'q=1&q=2' },
    400,
  ],
  [
    'header and query',
    [{ paths: [{ ...x, headers: [value('a', ['1'])], queries: [value('q', ['1'])] }] }],
    { query: 'q=1' },
    400,
  ],
  ['an address', [{ paths: [{ ...x, ipFilter: only('1.1.1.1') }] }], { ip: '1.1.1.1' }, 'x'],
  ['another address', [{ paths: [{ ...x, ipFilter: only('1.1.1.1') }] }], { ip: '2.2.2.2' }, 403],
  [
    'another address, and a path for all',
    [{ paths: [{ ...x, ipFilter: only('1.1.1.1') }, { to: 'y' }] }],
    { ip: '2.2.2.2' },
    'y',
  ],
  [
    'a rule for others is skipped whole',
    [{ ipFilter: only('1.1.1.1'), paths: [x, x] }, { paths: [{ to: 'y' }] }],
    { ip: '2.2.2.2' },
    'y',
  ],
  [
    'a rule for others, whatever its paths',
    [{ ipFilter: only('1.1.1.1'), paths: [{ ...x, path: '/no' }] }],
    { ip: '2.2.2.2' },
    403,
  ],
  ['of another host it is not asked', [{ host: 'b', ipFilter: only(), paths: [x] }], {}, 404],
  [
    'address before header before method',
    [
      {
        paths: [
          { ...x, methods: ['PUT'] },
          { ...x, headers: [value('a', ['1'])] },
          { ...x, ipFilter: only('1.1.1.1') },
        ],
      },
    ],
    { ip: '2.2.2.2' },
    403,
  ],
  [
    'header before method',
    [
      {
        paths: [
          { ...x, methods: ['PUT'] },
          { ...x, headers: [value('a', ['1'])] },
        ],
      },
    ],
    {},
    400,
  ],
])('Ordered: %s', (_name, rules, request, want) => {
  expect(ask(routerOf(rules), request)).toBe(want)
  const cached = routerOf(rules, { cacheSize: 10 })
  for (let i = 0; i < 3; i++) expect(ask(cached, request)).toBe(want)
})

it.each<
  [name: string, allow: string[], block: string[], byDefault: boolean, ip: string, ok: boolean]
>([
  ['nothing said', [], [], false, '1.1.1.1', true],
  ['all blocked', [], [], true, '1.1.1.1', false],
  ['in allow', ['1.0.0.0/8'], [], false, '1.1.1.1', true],
  ['in allow, else blocked', ['1.0.0.0/8'], [], true, '1.1.1.1', true],
  ['not in allow', ['2.0.0.0/8'], [], false, '1.1.1.1', false],
  ['in block', [], ['1.1.1.1'], false, '1.1.1.1', false],
  ['not in block', [], ['1.1.1.1'], false, '1.1.1.2', true],
  ['not in block, all blocked', [], ['1.1.1.1'], true, '1.1.1.2', false],
  ['in both', ['1.1.1.1'], ['1.1.1.1'], false, '1.1.1.1', true],
  ['in both, all blocked', ['1.1.1.1'], ['1.1.1.1'], true, '1.1.1.1', false],
  ['no address', ['1.1.1.1'], [], false, 'x', true],
  ['no address, all blocked', ['1.1.1.1'], [], true, 'x', false],
])('addresses: %s', (_name, allowIPs, blockIPs, blockByDefault, ip, ok) => {
  const ipFilter = { allowIPs, blockIPs, blockByDefault }
  expect(ask(routerOf([{ paths: [x] }], { ipFilter }), { ip })).toBe(ok ? 'x' : 403)
})

it.each<[path: Partial<PathSpecV2>, asked: string, want: string]>([
  [{ path: '/a', rewriteTarget: '/b' }, '/a', '/b'],
  [{ pathPrefix: '/a', rewriteTarget: '/b' }, '/a/c', '/b/c'],
  [{ pathPrefix: '/a', rewriteTarget: '/b' }, '/a', '/b'],
  [{ pathRegexp: '^/a/(.*)$', rewriteTarget: '/b/$1' }, '/a/c', '/b/c'],
  [{ path: '/a', pathPrefix: '/a', rewriteTarget: '/b' }, '/a', '/b'],
  [{ path: '/x', pathRegexp: 'a', rewriteTarget: 'b' }, '/aa', '/bb'],
  [{ pathPrefix: '/a' }, '/a/c', '/a/c'],
])('rewrites %j', (path, asked, want) => {
  const found = routerOf([{ paths: [{ ...x, ...path }] }]).route(inputOf({ path: asked }))
  if (typeof found === 'number') throw new Error(`got ${found}`)
  expect(found.rewritePath(asked, [])).toBe(want)
})

it.each<[name: string, rules: Rule[], request: Ask, want: string | number, rewritten?: string]>([
  ['text', [{ paths: [{ ...x, path: '/a' }] }], { path: '/a' }, 'x'],
  ['nothing', [{ paths: [{ ...x, path: '/a' }] }], { path: '/b' }, 404],
  [
    'a parameter, rewritten',
    [{ paths: [{ ...x, path: '/a/{id}/c', rewriteTarget: '/{id}' }] }],
    { path: '/a/1/c' },
    'x',
    '/1',
  ],
  [
    'a rest, rewritten',
    [{ paths: [{ ...x, path: '/a/*', rewriteTarget: '/b/{EG_WILDCARD}' }] }],
    { path: '/a/1/c' },
    'x',
    '/b/1/c',
  ],
  [
    'text before parameters',
    [
      {
        paths: [
          { to: 'y', path: '/{a}' },
          { ...x, path: '/a' },
        ],
      },
    ],
    { path: '/a' },
    'x',
  ],
  [
    'the next on one leaf',
    [
      {
        paths: [
          { to: 'y', path: '/{a}', methods: ['PUT'] },
          { ...x, path: '/{b}' },
        ],
      },
    ],
    { path: '/a' },
    'x',
  ],
  [
    'a parameter where the text does not fit',
    [
      {
        paths: [
          { to: 'y', path: '/a', methods: ['PUT'] },
          { ...x, path: '/{b}' },
        ],
      },
    ],
    { path: '/a' },
    'x',
  ],
  ['a method', [{ paths: [{ ...x, path: '/{a}', methods: ['PUT'] }] }], { path: '/a' }, 405],
  [
    'rules in order',
    [{ paths: [{ ...x, path: '/{a}' }] }, { paths: [{ to: 'y', path: '/a' }] }],
    { path: '/a' },
    'x',
  ],
  [
    'a rule of another host',
    [{ host: 'b.com', paths: [{ to: 'y', path: '/a' }] }, { paths: [{ ...x, path: '/a' }] }],
    { path: '/a' },
    'x',
  ],
  [
    'a rule for others',
    [{ ipFilter: only('1.1.1.1'), paths: [{ ...x, path: '/a' }] }],
    { path: '/a', ip: '2.2.2.2' },
    403,
  ],
])('RadixTree: %s', (_name, rules, request, want, rewritten) => {
  for (const cacheSize of [0, 10]) {
    const router = routerOf(rules, { routerKind: 'RadixTree', cacheSize })
    for (let i = 0; i < 3; i++) {
      const found = router.route(inputOf(request))
      expect(typeof found === 'number' ? found : found.target).toBe(want)
      if (rewritten === undefined || typeof found === 'number') continue
      expect(found.rewritePath(request.path as string, router.values)).toBe(rewritten)
    }
  }
})

it.each(['/{a}/{a}', '/*/a', '/{a'])('refuses to compile %s', (path) => {
  expect(() => routerOf([{ paths: [{ ...x, path }] }], { routerKind: 'RadixTree' })).toThrow()
})

// -- a slow, obvious twin ------------------------------------------------------------------------

function slowRoute(rules: readonly Rule[], { request, realIp }: RouteInput): string | number {
  const seen = { ip: false, value: false, method: false }
  for (const rule of rules) {
    if (rule.host !== undefined && rule.host !== request.host) continue
    if (rule.ipFilter !== undefined && rule.ipFilter.allowIPs?.includes(realIp) === false) {
      seen.ip = true
      continue
    }
    for (const path of rule.paths) {
      const all = path.path === undefined && path.pathPrefix === undefined
      const fits =
        path.path === request.path ||
        (path.pathPrefix !== undefined && request.path.startsWith(path.pathPrefix))
      if (!all && !fits) continue
      if ((path.methods ?? []).length > 0 && !path.methods?.includes(request.method)) {
        seen.method = true
      } else if (
        (path.headers ?? []).some(
          ({ key, values }) => !values.includes(request.headers.get(key) ?? ''),
        )
      ) {
        seen.value = true
      } else if (path.ipFilter?.allowIPs?.includes(realIp) === false) seen.ip = true
      else return path.to
    }
  }
  if (seen.ip) return 403
  if (seen.value) return 400
  return seen.method ? 405 : 404
}

it('finds what a walk over all rules in order finds, with and without its cache', () => {
  const prng = new Prng(0x0de7ed)
  const texts = ['/', '/a', '/a/b', '/ab', '/b']
  const ips = ['1.1.1.1', '2.2.2.2']
  const maybe = <T>(percent: number, make: () => T): T | undefined =>
    prng.chance(percent) ? make() : undefined
  for (let round = 0; round < 400; round++) {
    let count = 0
    const rules = Array.from({ length: 1 + prng.below(4) }, (): Rule => {
      const host = maybe(50, () => prng.pick(['a.com', 'b.com']))
      const filter = maybe(25, () => only(prng.pick(ips)))
      return {
        ...(host === undefined ? {} : { host }),
        ...(filter === undefined ? {} : { ipFilter: filter }),
        paths: Array.from({ length: prng.below(4) }, (): Path => {
          const [path, pathPrefix] = [
            maybe(40, () => prng.pick(texts)),
            maybe(40, () => prng.pick(texts)),
          ]
          const ipFilter = maybe(20, () => only(prng.pick(ips)))
          count += 1
          return {
            to: `to${count}`,
            ...(path === undefined ? {} : { path }),
            ...(pathPrefix === undefined ? {} : { pathPrefix }),
            ...(ipFilter === undefined ? {} : { ipFilter }),
            methods: prng.chance(30) ? [prng.pick(['GET', 'PUT'])] : [],
            headers: prng.chance(20) ? [value('h', [prng.pick(['1', '2'])])] : [],
          }
        }),
      }
    })
    const routers = [routerOf(rules), routerOf(rules, { cacheSize: 4 })]
    for (let i = 0; i < 20; i++) {
      const input = inputOf({
        method: prng.pick(['GET', 'PUT', 'DELETE']),
        host: prng.pick(['a.com', 'b.com', 'c.com']),
        path: prng.pick(texts),
        headers: { h: prng.pick(['1', '2', '3']) },
        ip: prng.pick(ips),
      })
      const want = slowRoute(rules, input)
      for (const router of routers) {
        const found = router.route(input)
        expect(typeof found === 'number' ? found : found.target, `round ${round}`).toBe(want)
      }
    }
  }
})
