import { BlockList, isIP, isIPv4 } from 'node:net'
import { RE2JS } from 're2js'
import { expect, it } from 'vitest'
import { Headers } from '../http/headers.js'
import { HttpRequest } from '../http/message.js'
import { Prng } from '../lib/prng.js'
import { HostIndex } from './host-index.js'
import {
  buildRouter,
  compileRouter,
  maintainForwardedFor,
  type Refusal,
  Route,
  type RouteInput,
  type Router,
} from './router.js'
import type { HeaderSpec, PathSpec, RouterSpec, RuleSpec } from './spec.js'

interface Ask {
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly ip?: string
}

function inputOf({
  method = 'GET',
  host = 'a.com',
  path = '/',
  headers = {},
  ip,
}: Ask): RouteInput {
  const request = new HttpRequest()
  request.method = method
  request.host = host
  request.rawPath = path
  for (const [name, value] of Object.entries(headers)) request.headers.add(name, value)
  return {
    request,
    get realIp(): string {
      if (ip === undefined) throw new Error('nobody should have asked for the address')
      return ip
    },
  }
}

const routerOf = (spec: Partial<RouterSpec>): Router<string> =>
  compileRouter({ rules: [], ...spec }, (backend) => backend)

function ask(router: Router<string>, request: Ask): string | Refusal {
  const found = router.route(inputOf(request))
  return typeof found === 'number' ? found : found.target
}

const paths = (...list: PathSpec[]): RuleSpec => ({ paths: list })

it.each<[name: string, rules: RuleSpec[], request: Ask, want: string | Refusal]>([
  ['no rules', [], {}, 404],
  ['a rule without paths', [{ host: 'a.com' }], {}, 404],
  ['a path without conditions', [paths({ backend: 'x' })], { path: '/any' }, 'x'],
  ['exact', [paths({ path: '/a', backend: 'x' })], { path: '/a' }, 'x'],
  ['exact is not a prefix', [paths({ path: '/a', backend: 'x' })], { path: '/a/' }, 404],
  ['exact is not case-blind', [paths({ path: '/a', backend: 'x' })], { path: '/A' }, 404],
  ['a decoded path', [paths({ path: '/é b', backend: 'x' })], { path: '/%C3%A9%20b' }, 'x'],
  ['prefix', [paths({ pathPrefix: '/a', backend: 'x' })], { path: '/abc' }, 'x'],
  ['prefix itself', [paths({ pathPrefix: '/a', backend: 'x' })], { path: '/a' }, 'x'],
  ['shorter than the prefix', [paths({ pathPrefix: '/ab', backend: 'x' })], { path: '/a' }, 404],
  ['regexp', [paths({ pathRegexp: '^/[0-9]+$', backend: 'x' })], { path: '/12' }, 'x'],
  ['regexp is a search', [paths({ pathRegexp: '[0-9]+', backend: 'x' })], { path: '/a/1/b' }, 'x'],
  ['regexp fails', [paths({ pathRegexp: '^/[0-9]+$', backend: 'x' })], { path: '/a' }, 404],
  [
    'any of three conditions',
    [paths({ path: '/a', pathPrefix: '/b', pathRegexp: 'c$', backend: 'x' })],
    { path: '/xc' },
    'x',
  ],
  [
    'the first in order, not the longest',
    [paths({ pathPrefix: '/a', backend: 'x' }, { pathPrefix: '/a/b', backend: 'y' })],
    { path: '/a/b' },
    'x',
  ],
  [
    'a regexp before an exact path',
    [paths({ pathRegexp: '^/a', backend: 'x' }, { path: '/a', backend: 'y' })],
    { path: '/a' },
    'x',
  ],
  [
    'the next rule when no path of the first matches',
    [paths({ path: '/b', backend: 'x' }), paths({ path: '/a', backend: 'y' })],
    { path: '/a' },
    'y',
  ],
  ['method', [paths({ methods: ['GET'], backend: 'x' })], {}, 'x'],
  ['another method', [paths({ methods: ['PUT', 'POST'], backend: 'x' })], {}, 405],
  ['an empty list of methods', [paths({ methods: [], backend: 'x' })], {}, 'x'],
  [
    'a wrong method ends the search',
    [paths({ path: '/a', methods: ['PUT'], backend: 'x' }, { path: '/a', backend: 'y' })],
    { path: '/a' },
    405,
  ],
  [
    'methods are case-sensitive',
    [paths({ methods: ['GET'], backend: 'x' })],
    { method: 'get' },
    405,
  ],
])('%s', (_name, rules, request, want) => {
  for (const cacheSize of [0, 10]) {
    const router = routerOf({ rules, cacheSize })
    expect(ask(router, request)).toBe(want)
    expect(ask(router, request), 'again').toBe(want)
  }
})

