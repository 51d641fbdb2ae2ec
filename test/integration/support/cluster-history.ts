/**
 * What clients of a cluster saw, and whether one order of all of it explains that. Every
 * acknowledged write says which configuration version it made, so the order is claimed and only has
 * to be checked: against real time, and against what was read.
 */
interface Write {
  readonly name: string
  readonly value: string
  /** Null: its outcome is not known. */
  version: number | null
  readonly sentMs: number
  doneMs: number
}

interface Read {
  readonly name: string
  /** Null: there was no such object. */
  readonly value: string | null
  /** Configuration version that the answer shows. */
  readonly version: number
  readonly sentMs: number
  readonly doneMs: number
}

export class History {
  readonly #writes: Write[] = []
  readonly #reads: Read[] = []

  /** Call what it returns with the version once it is acknowledged, or never. */
  write(name: string, value: string): (version: number) => void {
    const write: Write = {
      name,
      value,
      version: null,
      sentMs: performance.now(),
      doneMs: Number.POSITIVE_INFINITY,
    }
    this.#writes.push(write)
    return (version) => {
      write.version = version
      write.doneMs = performance.now()
    }
  }

  /** `value` null: not found; `version` is of no interest then. */
  read(name: string, value: string | null, version: number, sentMs: number): void {
    this.#reads.push({ name, value, version, sentMs, doneMs: performance.now() })
  }

  get acknowledged(): number {
    return this.#writes.filter(({ version }) => version !== null).length
  }

  get reads(): number {
    return this.#reads.length
  }

  /** What every object must be in the end: its last acknowledged value, or one of unknown fate. */
  finals(): Map<string, { readonly value: string; readonly others: readonly string[] }> {
    const finals = new Map<string, { value: string; others: string[]; version: number }>()
    for (const { name, value, version } of this.#writes) {
      if (version === null) continue
      const known = finals.get(name)
      if (known === undefined || known.version < version) {
        finals.set(name, { value, version, others: [] })
      }
    }
    for (const { name, value, version } of this.#writes) {
      if (version === null) finals.get(name)?.others.push(value)
    }
    return finals
  }

  /** Sentences about what no order explains. */
  problems(): string[] {
    const acked = this.#writes.filter((write): write is Write & { version: number } => {
      return write.version !== null
    })
    const byVersion = new Map<number, Write>()
    const problems: string[] = []
    for (const write of acked) {
      const other = byVersion.get(write.version)
      if (other !== undefined) {
        problems.push(`${write.name} and ${other.name} both made version ${write.version}`)
      }
      byVersion.set(write.version, write)
    }
    problems.push(...this.#outOfTime(acked))
    const values = new Map(this.#writes.map((write) => [`${write.name} ${write.value}`, write]))
    for (const read of this.#reads) {
      const problem = this.#readProblem(read, acked, values)
      if (problem !== null) problems.push(problem)
    }
    return problems
  }

  /** Whoever began after another was done has a later version. */
  #outOfTime(acked: readonly (Write & { version: number })[]): string[] {
    const problems: string[] = []
    const byDone = [...acked].sort((a, b) => a.doneMs - b.doneMs)
    const bySent = [...acked].sort((a, b) => a.sentMs - b.sentMs)
    let done = 0
    let highest: (Write & { version: number }) | null = null
    for (const write of bySent) {
      for (; done < byDone.length; done++) {
        const earlier = byDone[done] as Write & { version: number }
        if (earlier.doneMs >= write.sentMs) break
        if (highest === null || earlier.version > highest.version) highest = earlier
      }
      if (highest !== null && highest.version >= write.version) {
        problems.push(
          `${write.name}=${write.value} made version ${write.version} after ${highest.name}=${highest.value} had made ${highest.version}`,
        )
      }
    }
    return problems
  }

  #readProblem(
    read: Read,
    acked: readonly (Write & { version: number })[],
    values: ReadonlyMap<string, Write>,
  ): string | null {
    // "Not found" names no version, and nothing is ever deleted here.
    if (read.value === null) {
      const missed = acked.find(({ name, doneMs }) => name === read.name && doneMs < read.sentMs)
      return missed === undefined ? null : `a read of ${read.name} gave null, not ${missed.value}`
    }
    const what = `a read of ${read.name} at version ${read.version} gave ${read.value}`
    let newest: (Write & { version: number }) | null = null
    for (const write of acked) {
      if (write.doneMs < read.sentMs && write.version > read.version) {
        return `${what}, after version ${write.version} had been acknowledged`
      }
      if (write.name !== read.name || write.version > read.version) continue
      if (newest === null || write.version > newest.version) newest = write
    }
    if (read.value === newest?.value) return null
    const write = values.get(`${read.name} ${read.value}`)
    if (write === undefined) return `${what}, which nobody wrote`
    if (write.sentMs > read.doneMs) return `${what}, which was written later`
    // Of unknown outcome: it may have been between the newest one known and this read.
    if (write.version === null) return null
    return `${what}, not ${newest?.value} (version ${newest?.version})`
  }
}
