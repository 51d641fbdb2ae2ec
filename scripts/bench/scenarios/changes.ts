/** Whether clients notice that the configuration changes ten times a second. */
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import { disturbanceNotes, latencyTable, plotOf } from '../figures.js'
import { DEFAULT_TARGET, type Load, runLoadgen } from '../loadgen.js'
import { writeMix } from '../mixes.js'
import { OBJECTS, startGateway } from '../peers/gateway.js'
import {
  type GatewayObject,
  objectsFor,
  PIPELINE,
  pipelineObject,
  proxyFilter,
} from '../peers/objects.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { interleave, load as loadSide, type Rounds, type Side } from '../rounds.js'
import { figuresOf, perSecond, type Sample, type Series, sampleOf } from '../sample.js'
import { PLAIN_SITE, type Site } from '../site.js'
import { pairedRatio } from '../statistics.js'
import { ANY_CORES } from '../tools.js'
import { endSides, origin, type Scenario, secondsOf, shortRounds, warmUp } from './scenario.js'

const BYTES = 64
const CHANGES_PER_SECOND = 10
/** Written in turn, so that none is like the one before. */
const DIFFERENT = 64
/** Of what one worker can serve. */
const SHARE = 0.5

const p99 = (sample: Sample): number => sample.latency.p99

/**
 * Writes the pipeline that carries the traffic, another one each time, over one connection. The load
 * generator does it: whatever else writes takes its core from the load for longer than the change.
 */
class Changer {
  readonly #bench: Bench
  readonly #adminPort: number
  readonly #load: Load
  #under: Promise<void> = Promise.resolve()
  #written = 0

  constructor(bench: Bench, adminPort: number, site: Site) {
    this.#bench = bench
    this.#adminPort = adminPort
    const entries = Array.from({ length: DIFFERENT }, (_, i) => ({
      path: `${OBJECTS}/${PIPELINE}`,
      method: 'PUT',
      body: JSON.stringify(changedPipeline(site, i)),
      expect: { status: '200' },
    }))
    const mix = writeMix(bench.place.household, entries)
    this.#load = { connections: 1, rate: CHANGES_PER_SECOND, mix, inTurn: true }
  }

  get written(): number {
    return this.#written
  }

  start(seconds: number): void {
    const { native, place } = this.#bench
    const done = runLoadgen(this.#load, {
      program: native.loadgen,
      cores: place.cores.load,
      target: { port: this.#adminPort, pid: 0 },
      seconds,
    })
    this.#under = done.then(({ requests }) => {
      this.#written += requests
    })
    this.#under.catch(() => {}) // awaited by stop()
  }

  /** Rejects when a change was refused. */
  async stop(): Promise<void> {
    await this.#under
  }
}

function changedPipeline(site: Site, change: number): GatewayObject {
  const header = { set: { 'X-Bench-Change': String(change) } }
  return pipelineObject('v1', PIPELINE, [
    { kind: 'RequestAdaptor', header },
    proxyFilter('v1', site),
  ])
}

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
  plannedSeconds: (bench) => secondsOf(plan(bench), 2) + bench.effort.warmUpSeconds + 2,
  async run(given): Promise<ScenarioResult> {
    // Changes are prepared by other threads than those that carry traffic: they may have their core.
    const bench: Bench = { ...given, place: { ...given.place, cores: ANY_CORES } }
    const backEnd = await origin(bench, [`bytes=${BYTES}`])
    const { connections, place } = bench
    const site = { ...PLAIN_SITE, connections, backEnds: backEnd.ports }
    const subject = await startGateway({
      build: bench.builds[0],
      place,
      site,
      objects: (port) => objectsFor('v1', site, port),
      ready: DEFAULT_TARGET,
    })
    const load = { connections, expectBytes: BYTES }
    const side: Side = { name: 'without', subject, load }
    const changer = new Changer(bench, subject.adminPort ?? 0, site)
    changer.start(bench.effort.warmUpSeconds)
    await warmUp(bench, side, bench.effort.warmUpSeconds)
    await changer.stop()
    const most = perSecond(sampleOf([await loadSide(bench, side, bench.effort.sliceSeconds)]))
    const rate = Math.round(most * SHARE)
    const open = { ...load, rate }
    const before = changer.written
    const series = await interleave(
      bench,
      changes.name,
      [
        { ...side, load: open },
        {
          name: `${CHANGES_PER_SECOND} changes a second`,
          subject,
          load: open,
          before: () => changer.start(plan(bench).seconds),
          after: () => changer.stop(),
        },
      ],
      plan(bench),
    )
    await endSides(place, [side], backEnd)
    const what = `open loop, ${rate} requests/s (half of what one worker can serve)`
    const [quiet, changing] = series as [Series, Series]
    return {
      ...emptyResult(changes.name, changes.title),
      notes: [
        `${changer.written - before} changes of the pipeline that carries the traffic`,
        ...disturbanceNotes(series),
      ],
      tables: [latencyTable(what, series)],
      plots: [plotOf(`${changes.title}: ${what}`, series)],
      phases: [{ name: what, series }],
      bars: [changesBar(changing, quiet)],
    }
  },
}
