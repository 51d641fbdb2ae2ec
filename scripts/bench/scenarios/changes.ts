/** Whether clients notice that the configuration changes ten times a second. */
import { ask } from '../ask.js'
import type { Bar } from '../bars.js'
import type { Bench } from '../bench.js'
import { disturbanceNotes, latencyTable, plotOf } from '../figures.js'
import { DEFAULT_TARGET } from '../loadgen.js'
import { OBJECTS, startGateway } from '../peers/gateway.js'
import { objectsFor, PIPELINE, pipelineObject, proxyFilter } from '../peers/objects.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { interleave, load as loadSide, type Rounds, type Side } from '../rounds.js'
import { figuresOf, perSecond, type Sample, type Series, sampleOf } from '../sample.js'
import { PLAIN_SITE, type Site } from '../site.js'
import { pairedRatio } from '../statistics.js'
import { ANY_CORES } from '../tools.js'
import { endSides, origin, type Scenario, secondsOf, shortRounds, warmUp } from './scenario.js'

const BYTES = 64
const CHANGES_PER_SECOND = 10
/** Of what one worker can serve. */
const SHARE = 0.5

const p99 = (sample: Sample): number => sample.latency.p99

/** Writes the pipeline that carries the traffic, another one each time. */
class Changer {
  readonly #adminPort: number
  readonly #site: Site
  #timer: NodeJS.Timeout | null = null
  #written = 0
  #refused = ''
  #under: Promise<void> = Promise.resolve()

  constructor(adminPort: number, site: Site) {
    this.#adminPort = adminPort
    this.#site = site
  }

  get written(): number {
    return this.#written
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#under = this.#under.then(() => this.#write())
    }, 1000 / CHANGES_PER_SECOND)
  }

  /** Rejects when a change was refused. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#under
    if (this.#refused !== '') throw new Error(`a change was refused: ${this.#refused}`)
  }

  async #write(): Promise<void> {
    this.#written += 1
    const adaptor = {
      kind: 'RequestAdaptor',
      header: { set: { 'X-Bench-Change': String(this.#written) } },
    }
    const pipeline = pipelineObject('v1', PIPELINE, [adaptor, proxyFilter('v1', this.#site)])
    const { status, body } = await ask({
      port: this.#adminPort,
      path: `${OBJECTS}/${PIPELINE}`,
      method: 'PUT',
      body: JSON.stringify(pipeline),
    })
    if (status !== 200) this.#refused = body.slice(0, 300)
  }
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
    const changer = new Changer(subject.adminPort ?? 0, site)
    changer.start()
    await warmUp(bench, side, bench.effort.warmUpSeconds).finally(() => changer.stop())
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
          before: () => changer.start(),
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
