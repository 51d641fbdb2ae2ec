import { GatewayError } from '../lib/errors.js'
import type { ExplainTraffic, TrafficExplanation } from '../protocol/coordinator.js'
import type { Registry } from './registry.js'
import type { WorkerLinks } from './worker-links.js'

/** A worker only looks at tables; longer means that it hangs. */
const WORKER_WAIT_MS = 1_000

/** Asks one worker of this node, all of which run the same, what would become of a request. */
export async function explainTraffic(
  { port, server: wanted, request }: ExplainTraffic,
  registry: Registry,
  workers: WorkerLinks,
): Promise<TrafficExplanation> {
  const servers = registry
    .names()
    .filter((name) => registry.kindOf(name) === 'HTTPServer')
    .map((name) => ({
      name,
      port: (registry.spec(name) as { readonly port: number }).port,
      state: workers.listener(name)?.state ?? 'nil',
    }))
  if (wanted !== null && !servers.some(({ name }) => name === wanted)) {
    throw new GatewayError('OBJECT_NOT_FOUND', `there is no HTTPServer ${wanted}`, { name: wanted })
  }
  const found =
    wanted ?? servers.find((each) => each.port === port && each.state === 'running')?.name ?? null
  if (found === null) return { servers, server: null, explanation: null }
  const [worker] = workers.refs
  if (worker === undefined) {
    throw new GatewayError('OVERLOADED', 'no worker is there to ask at the moment, try again')
  }
  const question = { type: 'explain-request', server: found, request } as const
  const explanation = await worker.ask(question, WORKER_WAIT_MS)
  return { servers, server: found, explanation }
}
