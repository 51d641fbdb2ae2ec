import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { UpstreamRequest } from './contract.js'
import { buildRequestHead, isIdempotent } from './request-head.js'

function request(over: Partial<UpstreamRequest>): UpstreamRequest {
  return { method: 'GET', target: '/', host: '', headers: [], bodyLength: 0, body: null, ...over }
}

const lines = (over: Partial<UpstreamRequest>): string[] | undefined =>
  buildRequestHead(request(over), 'server:81')?.split('\r\n')

it.each<[name: string, over: Partial<UpstreamRequest>, want: string[]]>([
  ['the least', {}, ['GET / HTTP/1.1', 'host: server:81']],
  ['a host of its own', { host: 'a.test' }, ['GET / HTTP/1.1', 'host: a.test']],
  [
    'target and fields as they are',
    { target: '/a%20b?c=d', headers: ['x-a', '\xe4 b\t', 'x-b', '', 'x-a', '2'] },
    ['GET /a%20b?c=d HTTP/1.1', 'host: server:81', 'x-a: \xe4 b\t', 'x-b: ', 'x-a: 2'],
  ],
  [
    'a sized body',
    { method: 'PATCH', bodyLength: 5 },
    ['PATCH / HTTP/1.1', 'host: server:81', 'content-length: 5'],
  ],
  [
    'a body of unknown length',
    { method: 'POST', bodyLength: -1 },
    ['POST / HTTP/1.1', 'host: server:81', 'transfer-encoding: chunked'],
  ],
  ['POST without', { method: 'POST' }, ['POST / HTTP/1.1', 'host: server:81', 'content-length: 0']],
  ['PUT without', { method: 'PUT' }, ['PUT / HTTP/1.1', 'host: server:81', 'content-length: 0']],
  ['DELETE without', { method: 'DELETE' }, ['DELETE / HTTP/1.1', 'host: server:81']],
  ['a method of its own', { method: 'M-Search' }, ['M-Search / HTTP/1.1', 'host: server:81']],
  [
    'no hop-by-hop fields, no framing of the caller',
    {
      headers: [
        ...['connection', 'keep-alive', 'keep-alive', '5', 'proxy-connection', 'a', 'te', 'gzip'],
        ...['trailer', 't', 'transfer-encoding', 'gzip', 'upgrade', 'h2c', 'host', 'evil'],
        ...['content-length', '7', 'expect', '100-continue', 'x-kept', '1'],
      ],
    },
    ['GET / HTTP/1.1', 'host: server:81', 'x-kept: 1'],
  ],
  [
    'not what Connection names, before or after it',
    { headers: ['x-a', '1', 'connection', 'X-A , close,x-b', 'x-b', '2', 'x-c', '3'] },
    ['GET / HTTP/1.1', 'host: server:81', 'x-c: 3'],
  ],
  [
    'what a gateway says about its client, whatever Connection names',
    {
      headers: [
        ...['connection', 'x-forwarded-for, x-real-ip, forwarded'],
        ...['x-forwarded-for', '10.0.0.1', 'x-real-ip', '10.0.0.1', 'forwarded', 'for=10.0.0.1'],
      ],
    },
    [
      ...['GET / HTTP/1.1', 'host: server:81', 'x-forwarded-for: 10.0.0.1'],
      ...['x-real-ip: 10.0.0.1', 'forwarded: for=10.0.0.1'],
    ],
  ],
])('writes %s', (_name, over, want) => {
  expect(lines(over)).toEqual([...want, '', ''])
})

