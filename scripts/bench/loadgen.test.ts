import { expect, it } from 'vitest'
import { complaintOf, type Load, type LoadReport, loadgenArgs } from './loadgen.js'

const TARGET = { port: 8080, pid: 7 }
const BASE = ['--quiet', '--json', '-c', '64', '-d', '500ms']
const END = ['--watch-pid', '7', 'http://127.0.0.1:8080/pipeline']

it.each<[name: string, load: Partial<Load>, want: readonly string[]]>([
  ['a closed loop', {}, [...BASE, ...END]],
  ['no body for 0 bytes', { bodyBytes: 0 }, [...BASE, ...END]],
  [
    'a POST with a body',
    { method: 'POST', bodyBytes: 1024, expectBytes: 64 },
    [...BASE, '--method', 'POST', '--body-bytes', '1024', '--expect-bytes', '64', ...END],
  ],
  ['an open loop, at a whole rate', { rate: 1234.6 }, [...BASE, '--rate', '1235', ...END]],
  [
    'ticks when more is due',
    { rate: 2e4 },
    [...BASE, '--rate', '20000', '--tick', '100us', ...END],
  ],
  ['at least one request a second', { rate: 0.1 }, [...BASE, '--rate', '1', ...END]],
  ['a mix in turn', { mix: 'f', inTurn: true }, [...BASE, '--mix', 'f', '--in-turn', ...END]],
  ['idle connections', { idleEverySeconds: 8 }, [...BASE, '--idle-every', '8s', ...END]],
  ['a number of requests', { requests: 5 }, [...BASE.slice(0, 4), '-n', '5', ...END]],
  [
    'a time-out in milliseconds',
    { timeoutSeconds: 1.5, expectStatus: '200' },
    [...BASE, '--expect-status', '200', '--timeout', '1500ms', ...END],
  ],
])('loadgenArgs: %s', (_name, load, want) => {
  expect(loadgenArgs({ connections: 64, ...load }, TARGET, 0.5, 0)).toEqual(want)
})

it('asks over TLS by name, without trusting anybody', () => {
  const args = loadgenArgs({ connections: 1, path: '/a' }, { ...TARGET, tls: true }, 1, 0.05)
  expect(args).toContain('--insecure')
  expect(args.slice(args.indexOf('--warmup'))[1]).toBe('50ms')
  expect(args.at(-1)).toBe('https://127.0.0.1:8080/a')
})

it('watches nobody without a pid', () => {
  expect(loadgenArgs({ connections: 1 }, { port: 1, pid: 0 }, 1, 0)).not.toContain('--watch-pid')
})

const report = (requests: number, wrong: number): LoadReport =>
  ({
    requests,
    errors: { total: wrong },
    errorSamples: wrong === 0 ? [] : [{ kind: 'status', detail: 'status 503' }],
  }) as unknown as LoadReport

it.each<[name: string, load: Partial<Load>, requests: number, wrong: number, want: string | null]>([
  ['all is right', {}, 10, 0, null],
  ['nothing was answered', {}, 0, 0, 'nothing was answered'],
  ['one is wrong', {}, 10, 1, '1 wrong answers in 10 requests, first status: status 503'],
  ['wrong ones are expected', { toleratesErrors: true }, 10, 10, null],
])('complaintOf: %s', (_name, load, requests, wrong, want) => {
  expect(complaintOf({ connections: 1, ...load }, report(requests, wrong))).toBe(want)
})