it.each<[condition: Partial<RuleSpec>, host: string, want: boolean]>([
  [{}, '', true],
  [{}, 'anything:1', true],
  [{ host: '', hostRegexp: '' }, 'anything', true],
  [{ host: 'a.com' }, 'a.com', true],
  [{ host: 'a.com' }, 'A.Com', true],
  [{ host: 'A.com' }, 'a.com', true],
  [{ host: 'a.com' }, 'a.com:8080', true],
  [{ host: 'a.com:8080' }, 'a.com:8080', true],
  [{ host: 'a.com:8080' }, 'a.com', false],
  [{ host: 'a.com:8080' }, 'a.com:80', false],
  [{ host: 'a.com' }, 'b.a.com', false],
  [{ host: 'a.com' }, '', false],
  [{ host: '[::1]' }, '[::1]:80', true],
  [{ host: '[::1]' }, '[::1]', true],
  [{ host: '::' }, '::1', false],
  [{ hostRegexp: '^.+\\.com$' }, 'a.com', true],
  [{ hostRegexp: '^.+\\.com$' }, 'a.com:8080', true],
  [{ hostRegexp: '^.+\\.com$' }, 'A.COM', true],
  [{ hostRegexp: '^A\\.com$' }, 'A.com', true],
  [{ hostRegexp: ':8080$' }, 'a.com:8080', true],
  [{ hostRegexp: '^.+\\.com$' }, 'a.org', false],
  [{ host: 'a.com', hostRegexp: 'b' }, 'b.org', true],
  [{ host: 'a.com', hostRegexp: 'b' }, 'a.com', true],
  [{ host: 'a.com', hostRegexp: 'b' }, 'c.com', false],
])('rule %j on host "%s": %s', (condition, host, want) => {
  const router = routerOf({ rules: [{ ...condition, ...paths({ backend: 'x' }) }] })
  for (let time = 0; time < 2; time++) expect(ask(router, { host })).toBe(want ? 'x' : 404)
})

it('remembers a bounded number of hosts and still finds the right rule', () => {
  const hosts = new HostIndex()
  const [paths] = hosts.groupsOf({ host: 'a.com' })
  for (const _ of hosts.freeze());
  for (let i = 0; i < 5000; i++) expect(hosts.find(`h${i}`)).not.toContain(paths)
  expect(hosts.find('a.com')).toContain(paths)
  expect(hosts.rememberedForTest()).toBeGreaterThan(0)
  expect(hosts.rememberedForTest()).toBeLessThanOrEqual(1024)
  const before = hosts.rememberedForTest()
  hosts.find('h'.repeat(5000))
  expect(hosts.rememberedForTest()).toBe(before)
})

const BY_HEADER: RuleSpec = paths(
  {
    path: '/a',
    backend: 'path',
    headers: [
      { key: 'X-V', values: ['1', 'é'], backend: 'one' },
      { key: 'x-v', regexp: '^(?:2|3|ü)$', backend: 'two' },
      { key: 'X-None', values: [''], regexp: '^$', backend: 'none' },
      { key: 'Host', values: ['special'], backend: 'host' },
    ],
  },
  { pathPrefix: '/', backend: 'rest' },
)
it.each<[headers: Record<string, string>, want: string]>([
  [{ 'x-v': '1' }, 'one'],
  [{ 'x-v': '\u00c3\u00a9' }, 'one'],
  [{ 'x-v': '3' }, 'two'],
  [{ 'x-v': '\u00c3\u00bc' }, 'two'],
  [{ 'x-v': '4' }, 'none'],
  [{}, 'none'],
  [{ 'x-none': 'set' }, 'rest'],
  [{ 'x-none': 'set', 'x-v': '2' }, 'two'],
])('headers %j lead to %s', (headers, want) => {
  for (const cacheSize of [0, 10]) {
    const router = routerOf({ rules: [BY_HEADER], cacheSize })
    // Neither a route by header nor what comes instead of one may stay in the cache.
    expect(ask(router, { path: '/a', headers: { 'x-none': 'other' } })).toBe('rest')
    expect(ask(router, { path: '/a', headers })).toBe(want)
    expect(ask(router, { path: '/a', headers: { 'x-v': '1' } })).toBe('one')
  }
})

