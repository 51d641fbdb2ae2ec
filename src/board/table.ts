import { type BoardLimits, type BoardMember, entryBytes, HEARTBEAT_KEY } from './board.js'
import type { Ack, Batch, Cursor, Page } from './messages.js'

interface Entry {
  readonly value: Uint8Array
  readonly ttlMs: number
}

interface Row {
  readonly member: BoardMember
  readonly bootId: string
  readonly sync: number
  have: number
  /** When anything was heard of it. */
  lastBeatMs: number
  /** When the entries were what it says: older than its last beat while that could not be taken. */
  asOfMs: number
  bytes: number
  readonly entries: Map<string, Entry>
  /** Something outlived its time here that the member believes to be known. */
  isStale: boolean
  /** Of `entries`, sorted; null: to be made anew. */
  keys: string[] | null
}

export interface TableLimits {
  /** Of each member. */
  readonly member: BoardLimits
  readonly membersMax: number
  /** Of all members together. */
  readonly bytesMax: number
}

/** What all members say, as the leader knows it. Times are monotonic milliseconds. */
export class Table {
  readonly #limits: TableLimits
  /** By incarnation. */
  readonly #rows = new Map<string, Row>()
  #bytes = 0
  /** Batches that were not taken because too much is said. */
  refused = 0

  constructor(limits: TableLimits) {
    this.#limits = limits
  }

  get bytes(): number {
    return this.#bytes
  }

  clear(): void {
    this.#rows.clear()
    this.#bytes = 0
  }

  /** A batch of that member came, from that boot. Null: too late to be of use. */
  accept(member: BoardMember, bootId: string, batch: Batch, nowMs: number): Ack | null {
    const { sync, from, to } = batch
    const before = this.#rows.get(member.incarnation)
    const known = before?.bootId === bootId ? before : undefined
    if (known !== undefined && sync < known.sync) return null
    if (known !== undefined) known.lastBeatMs = nowMs
    if (known === undefined || known.isStale || sync > known.sync) {
      if (from !== 0) return { sync, have: 0 }
      const row = this.#begin(member, bootId, sync, nowMs)
      return row === null ? null : this.#take(row, batch, nowMs)
    }
    // A gap, or nothing new: it is told where to go on.
    if (from > known.have) return { sync, have: known.have }
    if (to <= known.have) {
      known.asOfMs = nowMs
      return { sync, have: known.have }
    }
    // It may repeat what is known, when answers were lost: what it says is as new as its beat. From
    // 0 on it does not name what is gone.
    const row = from === 0 && known.have > 0 ? this.#begin(member, bootId, sync, nowMs) : known
    return row === null ? null : this.#take(row, batch, nowMs)
  }

  /** Monotonic time of the last beat; null: none was heard. */
  lastBeatMs(incarnation: string): number | null {
    return this.#rows.get(incarnation)?.lastBeatMs ?? null
  }

  get(incarnation: string, key: string): Uint8Array | null {
    return this.#rows.get(incarnation)?.entries.get(key)?.value ?? null
  }

  forget(incarnation: string): void {
    const row = this.#rows.get(incarnation)
    if (row === undefined) return
    this.#bytes -= row.bytes
    this.#rows.delete(incarnation)
  }

