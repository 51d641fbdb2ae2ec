import type { LookupAddress } from 'node:dns'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { SystemResolver } from './resolver.js'

/** A resolver whose system answers when told to. */
function setUp() {
  const time = new VirtualTime()
  const asked: string[] = []
  const pending: ((error: Error | null, addresses: LookupAddress[]) => void)[] = []
  const resolver = new SystemResolver(time, (name, _options, done) => {
    asked.push(name)
    pending.push(done as (error: Error | null, addresses: LookupAddress[]) => void)
  })
  const found: string[] = []
  const ask = (name: string): void =>
    resolver.resolve(name, (error, addresses) => {
      found.push(error === null ? addresses.map((a) => a.address).join() : String(error.code))
    })
  const answer = (...addresses: string[]): void =>
    pending.shift()?.(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    )
  const fail = (code: string): void =>
    pending.shift()?.(Object.assign(new Error(code), { code }), [])
  return { time, resolver, asked, found, ask, answer, fail }
}

it('asks once for all who want to know at the same time', () => {
  const { asked, found, ask, answer } = setUp()
  ask('a.test')
  ask('a.test')
  ask('b.test')
  expect(asked).toEqual(['a.test', 'b.test'])
  answer('10.0.0.1', '10.0.0.2')
  expect(found).toEqual(['10.0.0.1,10.0.0.2', '10.0.0.1,10.0.0.2'])
})

it('remembers an answer for 5 s, then follows a change', () => {
  const { time, asked, found, ask, answer } = setUp()
  ask('a.test')
  answer('10.0.0.1')
  time.advance(4_999)
  ask('a.test')
  expect(asked).toHaveLength(1)
  time.advance(1)
  ask('a.test')
  answer('10.0.0.9')
  expect(found).toEqual(['10.0.0.1', '10.0.0.1', '10.0.0.9'])
})

it('remembers a failure for 1 s', () => {
  const { time, asked, found, ask, answer, fail } = setUp()
  ask('a.test')
  fail('ENOTFOUND')
  time.advance(999)
  ask('a.test')
  expect(asked).toHaveLength(1)
  time.advance(1)
  ask('a.test')
  answer('10.0.0.1')
  expect(found).toEqual(['ENOTFOUND', 'ENOTFOUND', '10.0.0.1'])
})

it('takes an empty answer for a failure', () => {
  const { found, ask, answer } = setUp()
  ask('a.test')
  answer()
  expect(found).toEqual(['ENOTFOUND'])
})

it('answers in both forms that net.connect asks for', () => {
  const { resolver, answer, fail } = setUp()
  const got: unknown[] = []
  resolver.lookup('a.test', { all: true }, (error, addresses) => got.push([error, addresses]))
  resolver.lookup('a.test', {}, (...all) => got.push(all))
  answer('10.0.0.1')
  resolver.lookup('b.test', {}, (error) => got.push(error?.code))
  fail('EAI_AGAIN')
  expect(got).toEqual([
    [null, [{ address: '10.0.0.1', family: 4 }]],
    [null, '10.0.0.1', 4],
    'EAI_AGAIN',
  ])
})
