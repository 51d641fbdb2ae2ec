import { expect, it } from 'vitest'
import { Exchange } from '../http/exchange.js'
import { HeaderSetter } from './set-headers.js'

function exchange(): Exchange {
  const ex = new Exchange()
  ex.responder = { send: () => {}, cut: () => {}, peerAddress: () => '192.0.2.7' }
  const { request } = ex
  request.method = 'GET'
  request.host = 'shop.example:8080'
  request.rawPath = '/a%20b'
  request.query = 'q=a+b&e='
  for (const [name, value] of [
    ['authorization', `Basic ${Buffer.from('user:secret').toString('base64')}`],
    ['cookie', 'a=1; b="two"'],
    ['content-type', 'text/plain'],
    ['x-tenant-id', 'gr\xc3\xbcn'],
  ] as const) {
    request.headers.add(name, value)
  }
  return ex
}

const PATH = { names: ['id', 'rest'], values: ['7', 'x/y'] }

function set(text: string): string | null {
  const ex = exchange()
  new HeaderSetter({ 'X-Set': text }).apply(ex, PATH)
  return ex.request.headers.get('x-set')
}

/** `${name}`, which linters take for a mistake in a text. */
const braced = (name: string): string => `$\{${name}}`

it.each([
  ['plain', 'plain'],
  [`$request_method ${braced('uri')}`, 'GET /a b'],
  ['$request_uri', '/a b?q=a+b&e='],
  ['$request', 'GET /a b?q=a+b&e= HTTP/1.1'],
  ['$query_string|$args', 'q=a+b&e=|q=a+b&e='],
  [
    '$host|$hostname|$server_name|$http_host',
    'shop.example|shop.example|shop.example|shop.example:8080',
  ],
  ['$scheme $server_protocol', 'http HTTP/1.1'],
  ['$remote_addr', '192.0.2.7'],
  ['$remote_user', 'user'],
  ['$proxy_add_x_forwarded_for', '192.0.2.7'],
  ['$content_type', 'text/plain'],
  [braced('http_x_tenant_id'), 'gr\xc3\xbcn'],
  ['$arg_q', 'a b'],
  ['$cookie_a$cookie_b', '1two'],
  ['$id-$rest', '7-x/y'],
  [braced('none:else'), 'else'],
  [braced('arg_e:else'), 'else'],
  ['$request_time', '0.000'],
  ['100$', '100$'],
  ['$1', '$1'],
])('%s', (text, value) => {
  expect(set(text)).toBe(value)
})

it.each([[''], ['$none'], ['$arg_e']])('deletes a header for %j', (text) => {
  const ex = exchange()
  new HeaderSetter({ Cookie: text }).apply(ex, PATH)
  expect(ex.request.headers.has('cookie')).toBe(false)
})

it.each([
  ['$time_iso8601', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/],
  ['$time_local', /^\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$/],
  ['$msec', /^\d{13}$/],
])('%s is now', (text, pattern) => {
  expect(set(text)).toMatch(pattern)
})

it('adds to what proxies before have said', () => {
  const ex = exchange()
  ex.request.headers.add('x-forwarded-for', '10.0.0.1')
  new HeaderSetter({ 'X-F': '$proxy_add_x_forwarded_for' }).apply(ex, PATH)
  expect(ex.request.headers.get('x-f')).toBe('10.0.0.1, 192.0.2.7')
})

it('sets no field that could end its line, and the host where that is asked for', () => {
  const ex = exchange()
  new HeaderSetter({ 'X-Set': '$id', Host: 'other.example' }).apply(ex, {
    names: ['id'],
    values: ['a\r\nb: c'],
  })
  expect([ex.request.headers.get('x-set'), ex.request.host]).toEqual([null, 'other.example'])
})