it('only the first value of a header counts', () => {
  const router = routerOf({ rules: [BY_HEADER] })
  const input = inputOf({ path: '/a', headers: { 'x-none': 'set', 'x-v': '5' } })
  input.request.headers.add('x-v', '1')
  expect((router.route(input) as Route<string>).target).toBe('rest')
})

it('the Host field counts as a header', () => {
  const router = routerOf({ rules: [BY_HEADER] })
  const headers = { 'x-none': 'set' }
  expect(ask(router, { path: '/a', host: 'special', headers })).toBe('host')
})

const shut = (...allowIPs: string[]) => ({ blockByDefault: true, allowIPs })
const open = (...blockIPs: string[]) => ({ blockByDefault: false, blockIPs })

it.each<[name: string, spec: Partial<RouterSpec>, request: Ask, want: string | Refusal]>([
  ['server filter', { ipFilter: shut(), rules: [paths({ backend: 'x' })] }, { ip: '1.1.1.1' }, 403],
  ['server filter without rules', { ipFilter: shut() }, { ip: '1.1.1.1' }, 403],
  ['server filter allows', { ipFilter: shut('1.1.1.1') }, { ip: '1.1.1.1' }, 404],
  [
    'rule filter ends the search',
    {
      rules: [
        { ipFilter: shut(), ...paths({ path: '/b', backend: 'x' }) },
        paths({ backend: 'y' }),
      ],
    },
    { ip: '1.1.1.1' },
    403,
  ],
  [
    'rule filter of a rule without paths',
    { rules: [{ ipFilter: shut() }, paths({ backend: 'y' })] },
    { ip: '1.1.1.1' },
    403,
  ],
  [
    'rule filter of another host',
    { rules: [{ host: 'b.com', ipFilter: shut() }, paths({ backend: 'y' })] },
    {},
    'y',
  ],
  [
    'a rule filter behind the route',
    { rules: [paths({ backend: 'y' }), { ipFilter: shut() }] },
    {},
    'y',
  ],
  [
    'rule filter allows',
    { rules: [{ ipFilter: open('2.0.0.0/8'), ...paths({ backend: 'y' }) }] },
    { ip: '1.1.1.1' },
    'y',
  ],
  [
    'path filter ends the search',
    { rules: [paths({ path: '/', ipFilter: shut(), backend: 'x' }, { backend: 'y' })] },
    { ip: '1.1.1.1' },
    403,
  ],
  [
    'path filter of another path',
    { rules: [paths({ path: '/b', ipFilter: shut(), backend: 'x' }, { backend: 'y' })] },
    {},
    'y',
  ],
  [
    'path filter before the method',
    { rules: [paths({ methods: ['PUT'], ipFilter: shut(), backend: 'x' })] },
    { ip: '1.1.1.1' },
    403,
  ],
  [
    'an address that is none',
    { rules: [paths({ ipFilter: shut('0.0.0.0/0'), backend: 'x' })] },
    { ip: '' },
    403,
  ],
])('IP filters: %s', (_name, spec, request, want) => {
  for (const cacheSize of [0, 10]) {
    const router = routerOf({ ...spec, cacheSize })
    for (let time = 0; time < 3; time++) expect(ask(router, request)).toBe(want)
  }
})