it.each<[name: string, over: Partial<UpstreamRequest>]>([
  ['CR LF in a value', { headers: ['a', 'b\r\nx: y'] }],
  ['LF in a value', { headers: ['a', 'b\nx: y'] }],
  ['units whose low bytes are CR LF', { headers: ['a', 'b\u010d\u010ax: y'] }],
  ['NUL in a value', { headers: ['a', '\0'] }],
  ['DEL in a value', { headers: ['a', '\x7f'] }],
  ['a unit above 0xFF', { headers: ['a', '\u0100'] }],
  ['CR LF in a name', { headers: ['a\r\nb', 'c'] }],
  ['a colon in a name', { headers: ['a:b', 'c'] }],
  ['a space in a name', { headers: ['content-length ', '1'] }],
  ['an empty name', { headers: ['', 'c'] }],
  ['Latin-1 in a name', { headers: ['\xe4', 'c'] }],
  ['a space in the target', { target: '/a b' }],
  ['CR LF in the target', { target: '/ HTTP/1.1\r\nx: y' }],
  ['Latin-1 in the target', { target: '/\xe4' }],
  ['units above 0xFF in the target', { target: '/\u0120' }],
  ['an empty target', { target: '' }],
  ['a space in the method', { method: 'GET /x' }],
  ['LF in the method', { method: 'GET\n' }],
  ['an empty method', { method: '' }],
  ['a tunnel', { method: 'CONNECT' }],
  ['CR LF in the host', { host: 'a\r\nx: y' }],
  ['units above 0xFF in the host', { host: 'a\u010a' }],
  ['a body of another length', { bodyLength: 3, body: Buffer.from('four') }],
  ['a body that should be empty', { bodyLength: 0, body: Buffer.from('x') }],
  ['a body at hand of unknown length', { bodyLength: -1, body: Buffer.from('x') }],
])('refuses %s', (_name, over) => {
  expect(buildRequestHead(request(over), 'server:81')).toBeNull()
})

it('whatever it is given, the head has one line for each field and bytes only', () => {
  const text = fc.string({ unit: fc.constantFrom(...'aaaab-/: \r\n\0\xe4\u010a'), maxLength: 6 })
  fc.assert(
    fc.property(text, text, text, fc.array(fc.tuple(text, text)), (method, target, host, list) => {
      const head = buildRequestHead(request({ method, target, host, headers: list.flat() }), 's')
      if (head === null) return
      expect(head).toMatch(/^[^\r\n]+\r\n(?:[\t\x20-\x7e\x80-\xff]+\r\n)+\r\n$/)
      expect(head.split('\r\n').length).toBeLessThanOrEqual(list.length + 5)
    }),
    { numRuns: 2000 },
  )
})

it.each([
  ...['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'].map((method) => [method, true] as const),
  ...['POST', 'PATCH', 'CONNECT', 'get', ''].map((method) => [method, false] as const),
])('isIdempotent %j: %s', (method, want) => {
  expect(isIdempotent(method)).toBe(want)
})

it('owes nothing to the request before', () => {
  const parts = fc.record({
    method: fc.constantFrom('GET', 'POST', 'BAD METHOD'),
    target: fc.constantFrom('/', '/a', '/ b'),
    host: fc.constantFrom('', 'a.test', 'a\r\nb'),
    headers: fc.array(fc.constantFrom('x-a', 'x-b', 'connection', 'a\nb'), {
      minLength: 0,
      maxLength: 3,
    }),
    bodyLength: fc.constantFrom(0, 5, -1),
  })
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), fc.constantFrom('a:1', 'b:2'), (all, field) => {
      for (const { headers, ...rest } of all) {
        const asked = request({ ...rest, headers: headers.flatMap((text) => [text, text]) })
        const head = buildRequestHead(asked, field)
        // Another one in between, so that the second is made from nothing.
        buildRequestHead(request({ target: '/other' }), field)
        expect(head).toBe(buildRequestHead(asked, field))
      }
    }),
  )
})

it('other fields make another head, however alike they are', () => {
  expect(buildRequestHead(request({ headers: ['x-a', '1'] }), 'a')).toContain('x-a: 1\r\n')
  for (const headers of [['x-a', '2'], ['x-b', '2'], [], ['x-a', '2', 'x-a', '2'], ['x-a', '2']]) {
    const head = buildRequestHead(request({ headers }), 'a') as string
    const lines = head.split('\r\n').slice(2, -2)
    expect(lines.flatMap((line) => line.split(': '))).toEqual(headers)
  }
})
