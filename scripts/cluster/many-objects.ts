import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fill } from './changes.js'
import { type Node, Nodes, sleep } from './nodes.js'

const OBJECTS = 10_000

const say = (text: string): void => void process.stdout.write(`${text}\n`)
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

export async function manyObjects(): Promise<void> {
  const nodes = await Nodes.start(3)
  try {
    const [first, , third] = nodes.all as [Node, Node, Node]
    let fromMs = performance.now()
    await fill(nodes, 'o', OBJECTS, 'first')
    say(`${OBJECTS} objects written in ${seconds(fromMs)} s, 32 clients`)
    say(`memory of a node with them ${residentMb(third)} MB`)
    await third.stop()
    fromMs = performance.now()
    third.start()
    await third.healthy()
    say(`cold start with them ${seconds(fromMs)} s; memory ${residentMb(third)} MB`)
    await third.stop()
    await fill(nodes, 'o', OBJECTS, 'second')
    const { version } = await first.admin('GET', '/objects/o0')
    fromMs = performance.now()
    third.start()
    await caughtUp(third, version)
    say(`away for ${OBJECTS} changes: caught up ${seconds(fromMs)} s after its start`)
    say(`newest snapshot ${snapshotMb(first)} MB`)
  } finally {
    await nodes.stop()
  }
}
