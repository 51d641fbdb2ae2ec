/** Whether clients notice that the configuration changes ten times a second. */
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import { CHANGES_PER_SECOND, changerOf } from '../changer.js'
import { disturbanceNotes, latencyTable, plotOf } from '../figures.js'
import { gateway } from '../peers/gateway.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import type { Rounds, Side } from '../rounds.js'
import { figuresOf, type Sample, type Series } from '../sample.js'
import { PLAIN_SITE } from '../site.js'
import { pairedRatio } from '../statistics.js'
import { ANY_CORES } from '../tools.js'
import {
  besideOthers,
  besideTable,
  changesRow,
  measureChanges,
  plannedBeside,
} from './changes-beside.js'
import { endSides, origin, type Scenario, secondsOf, shortRounds, warmUp } from './scenario.js'

const BYTES = 64

const p99 = (sample: Sample): number => sample.latency.p99

export function changesBar(changing: Series, quiet: Series): Bar {
  return {
    name: `p99 while ${CHANGES_PER_SECOND} changes a second are applied`,
    figure: pairedRatio(figuresOf(changing, p99), figuresOf(quiet, p99)),
    interval: '95 %',
    atMost: 1.3,
    unit: '× without',
    rounds: quiet.rounds.length,
  }
}

/** Long enough for several changes. */
const plan = (bench: Bench): Rounds => shortRounds(bench, 5, 1)

export const changes: Scenario = {
  name: 'changes',
  title: `GET, proxied, 64-byte answer, while ${CHANGES_PER_SECOND} changes a second are applied`,
  plannedSeconds: (bench) =>
    secondsOf(plan(bench), 2) + bench.effort.warmUpSeconds + 2 + plannedBeside(bench),
  async run(given): Promise<ScenarioResult> {
    // Changes are prepared by other threads than those that carry traffic: they may have their core.
    const bench: Bench = { ...given, place: { ...given.place, cores: ANY_CORES } }
    const backEnd = await origin(bench, [`bytes=${BYTES}`])
    const { connections, place } = bench
    const [build] = bench.builds
    const site = { ...PLAIN_SITE, connections, backEnds: backEnd.ports }
    const subject = await gateway(build).start(place, site)
    const load = { connections, expectBytes: BYTES }
    const side: Side = { name: build.name, subject, load }
    const changer = changerOf(bench, subject.changing)
    changer.start(bench.effort.warmUpSeconds)
    await warmUp(bench, side, bench.effort.warmUpSeconds)
    await changer.stop()
    const before = changer.written
    const changed = await measureChanges(bench, side, changer, plan(bench))
    await endSides(place, [side], null)
    const beside = await besideOthers(bench, site, load)
    await endSides(place, [], backEnd)
    const { rate, series } = changed
    const [quiet, changing] = series
    const what = `open loop, ${rate} requests/s (half of what one worker can serve)`
    const rows = [...beside.rows, changesRow(build.name, changed)]
    return {
      ...emptyResult(changes.name, changes.title),
      notes: [
        `${changer.written - before} changes of the pipeline that carries the traffic`,
        ...disturbanceNotes(series),
        ...beside.notes,
      ],
      tables: [latencyTable(what, series), ...(rows.length < 2 ? [] : [besideTable(rows)])],
      plots: [plotOf(`${changes.title}: ${what}`, series)],
      phases: [{ name: what, series }, ...beside.phases],
      bars: [changesBar(changing, quiet)],
    }
  },
}
