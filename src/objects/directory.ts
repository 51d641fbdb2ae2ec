import type { Pipeline } from '../pipeline/pipeline.js'
import type { Surroundings } from '../pipeline/stages.js'

/** The place of a pipeline by name; who routes to it keeps the place, whatever fills it. */
export class PipelineSlot {
  readonly name: string
  current: Pipeline | null = null

  constructor(name: string) {
    this.name = name
  }
}

/** The same for a GlobalFilter. */
export interface GlobalFilterSlot {
  current: Surroundings | null
}

/** All pipelines of one worker by name, those named but not there included. */
export class PipelineDirectory {
  readonly #slots = new Map<string, PipelineSlot>()
  readonly #globalFilters = new Map<string, GlobalFilterSlot>()

  globalFilter(name: string): GlobalFilterSlot {
    let slot = this.#globalFilters.get(name)
    if (slot === undefined) {
      slot = { current: null }
      this.#globalFilters.set(name, slot)
    }
    return slot
  }

  slot(name: string): PipelineSlot {
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = new PipelineSlot(name)
      this.#slots.set(name, slot)
    }
    return slot
  }
}
