/** What a scenario found, in the form that the terminal, the page and the JSON file share. */
import { type Bar, barText, figureText, intervalText, verdictText } from './bars.js'
import type { Effort } from './bench.js'
import type { Series } from './sample.js'
import type { Surroundings } from './surroundings.js'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Percentile curves of the sides under one load. */
export interface Plot {
  readonly title: string
  readonly curves: readonly {
    readonly name: string
    /** As loadgen encodes them. */
    readonly histograms: readonly string[]
  }[]
}

/** CPU time a request of each side, to be drawn. */
export interface Costs {
  readonly title: string
  readonly sides: readonly {
    readonly name: string
    readonly median: number
    readonly low: number
    readonly high: number
  }[]
}

/** Every figure of every round of one part. */
export interface Phase {
  readonly name: string
  readonly series: readonly Series[]
}

export interface ScenarioResult {
  readonly name: string
  readonly title: string
  /** What was left out and why, and what has to be known to read the figures. */
  readonly notes: readonly string[]
  readonly tables: readonly Table[]
  readonly plots: readonly Plot[]
  readonly costs: Costs | null
  readonly bars: readonly Bar[]
  readonly phases: readonly Phase[]
  /** Why it could not be finished; null when it was. */
  readonly failure: string | null
}

/** Of a whole run. */
export interface Results {
  readonly surroundings: Surroundings
  readonly effort: Effort
  readonly scenarios: readonly ScenarioResult[]
}

/** A result with nothing in it yet. */
export function emptyResult(name: string, title: string): ScenarioResult {
  return {
    name,
    title,
    notes: [],
    tables: [],
    plots: [],
    costs: null,
    bars: [],
    phases: [],
    failure: null,
  }
}

/** Text columns, the first to the left, the others to the right. */
export function tableText({ title, columns, rows }: Table): string {
  const all = [columns, ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  const lines = all.map((row) =>
    widths
      .map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width)))
      .join('  ')
      .trimEnd(),
  )
  return [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

/** The bars of all scenarios as one table. */
export function barTable(bars: readonly Bar[]): Table {
  return {
    title: 'Bars',
    columns: ['', 'figure', 'interval', 'of', 'bar', 'verdict'],
    rows: bars.map((bar) => [
      bar.name,
      `${figureText(bar.figure.median)}${bar.unit === '' ? '' : ` ${bar.unit}`}`,
      intervalText(bar.figure),
      bar.interval,
      barText(bar),
      verdictText(bar),
    ]),
  }
}

/** As it is printed when a scenario is done. */
export function resultText(result: ScenarioResult): string {
  const parts = [`== ${result.name}: ${result.title}`]
  if (result.failure !== null) parts.push(`failed: ${result.failure}`)
  parts.push(...result.tables.map(tableText))
  if (result.bars.length > 0) parts.push(tableText(barTable(result.bars)))
  parts.push(...result.notes.map((note) => `note: ${note}`))
  return `${parts.join('\n')}\n`
}