it('what one client found in the cache does not open it for another', () => {
  const router = routerOf({
    cacheSize: 10,
    ipFilter: open('6.6.6.6'),
    rules: [
      { ipFilter: open('7.7.7.7'), ...paths({ path: '/x', backend: 'x' }) },
      paths(
        { path: '/a', ipFilter: open('8.8.8.8'), backend: 'a' },
        { path: '/m', methods: ['PUT'], ipFilter: open('8.8.8.8'), backend: 'm' },
      ),
    ],
  })
  for (let time = 0; time < 2; time++) {
    for (const [path, want] of [
      ['/a', 'a'],
      ['/m', 405],
      ['/none', 404],
    ] as const) {
      expect(ask(router, { path, ip: '1.1.1.1' })).toBe(want)
      expect(ask(router, { path, ip: '6.6.6.6' })).toBe(403)
      expect(ask(router, { path, ip: '7.7.7.7' })).toBe(403)
      expect(ask(router, { path, ip: '8.8.8.8' })).toBe(path === '/none' ? 404 : 403)
      expect(ask(router, { path, ip: '1.1.1.1' })).toBe(want)
    }
  }
})

it('keys of the cache are unambiguous', () => {
  const router = routerOf({
    cacheSize: 10,
    rules: [
      { host: 'a', ...paths({ path: '/b/c', backend: '1' }) },
      { host: 'a/b', ...paths({ path: '/c', backend: '2' }) },
    ],
  })
  expect(ask(router, { host: 'a', path: '/b/c' })).toBe('1')
  expect(ask(router, { host: 'a/b', path: '/c' })).toBe('2')
  expect(ask(router, { host: 'a', path: '/c' })).toBe(404)
})

it.each<[spec: Partial<PathSpec>, path: string, want: string]>([
  [{ pathRegexp: '^/api/(.*)$', rewriteTarget: '/v2/$1' }, '/api/u', '/v2/u'],
  [{ pathRegexp: 'a(x*)b', rewriteTarget: '$1' }, '/ab-axxb', '/-xx'],
  [{ pathRegexp: '^/api/(?P<rest>.*)$', rewriteTarget: '/$rest' }, '/api/u', '/u'],
  [{ pathRegexp: '^/api', path: '/other', rewriteTarget: '/v2' }, '/other', '/other'],
  [{ pathRegexp: '^/api', rewriteTarget: '' }, '/api', '/api'],
  [{ pathRegexp: '^/api' }, '/api', '/api'],
  [{ pathPrefix: '/api', rewriteTarget: '/v2' }, '/api', '/api'],
])('%j rewrites %s to %s', (spec, path, want) => {
  const headers: HeaderSpec[] = [{ key: 'x', values: ['1'], backend: 'h' }]
  const plain = routerOf({ rules: [paths({ backend: 'x', ...spec })] })
  const byHeader = routerOf({ rules: [paths({ backend: 'x', headers, ...spec })] })
  for (const router of [plain, byHeader]) {
    const route = router.route(inputOf({ path, headers: { x: '1' } })) as Route<string>
    expect(route).toBeInstanceOf(Route)
    expect(route.rewritePath(path)).toBe(want)
    expect(route.pattern).toBe(spec.path || spec.pathPrefix || spec.pathRegexp)
  }
})

it('a back end is resolved once a name, when compiling', () => {
  const asked: string[] = []
  const rule = paths({ path: '/a', backend: 'x' }, { path: '/b', backend: 'y' }, { backend: 'x' })
  const router = compileRouter({ rules: [rule] }, (name) => {
    asked.push(name)
    return { name }
  })
  expect(asked).toEqual(['x', 'y'])
  const [first, last] = ['/a', '/z'].map((path) => router.route(inputOf({ path })))
  expect((first as Route<{ name: string }>).target).toBe((last as Route<{ name: string }>).target)
})

it('compiles in slices', () => {
  const rules = [paths({ path: '/a', backend: 'x' }, { path: '/b', backend: 'y' })]
  const building = buildRouter({ rules }, (name) => name)
  expect([building.next().done, building.next().done]).toEqual([false, false])
  expect(building.next().done).toBe(true)
})

