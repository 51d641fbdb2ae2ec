/**
 * What a cluster of real nodes does in time: `node dist/scripts/cluster-bench.js
 * [change|writes|many|store]...`, all by default. Figures are printed and nothing is asserted; they
 * are of this machine, with the load of client and nodes together.
 *
 * - `change`: from the moment a change is sent to one node until all three serve it, with few
 *   objects and with 1,000 more; at full speed and at ten a second.
 * - `writes`: 10,000 objects created by 32 clients, on one node and on three.
 * - `many`: 10,000 objects: how long they take to write, a node to start with them, a node that stood
 *   still or was away to catch up; the longest pauses of a worker's loop and the latency of requests
 *   meanwhile; memory and size of the snapshot.
 * - `store`: writes of the store over the peer port beside gRPC puts to etcd, one and three nodes,
 *   1, 32 and 256 clients, on the same disk.
 */
import { changes } from './cluster/changes.js'
import { manyObjects, manyWrites } from './cluster/many-objects.js'
import { storeWrites } from './cluster/store-writes.js'

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  change: changes,
  writes: manyWrites,
  many: manyObjects,
  store: storeWrites,
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) {
  process.stderr.write(`expected ${Object.keys(BENCHES).join(', ')}, got ${unknown}\n`)
  process.exitCode = 1
} else {
  for (const [name, run] of Object.entries(BENCHES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    process.stdout.write(`\n== ${name}\n`)
    await run()
  }
}
