import { expect, it } from 'vitest'
import { type Bar, barText, figureText, judge, verdictText } from './bars.js'

const bar = (more: Partial<Bar>): Bar => ({
  name: 'CPU a request',
  figure: { median: 1.1, low: 1, high: 1.2 },
  interval: '95 %',
  unit: '× nginx',
  rounds: 9,
  ...more,
})

it.each<[name: string, more: Partial<Bar>, want: string]>([
  ['holds at the upper end', { atMost: 1.2 }, 'met'],
  ['is missed by the upper end alone', { atMost: 1.19 }, 'not met'],
  ['at least: holds at the lower end', { atLeast: 1 }, 'met'],
  ['at least: is missed by the lower end alone', { atLeast: 1.01 }, 'not met'],
  [
    'what cannot be told is not met',
    { atMost: 2, figure: { median: 1, low: 1, high: Number.NaN } },
    'not met',
  ],
])('a bar %s', (_name, more, want) => {
  expect(judge(bar(more))).toBe(want)
})

it.each<[name: string, more: Partial<Bar>, want: string]>([
  ['nine rounds', { atMost: 1.2 }, 'met'],
  ['few rounds', { atMost: 1.2, rounds: 3 }, 'met; only 3 rounds, 9 count'],
  ['no rounds to count', { atMost: 1.2, rounds: null }, 'met'],
  ['the goal too', { atMost: 1.3, goal: 1.2 }, 'met; goal met too'],
  ['but not the goal', { atMost: 1.3, goal: 1 }, 'met'],
  ['missed with few rounds', { atMost: 1, rounds: 8 }, 'not met; only 8 rounds, 9 count'],
])('says how it ended: %s', (_name, more, want) => {
  expect(verdictText(bar(more))).toBe(want)
})

it.each<[want: string, more: Partial<Bar>]>([
  ['≤ 1.15 × nginx (goal 1)', { atMost: 1.15, goal: 1 }],
  ['≥ 0.8 × nginx', { atLeast: 0.8 }],
  ['≤ 4', { atMost: 4, unit: '' }],
])('names the bar: %s', (want, more) => {
  expect(barText(bar(more))).toBe(want)
})

it.each([
  [0, '0.00'],
  [0.0123, '0.012'],
  [1.126, '1.13'],
  [12.34, '12.3'],
  [123.4, '123'],
  [-0.5, '-0.50'],
  [Number.NaN, '–'],
  [Number.POSITIVE_INFINITY, '–'],
])('prints %d as %s', (value, want) => {
  expect(figureText(value)).toBe(want)
})
