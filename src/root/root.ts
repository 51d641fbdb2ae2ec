import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { ActorSystem } from '../actor/system.js'
import type { NodeControls } from '../admin/node-controls.js'
import { type AdminServer, createAdminServer } from '../admin/server.js'
import { catalogue } from '../kinds/catalogue.js'
import { systemTime, type Time, type Timer } from '../lib/clock.js'
import { collectAtRest } from '../lib/idle-collector.js'
import { makeDir } from '../lib/make-dir.js'
import type { Effective } from '../options/options.js'
import { heartbeatMemory, Watchdog } from '../shared/heartbeat.js'
import { lockDataDir } from '../store/data-dir-lock.js'
import type { Logger } from '../telemetry/log.js'
import { type LogOptions, type OpenLog, openFileLog, openLog } from '../telemetry/open-log.js'
import { type ProfileOptions, Profiles, profilesOf } from '../telemetry/profile.js'
import { VERSION } from '../version.js'
import { CoordinatorHost } from './coordinator-host.js'
import { FAULT_FILE_VARIABLE, type Fault, FaultDoor } from './fault-door.js'
import { PortBroker } from './ports.js'
import { SharedOwner } from './shared-owner.js'
import { Workers } from './workers.js'

const WATCH_EVERY_MS = 1_000
const SERVE_WAIT_MS = 5_000
/** The admin API is asked hardly at all then. */
const REST_SHARE = 0.05

/** Files below the home directory. */
export interface Paths {
  readonly dataDir: string
  readonly logDir: string
  readonly pidFile: string
}

export function pathsOf({ options }: Effective): Paths {
  const under = (dir: string): string => (isAbsolute(dir) ? dir : join(options.homeDir, dir))
  return {
    dataDir: under(options.dataDir),
    logDir: under(options.logDir),
    pidFile: under('easegress.pid'),
  }
}

function openFirstLog(logDir: string, options: LogOptions): OpenLog {
  try {
    makeDir(logDir)
    return openLog(options, 'main', 'root')
  } catch (thrown) {
    const { message } = thrown as Error
    throw new Error(`the log directory ${logDir} cannot be used: ${message}`, { cause: thrown })
  }
}

/**
 * The root supervisor, on the main thread: owns threads, ports and shared memory, and the admin
 * actor, all of which outlive any coordinator or worker.
 */
export class Root {
  readonly log: Logger
  readonly #opened: OpenLog
  readonly #effective: Effective
  readonly #time: Time = systemTime
  #logOptions: LogOptions
  readonly #paths: Paths
  /** Of all threads, without their names. */
  #wanted: ProfileOptions
  readonly #profiles = new Profiles()
  readonly #shared: SharedOwner
  readonly #watchdog: Watchdog
  readonly #coordinator: CoordinatorHost
  readonly #workers: Workers
  readonly #workerCount: number
  readonly #admin: AdminServer
  readonly #adminLog: OpenLog | null
  readonly #started: Promise<void>
  #resolveStarted!: () => void
  #rejectStarted!: (error: Error) => void
  readonly #served: Promise<void>
  #resolveServed!: () => void
  readonly #faultDoor: FaultDoor | null
  #listening: Promise<void> | null = null
  #watching: Timer | null = null
  #stopping: Promise<void> | null = null

