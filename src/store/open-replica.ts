import type { OpenReplicaOptions, Replica } from './cluster.js'
import { EmbeddedStore } from './embedded-store.js'
import { RaftSequencer, type Seams } from './raft-sequencer/raft-sequencer.js'

/**
 * Starts this node's part of the replicated store; `cluster.ts` says what is asked of the caller.
 */
export function openReplica(options: OpenReplicaOptions, seams: Seams = {}): Replica {
  const { time, log, listener, snapshotAfterBytes } = options
  const sequencer = new RaftSequencer(options, seams)
  const store = new EmbeddedStore({
    time,
    log,
    sequencer: seams.order?.(sequencer) ?? sequencer,
    listener,
    ...(snapshotAfterBytes === undefined ? {} : { snapshotAfterBytes }),
  })
  store.start()
  return {
    store,
    inbound: sequencer.inbound,
    found: (founding) => sequencer.found(founding),
    join: (roster) => sequencer.join(roster),
    consensus: () => sequencer.consensus(),
    roster: () => sequencer.roster(),
    changeMembership: (change, done) => sequencer.changeMembership(change, done),
    transferLeadership: (to, done) => sequencer.transferLeadership(to, done),
  }
}
