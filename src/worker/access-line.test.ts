import { expect, it } from 'vitest'
import { type Engine, Exchange } from '../http/exchange.js'
import { accessLine } from './access-line.js'

function exchange(): Exchange {
  const ex = new Exchange()
  ex.responder = { send: () => {}, cut: () => {}, peerAddress: () => '192.0.2.7' }
  ex.request.method = 'POST'
  ex.request.rawPath = '/a%20b'
  ex.request.headBytes = 100
  ex.bodyBytesIn = 20
  ex.bodyBytesOut = 7
  return ex
}

/** The line with its time taken out, which must be a good one. */
function lineOf(ex: Exchange, status: number, durationMs: number): string {
  const line = accessLine(ex, status, durationMs)
  const match = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\] (.*)$/.exec(line)
  const startMs = Date.parse(match?.[1] ?? '')
  expect(Math.abs(Date.now() - durationMs - startMs)).toBeLessThan(5_000)
  return match?.[2] ?? line
}

it('has client, request, status, duration and bytes', () => {
  expect(lineOf(exchange(), 200, 1.23456)).toBe(
    '[192.0.2.7 POST /a%20b HTTP/1.1 200] [1.235ms rx:120B tx:7B]',
  )
})

it('has the query, and the pipeline that answered', () => {
  const ex = exchange()
  ex.request.query = 'x=1&y'
  ex.engine = { name: 'demo' } as Engine
  expect(lineOf(ex, 503, 0)).toBe(
    '[192.0.2.7 POST /a%20b?x=1&y HTTP/1.1 503] [0.000ms rx:120B tx:7B] [pipeline: demo]',
  )
})

it('has the time of the beginning, within and over a second', () => {
  for (const durationMs of [0, 999.5, 1_000, 61_000.25, 86_400_000]) {
    lineOf(exchange(), 200, durationMs)
  }
})

it('does not take a client at its word that is no address', () => {
  const ex = exchange()
  ex.request.headers.add('x-real-ip', '1.2.3.4] [forged')
  expect(lineOf(ex, 200, 0)).toBe('[- POST /a%20b HTTP/1.1 200] [0.000ms rx:120B tx:7B]')
})
