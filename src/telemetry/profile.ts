import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'

/** Where a thread writes its profiles; null for none. */
export interface ProfileOptions {
  readonly cpuFile: string | null
  readonly heapFile: string | null
}

/** The options of one thread: each has files of its own. */
export function profilesOf(options: ProfileOptions, thread: string): ProfileOptions {
  const own = (file: string | null): string | null => (file === null ? null : `${file}.${thread}`)
  return { cpuFile: own(options.cpuFile), heapFile: own(options.heapFile) }
}

/**
 * Profiles the calling thread from now on. The files are in the form of Chrome's tools; the
 * function returned writes them, once, and never throws.
 */
export function startProfiles({ cpuFile, heapFile }: ProfileOptions): () => void {
  if (cpuFile === null && heapFile === null) return () => {}
  const session = new Session()
  session.connect()
  if (cpuFile !== null) {
    session.post('Profiler.enable')
    session.post('Profiler.start')
  }
  if (heapFile !== null) session.post('HeapProfiler.startSampling')
  let isOver = false
  // The session answers within the call: there is no turn of the loop left when a thread ends.
  return () => {
    if (isOver) return
    isOver = true
    if (cpuFile !== null) {
      session.post('Profiler.stop', (_error, result) => write(cpuFile, result?.profile))
    }
    if (heapFile !== null) {
      session.post('HeapProfiler.stopSampling', (_error, result) =>
        write(heapFile, result?.profile),
      )
    }
    session.disconnect()
  }
}

/** The profiles of one thread, which may come and go while it runs. */
export class Profiles {
  #cpuFile: string | null = null
  #heapFile: string | null = null
  #endCpu: () => void = () => {}
  #endHeap: () => void = () => {}

  /** Ends and writes what is not wanted any more, or is to go elsewhere; begins what is new. */
  set({ cpuFile, heapFile }: ProfileOptions): void {
    if (cpuFile !== this.#cpuFile) {
      this.#endCpu()
      this.#endCpu = startProfiles({ cpuFile, heapFile: null })
      this.#cpuFile = cpuFile
    }
    if (heapFile !== this.#heapFile) {
      this.#endHeap()
      this.#endHeap = startProfiles({ cpuFile: null, heapFile })
      this.#heapFile = heapFile
    }
  }

  /** Never throws. */
  end(): void {
    this.set({ cpuFile: null, heapFile: null })
  }
}

function write(file: string, profile: unknown): void {
  try {
    writeFileSync(file, JSON.stringify(profile))
  } catch (thrown) {
    process.stderr.write(`profile not written: ${(thrown as Error).message}\n`)
  }
}
