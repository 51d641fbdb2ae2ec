import type { Pipeline } from '../pipeline/pipeline.js'

/** The place of a pipeline by name; who routes to it keeps the place, whatever fills it. */
export class PipelineSlot {
  readonly name: string
  current: Pipeline | null = null

  constructor(name: string) {
    this.name = name
  }
}

/** All pipelines of one worker by name, those named but not there included. */
export class PipelineDirectory {
  readonly #slots = new Map<string, PipelineSlot>()

  slot(name: string): PipelineSlot {
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = new PipelineSlot(name)
      this.#slots.set(name, slot)
    }
    return slot
  }
}
