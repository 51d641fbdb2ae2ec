import { expect, it } from 'vitest'
import type { Filter, FilterKind } from '../../filters/contract.js'
import { type Exchange, OK } from '../../http/exchange.js'
import { DEFAULT, namespaceIndex } from '../../http/namespaces.js'
import { END, type Node, Pipeline, STOP } from '../../pipeline/pipeline.js'
import type { ExplainedRequest } from '../../protocol/worker.js'
import { object } from '../../spec/schema.js'
import { MemoryLogger } from '../../telemetry/memory-log.js'
import { exchangeOf, explanationOf } from './explain.js'

const REQUEST: ExplainedRequest = {
  method: 'POST',
  path: '/a%20b',
  query: 'x=1',
  host: 'a.com:80',
  headers: [
    ['x-a', '1'],
    ['x-a', '2'],
  ],
  clientAddress: '10.1.2.3',
  body: Buffer.from('hello'),
}

function flow(filter: Filter, isPure: boolean, startsEmpty = true): Pipeline {
  return new Pipeline('p', [node(filter, isPure)], new MemoryLogger(), { startsEmpty })
}

function node(filter: Filter, isPure: boolean, namespace = DEFAULT): Node {
  const kind: FilterKind = {
    kind: 'Demo',
    summary: '',
    results: ['bad'],
    wraps: false,
    isPure,
    spec: object({}),
    load: () => Promise.reject(new Error('it has no engine')),
  }
  return {
    name: 'f',
    kind,
    filter,
    wrapping: null,
    namespace,
    jump: [END, STOP],
    requestBodyBytes: 0,
    needsRequestBody: null,
    responseBodyBytes: 0,
    before: null,
    after: null,
  }
}

const ROUTE = {}
const found = (outcome: object | number) => ({ outcome, isServerDenied: false, verdicts: [] })

it('makes an exchange as if the request had arrived', () => {
  const ex = exchangeOf(REQUEST)
  expect(ex.request).toMatchObject({ method: 'POST', host: 'a.com:80', path: '/a b' })
  expect(ex.request.target).toBe('/a%20b?x=1')
  expect(ex.request.headers.values('x-a')).toEqual(['1', '2'])
  expect(ex.request.body?.whole).toEqual(Buffer.from('hello'))
  expect(ex.realIp).toBe('10.1.2.3')
})

it.each([403, 404])('a router that says %i is the end', (status) => {
  const explained = explanationOf(exchangeOf(REQUEST), found(status), () => {
    throw new Error('there is no route')
  })
  expect(explained).toMatchObject({ refusal: status, pipeline: '', steps: [], status })
})

it('so is a pipeline that is not there', () => {
  const lead = () => ({ name: 'gone', pipeline: 503 })
  const explained = explanationOf(exchangeOf(REQUEST), found(ROUTE), lead)
  expect(explained).toMatchObject({ refusal: 503, pipeline: 'gone', steps: [], status: 503 })
})

const handle = (does: (ex: Exchange) => void, code = OK): Filter => ({
  handle: (ex) => {
    does(ex)
    return code
  },
})
const sends = (detail: object, code = OK): Filter => ({
  handle: () => expect.unreachable('nothing is sent'),
  explain: () => ({ code, detail: { pool: 'main', ...detail } }),
})
const respond = (status: number) => handle((ex) => ex.respond(status))

it.each<[name: string, pipeline: Pipeline, status: number, target: string]>([
  ['a filter that answers', flow(respond(418), true), 418, '/a%20b?x=1'],
  [
    'a filter that does not',
    flow(
      handle(() => {}),
      true,
    ),
    503,
    '/a%20b?x=1',
  ],
  [
    'the same in v1',
    flow(
      handle(() => {}),
      true,
      false,
    ),
    200,
    '/a%20b?x=1',
  ],
  [
    'one that changes the path',
    flow(
      handle((ex) => (ex.request.path = '/z')),
      true,
    ),
    503,
    '/z?x=1',
  ],
  ['one that nobody asks', flow(respond(418), false), 0, '/a%20b?x=1'],
  ['a back end', flow(sends({}), false), 0, '/a%20b?x=1'],
  ['a back end that is not there', flow(sends({}, 1), false), 503, '/a%20b?x=1'],
])('%s', (_name, pipeline, status, target) => {
  const lead = () => ({ name: 'p', pipeline })
  const explained = explanationOf(exchangeOf(REQUEST), found(ROUTE), lead)
  expect(explained).toMatchObject({ refusal: 0, pipeline: 'p', status, target, method: 'POST' })
  expect(explained.steps).toHaveLength(1)
})

it.each<[name: string, nodes: Node[], status: number]>([
  [
    'a filter changes what a back end said',
    [node(sends({}), false), node(respond(404), true)],
    404,
  ],
  ['a back end comes after', [node(respond(404), true), node(sends({}), false)], 0],
  [
    'a filter adds to what a back end said',
    [
      node(sends({}), false),
      node(
        handle((ex) => ex.response.headers.set('x', 'y')),
        true,
      ),
    ],
    0,
  ],
  [
    'a back end is asked for another namespace',
    [node(sends({}), false, namespaceIndex('one')), node(respond(201), true)],
    201,
  ],
])('the status is of whoever has the last word: %s', (_name, nodes, status) => {
  const chain = nodes.map((each, index) => ({
    ...each,
    jump: [index === nodes.length - 1 ? END : index + 1, STOP],
  }))
  const pipeline = new Pipeline('p', chain, new MemoryLogger(), { startsEmpty: true })
  const lead = () => ({ name: 'p', pipeline })
  expect(explanationOf(exchangeOf(REQUEST), found(ROUTE), lead)).toMatchObject({ status })
})
