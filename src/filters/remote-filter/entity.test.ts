import { expect, it } from 'vitest'
import { FakeClient } from '../../http/fake-client.fixture.js'
import { applyChanges, type Changes, entityOf, readEntity } from './entity.js'

const read = (value: unknown): Changes | null => readEntity(Buffer.from(JSON.stringify(value)))

it('says all of a request and of the answer so far', () => {
  const { ex } = new FakeClient({
    method: 'POST',
    path: '/a%20b',
    query: 'q=%20',
    headers: [
      ['x-id', '1'],
      ['x-id', '2'],
      ['content-type', 'text/plain'],
      ['x-name', 'gr\xc3\xbcn'],
      ['x-forwarded-for', '203.0.113.7'],
    ],
    body: 'body',
  })
  ex.response.status = 202
  ex.response.headers.add('etag', '"1"')
  ex.response.body = Buffer.from('made')
  expect(JSON.parse(entityOf(ex).toString())).toEqual({
    request: {
      realIP: '203.0.113.7',
      method: 'POST',
      scheme: '',
      host: 'gateway.test',
      path: '/a b',
      query: 'q=%20',
      fragment: '',
      proto: 'HTTP/1.1',
      header: {
        'X-Id': ['1', '2'],
        'Content-Type': ['text/plain'],
        'X-Name': ['grün'],
        'X-Forwarded-For': ['203.0.113.7'],
        Host: ['gateway.test'],
      },
      body: 'Ym9keQ==',
    },
    response: { statusCode: 202, header: { Etag: ['"1"'] }, body: 'bWFkZQ==' },
  })
})

it('what is not there is null, and headers are a map all the same', () => {
  const { ex } = new FakeClient()
  const { request, response } = JSON.parse(entityOf(ex).toString())
  expect([request.body, response]).toEqual([null, { statusCode: 200, header: {}, body: null }])
})

it('what was said can be applied again and changes nothing', () => {
  const { ex } = new FakeClient({
    method: 'PUT',
    path: '/p%C3%BC/x',
    query: 'a=b&c',
    headers: [
      ['x', 'gr\xc3\xbcn'],
      ['__proto__', 'y'],
    ],
    body: 'body\0\xff',
  })
  ex.response.headers.add('y', 'z')
  const before = entityOf(ex).toString()
  applyChanges(ex, readEntity(Buffer.from(before)) as Changes)
  expect(entityOf(ex).toString()).toBe(before)
  expect(ex.request.target).toBe('/p%C3%BC/x?a=b&c')
  expect(ex.request.headers.has('host')).toBe(false)
})

it.each<[what: string, value: unknown]>([
  ['only a request', { request: {} }],
  ['nulls', { request: { header: null, body: null }, response: null }],
  ['unknown members', { request: { realIP: 'x', more: 1 }, more: {} }],
  ['a query with all it may have', { request: { query: `a=%20&"'[]{}|\\^\`` } }],
  ['a null list', { request: { header: { X: null } } }],
  ['the least status', { request: {}, response: { statusCode: 200 } }],
  ['the greatest', { request: {}, response: { statusCode: 599 } }],
])('takes %s', (_what, value) => {
  expect(read(value)).not.toBeNull()
})

const withRequest = (request: unknown): unknown => ({ request })
const withResponse = (response: unknown): unknown => ({ request: {}, response })

it.each<[what: string, value: unknown]>([
  ['nothing', {}],
  ['no request', { response: { statusCode: 200 } }],
  ['a null request', withRequest(null)],
  ['a request as a list', withRequest([])],
  ['a request as text', withRequest('GET /')],
  ['a method as a number', withRequest({ method: 1 })],
  ['a method that is none', withRequest({ method: 'GET /' })],
  ['a path as a number', withRequest({ path: 1 })],
  ['a path without a slash', withRequest({ path: 'a' })],
  ['a URL in place of a path', withRequest({ path: 'http://a/' })],
  ['a query with a blank', withRequest({ query: 'a b' })],
  ['a query with a line break', withRequest({ query: 'a\r\nX: y' })],
  ['a query with a fragment', withRequest({ query: 'a#b' })],
  ['a query beyond ASCII', withRequest({ query: 'ü' })],
  ['a query as a map', withRequest({ query: {} })],
  ['a header as a list', withRequest({ header: [] })],
  ['a value that is no list', withRequest({ header: { X: 'y' } })],
  ['a value that is no text', withRequest({ header: { X: [1] } })],
  ['a line break in a value', withRequest({ header: { X: ['a\r\nY: b'] } })],
  ['a NUL in a value', withRequest({ header: { X: ['a\0'] } })],
  ['a name that is none', withRequest({ header: { 'X Y': ['a'] } })],
  ['a line break in a name', withRequest({ header: { 'X: y\r\nZ': ['a'] } })],
  ['an empty name', withRequest({ header: { '': ['a'] } })],
  ['a body that is no base64', withRequest({ body: '***' })],
  ['a body that is cut off', withRequest({ body: 'YQ' })],
  ['a body for URLs', withRequest({ body: '-_8=' })],
  ['a body as a list', withRequest({ body: [1] })],
  ['a response as text', withResponse('200')],
  ['a response as a list', withResponse([])],
  ['no status', withResponse({})],
  ['a status as text', withResponse({ statusCode: '200' })],
  ['a status of 199', withResponse({ statusCode: 199 })],
  ['a status of 600', withResponse({ statusCode: 600 })],
  ['half a status', withResponse({ statusCode: 200.5 })],
  [
    'a bad field of the answer',
    withResponse({ statusCode: 200, header: { X: ['a\n'], 'b c': [] } }),
  ],
  ['a bad body of the answer', withResponse({ statusCode: 200, body: 'no base64!' })],
])('refuses %s', (_what, value) => {
  expect(read(value)).toBeNull()
})

it.each(['', 'null', '[]', '{', '{"request":{}}{}', '\xff'])('refuses %j', (text) => {
  expect(readEntity(Buffer.from(text, 'latin1'))).toBeNull()
})

it('fields of one hop, lengths and the host are not taken over', () => {
  const { ex } = new FakeClient()
  const header = {
    Connection: ['close'],
    'Transfer-Encoding': ['chunked'],
    'Content-Length': ['99'],
    Host: ['evil.test'],
    'X-Kept': ['1'],
  }
  const entity = { request: { header }, response: { statusCode: 200, header, body: 'YQ==' } }
  applyChanges(ex, read(entity) as Changes)
  expect(ex.request.headers.flat).toEqual(['x-kept', '1'])
  expect(ex.request.host).toBe('gateway.test')
  expect(ex.response.headers.flat).toEqual(['host', 'evil.test', 'x-kept', '1'])
})
