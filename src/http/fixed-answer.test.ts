import { expect, it } from 'vitest'
import { Exchange } from './exchange.js'
import { FakeResponseBody } from './fake-client.fixture.js'
import { FixedAnswer } from './fixed-answer.js'

it('sets status, fields and body, and gives a stream back', () => {
  const ex = new Exchange()
  const source = new FakeResponseBody(null)
  ex.response.headers.add('content-encoding', 'gzip')
  ex.response.headers.add('x-a', 'old')
  ex.response.headers.add('x-b', 'stays')
  ex.response.source = source
  new FixedAnswer(418, { 'X-A': 'grün' }, 'body').apply(ex)
  expect(ex.response.status).toBe(418)
  expect(ex.response.headers.flat).toEqual(['x-a', 'gr\xc3\xbcn', 'x-b', 'stays'])
  expect(Buffer.from(ex.response.body ?? []).toString()).toBe('body')
  expect([ex.response.source, source.cancels]).toEqual([null, 1])
})

it('fields that cannot be sent are left out', () => {
  const ex = new Exchange()
  new FixedAnswer(200, { 'a b': '1', c: '2\r\nd: 3', e: '4' }, '').apply(ex)
  expect(ex.response.headers.flat).toEqual(['e', '4'])
  expect(ex.response.body).toBeNull()
})

it('serves many exchanges', () => {
  const answer = new FixedAnswer(200, { a: 'b' }, 'text')
  const [one, two] = [new Exchange(), new Exchange()]
  answer.apply(one)
  one.response.headers.set('a', 'changed')
  answer.apply(two)
  expect(two.response.headers.flat).toEqual(['a', 'b'])
})