it.each([
  [{ rules: [{ hostRegexp: '(' }] }],
  [{ rules: [paths({ pathRegexp: '(?=a)', backend: 'x' })] }],
  [{ rules: [paths({ backend: 'x', headers: [{ key: 'x', regexp: '[', backend: 'y' }] })] }],
  [{ rules: [], ipFilter: shut('010.1.1.1') }],
])('throws for what should have been refused before: %j', (spec) => {
  expect(() => routerOf(spec)).toThrow()
})

it.each<[before: string[], ip: string, after: string[]]>([
  [[], '1.1.1.1', ['1.1.1.1']],
  [[''], '1.1.1.1', ['1.1.1.1']],
  [['2.2.2.2'], '1.1.1.1', ['2.2.2.2,1.1.1.1']],
  [['2.2.2.2, 1.1.1.1'], '1.1.1.1', ['2.2.2.2, 1.1.1.1']],
  [['11.1.1.10'], '1.1.1.1', ['11.1.1.10']],
  [['2.2.2.2', '3.3.3.3'], '1.1.1.1', ['2.2.2.2,3.3.3.3,1.1.1.1']],
  [['2.2.2.2', '1.1.1.1'], '1.1.1.1', ['2.2.2.2', '1.1.1.1']],
  [['2.2.2.2'], '', ['2.2.2.2']],
  [[], '', []],
])('X-Forwarded-For %j of client %s becomes %j', (before, ip, after) => {
  const headers = new Headers()
  for (const value of before) headers.add('x-forwarded-for', value)
  maintainForwardedFor(headers, ip)
  expect(headers.values('x-forwarded-for')).toEqual(after)
})

// The slow twin: the walk of compat/traffic-v1.md §3.5, step by step, nothing compiled.

const slowRegexps = new Map<string, RE2JS>()

function slowRegexp(source: string): RE2JS {
  const regexp = slowRegexps.get(source) ?? RE2JS.compile(source)
  slowRegexps.set(source, regexp)
  return regexp
}

function slowAllows(filter: RuleSpec['ipFilter'], ip: string): boolean {
  if (filter === undefined) return true
  const holds = (list: readonly string[] = []): boolean => {
    if (list.length === 0) return false
    const nets = new BlockList()
    for (const each of list) {
      const [net, bits] = each.split('/') as [string, string | undefined]
      nets.addSubnet(net, Number(bits ?? 32), 'ipv4')
    }
    return isIPv4(ip) && nets.check(ip)
  }
  const [allowed, blocked] = [holds(filter.allowIPs), holds(filter.blockIPs)]
  return isIP(ip) === 0 || allowed === blocked ? !filter.blockByDefault : allowed
}

function slowHost(rule: RuleSpec, raw: string): boolean {
  if (!rule.host && !rule.hostRegexp) return true
  const forms = [raw, raw.toLowerCase().replace(/:\d*$/, '')]
  if (rule.host && [raw.toLowerCase(), forms[1]].includes(rule.host.toLowerCase())) return true
  return forms.some((form) => rule.hostRegexp && slowRegexp(rule.hostRegexp).test(form))
}

function slowPath(spec: PathSpec, path: string): boolean {
  if (!spec.path && !spec.pathPrefix && !spec.pathRegexp) return true
  if (spec.path && spec.path === path) return true
  if (spec.pathPrefix && path.startsWith(spec.pathPrefix)) return true
  return spec.pathRegexp ? slowRegexp(spec.pathRegexp).test(path) : false
}

function slowRoute(spec: RouterSpec, request: Required<Ask>): string | Refusal {
  const { host, path, method, headers, ip } = request
  if (!slowAllows(spec.ipFilter, ip)) return 403
  for (const rule of spec.rules) {
    if (!slowHost(rule, host)) continue
    if (!slowAllows(rule.ipFilter, ip)) return 403
    for (const each of rule.paths ?? []) {
      if (!slowPath(each, path)) continue
      if (each.methods?.length && !each.methods.includes(method)) {
        return slowAllows(each.ipFilter, ip) ? 405 : 403
      }
      if (!slowAllows(each.ipFilter, ip)) return 403
      if (!each.headers?.length) return each.backend
      const hit = each.headers.find(({ key, values, regexp }) => {
        const value = headers[key.toLowerCase()] ?? ''
        return values?.includes(value) || (regexp && slowRegexp(regexp).test(value))
      })
      if (hit !== undefined) return hit.backend
    }
  }
  return 404
}

