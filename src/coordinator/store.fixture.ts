import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import type { EmbeddedStore } from '../store/embedded-store.js'
import { inThreadLog } from '../store/log/in-thread-log.js'
import { openEmbeddedStore } from '../store/open-embedded-store.js'
import { SimDisk } from '../store/sim-disk.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { bootstrap } from './bootstrap.js'

/** Small, for speed; a transaction must fit into one. */
const SEGMENT_BYTES = 256 * 1024

/** The embedded store with its log, on a simulated disk, open and bootstrapped. */
export class StoreBench {
  readonly time: VirtualTime
  readonly disk: SimDisk
  readonly log = new MemoryLogger()
  readonly store: EmbeddedStore
  isReady = false
  hasStopped = false

  constructor(
    time = new VirtualTime(),
    disk = new SimDisk(new Prng(1)),
    segmentBytes = SEGMENT_BYTES,
  ) {
    this.time = time
    this.disk = disk
    this.store = openEmbeddedStore({
      time,
      log: this.log,
      nodeId: 'eg-1/1',
      spawnLog: inThreadLog(disk, time, { salt: 5, segmentBytes, reserveBytes: 4096 }),
      listener: {
        onReady: () =>
          bootstrap(this.store, time.wallMs(), (error) => {
            this.isReady = error === null
          }),
        onFailed: (error) => this.log.error('store failed', { error: error.message }),
        onStopped: () => {
          this.hasStopped = true
        },
      },
    })
    time.advance(10)
    if (!this.isReady) throw new Error('the store did not open')
  }

  /** What the store holds under `prefix`, by key. */
  dump(prefix: string): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>()
    this.store.range(prefix, 'local', (outcome) => {
      if (!outcome.ok) throw outcome.error
      for (const { key, value } of outcome.value.kvs) found.set(key, value)
    })
    return found
  }
}
