import { pairedRatio, type Spread, spreadOf } from './statistics.js'

/** One subject in one round. CPU times are microseconds a request. */
export interface Measured {
  readonly cpuMicros: number
  readonly userMicros: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
}

export interface Round {
  readonly number: number
  /** By name of the subject. */
  readonly results: Readonly<Record<string, Measured>>
}

export function roundLine(round: Round, rounds: number): string {
  const parts = Object.entries(round.results).map(
    ([name, m]) =>
      `${name} ${m.cpuMicros.toFixed(2)} µs (user ${m.userMicros.toFixed(2)}) ` +
      `${Math.round(m.requestsPerSecond)}/s p99 ${m.p99Ms.toFixed(2)} ms`,
  )
  return `round ${round.number}/${rounds}: ${parts.join(' | ')}`
}

type Figure = Exclude<keyof Measured, 'requests'>

const FIGURES: readonly (readonly [title: string, figure: Figure, digits: number])[] = [
  ['CPU µs/request', 'cpuMicros', 2],
  ['of it in user mode', 'userMicros', 2],
  ['requests/s', 'requestsPerSecond', 0],
  ['p50 ms', 'p50Ms', 3],
  ['p99 ms', 'p99Ms', 3],
]

/** Medians with the range over rounds, and ratios to the first subject. */
export function summary(
  rounds: readonly Round[],
  subjects: readonly { readonly name: string }[],
): string {
  const of = (name: string, figure: Figure): number[] =>
    rounds.map(({ results }) => (results[name] as Measured)[figure])
  const lines: string[] = [`medians of ${rounds.length} rounds (lowest … highest)`]
  for (const { name } of subjects) {
    lines.push(name)
    for (const [title, figure, digits] of FIGURES) {
      lines.push(`  ${title.padEnd(20)} ${spreadText(spreadOf(of(name, figure)), digits)}`)
    }
  }
  const [base, ...others] = subjects
  if (base === undefined || others.length === 0) return lines.join('\n')
  lines.push(`ratio to ${base.name}, median of paired rounds [95 % interval]`)
  for (const { name } of others) {
    for (const [title, figure] of FIGURES) {
      const { median, low, high } = pairedRatio(of(name, figure), of(base.name, figure))
      const interval = `[${low.toFixed(3)} … ${high.toFixed(3)}]`
      lines.push(`  ${name} ${title}: ${median.toFixed(3)} ${interval}`)
    }
  }
  return lines.join('\n')
}

function spreadText({ median, low, high }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)} … ${high.toFixed(digits)})`
}
