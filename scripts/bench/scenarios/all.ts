import { addedLatency } from './added-latency.js'
import { bigBody } from './big-body.js'
import { changes } from './changes.js'
import { idleConnections } from './idle-connections.js'
import { idleNode } from './idle-node.js'
import { overload } from './overload.js'
import { ROUTE_SCENARIOS } from './routes.js'
import type { Scenario } from './scenario.js'
import { COMPARED_SCENARIOS } from './table.js'
import { workers } from './workers.js'

/** In the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  ...COMPARED_SCENARIOS,
  addedLatency,
  ...ROUTE_SCENARIOS,
  workers,
  changes,
  overload,
  bigBody,
  idleConnections,
  idleNode,
]