  /**
   * Drops what has outlived its time, last heartbeats excepted; these go with their member, when it
   * was heard last before `forgetBeforeMs`.
   */
  expire(nowMs: number, forgetBeforeMs: number): void {
    for (const row of [...this.#rows.values()]) {
      const ageMs = nowMs - row.asOfMs
      for (const [key, entry] of row.entries) {
        if (ageMs <= entry.ttlMs || key === HEARTBEAT_KEY) continue
        this.#drop(row, key)
        row.isStale = true
      }
      const isOver = row.entries.size === (row.entries.has(HEARTBEAT_KEY) ? 1 : 0)
      if (isOver && row.lastBeatMs < forgetBeforeMs) {
        this.forget(row.member.incarnation)
      }
    }
  }

  /** About `bytesMax` bytes of what is said under `prefix`, by name, incarnation and key. */
  page(prefix: string, after: Cursor | null, bytesMax: number, nowMs: number): Page {
    const members: Page['members'][number][] = []
    const entries: Page['entries'][number][] = []
    let bytes = 0
    let last: Cursor | null = null
    for (const row of this.#inOrder(after)) {
      const { name, incarnation } = row.member
      const ageMs = nowMs - row.asOfMs
      const isFirst = after !== null && compare(after, [name, incarnation]) === 0
      const start = isFirst ? after[2] : null
      let place = -1
      for (const key of keysFrom(sortedKeys(row), prefix, start)) {
        const { value, ttlMs } = row.entries.get(key) as Entry
        if (ageMs > ttlMs) continue
        if (bytes >= bytesMax) return { members, entries, next: last }
        if (place < 0) place = members.push([name, incarnation, ageMs]) - 1
        entries.push([place, key, value])
        bytes += entryBytes(key, value)
        last = [name, incarnation, key]
      }
    }
    return { members, entries, next: null }
  }

  #begin(member: BoardMember, bootId: string, sync: number, nowMs: number): Row | null {
    this.forget(member.incarnation)
    if (this.#rows.size >= this.#limits.membersMax) {
      this.refused += 1
      return null
    }
    const { name, incarnation } = member
    const row: Row = {
      member: { name, incarnation },
      bootId,
      sync,
      have: 0,
      lastBeatMs: nowMs,
      asOfMs: nowMs,
      bytes: 0,
      entries: new Map(),
      isStale: false,
      keys: null,
    }
    this.#rows.set(incarnation, row)
    return row
  }

  #take(row: Row, batch: Batch, nowMs: number): Ack {
    const coming = batch.puts.reduce((sum, [key, value]) => sum + entryBytes(key, value), 0)
    const { member, bytesMax } = this.#limits
    const isTooMuch =
      row.bytes + coming > member.bytesMax * 2 ||
      row.entries.size + batch.puts.length > member.keysMax * 2 ||
      this.#bytes + coming > bytesMax
    if (isTooMuch) {
      this.refused += 1
      return { sync: row.sync, have: row.have }
    }
    for (const key of batch.deletes) this.#drop(row, key)
    for (const [key, value, ttlMs] of batch.puts) {
      this.#drop(row, key)
      // A copy: the value would keep the whole frame that it came in.
      row.entries.set(key, { value: new Uint8Array(value), ttlMs })
      const bytes = entryBytes(key, value)
      row.bytes += bytes
      this.#bytes += bytes
    }
    if (batch.puts.length > 0) row.keys = null
    row.have = batch.to
    row.asOfMs = nowMs
    return { sync: row.sync, have: row.have }
  }

  #drop(row: Row, key: string): void {
    const entry = row.entries.get(key)
    if (entry === undefined) return
    const bytes = entryBytes(key, entry.value)
    row.entries.delete(key)
    row.keys = null
    row.bytes -= bytes
    this.#bytes -= bytes
  }

  /** Members from that of `after` on. */
  #inOrder(after: Cursor | null): Row[] {
    const rows = [...this.#rows.values()].sort((a, b) =>
      compare([a.member.name, a.member.incarnation], [b.member.name, b.member.incarnation]),
    )
    if (after === null) return rows
    return rows.filter(({ member }) => compare([member.name, member.incarnation], after) >= 0)
  }
}

type Place = readonly [name: string, incarnation: string, ...rest: string[]]

function compare(a: Place, b: Place): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1
  if (a[1] === b[1]) return 0
  return a[1] < b[1] ? -1 : 1
}

function sortedKeys(row: Row): string[] {
  row.keys ??= [...row.entries.keys()].sort()
  return row.keys
}

/** Keys with that prefix, behind `after`. */
function* keysFrom(
  keys: readonly string[],
  prefix: string,
  after: string | null,
): Generator<string> {
  const wanted = after !== null && after > prefix ? after : prefix
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < wanted) low = middle + 1
    else high = middle
  }
  for (let at = low; at < keys.length; at++) {
    const key = keys[at] as string
    if (key === after) continue
    if (!key.startsWith(prefix)) return
    yield key
  }
}
