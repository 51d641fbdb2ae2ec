import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options: { readonly type: 'minor' }) => void

/**
 * Collects the young generation of the calling thread; see {@link Builder}. V8 offers it to contexts
 * that are made while its flag is set; without it nothing is done, and pauses are longer.
 */
export class YoungCollector {
  #collect: Collect | null = null

  /** Holds the thread for a moment: as long as it takes to move what lives. */
  run(): void {
    this.#collect ??= find()
    this.#collect({ type: 'minor' })
  }
}

/** When it is first wanted: a context takes memory. */
function find(): Collect {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('globalThis.gc')
  // The flag is one of the process, and nothing else is to see it.
  setFlagsFromString('--no-expose-gc')
  return typeof found === 'function' ? (found as Collect) : () => {}
}
