/**
 * One seed of a store's life: writes, crashes, failing disks, restarts, and what must hold after
 * each restart. Test support.
 */
import { assert } from '../lib/assert.js'
import { VirtualTime } from '../lib/clock.js'
import type { Disk } from '../lib/disk.js'
import { Prng } from '../lib/prng.js'
import type { Logger } from '../telemetry/log.js'
import type { KeyValue, Outcome, TxnResult } from './contract.js'
import type { EmbeddedStore } from './embedded-store.js'
import { inThreadLog } from './log/in-thread-log.js'
import type { LogOptions } from './log/log.js'
import type { SpawnLog } from './log/messages.js'
import { openEmbeddedStore } from './open-embedded-store.js'
import { CRASH_MODES, type CrashMode, SimDisk } from './sim-disk.js'

const HOT_KEYS = 8
/** Some lives write little, so that the next one begins close behind the cut of the last. */
const QUIET_PERCENT = 30
const LIVES = 7
/**
 * Values that make every record a multiple of 96 bytes, which is what an election writes: leftovers
 * behind a cut then line up with new records, the worst case.
 */
const UNIFORM_BYTES = [39, 71, 103] as const
const IN_FLIGHT_MAX = 16

/** Puts a fault of ours between store and disk, to see that the simulation finds it. */
export interface Plant {
  disk?(disk: Disk, phase: () => 'recovery' | 'service', options: LogOptions): Disk
  spawn?(spawn: SpawnLog, time: VirtualTime): SpawnLog
}

interface Written {
  readonly id: number
  readonly hotKeys: readonly string[]
  readonly value: Uint8Array
  /** Of the acknowledgement, or of what was read after a restart. */
  revision: number | null
  fate: 'unknown' | 'there' | 'absent'
}

