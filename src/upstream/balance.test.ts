import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import {
  type BalanceInput,
  type BalanceOptions,
  createBalancer,
  fnv1a32,
  fnv132,
} from './balance.js'

const prng = new Prng(7)

const BALANCE_POLICIES = [
  'roundRobin',
  'random',
  'weightedRandom',
  'ipHash',
  'headerHash',
  'cookieHash',
] as const

function options(over: Partial<BalanceOptions>): BalanceOptions {
  return {
    policy: 'roundRobin',
    weights: [0, 0, 0],
    headerName: 'x-key',
    words: new Int32Array(16),
    wordIndex: 3,
    random: (limit) => prng.below(limit),
    ...over,
  }
}

function from(realIp: string, headers: Record<string, string> = {}): BalanceInput {
  return { realIp, request: { headers: { get: (name) => headers[name] ?? null } } }
}

// Vectors of the reference distribution (draft-eastlake-fnv, appendix C).
it.each<[text: string, hash: number]>([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['b', 0xe70c2de5],
  ['foobar', 0xbf9cf968],
  ['fooba', 0x39aaa18a],
  ['foo', 0xa9f37ed7],
])('fnv1a32 of %j', (text, hash) => {
  expect(fnv1a32(text)).toBe(hash)
})

function fnvSlow(text: string): number {
  let hash = 2166136261n
  for (const byte of Buffer.from(text, 'latin1')) {
    hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n
  }
  return Number(hash)
}

it('fnv1a32 agrees with a slow, obvious twin', () => {
  const latin1 = fc.uint8Array({ maxLength: 60 }).map((b) => Buffer.from(b).toString('latin1'))
  fc.assert(fc.property(latin1, (text) => fnv1a32(text) === fnvSlow(text)))
})

it('roundRobin goes in turn from the first, whoever counts', () => {
  const words = new Int32Array(new SharedArrayBuffer(64))
  const workers = [createBalancer(options({ words })), createBalancer(options({ words }))]
  const picked = [0, 1, 1, 0, 1, 0, 0].map((worker) => workers[worker]?.pick(from('')))
  expect(picked).toEqual([0, 1, 2, 0, 1, 2, 0])
  expect(words[3]).toBe(7)
})

it('roundRobin stays in range when the word turns negative', () => {
  const words = new Int32Array(16)
  words[3] = 0x7fffffff
  const balancer = createBalancer(options({ words }))
  expect([balancer.pick(from('')), balancer.pick(from(''))]).toEqual([0x7fffffff % 3, 2 ** 31 % 3])
})

it.each<[drawn: number, want: number]>([
  [0, 0],
  [1, 0],
  [2, 2],
  [6, 2],
  [7, 3],
])('weightedRandom 2,0,5,1: a draw of %i gives server %i', (drawn, want) => {
  const limits: number[] = []
  const random = (limit: number): number => {
    limits.push(limit)
    return drawn
  }
  const weights = [2, 0, 5, 1]
  expect(
    createBalancer(options({ policy: 'weightedRandom', weights, random })).pick(from('')),
  ).toBe(want)
  expect(limits).toEqual([8])
})

it('weightedRandom without weights is uniform', () => {
  const random = (limit: number): number => limit - 1
  const weights = [0, 0, 0]
  expect(
    createBalancer(options({ policy: 'weightedRandom', weights, random })).pick(from('')),
  ).toBe(2)
})

it('weightedRandom follows the weights', () => {
  const counts = [0, 0, 0]
  const balancer = createBalancer(options({ policy: 'weightedRandom', weights: [1, 3, 6] }))
  for (let i = 0; i < 10_000; i++) counts[balancer.pick(from(''))]! += 1
  expect(counts.map((count) => Math.round(count / 1000))).toEqual([1, 3, 6])
})

it('ipHash and headerHash take the hash modulo the number of servers', () => {
  const byIp = createBalancer(options({ policy: 'ipHash' }))
  const byHeader = createBalancer(options({ policy: 'headerHash' }))
  expect(byIp.pick(from('10.1.2.3'))).toBe(fnvSlow('10.1.2.3') % 3)
  expect(byHeader.pick(from('10.1.2.3', { 'x-key': 'alice' }))).toBe(fnvSlow('alice') % 3)
  expect(byHeader.pick(from('10.1.2.3'))).toBe(fnvSlow('') % 3)
})

