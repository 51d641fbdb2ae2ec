import { expect, it } from 'vitest'
import { BenchOptionError, effortOf, type Options, readOptions } from './options.js'

const read = (line: string): Options =>
  readOptions(line.split(' ').filter((word) => word !== '')) as Options

it.each<[line: string, want: Partial<Options>]>([
  [
    '',
    { mode: 'all', scenarios: [], rounds: null, seconds: null, pinned: true, out: 'bench-results' },
  ],
  ['--scenario proxy --scenario mock', { scenarios: ['proxy', 'mock'] }],
  ['guard --base HEAD~3 --rounds 15', { mode: 'guard', base: 'HEAD~3', rounds: 15 }],
  ['filters --filter Proxy --seconds 0.25', { mode: 'filters', kinds: ['Proxy'], seconds: 0.25 }],
  [
    '--peer nginx --envoy /opt/envoy --no-pin',
    { peers: ['nginx'], envoy: '/opt/envoy', pinned: false },
  ],
  ['compare --workers 2 --access-log', { mode: 'compare', workers: 2, accessLog: true }],
  [
    'compare --build a=/tmp/x,--jitless,--no-opt',
    { builds: [{ name: 'a', dist: '/tmp/x', flags: ['--jitless', '--no-opt'] }] },
  ],
  ['memory --from 10 --to 5', { mode: 'memory', from: 10, to: 10 }],
])('reads %j', (line, want) => {
  expect(read(line)).toMatchObject(want)
})

it('help and list come before everything else', () => {
  expect(readOptions(['--help', 'guard'])).toBeNull()
  expect(readOptions(['--list'])).toBe('list')
})

it.each([
  'nonsense',
  'guard filters',
  '--rounds 0',
  '--rounds 101',
  '--rounds 1.5',
  '--rounds',
  '--seconds 0',
  '--seconds 61',
  '--seconds 1e1',
  '--connections 5000',
  '--workers 65',
  '--workers -1',
  '--build /tmp/x',
  '--build a=',
  '--nonsense',
  '--quick=yes',
])('refuses %j', (line) => {
  expect(() => read(line)).toThrow(BenchOptionError)
})

it('a quick look has fewer and shorter rounds; what the user says goes first', () => {
  const full = effortOf(read(''))
  const quick = effortOf(read('--quick'))
  expect(full).toMatchObject({ quick: false, rounds: 9, sliceSeconds: 1 })
  expect(quick.rounds).toBeLessThan(full.rounds)
  expect(quick.sliceSeconds).toBeLessThan(full.sliceSeconds)
  expect(effortOf(read('--quick --rounds 9 --seconds 2'))).toMatchObject({
    rounds: 9,
    roundsBeside: 9,
    sliceSeconds: 2,
  })
})
