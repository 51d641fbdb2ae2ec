import type { Time } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import { EmbeddedStore, type StoreListener } from './embedded-store.js'
import type { SpawnLog } from './log/messages.js'
import { SoloSequencer } from './solo-sequencer.js'

export interface OpenEmbeddedStoreOptions {
  readonly time: Time
  readonly log: Logger
  /** Name and incarnation of this member, as in `eg-1/5f0c…`: what its vote is recorded under. */
  readonly nodeId: string
  /** `spawnLogThread(dataDir)` in production, `InThreadLog.spawner(…)` in tests. */
  readonly spawnLog: SpawnLog
  readonly listener: StoreListener
  /** Bytes of log between two snapshots; default 32 MiB. */
  readonly snapshotAfterBytes?: number
}

/**
 * Starts the store of a single voter. Wait for `listener.onReady` or `listener.onFailed`; end it
 * with `stop()` and wait for `listener.onStopped`. When it fails, the thread that owns it ends too
 * and both are started anew: a log is read again, never continued.
 */
export function openEmbeddedStore(options: OpenEmbeddedStoreOptions): EmbeddedStore {
  const { time, log, listener, nodeId, spawnLog, snapshotAfterBytes } = options
  const sequencer = new SoloSequencer(spawnLog, nodeId)
  const store = new EmbeddedStore({
    time,
    log,
    sequencer,
    listener,
    ...(snapshotAfterBytes === undefined ? {} : { snapshotAfterBytes }),
  })
  store.start()
  return store
}
