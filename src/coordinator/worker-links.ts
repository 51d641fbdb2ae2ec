import type { ActorRef } from '../actor/actor.js'
import { joinFrames, type ObjectFrames } from '../protocol/object-frames.js'
import { type ConfigVersion, compareVersions, isNewer, NO_CONFIG } from '../protocol/version.js'
import type { CoordinatorToWorker, ListenerState, Serving } from '../protocol/worker.js'
import type { Registry, RegistryChange } from './registry.js'

/** Objects in one message: few enough for a worker's loop. */
const PART_OBJECTS = 64

interface Link {
  readonly ref: ActorRef<CoordinatorToWorker>
  /** What it runs; null until it has said so. */
  serving: ConfigVersion | null
  /** What it was sent last and has not acknowledged, or null. */
  inFlight: ConfigVersion | null
  /** What it will run once all that was sent is applied. */
  sent: ConfigVersion
  readonly puts: Set<string>
  readonly deletes: Set<string>
  failed: Serving['failed']
  listeners: readonly ListenerState[]
}

/**
 * Brings every worker to the registry's version: the full set first, then deltas, one at a time;
 * what changes while one is under way is joined to the next.
 */
export class WorkerLinks {
  readonly #registry: Registry
  readonly #links = new Map<number, Link>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** A worker is there; it will tell what it runs. */
  add(worker: number, ref: ActorRef<CoordinatorToWorker>): void {
    this.#links.set(worker, {
      ref,
      serving: null,
      inFlight: null,
      sent: NO_CONFIG,
      puts: new Set(),
      deletes: new Set(),
      failed: [],
      listeners: [],
    })
  }

  remove(worker: number): void {
    this.#links.delete(worker)
  }

  ref(worker: number): ActorRef<CoordinatorToWorker> | null {
    return this.#links.get(worker)?.ref ?? null
  }

  get refs(): ActorRef<CoordinatorToWorker>[] {
    return [...this.#links.values()].map((link) => link.ref)
  }

  /** The registry has changed. */
  push(change: RegistryChange): void {
    for (const link of this.#links.values()) {
      for (const name of change.puts) {
        link.puts.add(name)
        link.deletes.delete(name)
      }
      for (const name of change.deletes) {
        link.puts.delete(name)
        link.deletes.add(name)
      }
      this.#send(link)
    }
  }

  /** The worker says what it runs. */
  onServing(worker: number, message: Serving): void {
    const link = this.#links.get(worker)
    if (link === undefined) return
    const first = link.serving === null
    link.serving = message.version
    link.failed = message.failed
    link.listeners = message.listeners
    if (first) {
      link.sent = message.version
      if (isNewer(this.#registry.version, message.version)) this.sendFull(worker)
      return
    }
    if (link.inFlight !== null && !isNewer(link.inFlight, message.version)) link.inFlight = null
    this.#send(link)
  }

  /** Everything, for a worker that starts or lost its place. */
  sendFull(worker: number): void {
    const link = this.#links.get(worker)
    const to = this.#registry.version
    // A worker that served under a coordinator before us may be ahead until we have caught up.
    if (link === undefined || isNewer(link.serving ?? NO_CONFIG, to)) return
    link.puts.clear()
    link.deletes.clear()
    link.sent = to
    link.inFlight = to
    link.ref.tell({ type: 'full-begin', to })
    for (const puts of this.#parts(this.#registry.names()))
      link.ref.tell({ type: 'full-part', puts })
    link.ref.tell({ type: 'full-end', to })
  }

  #parts(names: readonly string[]): ObjectFrames[] {
    const parts: ObjectFrames[] = []
    for (let at = 0; at < names.length; at += PART_OBJECTS) {
      const part = names.slice(at, at + PART_OBJECTS)
      parts.push(joinFrames(part.map((name) => this.#registry.frame(name))))
    }
    return parts
  }

  #send(link: Link): void {
    const to = this.#registry.version
    if (link.serving === null || link.inFlight !== null) return
    if (compareVersions(link.sent, to) >= 0) return
    const parts = this.#parts([...link.puts])
    const deletes = [...link.deletes]
    const from = link.sent
    link.puts.clear()
    link.deletes.clear()
    link.sent = to
    link.inFlight = to
    const puts = parts.pop() ?? joinFrames([])
    for (const part of parts) link.ref.tell({ type: 'delta-part', puts: part })
    link.ref.tell({ type: 'delta', from, to, puts, deletes })
  }

  /** Workers that are there and do not run `version` yet. */
  lagging(version: ConfigVersion): number[] {
    return [...this.#links]
      .filter(([, { serving }]) => serving === null || isNewer(version, serving))
      .map(([worker]) => worker)
      .sort((a, b) => a - b)
  }

  /** What all workers run at least; null: none is there, or one has not said so. */
  get served(): ConfigVersion | null {
    let least: ConfigVersion | null = null
    for (const { serving } of this.#links.values()) {
      if (serving === null) return null
      if (least === null || isNewer(least, serving)) least = serving
    }
    return least
  }

  /** Objects that a worker could not put to work, some of them, with the reason. */
  failures(max: number): (readonly [name: string, error: string])[] {
    const found = new Map<string, string>()
    for (const { failed } of this.#links.values()) {
      for (const { name, error } of failed) if (found.size < max) found.set(name, error)
    }
    return [...found]
  }

  /** Some worker is there, and all run what the registry has. */
  get isSettled(): boolean {
    return this.#links.size > 0 && this.lagging(this.#registry.version).length === 0
  }

  /** Why the newest spec of `name` does not run, as the first worker says; empty when it does. */
  failure(name: string): string {
    for (const { failed } of this.#links.values()) {
      const found = failed.find((each) => each.name === name)
      if (found !== undefined) return found.error
    }
    return ''
  }

  /** The listen socket of a server over all workers: failed when it is on any of them. */
  listener(name: string): { readonly state: 'running' | 'failed'; readonly error: string } | null {
    let found: ListenerState | null = null
    for (const { listeners } of this.#links.values()) {
      for (const each of listeners) {
        if (each.server !== name) continue
        if (found === null || each.state === 'failed') found = each
      }
    }
    return found === null ? null : { state: found.state, error: found.error }
  }
}
