import { unpack } from 'msgpackr'
import { assert } from '../lib/assert.js'
import type { AnyObjectKind, RuntimeObject, SharedKeys, WorkerEnv } from '../objects/contract.js'
import { framesOf, type ObjectFrames } from '../protocol/object-frames.js'
import type { ObjectFrame } from '../protocol/worker.js'
import type { DataViews } from './data-views.js'
import type { SharedMemory } from './shared-memory.js'
import { Slice } from './slice.js'
import { YoungCollector } from './young-collector.js'

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
  readonly puts: readonly ObjectFrames[]
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

/** So many are decoded before they are built: the specs of ten thousand are 20 MB. */
const CHUNK_OBJECTS = 128

const ORDER = ['business', 'pipeline', 'gate'] as const

/**
 * Compiles changed objects beside the running ones, in slices, so that requests go on meanwhile.
 * What fails is left out and told: its previous generation goes on serving.
 */
export class Builder {
  readonly #kinds: ReadonlyMap<string, AnyObjectKind>
  readonly #memory: SharedMemory
  readonly #data: DataViews
  readonly #env: WorkerEnv
  readonly #young = new YoungCollector()

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
  async build({ puts, live }: BuildInput): Promise<Built> {
    const slice = new Slice({ young: this.#young, isServing: live.size > 0 })
    const objects: LiveObject[] = []
    const failed: FailedObject[] = []
    const waiting = new Map<string, Uint8Array[]>(ORDER.map((category) => [category, []]))
    for (const joined of puts) {
      for (const bytes of framesOf(joined)) {
        await slice.rest()
        const { kind, name, createdVersion } = unpack(bytes) as ObjectFrame
        const category = this.#kinds.get(kind)?.category
        if (category !== undefined) waiting.get(category)?.push(bytes)
        else failed.push({ name, createdVersion, error: `kind ${kind} is not supported here` })
      }
    }
    let isDataHere = true
    for (const all of waiting.values()) {
      for (let at = 0; at < all.length; at += CHUNK_OBJECTS) {
        const wanted: Wanted[] = []
        for (const bytes of all.slice(at, at + CHUNK_OBJECTS)) {
          await slice.rest()
          const read = this.#read(bytes)
          if ('error' in read) failed.push(read)
          else wanted.push(read)
        }
        await this.#memory.claim(wanted.map((each) => each.keys))
        // All at once: one that fails must not give back what another is about to use.
        for (const { keys } of wanted) {
          this.#memory.use(keys)
          this.#data.use(keys)
        }
        // One that does not come is waited for once.
        if (isDataHere) isDataHere = await this.#data.arrived()
        for (const each of wanted) {
          await slice.rest()
          const built = await this.#build(each, live, slice)
          if ('error' in built) failed.push(built)
          else objects.push(built)
        }
      }
    }
    return { objects, failed }
  }

  async #build(
    { frame, kind, spec, keys }: Wanted,
    live: BuildInput['live'],
    slice: Slice,
  ): Promise<LiveObject | FailedObject> {
    const { name, createdVersion } = frame
    try {
      const module = await kind.load(spec)
      const before = live.get(name)
      const previous = before !== undefined && isSameObject(before, frame) ? before.runtime : null
      const runtime = await slice.run(module.build(spec, frame, previous, this.#env))
      return { name, kind: frame.kind, createdVersion, runtime, keys }
    } catch (thrown) {
      this.#memory.drop(keys)
      this.#data.drop(keys)
      return { name, createdVersion, error: text(thrown) }
    }
  }

  #read(bytes: Uint8Array): Wanted | FailedObject {
    const frame = unpack(bytes) as ObjectFrame
    const { name, createdVersion } = frame
    const kind = this.#kinds.get(frame.kind)
    assert(kind !== undefined, `kind ${frame.kind} was there`)
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
