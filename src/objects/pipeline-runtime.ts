import type { CompiledPipeline } from '../pipeline/compile.js'
import type { FilterStates } from '../protocol/worker.js'
import type { RuntimeObject } from './contract.js'
import type { PipelineSlot } from './directory.js'

/** One generation of a pipeline, of either dialect, in one worker. */
export class PipelineRuntime implements RuntimeObject {
  readonly compiled: CompiledPipeline
  readonly #slot: PipelineSlot

  constructor(slot: PipelineSlot, compiled: CompiledPipeline) {
    this.#slot = slot
    this.compiled = compiled
  }

  commit(): void {
    this.#slot.current = this.compiled.pipeline
  }

  withdraw(): void {
    if (this.#slot.current === this.compiled.pipeline) this.#slot.current = null
  }

  retire(): void {
    this.compiled.pipeline.retire()
  }

  filterStates(): FilterStates | null {
    return this.compiled.pipeline.filterStates()
  }
}
