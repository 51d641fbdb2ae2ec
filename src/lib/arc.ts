/** Seen once lately, seen twice lately, and for each of them the keys that were put out. */
const RECENT = 0
const FREQUENT = 1
const RECENT_GHOSTS = 2
const FREQUENT_GHOSTS = 3
type ListId = 0 | 1 | 2 | 3

class Entry<K, V> {
  readonly key: K
  /** Undefined in a ghost. */
  value: V | undefined
  list: ListId
  newer: Entry<K, V> | null = null
  older: Entry<K, V> | null = null

  constructor(key: K, value: V, list: ListId) {
    this.key = key
    this.value = value
    this.list = list
  }
}

class List<K, V> {
  newest: Entry<K, V> | null = null
  oldest: Entry<K, V> | null = null
  size = 0

  add(entry: Entry<K, V>): void {
    entry.newer = null
    entry.older = this.newest
    if (this.newest !== null) this.newest.newer = entry
    else this.oldest = entry
    this.newest = entry
    this.size += 1
  }

  remove(entry: Entry<K, V>): void {
    if (entry.newer !== null) entry.newer.older = entry.older
    else this.newest = entry.older
    if (entry.older !== null) entry.older.newer = entry.newer
    else this.oldest = entry.newer
    this.size -= 1
  }
}

/**
 * Adaptive replacement cache (Megiddo and Modha, FAST 2003; T1, T2, B1, B2 of the paper are
 * RECENT, FREQUENT and their ghosts): a scan over many keys does not wash out what is used often.
 * Holds at most `capacity` values, and the keys of as many that were put out.
 */
export class ArcCache<K, V> {
  readonly #capacity: number
  readonly #entries = new Map<K, Entry<K, V>>()
  readonly #lists = [
    new List<K, V>(),
    new List<K, V>(),
    new List<K, V>(),
    new List<K, V>(),
  ] as const
  /** How many values RECENT should hold (p of the paper), 0..capacity. */
  #recentTarget = 0

  /** `capacity`: at least 1. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Values held. */
  get size(): number {
    return this.#lists[RECENT].size + this.#lists[FREQUENT].size
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.list > FREQUENT) return undefined
    this.#move(entry, FREQUENT)
    return entry.value
  }

  /** Of a key that is held: replaces its value, and counts as use. */
  set(key: K, value: V): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#makeRoom()
      const added = new Entry(key, value, RECENT)
      this.#entries.set(key, added)
      this.#lists[RECENT].add(added)
      return
    }
    if (entry.list > FREQUENT) this.#adapt(entry.list === RECENT_GHOSTS)
    entry.value = value
    this.#move(entry, FREQUENT)
  }

  /** A ghost was asked for: its list was given too little room. */
  #adapt(recent: boolean): void {
    const [, , recentGhosts, frequentGhosts] = this.#lists
    if (recent) {
      const step = Math.max(1, frequentGhosts.size / recentGhosts.size)
      this.#recentTarget = Math.min(this.#capacity, this.#recentTarget + step)
    } else {
      const step = Math.max(1, recentGhosts.size / frequentGhosts.size)
      this.#recentTarget = Math.max(0, this.#recentTarget - step)
    }
    this.#replace(!recent)
  }

  /** Case IV of the paper: a key that nobody remembers. */
  #makeRoom(): void {
    const [recent, frequent, recentGhosts, frequentGhosts] = this.#lists
    const seenOnce = recent.size + recentGhosts.size
    const total = seenOnce + frequent.size + frequentGhosts.size
    if (seenOnce === this.#capacity) {
      if (recent.size === this.#capacity) this.#drop(recent)
      else {
        this.#drop(recentGhosts)
        this.#replace(false)
      }
    } else if (total >= this.#capacity) {
      if (total === 2 * this.#capacity) this.#drop(frequentGhosts)
      this.#replace(false)
    }
  }

  /** Turns the oldest value of one list into a ghost. */
  #replace(forFrequentGhost: boolean): void {
    const [recent, frequent] = this.#lists
    const target = this.#recentTarget
    const fromRecent =
      recent.size > target || (forFrequentGhost && recent.size > 0 && recent.size === target)
    const victim = (fromRecent ? recent : frequent).oldest as Entry<K, V>
    victim.value = undefined
    this.#move(victim, fromRecent ? RECENT_GHOSTS : FREQUENT_GHOSTS)
  }

  #drop(list: List<K, V>): void {
    const victim = list.oldest as Entry<K, V>
    list.remove(victim)
    this.#entries.delete(victim.key)
  }

  #move(entry: Entry<K, V>, to: ListId): void {
    const list = this.#lists[to]
    if (list.newest === entry) return
    this.#lists[entry.list].remove(entry)
    entry.list = to
    list.add(entry)
  }
}
