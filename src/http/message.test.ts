import { expect, it } from 'vitest'
import type { BodySource } from './body.js'
import { HttpRequest, HttpResponse } from './message.js'

const sourceOf = (log: string[], name: string): BodySource => ({
  length: -1,
  open() {},
  pause() {},
  resume() {},
  cancel: () => log.push(`cancel ${name}`),
})

it.each<[raw: string, query: string, changeTo: string | null, target: string]>([
  ['/a%2Fb', '', null, '/a%2Fb'],
  ['/a%2Fb', 'x=%20', null, '/a%2Fb?x=%20'],
  ['/%FF', '', null, '/%FF'],
  // Set to what it is: the bytes stay as they came.
  ['/a%2Fb', '', '/a/b', '/a%2Fb'],
  ['/a%2Fb', 'q', '/c d', '/c%20d?q'],
  ['/a', '', '/a?b', '/a%3Fb'],
  ['/a', '', 'relative', '/relative'],
  ['/a', '', '', '/'],
  ['/a', '', '/x\r\nhost: b', '/x%0D%0Ahost:%20b'],
])('%s?%s with path %j goes out as %s', (raw, query, changeTo, target) => {
  const request = new HttpRequest()
  request.rawPath = raw
  request.query = query
  if (changeTo !== null) request.path = changeTo
  expect(request.target).toBe(target)
})

it('a path that is changed back goes out as it came', () => {
  const request = new HttpRequest()
  request.rawPath = '/a%2Fb'
  const { path } = request
  request.path = '/other'
  request.path = path
  expect(request.target).toBe('/a%2Fb')
})

it('a request used again remembers nothing', () => {
  const request = new HttpRequest()
  request.rawPath = '/a%20b'
  request.path = '/c'
  request.query = 'q'
  request.host = 'h'
  request.method = 'PUT'
  request.headBytes = 9
  request.headers.add('a', 'b')
  request.reset()
  expect(request).toEqual(new HttpRequest())
  request.rawPath = '/new'
  expect([request.path, request.target]).toEqual(['/new', '/new'])
})

it('a response body replaces a stream, which is given back', () => {
  const log: string[] = []
  const response = new HttpResponse()
  response.headers.add('content-length', '7')
  response.source = sourceOf(log, 'first')
  response.body = Buffer.from('x')
  expect(log).toEqual(['cancel first'])
  expect(response.source).toBeNull()
  expect(response.headers.has('content-length')).toBe(false)
})

it('a stream replaces a body, or a stream, which is given back', () => {
  const log: string[] = []
  const response = new HttpResponse()
  const second = sourceOf(log, 'second')
  response.body = Buffer.from('x')
  response.source = sourceOf(log, 'first')
  expect(response.body).toBeNull()
  response.source = second
  expect(log).toEqual(['cancel first'])
  response.source = second
  expect(log).toEqual(['cancel first'])
  expect(response.source).toBe(second)
})

it('a stream taken is nobody else’s to cancel', () => {
  const log: string[] = []
  const response = new HttpResponse()
  const source = sourceOf(log, 'taken')
  response.source = source
  expect(response.takeSource()).toBe(source)
  expect(response.takeSource()).toBeNull()
  response.discard()
  expect(log).toEqual([])
})

it('discard forgets everything and gives the stream back', () => {
  const log: string[] = []
  const response = new HttpResponse()
  response.status = 418
  response.headers.add('a', 'b')
  response.source = sourceOf(log, 'stream')
  response.discard()
  response.discard()
  expect(log).toEqual(['cancel stream'])
  expect(response).toEqual(new HttpResponse())
})
