/**
 * A process that sends requests to one server at fixed times, whether or not the ones before were
 * answered: `open-loop.js HOST PORT PER_SECOND`. It says when it is ready, and begins with the first
 * message of its parent. To each it answers what it has measured since the last one: milliseconds
 * from the time a request was due to its answer.
 */
import { Agent } from 'node:http'
import { ask, sleep } from './nodes.js'

/** What it answers with. */
export interface Measured {
  readonly latenciesMs: readonly number[]
  readonly failures: number
}

const [host = '', port = '', perSecond = ''] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
let latenciesMs: number[] = []
let failures = 0

const asked = new Promise<void>((resolve) => {
  process.on('message', () => resolve())
})
process.on('message', () => {
  process.send?.({ latenciesMs, failures } satisfies Measured)
  latenciesMs = []
  failures = 0
})
process.on('disconnect', () => process.exit(0))

async function send(dueMs: number): Promise<void> {
  // A timer may fire a little early.
  const fromMs = Math.min(dueMs, performance.now())
  try {
    const { status } = await ask({ host, port: Number(port), path: '/', agent })
    if (status === 200) latenciesMs.push(performance.now() - fromMs)
    else failures += 1
  } catch {
    failures += 1
  }
}

process.send?.('ready')
await asked
const stepMs = 1_000 / Number(perSecond)
for (let dueMs = performance.now(); ; dueMs += stepMs) {
  const restMs = dueMs - performance.now()
  if (restMs > 0) await sleep(restMs)
  void send(dueMs)
}
