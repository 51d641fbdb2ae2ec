import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { judge } from './bars.js'
import { encoded, mergedHistogram } from './histogram.js'
import { resultsPage } from './page.js'
import type { Results } from './result.js'
import type { Sample, Series } from './sample.js'

/** Of the JSON file; raised when its form changes. */
const FORMAT = 1

/** Every figure of every round; histograms are those of all rounds together. */
export function resultsJson({ surroundings, effort, scenarios }: Results): string {
  const value = {
    format: FORMAT,
    surroundings,
    effort,
    bars: scenarios.flatMap(({ name, bars }) =>
      bars.map((bar) => ({ scenario: name, ...bar, verdict: judge(bar) })),
    ),
    scenarios: scenarios.map(({ plots: _plots, costs: _costs, bars: _bars, phases, ...rest }) => ({
      ...rest,
      phases: phases.map(({ name, series }) => ({ name, series: series.map(seriesJson) })),
    })),
  }
  return `${JSON.stringify(value, null, 2)}\n`
}

function seriesJson({ name, rounds }: Series) {
  const histogram = encoded(mergedHistogram(rounds.map((round) => round.histogram)))
  return { name, histogram, rounds: rounds.map(withoutHistogram) }
}

function withoutHistogram({ histogram: _histogram, ...figures }: Sample) {
  return figures
}

/** Writes `results.json` and `results.html` and gives their paths. */
export function writeResults(folder: string, results: Results): { json: string; html: string } {
  mkdirSync(folder, { recursive: true })
  const json = join(folder, 'results.json')
  const html = join(folder, 'results.html')
  writeFileSync(json, resultsJson(results))
  writeFileSync(html, resultsPage(results))
  return { json, html }
}
