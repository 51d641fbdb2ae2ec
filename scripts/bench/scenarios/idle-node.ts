/** What a node costs that has much configuration and nothing to do. */
import { cpuTimeOf, residentBytesOf } from '../accounting.js'
import { type Bar, figureText, intervalText } from '../bars.js'
import { freePort, sleep } from '../children.js'
import { putObjects, startGateway } from '../peers/gateway.js'
import { PIPELINE, pipelineObject, proxyFilter, serverObject } from '../peers/objects.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { PLAIN_SITE } from '../site.js'
import { spreadOf } from '../statistics.js'
import type { Scenario } from './scenario.js'

const OBJECT_COUNT = 1000
const SERVER_COUNT = 10
const WORKERS = 2
/**
 * Threads give memory back once they have been at rest for a while, and what came just after that half
 * a minute later (`lib/idle-collector.ts`).
 */
const SETTLE_SECONDS = 45
/** Long enough that a collection, once in a while, does not stand for all of the time. */
const READINGS = 3
const SLICES_PER_READING = 5
const MEGABYTE = 2 ** 20

export function idleBars(shares: readonly number[], megabytes: readonly number[]): Bar[] {
  const common = { interval: 'range', rounds: null } as const
  return [
    {
      ...common,
      name: `idle node, ${OBJECT_COUNT} objects: memory`,
      figure: spreadOf(megabytes),
      atMost: 250,
      unit: 'MB',
    },
    {
      ...common,
      name: `idle node, ${OBJECT_COUNT} objects: CPU`,
      figure: spreadOf(shares.map((share) => share * 100)),
      atMost: 1,
      unit: '% of a core',
    },
  ]
}

export const idleNode: Scenario = {
  name: 'idle-node',
  title: `${OBJECT_COUNT} objects, ${WORKERS} workers, no traffic`,
  plannedSeconds: ({ effort }) =>
    5 + SETTLE_SECONDS + READINGS * SLICES_PER_READING * effort.sliceSeconds,
  async run(bench): Promise<ScenarioResult> {
    bench.progress.doing(`${OBJECT_COUNT} objects are created`)
    const site = { ...PLAIN_SITE, workers: WORKERS, backEnds: [await freePort()] }
    const build = bench.builds[0]
    const subject = await startGateway({
      build,
      place: bench.place,
      site,
      objects: () => [],
      withParent: true,
      ready: null,
    })
    const pipelines = Array.from({ length: OBJECT_COUNT - SERVER_COUNT }, (_, i) =>
      pipelineObject('v1', `${PIPELINE}-${i}`, [proxyFilter('v1', site)]),
    )
    await putObjects(subject, pipelines)
    for (let i = 0; i < SERVER_COUNT; i++) {
      const backend = `${PIPELINE}-${i}`
      const server = serverObject('v1', await freePort(), [{ pathPrefix: '/', backend }], site)
      await putObjects(subject, [{ ...server, name: `server-${i}` }])
    }
    bench.progress.doing('the node idles')
    await sleep(SETTLE_SECONDS * 1000)
    const { pid } = subject.child
    const seconds = SLICES_PER_READING * bench.effort.sliceSeconds
    const shares: number[] = []
    const megabytes: number[] = []
    for (let reading = 0; reading < READINGS; reading++) {
      const before = cpuTimeOf(pid).total
      await sleep(seconds * 1000)
      shares.push((cpuTimeOf(pid).total - before) / seconds)
      megabytes.push(residentBytesOf(pid) / MEGABYTE)
      bench.progress.advance(seconds)
    }
    await bench.place.household.end(subject.child)
    const bars = idleBars(shares, megabytes)
    return {
      ...emptyResult(idleNode.name, idleNode.title),
      notes: ['the parent process in front is counted with it'],
      tables: [
        {
          title: `${READINGS} readings of ${figureText(seconds)} s`,
          columns: ['', 'median', 'lowest … highest'],
          rows: bars.map(({ name, figure, unit }) => [
            name,
            `${figureText(figure.median)} ${unit}`,
            intervalText(figure),
          ]),
        },
      ],
      bars,
    }
  },
}