/** What a seed found wrong; the message says what and when. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

export class CrashSim {
  readonly #prng: Prng
  readonly #disk: SimDisk
  readonly #plant: Plant
  readonly #options: LogOptions
  readonly #snapshotAfterBytes: number
  readonly #uniformBytes: number | null
  readonly #written: Written[] = []
  #time = new VirtualTime()
  #store: EmbeddedStore | null = null
  #phase: 'recovery' | 'service' = 'recovery'
  #inFlight = 0
  #ready = false
  #failed: string | null = null
  #life = 0
  ackCount = 0
  snapshotCount = 0

  constructor(seed: number, plant: Plant = {}) {
    this.#prng = new Prng(seed)
    this.#disk = new SimDisk(this.#prng)
    this.#plant = plant
    this.#options = {
      salt: this.#prng.uint32(),
      segmentBytes: 4096 << this.#prng.below(3),
      reserveBytes: 4096,
    }
    this.#snapshotAfterBytes = 1500 + this.#prng.below(12_000)
    this.#uniformBytes = this.#prng.chance(40) ? this.#prng.pick(UNIFORM_BYTES) : null
  }

  /** Throws {@link Violation}. */
  run(): void {
    for (this.#life = 0; this.#life < LIVES; this.#life++) {
      this.#start()
      this.#disk.crashAt = this.#disk.changeCount + 1 + this.#prng.below(100)
      if (this.#prng.chance(30)) this.#planFailure()
      this.#work()
      this.#end()
    }
    this.#start()
    this.#runUntil(() => this.#ready || this.#failed !== null)
    if (!this.#ready) throw this.#violation(`does not open at the end: ${this.#failed}`)
  }

  #start(): void {
    this.#time = new VirtualTime()
    this.#phase = 'recovery'
    this.#ready = false
    this.#failed = null
    this.#inFlight = 0
    const phase = () => this.#phase
    const disk = this.#plant.disk?.(this.#disk, phase, this.#options) ?? this.#disk
    // Messages between the threads take a moment, so that writes gather and crashes fall between.
    const time = this.#time
    const timers = { after: (ms: number, fire: () => void) => time.after(ms + 1, fire) }
    const log = inThreadLog(disk, timers, this.#options)
    const spawn: SpawnLog = (receive, exited) => {
      const link = log(receive, exited)
      return {
        tell: (request) => {
          this.#phase = 'service'
          link.tell(request)
        },
      }
    }
    const life = this.#life
    this.#store = openEmbeddedStore({
      time: this.#time,
      log: silent,
      nodeId: 'sim/1',
      spawnLog: this.#plant.spawn?.(spawn, this.#time) ?? spawn,
      snapshotAfterBytes: this.#snapshotAfterBytes,
      listener: {
        onReady: () => {
          assert(life === this.#life, 'a store of an earlier life spoke')
          this.#ready = true
          this.#check()
        },
        onFailed: (error) => {
          this.#failed = error.message
        },
        onStopped: () => {},
      },
    })
  }

  #planFailure(): void {
    const at = this.#disk.changeCount + 1 + this.#prng.below(100)
    const call = this.#prng.chance(80) ? 'fdatasync' : 'write'
    this.#disk.failWhen = (asked) => asked === call && this.#disk.changeCount >= at
  }

  #work(): void {
    const busy = !this.#prng.chance(QUIET_PERCENT)
    const steps = 4 + this.#prng.below(this.#prng.chance(50) ? 12 : 80)
    for (let step = 0; step < steps && !this.#disk.isCrashed; step++) {
      if (this.#failed !== null) return
      while (busy && this.#ready && this.#inFlight < IN_FLIGHT_MAX && this.#prng.chance(75))
        this.#write()
      this.#time.advance(this.#prng.chance(2) ? 1_500 : this.#prng.below(3))
    }
  }

  #end(): void {
    const store = this.#store as EmbeddedStore
    const draw = this.#prng.below(100)
    if (this.#disk.isCrashed || draw < 40) {
      this.#disk.crash()
      this.#disk.restart(this.#crashMode())
    } else if (this.#failed === null && this.#ready && draw < 60) {
      store.stop()
      this.#runUntil(() => store.status().state === 'stopped' || this.#disk.isCrashed)
      if (this.#disk.isCrashed) this.#disk.restart(this.#crashMode())
      else this.#disk.killProcess()
    } else {
      if (this.#failed !== null && !this.#ready && !this.#diskFailed()) {
        throw this.#violation(`refused to open: ${this.#failed}`)
      }
      this.#disk.killProcess()
    }
  }

  /** Lost sectors in the middle of a batch are the hard case, so they come often. */
  #crashMode(): CrashMode {
    return this.#prng.chance(40) ? 'sectors' : this.#prng.pick(CRASH_MODES)
  }

  /** Whether the refusal is the planned failure and not a judgement about the data. */
  #diskFailed(): boolean {
    return this.#failed?.includes('EIO') === true
  }

  #runUntil(condition: () => boolean): void {
    for (let turn = 0; turn < 100_000 && !condition(); turn++) this.#time.advance(1)
  }

  #write(): void {
    const id = this.#written.length
    const bytes = this.#uniformBytes ?? 8 + this.#prng.below(this.#prng.chance(10) ? 1000 : 120)
    const hotKeys = [`hot/${this.#prng.below(HOT_KEYS)}`]
    const value = new Uint8Array(bytes).fill(id & 0xff)
    value[0] = id >> 8
    const written: Written = { id, hotKeys, value, revision: null, fate: 'unknown' }
    this.#written.push(written)
    this.#inFlight += 1
    const life = this.#life
    const halves = [`a/${pad(id)}`, `b/${pad(id)}`]
    this.#store?.txn(
      [],
      [...halves, ...hotKeys].map((key) => ({ type: 'put', key, value })),
      [],
      (outcome) => {
        // Power was gone before this could have been said to anybody.
        if (life !== this.#life || this.#disk.isCrashed) return
        this.#inFlight -= 1
        this.#onAnswer(written, outcome)
      },
    )
  }

  #onAnswer(written: Written, outcome: Outcome<TxnResult>): void {
    if (outcome.ok) {
      written.fate = 'there'
      written.revision = outcome.value.revision
      this.ackCount += 1
    } else if (outcome.error.detail['outcome'] !== 'unknown') written.fate = 'absent'
  }

  /** What holds after every restart. */
  #check(): void {
    const found = new Map<string, KeyValue>()
    this.#store?.range('', 'local', (outcome) => {
      if (outcome.ok) for (const kv of outcome.value.kvs) found.set(kv.key, kv)
    })
    const winners = new Map<string, Written>()
    for (const written of this.#written) {
      this.#checkOne(written, found)
      if (written.fate !== 'there') continue
      for (const key of written.hotKeys) {
        const best = winners.get(key)
        if (best === undefined || (best.revision ?? 0) < (written.revision ?? 0)) {
          winners.set(key, written)
        }
      }
    }
    for (const [key, { id, revision }] of winners) {
      if (found.get(key)?.modRevision !== revision) {
        throw this.#violation(`${key} is not as write ${id} at revision ${revision} left it`)
      }
    }
  }

  #checkOne(written: Written, found: ReadonlyMap<string, KeyValue>): void {
    const a = found.get(`a/${pad(written.id)}`)
    const b = found.get(`b/${pad(written.id)}`)
    const { id } = written
    if ((a === undefined) !== (b === undefined)) throw this.#violation(`half of write ${id}`)
    if (written.fate === 'there' && a === undefined) throw this.#violation(`write ${id} is lost`)
    if (written.fate === 'absent' && a !== undefined) {
      throw this.#violation(`write ${id} came back from the dead`)
    }
    if (a === undefined || b === undefined) {
      // It was looked for in a store in service and is not there, so it must never turn up.
      written.fate = 'absent'
      return
    }
    if (a.modRevision !== b.modRevision) throw this.#violation(`write ${id} has two revisions`)
    if (written.revision !== null && written.revision !== a.modRevision) {
      throw this.#violation(`write ${id} moved from ${written.revision} to ${a.modRevision}`)
    }
    if (Buffer.compare(a.value, written.value) !== 0) throw this.#violation(`write ${id} is torn`)
    written.fate = 'there'
    written.revision = a.modRevision
  }

  #violation(what: string): Violation {
    return new Violation(`life ${this.#life}: ${what}`)
  }
}

function pad(id: number): string {
  return String(id).padStart(5, '0')
}
