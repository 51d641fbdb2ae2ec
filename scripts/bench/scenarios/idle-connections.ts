/** What a connection costs that is open and hardly asks. */
import { residentBytesOf } from '../accounting.js'
import { type Bar, figureText, intervalText } from '../bars.js'
import type { Bench } from '../bench.js'
import { sleep } from '../children.js'
import { OUR_NAME } from '../peers/gateway.js'
import { emptyResult, type ScenarioResult } from '../result.js'
import { load as loadSide, type Side } from '../rounds.js'
import { type Peer, PLAIN_SITE } from '../site.js'
import { type Spread, spreadOf } from '../statistics.js'
import { openFilesMax } from '../tools.js'
import { allPeers, endSides, origin, type Scenario, startSides } from './scenario.js'

const BYTES = 64
const CONNECTIONS = 10_000
/** Beside the connections: those to the back end, listeners, files. */
const SPARE_FILES = 400
const EVERY_SECONDS = 8
/** One round of all connections, and a few seconds of readings. */
const HOLD_SECONDS = 12
const READ_FROM_SECONDS = 9
const READ_EVERY_MS = 250
/** What the warm-up left is collected before memory is read. */
const REST_MS = 1_500
const KILOBYTE = 1024

/** What is to be done about too low a limit on open files, or null when it suffices. */
export function openFilesAdvice(most: number): string | null {
  const need = CONNECTIONS + SPARE_FILES
  if (most >= need) return null
  return (
    `left out: ${CONNECTIONS} connections need ${need} open files, and the hard limit is ${most}; ` +
    `raise it (as root: ulimit -n ${need * 2}, or LimitNOFILE= of the service, or ` +
    '/etc/security/limits.conf) and run the bench from there'
  )
}

/** Memory of one connection in KB, out of readings of the whole. */
export function perConnection(readings: readonly number[], before: number): Spread {
  return spreadOf(readings.map((bytes) => (bytes - before) / CONNECTIONS / KILOBYTE))
}

async function measure(bench: Bench, side: Side): Promise<Spread> {
  const { pid } = side.subject.child
  bench.progress.doing(`${CONNECTIONS} idle connections: ${side.name}`)
  await sleep(REST_MS)
  const before = residentBytesOf(pid)
  const idle = { connections: CONNECTIONS, idleEverySeconds: EVERY_SECONDS, expectBytes: BYTES }
  const loading = loadSide(bench, { ...side, load: idle }, HOLD_SECONDS)
  let over = false
  const ended = loading.finally(() => {
    over = true
  })
  ended.catch(() => {}) // awaited below
  await sleep(READ_FROM_SECONDS * 1000)
  const readings: number[] = []
  while (!over) {
    readings.push(residentBytesOf(pid))
    await sleep(READ_EVERY_MS)
  }
  await loading
  return perConnection(readings, before)
}

/** Each takes a quarter of a minute. */
const peersOf = (bench: Bench): Peer[] =>
  allPeers(bench).filter(({ name, isOurs }) => !bench.effort.quick || isOurs || name === 'nginx')

export const idleConnections: Scenario = {
  name: 'idle-connections',
  title: `${CONNECTIONS} connections that each ask once in ${EVERY_SECONDS} s`,
  plannedSeconds: (bench) => (HOLD_SECONDS + bench.effort.warmUpSeconds) * peersOf(bench).length,
  async run(bench): Promise<ScenarioResult> {
    const result = emptyResult(idleConnections.name, idleConnections.title)
    const advice = openFilesAdvice(openFilesMax())
    if (advice !== null) return { ...result, notes: [advice] }
    const backEnd = await origin(bench, [`bytes=${BYTES}`])
    const { connections } = bench
    const { sides, notes } = await startSides(bench, {
      peers: peersOf(bench),
      site: { ...PLAIN_SITE, connections, backEnds: backEnd.ports },
      load: { connections, expectBytes: BYTES },
      answerBytes: BYTES,
    })
    const costs: [name: string, kilobytes: Spread][] = []
    for (const side of sides) costs.push([side.name, await measure(bench, side)])
    await endSides(bench.place, sides, backEnd)
    const ours = costs.find(([name]) => name === OUR_NAME)?.[1]
    return {
      ...result,
      notes: [...notes, 'the memory of a process alone: sockets in the kernel cost all alike'],
      tables: [
        {
          title: 'resident KB a connection, above a process that was warmed up',
          columns: ['', 'median', 'lowest … highest reading'],
          rows: costs.map(([name, each]) => [name, figureText(each.median), intervalText(each)]),
        },
      ],
      bars: ours === undefined ? [] : [idleBar(ours)],
    }
  },
}

const idleBar = (figure: Spread): Bar => ({
  name: `${CONNECTIONS} idle connections: memory of each`,
  figure,
  interval: 'range',
  atMost: 4,
  unit: 'KB',
  rounds: null,
})
