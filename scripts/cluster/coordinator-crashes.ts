import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** With the sixth crash in a minute a coordinator stays down, so each has its turn this often. */
const TURN_MS = 13_000
const PATIENCE_MS = 30_000
/** Kept connections to each node; the kernel spreads them over its workers. */
const CONNECTIONS = 6
const SERVED = 'served'

const faultFile = (home: string): string => join(home, 'fault')

/** Writes through one node without a pause; every value is greater than all acknowledged before. */
class Writer {
  acknowledged = 0
  acknowledgedMs = 0
  refused = 0
  refusedMs = 0
  readonly #done: Promise<void>
  #isOver = false

  constructor(node: Node, next: () => number) {
    this.#done = this.#run(node, next)
  }

  async #run(node: Node, next: () => number): Promise<void> {
    while (!this.#isOver) {
      const value = String(next())
      const headers = { 'x-request-id': `${node.name}-${value}` }
      try {
        const own = mockPipeline(`by-${node.name}`, value)
        const { status } = await node.admin('PUT', `/objects/by-${node.name}?apply`, own, headers)
        if (status === 200 || status === 201) this.#succeeded(Number(value))
        else this.#failed()
      } catch {
        this.#failed()
      }
      await sleep(10)
    }
  }

  #succeeded(value: number): void {
    this.acknowledged = value
    this.acknowledgedMs = performance.now()
  }

  #failed(): void {
    this.refused += 1
    this.refusedMs = performance.now()
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

/** The one object that traffic sees; its body counts up. */
async function countUp(nodes: Nodes, isOver: () => boolean): Promise<number> {
  for (let value = 1; ; ) {
    const node = nodes.all[value % nodes.all.length] as Node
    const headers = { 'x-request-id': `served-${value}` }
    const text = mockPipeline(SERVED, String(value))
    const answer = await node.admin('PUT', `/objects/${SERVED}`, text, headers).catch(() => null)
    if (answer?.status !== 200) await sleep(20)
    else if (isOver()) return value
    else value += 1
  }
}

/** Resolves with the milliseconds until a write through the node has succeeded again. */
async function untilWritten(writer: Writer, node: Node): Promise<number> {
  const fromMs = performance.now()
  for (;;) {
    const waitedMs = performance.now() - fromMs
    // Until the first is refused it has not crashed yet; a write that waits is one that is late.
    const hasCrashed = writer.refusedMs > fromMs || waitedMs > 3_000
    if (hasCrashed && writer.acknowledgedMs > Math.max(fromMs, writer.refusedMs)) return waitedMs
    if (waitedMs > PATIENCE_MS) throw new Error(`no write through ${node.name}: ${node.tail()}`)
    await sleep(2)
  }
}

/** Crashes so many coordinators; true: no request failed, and nothing old was ever served. */
export async function coordinatorCrashes(crashes: number): Promise<boolean> {
  const nodes = await Nodes.start(3, [], {
    workers: 2,
    env: (home) => ({ EASEGRESS_FAULT_FILE: faultFile(home) }),
  })
  const port = await freePort()
  const [first] = nodes.all as [Node]
  await first.admin('POST', '/objects?wait=cluster', mockPipeline(SERVED, '0'))
  await first.admin('POST', '/objects?wait=cluster', httpServer('server', port, SERVED))
  let isOver = false
  let last = 0
  const counting = countUp(nodes, () => isOver)
  const writers = new Map(nodes.all.map((node) => [node, new Writer(node, () => ++last)]))
  const traffic = nodes.all.flatMap((node) =>
    Array.from({ length: CONNECTIONS }, () => new Traffic(node, port)),
  )
  const crashedMs = new Map<Node, number>()
  const times: number[] = []
  for (let crash = 1; crash <= crashes; crash++) {
    await sleep(TURN_MS / nodes.all.length)
    const leader = await nodes.leader()
    // Whose turn was longest ago; the leader first among those that had none.
    const order = [leader, ...nodes.all].sort(
      (a, b) => (crashedMs.get(a) ?? 0) - (crashedMs.get(b) ?? 0),
    )
    const node = order[0] as Node
    crashedMs.set(node, performance.now())
    writeFileSync(`${faultFile(node.home)}.new`, 'coordinator throw\n')
    renameSync(`${faultFile(node.home)}.new`, faultFile(node.home))
    const ms = await untilWritten(writers.get(node) as Writer, node)
    times.push(ms)
    const role = node === leader ? 'leader' : 'follower'
    say(`${String(crash).padStart(3)}  ${node.name} ${role.padEnd(8)}  ${ms.toFixed(0)} ms`)
  }
  isOver = true
  const served = await counting
  await Promise.all([...writers.values()].map((writer) => writer.end()))
  await Promise.all(traffic.map((each) => each.end()))

  await Promise.all(nodes.all.map((node) => node.healthy()))
  const missing: string[] = []
  for (const node of nodes.all) {
    const expected: (readonly [name: string, value: number])[] = [[SERVED, served]]
    for (const [{ name }, { acknowledged }] of writers) expected.push([`by-${name}`, acknowledged])
    for (const [name, value] of expected) {
      const { text } = await node.admin('GET', `/objects/${name}`)
      const body = Number(/"body":"(\d+)"/.exec(text)?.[1])
      // A write that was refused while its outcome was unknown may have been made.
      if (!(body >= value)) missing.push(`${name}=${value} on ${node.name}, which has ${body}`)
    }
  }
  await nodes.stop()

  const failures = traffic.flatMap((each) => each.failures)
  const older = traffic.flatMap((each) => each.older)
  const answers = traffic.reduce((sum, each) => sum + each.answers, 0)
  const all = [...writers.values()]
  const refused = all.reduce((sum, each) => sum + each.refused, 0)
  say(`until a write through the node succeeded again: ${summary(times)}`)
  say(`traffic: ${answers} answers, ${failures.length} failures, ${older.length} older than before`)
  for (const each of [...failures, ...older].slice(0, 10)) say(`  ${each}`)
  say(`writes: about ${last + served} made, ${refused} refused, ${missing.length} missing`)
  for (const each of missing) say(`  ${each}`)
  return failures.length + older.length + missing.length === 0
}
