/**
 * How a cluster of three real nodes takes losses, in figures.
 *
 * - `node dist/scripts/failover.js [--losses 50]`: the leader is lost so often; every second loss is
 *   `kill -9`, the others SIGSTOP. After each, clients write through both survivors; what counts is
 *   the time from the loss until a write through each of them has succeeded. Traffic runs through
 *   the survivors all the while and none may fail; in the end every acknowledged write must be there.
 * - `node dist/scripts/failover.js --coordinator 20`: the coordinator's thread of one node after the
 *   other is made to throw, while clients write through every node and traffic flows through every
 *   worker. No request may fail, and no worker may ever serve less than it has served before.
 */
import { coordinatorCrashes } from './cluster/coordinator-crashes.js'
import { leaderLosses } from './cluster/leader-losses.js'

const [mode = '--losses', count = '50', ...rest] = process.argv.slice(2)
const times = Number(count)
const modes = { '--losses': leaderLosses, '--coordinator': coordinatorCrashes }
if (!Object.hasOwn(modes, mode) || !Number.isSafeInteger(times) || times < 1 || rest.length > 0) {
  process.stderr.write('usage: node dist/scripts/failover.js [--losses N | --coordinator N]\n')
  process.exit(1)
}
const isFine = await modes[mode as keyof typeof modes](times)
process.exitCode = isFine ? 0 : 1
