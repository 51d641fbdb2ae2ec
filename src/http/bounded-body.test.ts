import { expect, it } from 'vitest'
import { BoundedBody } from './bounded-body.js'
import { Exchange, RESPONDING, WAITING } from './exchange.js'
import { FakeBody } from './fake-client.fixture.js'

function bounded(bytesMax: number, state: Exchange['state'] = WAITING) {
  const told: string[] = []
  const ex = new Exchange()
  ex.state = state
  ex.responder = { send: () => {}, cut: () => told.push('cut'), peerAddress: () => '' }
  const source = new FakeBody()
  source.ex = ex
  const body = new BoundedBody(source, bytesMax, ex, () => told.push('too large'))
  body.open({
    data: (chunk) => told.push(Buffer.from(chunk).toString()),
    end: () => told.push('end'),
    fail: (reason) => told.push(reason),
  })
  return { source, body, told }
}

it.each<[bytesMax: number, chunks: string[], told: string[]]>([
  [4, ['ab', 'cd'], ['ab', 'cd', 'end']],
  [3, ['ab', 'cd', 'ef'], ['ab', 'too large']],
  [0, [], ['end']],
  [0, ['a'], ['too large']],
])('of at most %s bytes, %j', (bytesMax, chunks, want) => {
  const { source, told } = bounded(bytesMax)
  for (const chunk of chunks) source.push(chunk)
  source.end()
  expect(told).toEqual(want)
  expect(source.isCancelled).toBe(want.includes('too large'))
})

it('cuts the connection once an answer is on its way', () => {
  const { source, told } = bounded(1, RESPONDING)
  source.push('ab')
  expect([told, source.isCancelled]).toEqual([['cut'], true])
})

it('hands on pauses, failures and the end of interest', () => {
  const { source, body, told } = bounded(9)
  body.pause()
  expect(source.isPaused).toBe(true)
  body.resume()
  expect(source.isPaused).toBe(false)
  source.clientGone()
  expect(told).toEqual(['client gone'])
  const other = bounded(9)
  other.body.cancel()
  expect(other.source.isCancelled).toBe(true)
})
