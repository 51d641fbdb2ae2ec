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
import { Traffic } from './traffic.js'

const PATIENCE_MS = 30_000
/** What is worse than this is shown with the logs of the survivors. */
const GOAL_MS = 1_500

/** Last acknowledged value by object. */
const acknowledged = new Map<string, string>()

async function write(node: Node, name: string, value: string): Promise<boolean> {
  try {
    const headers = { 'x-request-id': `${name}-${value}` }
    const path = `/objects/${name}?apply`
    const { status } = await node.admin('PUT', path, mockPipeline(name, value), headers)
    if (status !== 200 && status !== 201) return false
    acknowledged.set(name, value)
    return true
  } catch {
    return false
  }
}

/** Milliseconds from `lostMs` until a write through `node` has succeeded. */
async function untilWritten(node: Node, loss: number, lostMs: number): Promise<number> {
  for (;;) {
    if (await write(node, `through-${node.name}`, String(loss))) return performance.now() - lostMs
    const waitedMs = performance.now() - lostMs
    if (waitedMs > PATIENCE_MS) throw new Error(`no write through ${node.name}: ${node.tail()}`)
    await sleep(10)
  }
}

/** It runs what everybody runs. */
async function caughtUp(node: Node, others: readonly Node[]): Promise<void> {
  await node.healthy()
  for (;;) {
    const [own, theirs] = await Promise.all([
      node.admin('GET', '/objects/served?consistency=local'),
      (others[0] as Node).admin('GET', '/objects/served'),
    ])
    if (own.stale === null && own.version >= theirs.version) return
    await sleep(50)
  }
}

/** Loses the leader so often, every second time by `kill -9`; true: nothing failed, nothing is gone. */
export async function leaderLosses(losses: number): Promise<boolean> {
  const nodes = await Nodes.start(3)
  const port = await freePort()
  const [first] = nodes.all as [Node]
  await first.admin('POST', '/objects?wait=cluster', mockPipeline('served', 'here'))
  await first.admin('POST', '/objects?wait=cluster', httpServer('server', port, 'served'))

  const byKind = { 'kill -9': [] as number[], SIGSTOP: [] as number[] }
  let answers = 0
  const failures: string[] = []
  for (let loss = 0; loss < losses; loss++) {
    const leader = await nodes.leader()
    const survivors = nodes.all.filter((node) => node !== leader)
    for (const node of survivors) await write(node, `before-${node.name}`, String(loss))
    const traffic = survivors.map((node) => new Traffic(node, port))
    await sleep(200)
    const how = loss % 2 === 0 ? 'kill -9' : 'SIGSTOP'
    const lostMs = performance.now()
    if (how === 'kill -9') leader.kill9()
    else leader.signalChild('SIGSTOP')
    const times = await Promise.all(survivors.map((node) => untilWritten(node, loss, lostMs)))
    const ms = Math.max(...times)
    byKind[how].push(ms)
    await sleep(200)
    await Promise.all(traffic.map((each) => each.end()))
    for (const each of traffic) {
      answers += each.answers
      failures.push(...each.failures)
    }
    const each = survivors.map(({ name }, i) => `${name} ${times[i]?.toFixed(0)} ms`).join(', ')
    say(`${String(loss + 1).padStart(3)}  ${leader.name} ${how.padEnd(7)}  ${each}`)
    if (ms > GOAL_MS) for (const node of survivors) say(`--- ${node.name}\n${node.tail(25)}`)
    if (how === 'kill -9') leader.start()
    else leader.signalChild('SIGCONT')
    await caughtUp(leader, survivors)
  }

  const missing: string[] = []
  for (const node of nodes.all) {
    for (const [name, value] of acknowledged) {
      const { text } = await node.admin('GET', `/objects/${name}`)
      if (!text.includes(`"body":"${value}"`)) missing.push(`${name}=${value} on ${node.name}`)
    }
  }
  await nodes.stop()

  for (const [how, times] of Object.entries(byKind)) say(`${how.padEnd(7)}  ${summary(times)}`)
  say(`traffic through survivors: ${answers} answers, ${failures.length} failures`)
  for (const failure of failures.slice(0, 10)) say(`  ${failure}`)
  say(`acknowledged writes: ${acknowledged.size} objects, ${missing.length} missing`)
  for (const each of missing) say(`  ${each}`)
  return failures.length + missing.length === 0
}
