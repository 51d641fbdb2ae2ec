import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Cables } from './cables.js'
import { fill } from './changes.js'
import {
  freePort,
  httpServer,
  mockPipeline,
  type Node,
  Nodes,
  say,
  sleep,
  summary,
} from './nodes.js'
import type { Measured } from './open-loop.js'

const OBJECTS = 10_000
/** Of the client that asks at fixed times. */
const PER_SECOND = 200
const IDLE_MS = 5_000
/** How often all objects arrive at once. */
const ARRIVALS = 5
/** The bar for a pause. */
const PAUSE_MS = 10
/** Makes writes long enough for a snapshot to become due. */
const FILLING = 'x'.repeat(300)

const seconds = (fromMs: number): string => ((performance.now() - fromMs) / 1000).toFixed(2)

function residentMb(node: Node): number {
  const status = readFileSync(`/proc/${node.childPid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

function snapshotMb(node: Node): number {
  const dir = join(node.home, 'data')
  const sizes = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes('snapshot'))
    .map((name) => statSync(join(dir, name)).size)
  return Math.round((10 * Math.max(0, ...sizes)) / 1024 / 1024) / 10
}

/** Resolves once the node's own state is what the others have acknowledged. */
async function caughtUp(node: Node, version: number): Promise<void> {
  for (;;) {
    try {
      const { version: own } = await node.admin('GET', '/objects/o0?consistency=local')
      if (own >= version) return
    } catch {
      // not yet
    }
    await sleep(10)
  }
}

/** Of the worker's loop, as `loop-probe.ts` wrote them down, for all that lies after `fromMs`. */
function pauses(node: Node, fromMs: number): string {
  const lines = readFileSync(join(node.home, 'pauses-of-worker-0'), 'utf8').trimEnd().split('\n')
  const found = lines
    .map((line) => line.split(' ').map(Number) as [from: number, to: number, ...ms: number[]])
    .filter(([from]) => from >= fromMs)
  const worst = (at: 2 | 3): string => {
    const all = found.map((line) => line[at] as number).sort((x, y) => y - x)
    const above = all.filter((ms) => ms > PAUSE_MS).length
    const three = all.slice(0, 3).map((ms) => ms.toFixed(1))
    return `${three.join(', ')} ms (${above} of ${all.length} tenths of a second above ${PAUSE_MS})`
  }
  return `longest pauses of the loop ${worst(2)}; by processor time ${worst(3)}`
}

/** A client of one node that asks at fixed times. */
class OpenLoop {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** It asks nothing before the first {@link take}. */
  static async start({ address }: Node, port: number): Promise<OpenLoop> {
    const args = [address, String(port), String(PER_SECOND)]
    const child = fork(new URL('./open-loop.js', import.meta.url), args)
    await once(child, 'message')
    return new OpenLoop(child)
  }

  take(): Promise<Measured> {
    return new Promise((resolve) => {
      this.#child.once('message', (measured) => resolve(measured as Measured))
      this.#child.send('take')
    })
  }

  end(): void {
    this.#child.kill()
  }
}

function cut(cables: Cables, one: Node, other: Node): void {
  if (one === other) return
  cables.cut(one.name, other.name)
  cables.cut(other.name, one.name)
}

async function untilLedByOthers(nodes: Nodes, away: Node): Promise<void> {
  const here = nodes.all.find((node) => node !== away) as Node
  for (;;) {
    const leader = await Nodes.leaderBy(here)
    if (leader !== null && leader !== away.name) return
    await sleep(50)
  }
}

/** What a worker and its clients notice of `work`. */
async function noticed(
  what: string,
  node: Node,
  client: OpenLoop,
  work: () => Promise<void>,
): Promise<void> {
  await client.take()
  const fromMs = Date.now()
  await work()
  await sleep(500)
  const { latenciesMs, failures } = await client.take()
  say(`${what}:`)
  say(`  ${pauses(node, fromMs)}`)
  say(`  ${PER_SECOND} requests a second: ${summary(latenciesMs)}, ${failures} failures`)
}

/** How long many writes take by themselves: nobody looks at anything meanwhile. */
export async function manyWrites(): Promise<void> {
  for (const [count, through] of [
    [1, 'leader'],
    [3, 'leader'],
    [3, 'all'],
  ] as const) {
    const nodes = await Nodes.start(count)
    try {
      const fromMs = performance.now()
      await fill(nodes, 'o', OBJECTS, `first${FILLING}`, through)
      const by = through === 'all' ? 'all of them' : 'the one that leads'
      say(`${OBJECTS} objects created on ${count} by ${by} in ${seconds(fromMs)} s, 32 clients`)
    } finally {
      await nodes.stop()
    }
  }
}

export async function manyObjects(): Promise<void> {
  const probe = new URL('./loop-probe.js', import.meta.url).href
  const cables = new Cables()
  const nodes = await Nodes.start(3, [], {
    cables,
    env: (home) => ({ EASEGRESS_LOOP_DIR: home, NODE_OPTIONS: `--import ${probe}` }),
  })
  let client: OpenLoop | null = null
  try {
    const [first, , third] = nodes.all as [Node, Node, Node]
    const port = await freePort()
    await first.admin('POST', '/objects?wait=cluster', mockPipeline('served', 'here'))
    await first.admin('POST', '/objects?wait=cluster', httpServer('server', port, 'served'))
    client = await OpenLoop.start(third, port)
    await noticed('idle', third, client, () => sleep(IDLE_MS))

    await noticed(`${OBJECTS} objects arrive as they are written`, third, client, async () => {
      const fromMs = performance.now()
      await fill(nodes, 'o', OBJECTS, `first${FILLING}`)
      say(`${OBJECTS} objects written in ${seconds(fromMs)} s, 32 clients`)
    })
    say(`memory of a node with them ${residentMb(third)} MB`)

    for (let round = 1; round <= ARRIVALS; round++) {
      for (const other of nodes.all) cut(cables, third, other)
      await untilLedByOthers(nodes, third)
      await fill(nodes, 'o', OBJECTS, `again ${round} ${FILLING}`)
      const { version } = await first.admin('GET', '/objects/o0')
      await noticed(`${OBJECTS} changes arrive at once`, third, client, async () => {
        const fromMs = performance.now()
        cables.heal()
        await caughtUp(third, version)
        say(`caught up ${seconds(fromMs)} s after it was cut off for ${OBJECTS} changes`)
      })
    }
    client.end()

    await third.stop()
    let fromMs = performance.now()
    third.start()
    await third.healthy()
    say(`cold start with ${OBJECTS} objects ${seconds(fromMs)} s; memory ${residentMb(third)} MB`)
    await third.stop()
    await fill(nodes, 'o', OBJECTS, `third${FILLING}`)
    const { version } = await first.admin('GET', '/objects/o0')
    fromMs = performance.now()
    third.start()
    await caughtUp(third, version)
    say(`away for ${OBJECTS} changes: caught up ${seconds(fromMs)} s after its start`)
    say(`newest snapshot ${snapshotMb(first)} MB`)
  } finally {
    client?.end()
    cables.close()
    await nodes.stop()
  }
}
