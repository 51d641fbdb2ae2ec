/** The page of results: one file, nothing is loaded, readable without scripts. */
import { verdictText } from './bars.js'
import { curveOf, mergedHistogram } from './histogram.js'
import { costPlot, escaped, percentilePlot } from './plot.js'
import { barTable, type Results, type ScenarioResult, type Table } from './result.js'
import { surroundingsLines } from './surroundings.js'

/** Colours of sides, told apart by those who do not see red and green apart too (Okabe, Ito). */
const COLOURS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#7f7f7f',
  '#b39a00',
]

const STYLE = `
:root { color-scheme: light dark; --text: #1c1f24; --soft: #6b7280; --line: #d9dde3; --page: #fff; --met: #0a7d4f; --missed: #b3261e }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --soft: #9aa3af; --line: #343a43; --page: #14171b; --met: #4cc38a; --missed: #ff8a80 } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem } h3 { font-size: .95rem; margin: 1.25rem 0 .25rem; font-weight: 600 }
p, li { color: var(--soft); margin: .15rem 0 } nav { columns: 3 12rem; font-size: .9rem } nav a { display: block } a { color: inherit }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap } th { font-weight: 600; color: var(--soft) }
th:first-child, td:first-child { text-align: left; padding-left: 0 } td.met { color: var(--met) } td.missed { color: var(--missed) } .failure { color: var(--missed) }
svg { width: 100%; height: auto; display: block; margin: .5rem 0 } svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
svg .name { fill: var(--text); font-size: 12px } .grid { stroke: var(--line); stroke-width: 1 } .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
.mark { opacity: 0 } .mark:hover { opacity: 1 } svg .label { font-weight: 600 } .range { stroke: var(--text); stroke-width: 1.5 }
${COLOURS.map((colour, i) => `.curve.c${i} { stroke: ${colour} } .bar.c${i}, .mark.c${i}, svg .label.c${i} { fill: ${colour} }`).join('\n')}
`

/** Gives each name of a side its colour, the same on the whole page. */
class Palette {
  readonly #numbers = new Map<string, number>()

  of(name: string): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const next = this.#numbers.size % COLOURS.length
    this.#numbers.set(name, next)
    return next
  }
}

export function resultsPage({ surroundings, scenarios }: Results): string {
  const palette = new Palette()
  const bars = scenarios.flatMap((scenario) => scenario.bars)
  const about = surroundingsLines(surroundings).map((line) => `<p>${escaped(line)}</p>`)
  const links = scenarios.map(({ name }) => `<a href="#${escaped(name)}">${escaped(name)}</a>`)
  const verdicts = bars.length === 0 ? '' : `<h2>Bars</h2>\n${barTableHtml(scenarios)}`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bench results</title>
<style>${STYLE}</style>
<h1>Bench results</h1>
${about.join('\n')}
${verdicts}
<h2>Scenarios</h2>
<nav>${links.join('')}</nav>
${scenarios.map((scenario) => section(scenario, palette)).join('\n')}
</html>
`
}

function barTableHtml(scenarios: readonly ScenarioResult[]): string {
  const bars = scenarios.flatMap((scenario) => scenario.bars)
  const { columns, rows } = barTable(bars)
  const classes = bars.map((bar) => (verdictText(bar).startsWith('met') ? 'met' : 'missed'))
  return tableHtml(columns, rows, classes)
}

function section(scenario: ScenarioResult, palette: Palette): string {
  const { name, title, failure, notes, tables, plots, costs } = scenario
  const parts = [
    `<section id="${escaped(name)}">\n<h2>${escaped(name)}</h2>\n<p>${escaped(title)}</p>`,
  ]
  if (failure !== null) parts.push(`<p class="failure">failed: ${escaped(failure)}</p>`)
  if (costs !== null) {
    const rows = costs.sides.map((side) => ({ ...side, colour: palette.of(side.name) }))
    parts.push(`<h3>${escaped(costs.title)}</h3>`, costPlot(rows))
  }
  parts.push(...tables.map(tableWithTitle))
  for (const plot of plots) {
    const curves = plot.curves.map(({ name: side, histograms }) => ({
      name: side,
      colour: palette.of(side),
      points: curveOf(mergedHistogram(histograms)),
    }))
    parts.push(`<h3>${escaped(plot.title)}</h3>`, percentilePlot(curves))
  }
  if (notes.length > 0) {
    parts.push(`<ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>`)
  }
  return `${parts.join('\n')}\n</section>`
}

const tableWithTitle = ({ title, columns, rows }: Table): string =>
  `<h3>${escaped(title)}</h3>\n${tableHtml(columns, rows, [])}`

/** `classes`: of the last cell of each row. */
function tableHtml(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  classes: readonly string[],
): string {
  const head = columns.map((text) => `<th>${escaped(text)}</th>`).join('')
  const body = rows.map((row, r) => {
    const cells = row.map((text, c) => {
      const name = c === row.length - 1 ? classes[r] : undefined
      return `<td${name === undefined ? '' : ` class="${name}"`}>${escaped(text)}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return `<div class="wide"><table><tr>${head}</tr>\n${body.join('\n')}</table></div>`
}
