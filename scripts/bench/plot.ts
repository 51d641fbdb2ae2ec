/** Drawings of the page, as SVG text: no script is needed to see them. */
import type { CurvePoint } from './histogram.js'

export interface Curve {
  readonly name: string
  /** Number of its colour; the same for one name on all plots. */
  readonly colour: number
  readonly points: readonly CurvePoint[]
}

const WIDTH = 720
const HEIGHT = 300
const LEFT = 56
const RIGHT = 110
const TOP = 12
const BOTTOM = 40

/** Text for HTML and SVG. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

const fixed = (value: number): string => value.toFixed(1)

/** 0, 1, 2, 3 … for the percentiles 0, 90, 99, 99.9 …: as many nines as there are. */
export const nines = (percentile: number): number =>
  -Math.log10(1 - Math.min(percentile, 99.99999) / 100)

/** Powers of ten, with 2 and 5 between them where there is room, that span `low` to `high`. */
export function logTicks(low: number, high: number): number[] {
  const from = Math.floor(Math.log10(low))
  const to = Math.ceil(Math.log10(high))
  const steps = to - from <= 2 ? [1, 2, 5] : [1]
  const ticks: number[] = []
  for (let power = from; power <= to; power++) {
    for (const step of steps) ticks.push(Number((step * 10 ** power).toPrecision(3)))
  }
  const first = ticks.findLastIndex((tick) => tick <= low)
  const last = ticks.findIndex((tick) => tick >= high)
  return ticks.slice(Math.max(first, 0), last < 0 ? ticks.length : last + 1)
}

export const msText = (ms: number): string => (ms >= 1 ? `${ms} ms` : `${Math.round(ms * 1000)} µs`)

/** Latency by percentile: both axes logarithmic, so that a tail of one in a million has room. */
export function percentilePlot(curves: readonly Curve[]): string {
  const drawn = curves.filter(({ points }) => points.length > 1)
  if (drawn.length === 0) return ''
  const values = drawn.flatMap(({ points }) => points.map(({ ms }) => Math.max(ms, 1e-4)))
  const ticks = logTicks(Math.min(...values), Math.max(...values))
  const bottom = Math.log10(ticks[0] as number)
  const span = Math.log10(ticks.at(-1) as number) - bottom || 1
  const ninesMost = Math.ceil(
    Math.max(...drawn.map(({ points }) => nines(points.at(-1)?.percentile ?? 0)), 2),
  )
  const x = (percentile: number): number =>
    LEFT + (nines(percentile) / ninesMost) * (WIDTH - LEFT - RIGHT)
  const y = (ms: number): number =>
    HEIGHT - BOTTOM - ((Math.log10(Math.max(ms, 1e-4)) - bottom) / span) * (HEIGHT - TOP - BOTTOM)
  const parts = [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="latency by percentile">`,
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${fixed(y(tick) + 4)}" text-anchor="end">${msText(tick)}</text>`,
    ),
    ...Array.from({ length: ninesMost + 1 }, (_, n) => percentileTick(n, x)),
    `<text class="tick" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">percentile</text>`,
  ]
  for (const curve of drawn) parts.push(curvePath(curve, x, y))
  parts.push(...endLabels(drawn, x, y), '</svg>')
  return parts.join('\n')
}

function percentileTick(count: number, x: (percentile: number) => number): string {
  const percentile = 100 * (1 - 10 ** -count)
  const text = `${Number(percentile.toPrecision(Math.max(count, 1)))} %`
  const at = fixed(x(percentile))
  return (
    `<line class="grid" x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` +
    `<text class="tick" x="${at}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${text}</text>`
  )
}

type Scale = (value: number) => number

function curvePath({ name, colour, points }: Curve, x: Scale, y: Scale): string {
  const steps = points.map(({ percentile, ms }) => `${fixed(x(percentile))},${fixed(y(ms))}`)
  const marks = points
    .filter((_, i) => i % 4 === 0)
    .map(
      ({ percentile, ms }) =>
        `<circle class="mark c${colour}" cx="${fixed(x(percentile))}" cy="${fixed(y(ms))}" r="7">` +
        `<title>${escaped(name)}: ${Number(percentile.toFixed(4))} % within ${Number(ms.toPrecision(3))} ms</title></circle>`,
    )
  return `<polyline class="curve c${colour}" points="${steps.join(' ')}"/>${marks.join('')}`
}

const LABEL_PX = 14

/** Names at the ends of the curves, moved apart where they would overlap. */
function endLabels(curves: readonly Curve[], x: Scale, y: Scale): string[] {
  const ends = curves
    .map(({ name, colour, points }) => {
      const { percentile, ms } = points.at(-1) as CurvePoint
      return { name, colour, x: x(percentile), y: y(ms) }
    })
    .sort((a, b) => a.y - b.y)
  let free = Number.NEGATIVE_INFINITY
  return ends.map((end) => {
    const at = Math.max(end.y, free)
    free = at + LABEL_PX
    const name = escaped(end.name)
    return `<text class="label c${end.colour}" x="${fixed(end.x + 6)}" y="${fixed(at + 4)}">${name}</text>`
  })
}

export interface CostRow {
  readonly name: string
  readonly colour: number
  readonly median: number
  readonly low: number
  readonly high: number
}

const ROW_PX = 26

/** Bars of medians, with a line from the lowest to the highest. Unit µs. */
export function costPlot(rows: readonly CostRow[]): string {
  const most = Math.max(...rows.map(({ high }) => high), 1e-9)
  const nameWidth = 200
  const x = (value: number): number => nameWidth + (value / most) * (WIDTH - nameWidth - 90)
  const height = rows.length * ROW_PX + 8
  const drawn = rows.map(({ name, colour, median, low, high }, i) => {
    const top = i * ROW_PX + 4
    const middle = top + ROW_PX / 2 - 2
    return (
      `<text class="name" x="${nameWidth - 8}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="bar c${colour}" x="${nameWidth}" y="${top}" width="${fixed(x(median) - nameWidth)}" height="${ROW_PX - 8}">` +
      `<title>${escaped(name)}: ${median.toFixed(2)} µs (${low.toFixed(2)} … ${high.toFixed(2)})</title></rect>` +
      `<line class="range" x1="${fixed(x(low))}" x2="${fixed(x(high))}" y1="${middle}" y2="${middle}"/>` +
      `<text class="tick" x="${fixed(x(high) + 8)}" y="${middle + 4}">${median.toFixed(1)} µs</text>`
    )
  })
  return [
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="CPU time a request">`,
    ...drawn,
    '</svg>',
  ].join('\n')
}
