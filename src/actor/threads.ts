import { MessageChannel, type MessagePort, type ResourceLimits, Worker } from 'node:worker_threads'
import type { Time, Timer } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import { type RestartOptions, Restarts } from './restarts.js'

interface ThreadOptions {
  /** A JavaScript module. */
  readonly url: URL
  readonly name: string
  /** Cloned; memory that is shared stays shared. */
  readonly workerData?: unknown
  /** Ports within `workerData`. */
  readonly moved?: readonly MessagePort[]
  readonly resourceLimits?: ResourceLimits
  readonly execArgv?: readonly string[]
}

type ThreadEvent =
  /** Its module starts to run. */
  | { readonly type: 'online' }
  /** It threw, or its heap is full; `exited` follows. */
  | { readonly type: 'failed'; readonly thrown: unknown }
  /** Last event. 0: it returned; 1 after a throw. */
  | { readonly type: 'exited'; readonly code: number }

interface Thread {
  readonly name: string
  /** Positive and never reused within the process. */
  readonly id: number
  /**
   * Ends a thread that does not end by itself. Last resort: with an open uWebSockets.js socket it
   * aborts the whole process (request-path: measured), so traffic workers are asked to exit.
   */
  terminateAsLastResort(): void
}

/** Starts a thread. Its stdout and stderr are the process's. */
function spawnThread(options: ThreadOptions, onEvent: (event: ThreadEvent) => void): Thread {
  const { url, name, workerData, moved = [], resourceLimits, execArgv } = options
  const worker = new Worker(url, {
    name,
    workerData,
    transferList: [...moved],
    ...(resourceLimits === undefined ? {} : { resourceLimits }),
    ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
  })
  worker.on('online', () => onEvent({ type: 'online' }))
  worker.on('error', (thrown) => onEvent({ type: 'failed', thrown }))
  worker.on('exit', (code) => onEvent({ type: 'exited', code }))
  return {
    name,
    id: worker.threadId,
    terminateAsLastResort: () => void worker.terminate(),
  }
}

/** One life of a supervised thread. */
export interface Incarnation<P extends string> {
  /** 1, 2, 3, … */
  readonly number: number
  readonly thread: Thread
  /** This side's ends of the channels; the thread has the others in its {@link ThreadData}. */
  readonly ports: Readonly<Record<P, MessagePort>>
}

/** What a supervised thread finds in its `workerData`. */
export interface ThreadData<P extends string, D> {
  readonly incarnation: number
  readonly ports: Readonly<Record<P, MessagePort>>
  readonly data: D
}

export interface ThreadSupervisorOptions<P extends string, D> {
  readonly url: URL
  readonly name: string
  /** Names of the channels that each incarnation gets anew. */
  readonly channels: readonly P[]
  readonly time: Time
  readonly log: Logger
  readonly resourceLimits?: ResourceLimits
  readonly execArgv?: readonly string[]
  readonly restarts?: RestartOptions
  /** What the next incarnation is to be given; may hold shared memory. */
  data(incarnation: number): D
  /** An incarnation was started. Attach to its ports in this call. */
  started(incarnation: Incarnation<P>): void
  /** It has ended, for whatever reason; what it sent has been received. Clean up what it held. */
  ended(incarnation: Incarnation<P>, code: number, thrown: unknown): void
  /** It ended too often and stays down. */
  gaveUp(): void
}

/** A port that its owner does not read is closed this long after the thread has ended. */
const DRAIN_MS = 1000

function closeOf(port: MessagePort): Promise<void> {
  return new Promise((resolve) => {
    port.once('close', resolve)
  })
}

/**
 * Keeps one thread running: whenever it ends without having been asked to, it is started again
 * after a back-off. It never ends a thread by force.
 */
export class ThreadSupervisor<P extends string, D> {
  readonly #options: ThreadSupervisorOptions<P, D>
  readonly #restarts: Restarts
  readonly #stopped: Promise<void>
  #resolveStopped!: () => void
  #current: Incarnation<P> | null = null
  #number = 0
  #stopping = false
  /** From the start of an incarnation until all of its end has been handled. */
  #alive = false
  #restart: Timer | null = null

  constructor(options: ThreadSupervisorOptions<P, D>) {
    this.#options = options
    this.#restarts = new Restarts(options.restarts)
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve
    })
  }

  /** The incarnation that runs, or null while there is none. */
  get current(): Incarnation<P> | null {
    return this.#current
  }

  start(): void {
    this.#restart = null
    this.#alive = true
    this.#number += 1
    const number = this.#number
    const { url, name, channels, resourceLimits, execArgv } = this.#options
    const ours = {} as Record<P, MessagePort>
    const theirs = {} as Record<P, MessagePort>
    for (const channel of channels) {
      const { port1, port2 } = new MessageChannel()
      ours[channel] = port1
      theirs[channel] = port2
    }
    const drained = Promise.all(Object.values<MessagePort>(ours).map(closeOf))
    const data = this.#options.data(number)
    const workerData: ThreadData<P, D> = { incarnation: number, ports: theirs, data }
    let thrown: unknown = null
    const thread = spawnThread(
      {
        url,
        name,
        workerData,
        moved: Object.values(theirs),
        ...(resourceLimits === undefined ? {} : { resourceLimits }),
        ...(execArgv === undefined ? {} : { execArgv }),
      },
      (event) => {
        if (event.type === 'failed') thrown = event.thrown
        else if (event.type === 'exited') this.#onExit(incarnation, event.code, thrown, drained)
      },
    )
    const incarnation: Incarnation<P> = { number, thread, ports: ours }
    this.#current = incarnation
    this.#options.started(incarnation)
  }

  /** No restart from now on; resolves when the thread has ended, which its owner asks it to. */
  stop(): Promise<void> {
    this.#stopping = true
    this.#restart?.cancel()
    if (!this.#alive) this.#resolveStopped()
    return this.#stopped
  }

  /**
   * Its ports close by themselves, once its last words have been read; closing them now would lose
   * those (measured: 19,000 of 20,000 messages).
   */
  #onExit(
    incarnation: Incarnation<P>,
    code: number,
    thrown: unknown,
    drained: Promise<unknown>,
  ): void {
    this.#current = null
    const deadline = this.#options.time.after(DRAIN_MS, () => {
      for (const port of Object.values<MessagePort>(incarnation.ports)) port.close()
    })
    void drained.then(() => {
      deadline.cancel()
      this.#onEnd(incarnation, code, thrown)
    })
  }

  #onEnd(incarnation: Incarnation<P>, code: number, thrown: unknown): void {
    const { name, time, log, ended, gaveUp } = this.#options
    this.#alive = false
    if (this.#stopping) {
      ended(incarnation, code, thrown)
      this.#resolveStopped()
      return
    }
    const delayMs = this.#restarts.crashed(time.monotonicMs())
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    log.error('thread ended', { thread: name, code, error, restartInMs: delayMs })
    if (delayMs !== null) this.#restart = time.after(delayMs, () => this.start())
    ended(incarnation, code, thrown)
    if (delayMs === null) gaveUp()
  }
}
