/** Scenarios in which every peer does the same work: what it costs, and how long it takes. */
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import {
  costsOf,
  disturbanceNotes,
  latencyTable,
  plotOf,
  ratioTable,
  throughputTable,
} from '../figures.js'
import type { Load } from '../loadgen.js'
import { emptyResult, type Phase, type Plot, type ScenarioResult, type Table } from '../result.js'
import { interleave, type Rounds } from '../rounds.js'
import { perSecond, type Series, spread } from '../sample.js'
import { PLAIN_SITE, type Site } from '../site.js'
import {
  allPeers,
  endSides,
  fullRounds,
  origin,
  rounds,
  type Scenario,
  secondsOf,
  startSides,
  withoutFailing,
} from './scenario.js'

export interface ComparedScenario {
  readonly name: string
  readonly title: string
  /** Parameters of the origin's ports. */
  readonly backEnds: readonly string[]
  readonly site?: Partial<Site>
  readonly load: Partial<Load>
  /** Of the whole answer; null: not compared. */
  readonly answerBytes: number | null
  readonly overTls?: boolean
  /** Requests a second of the open loop; by default half and 80 % of the slowest peer's most. */
  readonly rates?: readonly number[]
  /** Only the open loop. */
  readonly openOnly?: boolean
  /** Judged over all rounds; others are only printed, and get fewer. */
  readonly bars?: (series: readonly Series[]) => Bar[]
  readonly notes?: readonly string[]
  /** Load that is written when the run begins, such as a file of requests. */
  readonly prepare?: (bench: Bench) => Partial<Load>
}

/** Of the slowest peer's capacity. */
const sharesOf = ({ effort }: Bench): readonly number[] => (effort.quick ? [0.5] : [0.5, 0.8])

export function compared(scenario: ComparedScenario): Scenario {
  const plan = (bench: Bench): Rounds => (scenario.bars ? fullRounds(bench) : rounds(bench))
  return {
    name: scenario.name,
    title: scenario.title,
    plannedSeconds(bench) {
      const sides = allPeers(bench).length
      const opens = (scenario.rates ?? sharesOf(bench)).length
      const closed = scenario.openOnly === true ? 0 : secondsOf(plan(bench), sides)
      return (
        closed + (sides / 2) * bench.effort.warmUpSeconds + opens * secondsOf(rounds(bench), sides)
      )
    },
    run: (bench) => run(bench, scenario, plan(bench)),
  }
}

async function run(
  bench: Bench,
  scenario: ComparedScenario,
  plan: Rounds,
): Promise<ScenarioResult> {
  const { name, title } = scenario
  const shares = sharesOf(bench)
  const nothing = emptyResult(name, title)
  if (scenario.overTls === true && bench.tls === null) {
    return { ...nothing, notes: ['left out: openssl is needed to make a certificate'] }
  }
  const backEnd = await origin(bench, scenario.backEnds)
  const connections = scenario.load.connections ?? bench.connections
  const site: Site = {
    ...PLAIN_SITE,
    connections,
    backEnds: backEnd.ports,
    tls: scenario.overTls === true ? bench.tls : null,
    ...scenario.site,
  }
  const load = { connections, ...scenario.load, ...scenario.prepare?.(bench) }
  const options = { peers: allPeers(bench), site, load, answerBytes: scenario.answerBytes }
  const started = await startSides(bench, options)
  const notes = [...started.notes]
  let { sides } = started
  const measure = async (what: string, rate: number | null, how: Rounds): Promise<Series[]> => {
    const done = await withoutFailing(bench, sides, (left) => {
      const asked =
        rate === null ? left : left.map((side) => ({ ...side, load: { ...load, rate } }))
      return interleave(bench, what, asked, how)
    })
    sides = done.sides
    notes.push(...done.notes)
    return done.measured
  }
  const tables: Table[] = []
  const plots: Plot[] = []
  const phases: Phase[] = []
  const opened: Series[] = []
  let rates: readonly number[] = scenario.rates ?? []
  if (scenario.openOnly !== true) {
    const series = await measure(name, null, plan)
    phases.push({ name: 'closed loop', series })
    tables.push(throughputTable(`closed loop, ${connections} connections`, series))
    if (series.length > 1) tables.push(ratioTable(series))
    const slowest = Math.min(...series.map((each) => spread(each, perSecond).median))
    rates = scenario.rates ?? shares.map((share) => Math.max(1, Math.round(slowest * share)))
  }
  for (const [i, rate] of rates.entries()) {
    const share = scenario.rates ? '' : ` (${(shares[i] ?? 0) * 100} % of the slowest)`
    const what = `open loop, ${rate} requests/s${share}`
    const series = await measure(`${name} at ${rate}/s`, rate, rounds(bench))
    phases.push({ name: what, series })
    tables.push(latencyTable(what, series))
    plots.push(plotOf(`${title}, ${what}`, series))
    opened.push(...series)
  }
  await endSides(bench.place, started.sides, backEnd)
  const closed = phases.find((phase) => phase.name === 'closed loop')?.series ?? []
  return {
    ...nothing,
    notes: [...(scenario.notes ?? []), ...notes, ...disturbanceNotes(opened)],
    tables,
    plots,
    phases,
    costs: closed.length === 0 ? null : costsOf(`${title}: CPU time a request`, closed),
    bars: scenario.bars?.(closed) ?? [],
  }
}
