import { build } from 'hdr-histogram-js'
import { expect, it } from 'vitest'
import { encoded } from './histogram.js'
import { resultsPage } from './page.js'
import { logTicks, msText, nines, percentilePlot } from './plot.js'
import { emptyResult, type Results, resultText, tableText } from './result.js'
import { resultsJson } from './results-file.js'
import type { Sample } from './sample.js'

function histogram(): string {
  const values = build({ bitBucketSize: 64, highestTrackableValue: 3_600_000_000_000 })
  for (let i = 1; i <= 2000; i++) values.recordValue(i * 10_000)
  return encoded(values)
}

const SAMPLE: Sample = {
  requests: 2000,
  ok: 2000,
  seconds: 1,
  cpuSeconds: 0.02,
  userSeconds: 0.01,
  residentBytes: 2 ** 20,
  bytesIn: 1,
  bytesOut: 1,
  statuses: { 200: 2000 },
  latency: { p50: 1, p90: 2, p99: 3, p999: 4, max: 5 },
  serviceP99Ms: 3,
  histogram: histogram(),
  disturbed: false,
}

const RESULTS: Results = {
  surroundings: {
    date: '2026-01-01T00:00:00.000Z',
    command: 'npm run bench -- --scenario <proxy>',
    machine: '2 × CPU',
    cores: 'not bound',
    versions: ['nginx: 1'],
  },
  effort: { quick: false, rounds: 9, roundsBeside: 5, sliceSeconds: 1, warmUpSeconds: 3 },
  scenarios: [
    {
      ...emptyResult('proxy', 'GET & "more" <b>'),
      notes: ['a note with <tags>'],
      tables: [{ title: 'a table', columns: ['', 'x'], rows: [['side <1>', '2']] }],
      plots: [{ title: 'a plot', curves: [{ name: 'nginx', histograms: [histogram()] }] }],
      costs: { title: 'costs', sides: [{ name: 'nginx', median: 2, low: 1, high: 3 }] },
      bars: [
        {
          name: 'CPU',
          figure: { median: 1, low: 0.9, high: 1.1 },
          interval: '95 %',
          atMost: 1.2,
          unit: '× nginx',
          rounds: 9,
        },
      ],
      phases: [{ name: 'closed', series: [{ name: 'nginx', rounds: [SAMPLE, SAMPLE] }] }],
    },
    { ...emptyResult('broken', 'x'), failure: 'it <ended>' },
  ],
}

it('the page stands alone: nothing is loaded from anywhere', () => {
  const page = resultsPage(RESULTS)
  expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:/)
})

it('the page takes no text for markup', () => {
  const page = resultsPage(RESULTS)
  for (const text of ['<tags>', '<b>', '<1>', '<ended>', '<proxy>'])
    expect(page).not.toContain(text)
  expect(page).toContain('GET &amp; &quot;more&quot; &lt;b&gt;')
})

it('every element of the page is closed', () => {
  const open: string[] = []
  const alone = new Set(['meta', '!doctype', 'line', 'rect', 'circle', 'polyline'])
  for (const [tag, close, name = ''] of resultsPage(RESULTS).matchAll(/<(\/?)(!?\w+)[^>]*>/g)) {
    if (tag.endsWith('/>') || alone.has(name)) continue
    if (close === '') open.push(name)
    else expect(open.pop()).toBe(name)
  }
  expect(open).toEqual([])
})

it('the page has the verdicts, the curves, the costs and what failed', () => {
  const page = resultsPage(RESULTS)
  expect(page).toContain('<td class="met">met</td>')
  expect(page.match(/<polyline class="curve c0"/g)).toHaveLength(1)
  expect(page.match(/<rect class="bar c0"/g)).toHaveLength(1)
  expect(page).toContain('failed: it &lt;ended&gt;')
})

it('the JSON file has every round, one histogram a side, and the verdicts', () => {
  const value = JSON.parse(resultsJson(RESULTS)) as {
    bars: { scenario: string; verdict: string }[]
    scenarios: { phases: { series: { histogram: string; rounds: object[] }[] }[] }[]
  }
  expect(value.bars).toMatchObject([{ scenario: 'proxy', verdict: 'met' }])
  const [side] = value.scenarios[0]?.phases[0]?.series ?? []
  expect(side?.rounds).toHaveLength(2)
  expect(side?.rounds[0]).not.toHaveProperty('histogram')
  expect(side?.histogram).toMatch(/^HIST/)
})

it('the text has the table in columns, the bars and the notes', () => {
  const text = resultText(RESULTS.scenarios[0] as Results['scenarios'][number])
  expect(text).toContain('note: a note with <tags>')
  expect(text).toContain('≤ 1.2 × nginx')
  expect(tableText({ title: 't', columns: ['', 'ab'], rows: [['long', '1']] })).toBe(
    't\n        ab\n  long   1',
  )
})

it.each<[low: number, high: number, want: number[]]>([
  [0.1, 0.9, [0.1, 0.2, 0.5, 1]],
  [1, 1, [1]],
  [0.03, 30, [0.01, 0.1, 1, 10, 100]],
])('ticks from %d to %d', (low, high, want) => {
  expect(logTicks(low, high)).toEqual(want)
})

it.each([
  [0, 0],
  [90, 1],
  [99.9, 3],
])('%d %% has %d nines', (percentile, want) => {
  expect(nines(percentile)).toBeCloseTo(want)
})

it('the last percentile of all is not out of reach', () => {
  expect(nines(100)).toBeLessThan(10)
})

it.each([
  [0.05, '50 µs'],
  [1, '1 ms'],
  [200, '200 ms'],
])('%d ms is written as %s', (ms, want) => {
  expect(msText(ms)).toBe(want)
})

it('nothing is drawn of nothing', () => {
  expect(percentilePlot([])).toBe('')
  expect(percentilePlot([{ name: 'x', colour: 0, points: [{ percentile: 0, ms: 1 }] }])).toBe('')
})
