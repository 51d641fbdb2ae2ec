/**
 * `explain` against the truth: what it says of a request is what then becomes of it, for documents
 * and requests at random. `SEED=123` replays a run, `EXPLAIN_DOCUMENTS=500` is a long one.
 */
import { expect, it } from 'vitest'
import { Prng } from '../../src/lib/prng.js'
import type { BackEnd } from './support/back-end.js'
import type { Gateway } from './support/gateway.js'
import { type Answer, ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { openWorld } from './support/world.js'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const DOCUMENTS = Number(process.env['EXPLAIN_DOCUMENTS'] ?? 6)
const REQUESTS = 20

const world = openWorld()

type Fields = Readonly<Record<string, unknown>>

/** Documents and requests about few paths, headers and values, so that they often meet. */
class Dice {
  readonly #prng = new Prng(SEED)
  readonly #backEnds: readonly BackEnd[]
  #filters = 0

  constructor(backEnds: readonly BackEnd[]) {
    this.#backEnds = backEnds
  }

  pick<T>(...choices: T[]): T {
    return choices[this.#prng.below(choices.length)] as T
  }

  maybe(percent: number, make: () => Fields): Fields {
    return this.#prng.chance(percent) ? make() : {}
  }

  some<T>(max: number, make: () => T): T[] {
    return Array.from({ length: 1 + this.#prng.below(max) }, make)
  }

  server(port: number): Fields {
    const routerKind = this.pick('Ordered', 'RadixTree')
    return {
      name: 'server',
      kind: 'HTTPServer',
      port,
      routerKind,
      cacheSize: this.pick(0, 20),
      xForwardedFor: this.pick(true, false),
      globalFilter: this.pick('', '', 'around'),
      ...this.maybe(10, () => ({ ipFilter: this.#ipFilter() })),
      rules: this.some(3, () => ({
        ...this.maybe(30, () => ({ host: this.pick('h.com', 'a.com') })),
        ...this.maybe(20, () => ({ hosts: [{ value: this.pick('*.com', 'h.*') }] })),
        ...this.maybe(15, () => ({ ipFilter: this.#ipFilter() })),
        paths: this.some(5, () => this.#path(routerKind === 'RadixTree')),
      })),
    }
  }

  #path(isTree: boolean): Fields {
    const [where, rewriteTarget] = isTree
      ? this.pick<[Fields, string]>(
          [{ path: '/a' }, '/b'],
          [{ path: '/{p}' }, '/a/{p}'],
          [{ path: '/a/{n:[0-9]+}' }, '/b'],
          [{ path: '/*' }, '/b/{EG_WILDCARD}'],
        )
      : this.pick<[Fields, string]>(
          [{ path: this.pick('/a', '/b', '/a/1') }, '/b'],
          [{ pathPrefix: this.pick('/a', '/') }, '/z'],
          [{ pathRegexp: this.pick('^/a', '[0-9]+$') }, '/b$0'],
          [{ path: '/b', pathPrefix: '/a' }, '/zz'],
          [{}, ''],
        )
    return {
      ...where,
      ...(rewriteTarget === '' ? {} : this.maybe(30, () => ({ rewriteTarget }))),
      ...this.maybe(30, () => ({ methods: this.pick(['GET'], ['POST', 'PUT']) })),
      ...this.maybe(25, () => ({
        headers: this.#conditions('X-A', 'X-B'),
        matchAllHeader: this.pick(true, false),
      })),
      ...this.maybe(25, () => ({
        queries: this.#conditions('a', 'b'),
        matchAllQuery: this.pick(true, false),
      })),
      ...this.maybe(20, () => ({ ipFilter: this.#ipFilter() })),
      ...this.maybe(20, () => ({ setHeaders: { 'X-A': this.pick('$arg_a', `\${p}`, '2', '') } })),
      ...this.maybe(10, () => ({ clientMaxBodySize: 3 })),
      backend: this.pick('one', 'two', 'nowhere'),
    }
  }

  #conditions(...keys: string[]): Fields[] {
    return this.some(2, () => ({
      key: this.pick(...keys),
      ...this.pick<Fields>({ values: [this.pick('1', '2', '')] }, { regexp: this.pick('^1', '.') }),
    }))
  }

  #ipFilter(): Fields {
    return {
      blockByDefault: this.pick(true, false),
      ...this.maybe(50, () => ({ blockIPs: ['9.9.9.9'] })),
      ...this.maybe(30, () => ({ allowIPs: ['127.0.0.1', '9.9.9.0/24'] })),
    }
  }

  flow(): Fields {
    const filters = this.some(4, () => this.#filter())
    const nodes = this.some(5, () => this.pick(...filters)).map(({ name, results }, index) => ({
      filter: name,
      alias: `n${index}`,
      ...this.maybe(30, () => ({ namespace: this.pick('other', 'DEFAULT') })),
      results,
    }))
    const flow = nodes.map(({ results, ...node }, index) => {
      const labels = [...nodes.slice(index + 1).map(({ alias }) => alias), 'END']
      const jumps = [...results, ''].filter(() => this.pick(true, false))
      return { ...node, jumpIf: Object.fromEntries(jumps.map((r) => [r, this.pick(...labels)])) }
    })
    return { filters: filters.map(({ results: _, ...filter }) => filter), flow }
  }

  #filter(): Fields & { readonly name: string; readonly results: readonly string[] } {
    const [kind, results, fields] = this.#kind()
    this.#filters += 1
    return { name: `f${this.#filters}`, kind, results, ...fields }
  }

  #kind(): readonly [kind: string, results: readonly string[], fields: Fields] {
    const mock = { code: this.pick(200, 404), ...this.maybe(60, () => ({ match: this.#match() })) }
    const servers = this.#backEnds.map(({ port }) => [{ url: `http://127.0.0.1:${port}` }])
    const filter = { headers: { 'X-A': { exact: '2' } } }
    const pools = [{ servers: servers[0] }, { servers: servers[1], filter }]
    const prefix = { type: 'ReplacePrefixMatch', replacePrefixMatch: this.pick('/a', '/new') }
    const set = { set: { 'X-A': this.pick('1', '9') } }
    const policy = 'package http\nallow { input.request.path_parts[0] == "b" }'
    return this.pick<readonly [string, readonly string[], Fields]>(
      ['Proxy', ['failureCode'], { pools }],
      ['Proxy', ['failureCode'], { pools }],
      ['Mock', ['mocked'], { rules: [mock] }],
      ['Validator', ['invalid'], { headers: { 'X-A': { values: ['1', '2'] } } }],
      ['RequestAdaptor', [], { header: set, method: this.pick('PUT', 'GET') }],
      ['RequestAdaptor', [], { path: this.pick({ addPrefix: '/a' }, { trimPrefix: '/a' }) }],
      ['ResponseAdaptor', ['responseNotFound'], { header: set }],
      ['ResultBuilder', ['result1', 'unknown'], { template: '{{header .req.Header "X-B"}}' }],
      ['RequestBuilder', ['buildErr'], { template: 'method: {{header .req.Header "X-B"}}' }],
      ['ResponseBuilder', ['buildErr'], { template: 'statusCode: 20{{len .req.URL.Path}}' }],
      ['Redirector', ['redirected'], { match: '^/a', replacement: '/q', matchPart: 'path' }],
      ['RedirectorV2', ['redirected'], { path: prefix }],
      ['HeaderToJSON', ['jsonEncodeDecodeErr'], { headerMap: [{ header: 'X-A', json: 'a' }] }],
      ['Fallback', ['fallback', 'responseNotFound'], { mockCode: 203 }],
      ['CORSAdaptor', ['preflighted', 'rejected'], { allowedOrigins: ['http://ok'] }],
      ['DataBuilder', ['buildErr'], { dataKey: 'K', template: this.pick('{a: 1}', '[') }],
      ['OPAFilter', ['opaDenied'], { policy }],
    )
  }

  #match(): Fields {
    return this.pick<Fields>(
      { pathPrefix: this.pick('/a', '/b') },
      { path: '/a', headers: { 'X-A': this.pick<Fields>({ exact: '1' }, { empty: true }) } },
    )
  }

  request() {
    const method = this.pick('GET', 'GET', 'POST', 'PUT', 'OPTIONS', 'PURGE')
    const path = this.pick('/a', '/a/b', '/b', '/a/1', '/', '/x%20y', '/A', '/b/2')
    const query = this.pick('', '?a=1', '?a=2&b=1', '?a=&b=1')
    const body = this.pick('', '', '{}', 'hello')
    const headers = {
      host: this.pick('h.com', 'a.com:80', 'x.y'),
      ...this.maybe(50, () => ({ 'x-a': this.pick('1', '2', '3') })),
      ...this.maybe(40, () => ({ 'x-b': this.pick('1', 'result1', 'POST') })),
      ...this.maybe(20, () => ({ 'x-forwarded-for': this.pick('9.9.9.9', '8.8.8.8') })),
      ...this.maybe(20, () => ({ origin: this.pick('http://ok', 'http://bad') })),
      ...this.maybe(10, () => ({ 'access-control-request-method': 'PUT' })),
      ...(body === '' ? {} : { 'content-length': String(body.length) }),
    } as Readonly<Record<string, string>>
    return { method, path: path + query, headers, body }
  }
}

interface Explained {
  readonly refusal: number
  readonly status: number
  readonly steps: readonly {
    readonly namespace: string
    readonly detail: { readonly pool?: string; readonly server?: string }
  }[]
}

async function send(gateway: Gateway, method: string, path: string, value: unknown) {
  const body = JSON.stringify(value)
  const headers = { 'content-length': Buffer.byteLength(body) }
  return ask({ port: gateway.apiPort, method, path: `/apis/v2${path}`, headers, body })
}

/** What is to be seen of an answer: which back end it came from, the last if several, or its status. */
const seen = ({ status, headers }: Answer): string =>
  String(headers['x-back-end'] ?? status)
    .split(', ')
    .at(-1) as string

/** The same, as explained. Any status, where a back end's answer may have been changed on its way. */
function told({ refusal, status, steps }: Explained): string {
  const sent = steps.filter(({ namespace, detail }) => namespace === 'DEFAULT' && detail.pool)
  const last = sent.at(-1)?.detail.server ?? ''
  return refusal === 0 && status === 0 ? last.slice(last.lastIndexOf(':') + 1) : `${status}`
}

it(`what is explained is what happens (SEED=${SEED})`, { timeout: 600_000 }, async () => {
  const gateway = await world.gateway()
  const backEnds = await Promise.all(
    [1, 2].map(async () => {
      const backEnd = await world.backEnd((request, response) => {
        response.setHeader('x-back-end', request.socket.localPort ?? 0)
        request.resume()
        request.on('end', () => response.end())
      })
      return backEnd
    }),
  )
  const dice = new Dice(backEnds)
  const port = await freePort()
  for (let round = 0; round < DOCUMENTS; round++) {
    const objects: Fields[] = [
      dice.server(port),
      { name: 'one', kind: 'Pipeline', ...dice.flow() },
      { name: 'two', kind: 'Pipeline', ...dice.flow() },
      { name: 'around', kind: 'GlobalFilter', beforePipeline: dice.flow() },
    ]
    for (const object of objects) {
      const path = round === 0 ? '/objects' : `/objects/${object['name']}`
      const { status, text } = await send(gateway, round === 0 ? 'POST' : 'PUT', path, object)
      expect([status < 300, text], JSON.stringify(object)).toEqual([true, ''])
    }
    for (let n = 0; n < REQUESTS; n++) {
      const { method, path, headers, body } = dice.request()
      const explained = await send(gateway, 'POST', '/explain', {
        method,
        url: `http://127.0.0.1:${port}${path}`,
        headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
        ...(body === '' ? {} : { body }),
      })
      const answer = await ask({ port, method, path, headers, ...(body === '' ? {} : { body }) })
      const inFull = JSON.stringify({ method, path, headers, body, objects })
      const explanation = JSON.parse(explained.text) as Explained
      expect(told(explanation), `${inFull}\n${explained.text}`).toBe(seenBy(explanation, answer))
    }
  }
})

/** A filter that answers after a back end leaves the back end's fields where it adds to an answer. */
const seenBy = ({ status }: Explained, answer: Answer): string =>
  status === 0 ? seen(answer) : `${answer.status}`
