import { expect, it } from 'vitest'
import type { Filter, FilterKind } from '../filters/contract.js'
import { Exchange, OK, SUSPENDED } from '../http/exchange.js'
import { DEFAULT } from '../http/namespaces.js'
import { object } from '../spec/schema.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { EARLY, END, type Node, Pipeline, STOP } from './pipeline.js'
import { rehearse } from './rehearse.js'

function kind(name: string, more: Partial<FilterKind> = {}): FilterKind {
  return {
    kind: name,
    summary: '',
    results: ['bad', 'worse'],
    wraps: false,
    spec: object({}),
    load: () => Promise.reject(new Error('it has no engine')),
    ...more,
  }
}

function node(name: string, of: FilterKind, filter: Filter, jump: number[]): Node {
  return {
    name,
    kind: of,
    filter,
    wrapping: null,
    namespace: DEFAULT,
    jump,
    requestBodyBytes: 0,
    needsRequestBody: null,
    responseBodyBytes: 0,
    before: null,
    after: null,
  }
}

const PURE = kind('Pure', { isPure: true })
const DOER = kind('Doer')

function never(): never {
  throw new Error('it was asked to do its work')
}

const run = (...nodes: Node[]) => {
  const ex = new Exchange()
  ex.request.rawPath = '/a'
  const log = new MemoryLogger()
  const { steps } = rehearse(new Pipeline('demo', nodes, log), ex)
  return {
    ex,
    log,
    steps: steps.map(({ filter, result, isAssumed }) => [filter, result, isAssumed]),
  }
}

it('runs what is pure, asks who can tell, and assumes the best of the rest', () => {
  const explain = (ex: Exchange) => ({ code: OK, detail: { pool: 'main', path: ex.request.path } })
  const pure: Filter = {
    handle: (ex) => {
      ex.request.path = '/b'
      return OK
    },
  }
  const nodes = [
    node('limiter', DOER, { handle: never }, [1, STOP, STOP]),
    node('adaptor', PURE, pure, [2, STOP, STOP]),
    node('proxy', DOER, { handle: never, explain }, [END, STOP, STOP]),
  ]
  const { ex, steps, log } = run(...nodes)
  expect(steps).toEqual([
    ['limiter', '', true],
    ['adaptor', '', false],
    ['proxy', '', false],
  ])
  expect(ex.request.target).toBe('/b')
  expect(log.records).toEqual([])
})

it('takes the jumps that the flow would take', () => {
  const of = (code: number): Filter => ({ handle: () => code })
  const nodes = [
    node('a', PURE, of(2), [1, STOP, 2]),
    node('b', PURE, of(OK), [2, STOP, STOP]),
    node('c', PURE, of(1), [3, STOP, STOP]),
    node('d', PURE, of(OK), [END, STOP, STOP]),
  ]
  expect(run(...nodes).steps).toEqual([
    ['a', 'worse', false],
    ['c', 'bad', false],
  ])
  const early = [node('a', PURE, of(OK), [EARLY, STOP, STOP]), nodes[3] as Node]
  expect(run(...early).steps).toEqual([['a', '', false]])
  expect(run().steps).toEqual([])
})

it('a filter that waits is told to give up, and what follows is shown', () => {
  const cancelled: string[] = []
  const waits: Filter = {
    handle: (ex) => {
      ex.suspend()
      return SUSPENDED
    },
    cancel: () => void cancelled.push('waits'),
  }
  const nodes = [
    node('waits', PURE, waits, [1, STOP, STOP]),
    node('d', PURE, { handle: () => OK }, [END, STOP, STOP]),
  ]
  expect(run(...nodes).steps).toEqual([
    ['waits', '', true],
    ['d', '', false],
  ])
  expect(cancelled).toEqual(['waits'])
})

it('a wrapping filter is passed through, and one that throws ends it', () => {
  const wrapping = { enter: never, leave: never }
  const throws: Filter = { handle: never }
  const nodes = [
    { ...node('retry', kind('Retryer', { wraps: true }), throws, [1]), filter: null, wrapping },
    node('broken', PURE, throws, [2, STOP, STOP]),
    node('d', PURE, { handle: () => OK }, [END, STOP, STOP]),
  ]
  const { ex, steps } = run(...nodes)
  expect(steps).toEqual([['retry', '', true]])
  expect(ex.response.status).toBe(500)
})

it('pins nothing', () => {
  const ex = new Exchange()
  const pipeline = new Pipeline('demo', [], new MemoryLogger())
  rehearse(pipeline, ex)
  expect(pipeline.pinCount).toBe(0)
})