const sometimes = <T>(prng: Prng, percent: number, make: () => T): T | undefined =>
  prng.chance(percent) ? make() : undefined

function randomPath(prng: Prng): string {
  const parts = prng.ints(1 + prng.below(3), 4).map((i) => ['a', 'ab', 'b', '1'][i])
  return `/${parts.join(prng.chance(80) ? '/' : '')}`
}

function randomSpec(prng: Prng): RouterSpec {
  let backends = 0
  const backend = (): string => `b${backends++}`
  const ipFilter = (percent: number) =>
    sometimes(prng, percent, () => ({
      blockByDefault: prng.chance(30),
      allowIPs: prng.ints(prng.below(3), 4).map((i) => `10.0.0.${i}`),
      blockIPs: prng.ints(prng.below(2), 4).map((i) => `10.0.0.${i}/${30 + prng.below(3)}`),
    }))
  const pattern = (): string =>
    `${prng.chance(70) ? '^' : ''}${randomPath(prng)}${prng.pick(['', '$', '/[ab]+$', '.*', '(?:/.*)?$', '[a-b]+/?', '\\b', '.*b.*1'])}`
  const headers = (): HeaderSpec[] =>
    Array.from({ length: 1 + prng.below(2) }, () => ({
      key: prng.pick(['X-A', 'x-b']),
      values: sometimes(prng, 60, () => [prng.pick(['', '1', '2'])]),
      regexp: sometimes(prng, 40, () => prng.pick(['^1', '[23]', '^$'])),
      backend: backend(),
    }))
  const path = (): PathSpec => ({
    path: sometimes(prng, 35, () => randomPath(prng)),
    pathPrefix: sometimes(prng, 30, () => randomPath(prng)),
    pathRegexp: sometimes(prng, 35, pattern),
    methods: sometimes(prng, 20, () => prng.pick([[], ['GET'], ['PUT', 'POST']])),
    headers: sometimes(prng, 20, headers),
    ipFilter: ipFilter(8),
    backend: backend(),
  })
  const rule = (): RuleSpec => ({
    host: sometimes(prng, 35, () => prng.pick(['a.com', 'B.com', 'a.com:80', ''])),
    hostRegexp: sometimes(prng, 25, () => prng.pick(['^a', 'com$', '^[ab]\\.com$', ':80', 'B'])),
    ipFilter: ipFilter(10),
    paths: Array.from({ length: prng.below(6) }, path),
  })
  const rules = Array.from({ length: prng.below(6) }, rule)
  return { rules, ipFilter: ipFilter(10), cacheSize: prng.pick([0, 0, 1, 3, 50]) }
}

it('agrees with a slow, obvious twin, cache or not', () => {
  const prng = new Prng(0x40b7e5)
  const seen = new Map<string, number>()
  for (let round = 0; round < 600; round++) {
    const spec = randomSpec(prng)
    const router = routerOf(spec)
    for (let i = 0; i < 25; i++) {
      const request: Required<Ask> = {
        method: prng.pick(['GET', 'GET', 'POST', 'BREW']),
        host: prng.pick(['a.com', 'A.com', 'b.com', 'a.com:80', 'b.com:81', 'c.org', '']),
        path: randomPath(prng),
        headers: prng.chance(50) ? {} : { 'x-a': prng.pick(['1', '2', '3']), 'x-b': '2' },
        ip: prng.chance(90) ? `10.0.0.${prng.below(5)}` : prng.pick(['', 'x', '::1']),
      }
      const want = slowRoute(spec, request)
      const got = ask(router, request)
      if (got !== want)
        expect(got, `round ${round}: ${JSON.stringify({ spec, request })}`).toBe(want)
      const kind = typeof want === 'number' ? String(want) : 'route'
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }
  }
  // The generator must not drift into one corner.
  for (const kind of ['403', '404', '405', 'route'])
    expect(seen.get(kind), kind).toBeGreaterThan(500)
})