  /**
   * Throws when the log cannot be written. `purged`: the process is to stop, with this sentence, as
   * the member was taken out of its cluster.
   */
  constructor(effective: Effective, purged: (message: string) => void) {
    this.#effective = effective
    const { options } = effective
    this.#paths = pathsOf(effective)
    this.#logOptions = {
      node: options.name,
      level: options.debug ? 'debug' : 'info',
      format: options.logFormat,
      file: join(this.#paths.logDir, 'stdout.log'),
    }
    this.#opened = openFirstLog(this.#paths.logDir, this.#logOptions)
    this.log = this.#opened.log
    this.#started = new Promise((resolve, reject) => {
      this.#resolveStarted = resolve
      this.#rejectStarted = reject
    })
    this.#served = new Promise((resolve) => {
      this.#resolveServed = resolve
    })
    const file = (path: string): string | null =>
      path === '' ? null : resolve(options.homeDir, path)
    this.#wanted = {
      cpuFile: file(options.cpuProfileFile),
      heapFile: file(options.memoryProfileFile),
    }
    this.#profiles.set(this.#wanted)
    const count = options.workers === 0 ? availableParallelism() : options.workers
    this.#workerCount = count
    const heartbeat = heartbeatMemory(count)
    this.#watchdog = new Watchdog(heartbeat, this.#time)
    this.#shared = new SharedOwner(this.#time, count)
    const system = new ActorSystem({
      time: this.#time,
      log: this.log,
      escalated: (name, thrown) => this.#panic(`${name} failed`, thrown),
    })
    this.#coordinator = new CoordinatorHost({
      system,
      time: this.#time,
      log: this.log,
      data: () => ({
        member: options.name,
        memberOptions: effective.memberOptions,
        dataDir: this.#paths.dataDir,
        cluster: effective.cluster,
        requestTimeoutMs: options.clusterRequestTimeoutMs,
        unknownFields: options.unknownFields,
        log: this.#logOptions,
        profiles: profilesOf(this.#wanted, 'coordinator'),
      }),
      ready: () => this.#onCoordinatorReady(),
      unusable: (message) => this.#rejectStarted(new Error(message)),
      waiting: () => this.#listenForAdmin().catch(this.#rejectStarted),
      purged,
      statsRead: (worker, read) => {
        const rows = this.#shared.onStatsRead(worker, read)
        if (rows.length > 0) this.#workers.ref(worker)?.tell({ type: 'free-stats', rows })
      },
    })
    const accessLog = options.disableAccessLog
      ? null
      : join(this.#paths.logDir, 'filter_http_access.log')
    this.#workers = new Workers({
      count,
      system,
      time: this.#time,
      log: this.log,
      ports: new PortBroker(),
      shared: this.#shared,
      watchdog: this.#watchdog,
      data: (worker) => ({
        worker,
        workers: count,
        heartbeat,
        trafficHost: options.trafficHost,
        log: this.#logOptions,
        accessLog,
        profiles: profilesOf(this.#wanted, `worker-${worker}`),
      }),
      started: (worker) => this.#introduce(worker),
      ended: (worker) => this.#coordinator.tell({ type: 'worker-gone', worker }),
      serving: () => this.#resolveServed(),
      stats: (worker, news) => {
        // One that is not ready yet gets all of it when it meets the worker, and nothing twice.
        if (this.#coordinator.isReady) {
          this.#coordinator.tell({ type: 'worker-stats', worker, news })
        }
      },
    })
    const faultFile = process.env[FAULT_FILE_VARIABLE] ?? ''
    this.#faultDoor =
      faultFile === ''
        ? null
        : new FaultDoor(faultFile, this.#time, this.log, (fault) => this.#break(fault))
    this.#adminLog = options.disableAccessLog
      ? null
      : openFileLog({ ...this.#logOptions, file: join(this.#paths.logDir, 'admin_api.log') })
    this.#admin = createAdminServer({
      coordinator: this.#coordinator.ref,
      catalogue,
      options,
      log: this.log.child('admin'),
      accessLog: this.#adminLog?.log ?? null,
      node: this.#controls(),
    })
  }

  get workerCount(): number {
    return this.#workers.alive.length
  }

  get adminAddress(): AdminServer['address'] {
    return this.#admin.address
  }

  /** Resolves when the admin API takes requests; rejects when the server cannot run. */
  async start(): Promise<void> {
    // Held until the process ends, over all lives of the coordinator.
    await lockDataDir(this.#paths.dataDir)
    const { options } = this.#effective
    this.log.info('starting', { version: VERSION, workers: this.#workerCount, pid: process.pid })
    this.#coordinator.start()
    this.#workers.start()
    this.#watch()
    this.#faultDoor?.open()
    await this.#started
    await this.#untilServed()
    await this.#listenForAdmin()
    collectAtRest(this.#time, REST_SHARE)
    this.log.info('ready', { traffic: options.trafficHost || 'all addresses' })
    writeFileSync(this.#paths.pidFile, `${process.ppid}\n`, { mode: 0o644 })
  }

  /** While a member waits for others, its admin API says so. */
  #listenForAdmin(): Promise<void> {
    this.#listening ??= this.#admin.listen()
    return this.#listening
  }

  /**
   * Whoever finds the admin API healthy, finds the traffic ports open: after a restart they serve
   * what there was before. A worker that cannot keeps nobody waiting for long.
   */
  async #untilServed(): Promise<void> {
    const late = this.#time.after(SERVE_WAIT_MS, () => {
      this.log.warn('not every worker serves yet', { waitedMs: SERVE_WAIT_MS })
      this.#resolveServed()
    })
    await this.#served
    late.cancel()
  }

  /** Drains traffic, then ends every thread. Nothing acknowledged is lost. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#watching?.cancel()
    this.#faultDoor?.close()
    await Promise.all([
      this.#admin.close(this.#effective.options.drainTimeMs),
      this.#workers.drain(this.#effective.options.drainTimeMs),
    ])
    await this.#coordinator.stop()
    this.#profiles.end()
    this.log.info('stopped')
  }

  /** What the admin API may do with this process. */
  #controls(): NodeControls {
    const { options } = this.#effective
    return {
      member: options.name,
      clusterName: options.clusterName,
      clusterRole: options.clusterRole,
      homeDir: resolve(options.homeDir),
      logFile: this.#logOptions.file,
      logLevel: () => this.#logOptions.level,
      setLogLevel: (level) => {
        this.#logOptions = { ...this.#logOptions, level }
        this.#observe()
      },
      profiles: () => this.#wanted,
      setProfiles: (wanted) => {
        this.#wanted = wanted
        this.#observe()
      },
    }
  }

  /** Every thread is told what to write down; those that start get it with their data. */
  #observe(): void {
    const { level } = this.#logOptions
    const of = (thread: string): ProfileOptions => profilesOf(this.#wanted, thread)
    this.#opened.log.level = level
    this.#profiles.set(this.#wanted)
    this.#coordinator.tell({ type: 'observe', level, profiles: of('coordinator') })
    for (const worker of this.#workers.alive) {
      const profiles = of(`worker-${worker}`)
      this.#workers.ref(worker)?.tell({ type: 'observe', level, profiles })
    }
  }

  reopenLogs(): void {
    this.#opened.reopen()
    this.#adminLog?.reopen()
    this.#workers.tellAll({ type: 'reopen-logs' })
    this.#coordinator.tell({ type: 'reopen-logs' })
  }

  #onCoordinatorReady(): void {
    for (const worker of this.#workers.alive) this.#introduce(worker)
    this.#resolveStarted()
  }

  /** Brings a worker and the coordinator together, once both are there. */
  #introduce(worker: number): void {
    if (!this.#coordinator.isReady) return
    const port = this.#workers.introduce(worker)
    if (port === null) return
    this.#coordinator.tell({ type: 'introduce-worker', worker, port })
    const news = this.#shared.currentStats(worker)
    if (news !== null) this.#coordinator.tell({ type: 'worker-stats', worker, news })
  }

  /** A worker whose loop hangs cannot be ended alone: the parent starts the process anew. */
  #watch(): void {
    this.#watching = this.#time.after(WATCH_EVERY_MS, () => {
      const silent = this.#watchdog.check()
      if (silent.length > 0) this.#panic(`worker ${silent.join(', ')} hangs`, null)
      else this.#watch()
    })
  }

  #break(fault: Fault): void {
    const { how } = fault
    if (fault.thread === 'coordinator') this.#coordinator.tell({ type: 'inject-fault', fault: how })
    else this.#workers.ref(fault.worker)?.tell({ type: 'inject-fault', fault: how })
  }

  #panic(why: string, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown.stack : String(thrown)
    this.log.error('the process ends and is started anew', { why, error })
    process.kill(process.pid, 'SIGKILL')
  }
}
