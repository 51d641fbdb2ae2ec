import { Agent } from 'node:http'
import { cpus } from 'node:os'
import {
  ask,
  freePort,
  httpServer,
  mockPipeline,
  type Node,
  Nodes,
  sleep,
  summary,
} from './nodes.js'

const CHANGES = 200
const PACED = 100
const MORE_OBJECTS = 1_000

/** Busy share of all cores since `before`, in percent. */
function loadSince(before: readonly { busy: number; all: number }[]): number {
  const now = coreTimes()
  const sum = (pick: (each: { busy: number; all: number }) => number): number =>
    now.reduce((total, each, i) => total + pick(each) - pick(before[i] ?? { busy: 0, all: 0 }), 0)
  return Math.round((100 * sum(({ busy }) => busy)) / sum(({ all }) => all))
}

function coreTimes(): { busy: number; all: number }[] {
  return cpus().map(({ times }) => {
    const all = Object.values(times).reduce((a, b) => a + b, 0)
    return { busy: all - times.idle, all }
  })
}

/** Asks one node again and again until it serves `body`; resolves with the time of that answer. */
async function served(node: Node, port: number, body: string, agent: Agent): Promise<number> {
  for (;;) {
    const { text } = await ask({ host: node.address, port, path: '/', agent })
    if (text === body) return performance.now()
    await sleep(1)
  }
}

async function round(nodes: Nodes, port: number, count: number, everyMs: number): Promise<string> {
  const agents = nodes.all.map(() => new Agent({ keepAlive: true }))
  const times: number[] = []
  const before = coreTimes()
  for (let i = 0; i < count; i++) {
    const body = `v${i}-${count}-${everyMs}`
    const writer = nodes.all[i % nodes.all.length] as Node
    const sentMs = performance.now()
    const seen = nodes.all.map((node, at) => served(node, port, body, agents[at] as Agent))
    await writer.admin('PUT', '/objects/measured', mockPipeline('measured', body))
    times.push(Math.max(...(await Promise.all(seen))) - sentMs)
    const restMs = everyMs - (performance.now() - sentMs)
    if (restMs > 0) await sleep(restMs)
  }
  for (const agent of agents) agent.destroy()
  return `${summary(times)}, CPU ${loadSince(before)} %`
}

const CLIENTS = 32

/** Writes objects by 32 clients at once: through the node that leads, or through all in turn. */
export async function fill(
  nodes: Nodes,
  prefix: string,
  count: number,
  body: string,
  through: 'leader' | 'all' = 'leader',
): Promise<void> {
  let next = 0
  const write = async (node: Node): Promise<void> => {
    while (next < count) {
      const name = `${prefix}${next++}`
      const { status, text } = await node.admin(
        'PUT',
        `/objects/${name}?apply`,
        mockPipeline(name, body),
        {},
        60_000,
      )
      if (status !== 200 && status !== 201) throw new Error(`${name}: ${status} ${text}`)
    }
  }
  const to = through === 'all' ? nodes.all : [await nodes.leader()]
  const clients = Array.from({ length: CLIENTS }, (_, i) => write(to[i % to.length] as Node))
  await Promise.all(clients)
}

export async function changes(): Promise<void> {
  const nodes = await Nodes.start(3)
  try {
    const port = await freePort()
    const [first] = nodes.all as [Node]
    await first.admin('POST', '/objects?wait=cluster', mockPipeline('measured', 'first'))
    await first.admin('POST', '/objects?wait=cluster', httpServer('server', port, 'measured'))
    const say = (what: string, figures: string): void =>
      void process.stdout.write(`${what.padEnd(34)} ${figures}\n`)
    await round(nodes, port, 50, 0)
    say('one after the other', await round(nodes, port, CHANGES, 0))
    say('ten a second', await round(nodes, port, PACED, 100))
    await fill(nodes, 'more-', MORE_OBJECTS, 'x')
    say(`one after the other, ${MORE_OBJECTS} objects`, await round(nodes, port, CHANGES, 0))
    say(`ten a second, ${MORE_OBJECTS} objects`, await round(nodes, port, PACED, 100))
  } finally {
    await nodes.stop()
  }
}