it('every policy picks one of the servers, for any list', () => {
  const policies = fc.constantFrom(...BALANCE_POLICIES)
  const lists = fc.array(fc.nat(20), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(policies, lists, fc.string(), (policy, weights, key) => {
      const balancer = createBalancer(options({ policy, weights }))
      for (let i = 0; i < 20; i++) {
        const picked = balancer.pick(from(key, { 'x-key': key }))
        expect(picked).toBeGreaterThanOrEqual(0)
        expect(picked).toBeLessThan(weights.length)
      }
    }),
  )
})

/** Each pick by what the policy says, in so many words. */
function pickSlow(
  policy: (typeof BALANCE_POLICIES)[number],
  weights: readonly number[],
  turn: number,
  drawn: readonly number[],
  { realIp, request }: BalanceInput,
): number {
  const count = weights.length
  switch (policy) {
    case 'roundRobin':
      return turn % count
    case 'random':
      return drawn[0] as number
    case 'weightedRandom': {
      // A ticket for each share; without shares everybody has one.
      const tickets = weights.flatMap((weight, server) => Array<number>(weight).fill(server))
      return tickets.length === 0 ? (drawn[0] as number) : (tickets[drawn[0] as number] as number)
    }
    case 'ipHash':
      return fnvSlow(realIp) % count
    case 'headerHash':
      return fnvSlow(request.headers.get('x-key') ?? '') % count
    case 'cookieHash':
      return fnvSlow(request.headers.get('cookie') ?? '') % count
  }
}

it('agrees with the model, pick by pick, on workers that come and go', () => {
  const lists = fc.array(fc.nat(9), { minLength: 2, maxLength: 9 })
  const policies = fc.constantFrom(...BALANCE_POLICIES)
  fc.assert(
    fc.property(policies, lists, fc.integer(), (policy, weights, seed) => {
      const schedule = new Prng(seed)
      const words = new Int32Array(16)
      const drawn: number[] = []
      const random = (limit: number): number => {
        drawn.push(schedule.below(limit))
        return drawn.at(-1) as number
      }
      const worker = () => createBalancer(options({ policy, weights, words, random }))
      const workers = [worker(), worker(), worker()]
      for (let turn = 0; turn < 60; turn++) {
        const at = schedule.below(workers.length)
        if (schedule.chance(10)) workers[at] = worker()
        const text = () => String(schedule.below(20))
        const input = from(text(), schedule.chance(80) ? { 'x-key': text(), cookie: text() } : {})
        drawn.length = 0
        const picked = workers[at]?.pick(input)
        expect(picked).toBe(pickSlow(policy, weights, turn, drawn, input))
      }
    }),
  )
})

it('peek takes no turn, and tells what pick would give where chance does not decide', () => {
  for (let i = 0; i < 20; i++) {
    const input: BalanceInput = {
      realIp: `10.0.0.${i}`,
      request: { headers: { get: () => String(i) } },
    }
    for (const policy of ['roundRobin', 'ipHash', 'headerHash'] as const) {
      const balancer = createBalancer(options({ policy, words: new Int32Array(16).fill(i) }))
      const next = balancer.peek(input)
      expect(balancer.peek(input)).toBe(next)
      expect(balancer.pick(input)).toBe(next)
    }
    for (const policy of ['random', 'weightedRandom'] as const) {
      expect(createBalancer(options({ policy, weights: [1, 1, 1] })).peek(input)).toBe(-1)
    }
  }
})

it.each<[text: string, hash: number]>([
  ['', 0x811c9dc5],
  ['a', 0x050c5d7e],
  ['b', 0x050c5d7d],
  ['foobar', 0x31f0b262],
])('FNV-1 of %j, which v2 has', (text, hash) => {
  expect(fnv132(text)).toBe(hash)
})

it('hashes by what it is given, and whole Cookie fields for cookieHash', () => {
  const hash = (text: string): number => text.length
  const pick = (policy: BalanceOptions['policy'], headers: Record<string, string>): number =>
    createBalancer(options({ policy, hash })).pick(from('10.0.0.1', headers))
  expect(pick('ipHash', {})).toBe('10.0.0.1'.length % 3)
  expect(pick('headerHash', { 'x-key': 'four' })).toBe(1)
  expect(pick('cookieHash', { cookie: 'a=1; b=2' })).toBe('a=1; b=2'.length % 3)
})
