import { expect, it } from 'vitest'
import { type Engine, Exchange } from '../../http/exchange.js'
import { AccessFormat } from './access-format.js'

function exchange(): Exchange {
  const ex = new Exchange()
  ex.responder = { send: () => {}, cut: () => {}, peerAddress: () => '192.0.2.7' }
  ex.request.method = 'POST'
  ex.request.rawPath = '/a%20b'
  ex.request.query = 'x=1'
  ex.request.headBytes = 100
  ex.request.headers.add('x-a', '1')
  ex.request.headers.add('x-forwarded-for', '8.8.8.8')
  ex.request.headers.add('x-a', '2')
  ex.bodyBytesIn = 20
  ex.bodyBytesOut = 7
  ex.response.headers.add('x-b', '3')
  ex.engine = { name: 'demo' } as Engine
  return ex
}

it.each([
  ['{{Method}} {{URI}} {{Proto}}', 'POST /a%20b?x=1 HTTP/1.1'],
  ['{{RemoteAddr}} {{RealIP}}', '192.0.2.7 8.8.8.8'],
  ['{{StatusCode}} {{Duration}} {{ReqSize}} {{RespSize}}', '201 1.235ms 120 7'],
  ['{{ReqHeaders}}', 'x-a: [1 2], x-forwarded-for: [8.8.8.8]'],
  ['<{{RespHeaders}}>', '<x-b: [3]>'],
  ['{{Tags}}', 'pipeline: demo'],
  ['no variables', 'no variables'],
  ['{{ Method }}{{', '{{ Method }}{{'],
])('%s', (format, line) => {
  expect(new AccessFormat(format).line(exchange(), 201, 1.23456)).toBe(line)
})

it('is that of Easegress by default', () => {
  expect(new AccessFormat('').line(exchange(), 201, 1.5)).toMatch(
    /^\[\d{4}-\d\d-\d\dT[\d:.]+Z\] \[192\.0\.2\.7 8\.8\.8\.8 POST \/a%20b\?x=1 HTTP\/1\.1 201\] \[1\.500ms rx:120B tx:7B\] \[pipeline: demo\]$/,
  )
})

it('cuts a long URI, and lets nothing begin another line', () => {
  const ex = exchange()
  ex.request.rawPath = `/${'a'.repeat(600)}`
  ex.request.headers.set('x-a', 'one\ttwo')
  const line = new AccessFormat('{{URI}} {{ReqHeaders}}').line(ex, 200, 0)
  expect(line).toContain(`${'a'.repeat(511)}... `)
  expect(line).toContain('one two')
})
