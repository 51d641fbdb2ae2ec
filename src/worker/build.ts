import { unpack } from 'msgpackr'
import type { AnyObjectKind, RuntimeObject, SharedKeys, WorkerEnv } from '../objects/contract.js'
import type { ObjectFrame } from '../protocol/worker.js'
import type { DataViews } from './data-views.js'
import type { SharedMemory } from './shared-memory.js'

/** An object at work, with what the next generation needs to know of it. */
export interface LiveObject {
  readonly name: string
  readonly kind: string
  /** Tells an object from another one of that name, created after it was deleted. */
  readonly createdVersion: number
  readonly runtime: RuntimeObject
  /** Shared memory it holds. */
  readonly keys: SharedKeys
}

export interface BuildInput {
  readonly puts: readonly Uint8Array[]
  readonly live: ReadonlyMap<string, LiveObject>
}

export interface FailedObject {
  readonly name: string
  readonly createdVersion: number
  readonly error: string
}

export interface Built {
  readonly objects: readonly LiveObject[]
  readonly failed: readonly FailedObject[]
}

/** A slice of building holds the loop no longer than about this. */
const SLICE_MS = 1

const ORDER = { business: 0, pipeline: 1, gate: 2 } as const

/**
 * Compiles changed objects beside the running ones, in slices, so that requests go on meanwhile.
 * What fails is left out and told: its previous generation goes on serving.
 */
export class Builder {
  readonly #kinds: ReadonlyMap<string, AnyObjectKind>
  readonly #memory: SharedMemory
  readonly #data: DataViews
  readonly #env: WorkerEnv

  constructor(
    kinds: ReadonlyMap<string, AnyObjectKind>,
    memory: SharedMemory,
    data: DataViews,
    env: WorkerEnv,
  ) {
    this.#data = data
    this.#kinds = kinds
    this.#memory = memory
    this.#env = env
  }

  /** Never rejects but for the loss of the root, which ends the thread anyway. */
  async build(input: BuildInput): Promise<Built> {
    const slice = new Slice()
    const failed: FailedObject[] = []
    const wanted: Wanted[] = []
    for (const bytes of input.puts) {
      await slice.rest()
      const read = this.#read(bytes)
      if ('error' in read) failed.push(read)
      else wanted.push(read)
    }
    wanted.sort((a, b) => ORDER[a.kind.category] - ORDER[b.kind.category])
    await this.#memory.claim(wanted.map((each) => each.keys))
    // All at once: one that fails must not give back what another is about to use.
    for (const { keys } of wanted) {
      this.#memory.use(keys)
      this.#data.use(keys)
    }
    await this.#data.arrived()
    const objects: LiveObject[] = []
    for (const { frame, kind, spec, keys } of wanted) {
      await slice.rest()
      const { name, createdVersion } = frame
      try {
        const module = await kind.load(spec)
        const before = input.live.get(name)
        const previous = before !== undefined && isSameObject(before, frame) ? before.runtime : null
        const building = module.build(spec, frame, previous, this.#env)
        const runtime = await slice.run(building)
        objects.push({ name, kind: frame.kind, createdVersion, runtime, keys })
      } catch (thrown) {
        this.#memory.drop(keys)
        this.#data.drop(keys)
        failed.push({ name, createdVersion, error: text(thrown) })
      }
    }
    return { objects, failed }
  }

  #read(bytes: Uint8Array): Wanted | FailedObject {
    const frame = unpack(bytes) as ObjectFrame
    const { name, createdVersion } = frame
    const kind = this.#kinds.get(frame.kind)
    if (kind === undefined) {
      return { name, createdVersion, error: `kind ${frame.kind} is not supported here` }
    }
    try {
      const spec: unknown = unpack(frame.spec)
      return { frame, kind, spec, keys: kind.shared(spec, name) }
    } catch (thrown) {
      return { name, createdVersion, error: text(thrown) }
    }
  }
}

/** False when `b` only has the name of `a`, which was deleted before. */
export function isSameObject(
  a: { readonly kind: string; readonly createdVersion: number },
  b: { readonly kind: string; readonly createdVersion: number },
): boolean {
  return a.kind === b.kind && a.createdVersion === b.createdVersion
}

interface Wanted {
  readonly frame: ObjectFrame
  readonly kind: AnyObjectKind
  readonly spec: unknown
  readonly keys: SharedKeys
}

const text = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

/** Gives the loop back whenever a slice is used up. */
export class Slice {
  #startedMs = performance.now()

  async run<T>(work: Generator<undefined, T, undefined>): Promise<T> {
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      await this.rest()
    }
  }

  async rest(): Promise<void> {
    if (performance.now() - this.#startedMs < SLICE_MS) return
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#startedMs = performance.now()
  }
}
