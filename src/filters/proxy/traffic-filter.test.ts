import { expect, it } from 'vitest'
import { FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { fnv1a32 } from '../../upstream/balance.js'
import type { TrafficFilterSpec } from './pool-spec.js'
import { createTrafficFilter } from './traffic-filter.js'

const match = (exact: string, prefix = '', regex?: string) => ({
  exact,
  prefix,
  ...(regex === undefined ? {} : { regex }),
})
const NONE = { headers: {}, urls: [] }
const never = (): number => {
  throw new Error('nothing here is left to chance')
}

const CANARY: TrafficFilterSpec = { ...NONE, headers: { 'X-Canary': match('yes', 'v2-', '^b.t$') } }
const TWO: TrafficFilterSpec = { ...NONE, headers: { 'X-A': match('1'), 'X-B': match('2') } }
const SPELT_TWICE: TrafficFilterSpec = {
  ...NONE,
  headers: { 'X-A': match('1'), 'x-a': match('2') },
}
const UMLAUT: TrafficFilterSpec = { ...NONE, headers: { 'X-A': match('grün') } }
const AT_URL: TrafficFilterSpec = {
  headers: { 'X-A': match('1') },
  urls: [
    { methods: ['GET'], url: match('', '/api'), policyRef: '' },
    { methods: [], url: match('/é'), policyRef: 'not looked at' },
  ],
}

it.each<[name: string, spec: TrafficFilterSpec, request: FakeRequest, want: boolean]>([
  ['no such header', CANARY, {}, false],
  ['another header', CANARY, { headers: [['x-other', 'yes']] }, false],
  ['another value', CANARY, { headers: [['x-canary', 'no']] }, false],
  ['an empty value', CANARY, { headers: [['x-canary', '']] }, false],
  ['exact', CANARY, { headers: [['x-canary', 'yes']] }, true],
  ['exact is exact', CANARY, { headers: [['x-canary', 'yes!']] }, false],
  ['prefix', CANARY, { headers: [['x-canary', 'v2-beta']] }, true],
  ['pattern', CANARY, { headers: [['x-canary', 'bat']] }, true],
  [
    'the second of repeated ones',
    CANARY,
    {
      headers: [
        ['x-canary', 'no'],
        ['x-canary', 'yes'],
      ],
    },
    true,
  ],
  ['any header will do', TWO, { headers: [['x-b', '2']] }, true],
  [
    'a miss does not spoil a match',
    TWO,
    {
      headers: [
        ['x-a', '2'],
        ['x-b', '2'],
      ],
    },
    true,
  ],
  ['values belong to their header', TWO, { headers: [['x-a', '2']] }, false],
  ['one name in two spellings, first', SPELT_TWICE, { headers: [['x-a', '1']] }, true],
  ['one name in two spellings, second', SPELT_TWICE, { headers: [['x-a', '2']] }, true],
  ['bytes are read as UTF-8', UMLAUT, { headers: [['x-a', 'gr\xc3\xbcn']] }, true],
  ['header and URL', AT_URL, { path: '/api/x', headers: [['x-a', '1']] }, true],
  ['header without URL', AT_URL, { path: '/', headers: [['x-a', '1']] }, false],
  ['URL without header', AT_URL, { path: '/api/x' }, false],
  [
    'URL by another method',
    AT_URL,
    { method: 'PUT', path: '/api', headers: [['x-a', '1']] },
    false,
  ],
  [
    'any method, decoded',
    AT_URL,
    { method: 'PUT', path: '/%C3%A9', headers: [['x-a', '1']] },
    true,
  ],
])('%s', (_name, spec, request, want) => {
  expect(createTrafficFilter(spec, never).matches(new FakeClient(request).ex)).toBe(want)
})

type Policy = 'ipHash' | 'headerHash' | 'random'
const share = (policy: Policy, perMill: number): TrafficFilterSpec => ({
  ...NONE,
  probability: { perMill, policy, headerHashKey: policy === 'headerHash' ? 'X-User' : '' },
})

it.each<[policy: Policy, text: string, request: FakeRequest]>([
  ['ipHash', '203.0.113.7', { address: '203.0.113.7' }],
  ['ipHash', '198.51.100.9', { headers: [['x-forwarded-for', '198.51.100.9']] }],
  [
    'headerHash',
    'ann',
    {
      headers: [
        ['x-user', 'ann'],
        ['x-user', 'bob'],
      ],
    },
  ],
  ['headerHash', '', {}],
])('%s takes the share in which %j falls', (policy, text, request) => {
  const place = fnv1a32(text) % 1000
  const matches = (perMill: number): boolean =>
    createTrafficFilter(share(policy, perMill), never).matches(new FakeClient(request).ex)
  expect([matches(place), matches(place + 1)]).toEqual([false, true])
})

it('random takes numbers below its share', () => {
  const drawn = [0, 249, 250, 999]
  const filter = createTrafficFilter(share('random', 250), (limit) => {
    expect(limit).toBe(1000)
    return drawn.shift() as number
  })
  const { ex } = new FakeClient()
  expect([1, 2, 3, 4].map(() => filter.matches(ex))).toEqual([true, true, false, false])
})
