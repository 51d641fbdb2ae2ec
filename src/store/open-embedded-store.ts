import type { Time } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type { Logger } from '../telemetry/log.js'
import type { ReplicaLinks } from './cluster.js'
import type { EmbeddedStore, StoreListener } from './embedded-store.js'
import type { SpawnLog } from './log/messages.js'
import { openReplica } from './open-replica.js'
import { foundingOf } from './roster.js'

export interface OpenEmbeddedStoreOptions {
  readonly time: Time
  readonly log: Logger
  /** Name and incarnation of this member, as in `eg-1/5f0c…`. */
  readonly nodeId: string
  /** `spawnLogThread(dataDir)` in production, `InThreadLog.spawner(…)` in tests. */
  readonly spawnLog: SpawnLog
  readonly listener: StoreListener
  /** Bytes of log between two snapshots; default 32 MiB. */
  readonly snapshotAfterBytes?: number
}

/**
 * Starts the store of a cluster of one. Wait for `listener.onReady` or `listener.onFailed`; end it
 * with `stop()` and wait for `listener.onStopped`. When it fails, the thread that owns it ends too
 * and both are started anew: a log is read again, never continued.
 */
export function openEmbeddedStore(options: OpenEmbeddedStoreOptions): EmbeddedStore {
  const { nodeId, listener, ...rest } = options
  const slash = nodeId.indexOf('/')
  const self = { name: nodeId.slice(0, slash), incarnation: nodeId.slice(slash + 1), peerUrl: null }
  const replica = openReplica({
    ...rest,
    self,
    // Only spreads elections, and there is nobody to spread them among.
    random: () => 0,
    defer: (task) => rest.time.after(0, task),
    links: NO_LINKS,
    rpc: NO_RPC,
    listener: {
      onReady: () => listener.onReady(),
      onFailed: (error) => listener.onFailed(error),
      onStopped: () => listener.onStopped(),
      onBlank: () => replica.found(foundingOf([self])),
      onConsensus: () => {},
      onMembers: () => {},
    },
  })
  return replica.store
}

const NO_LINKS: ReplicaLinks = {
  sendRaft: () => {},
  sendChunk: () => false,
  sendChunkReply: () => {},
}

const NO_RPC = {
  serve: () => {},
  ask: () => {
    throw new GatewayError('INTERNAL', 'a cluster of one has nobody to ask')
  },
}
