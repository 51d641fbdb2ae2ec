import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { Prng } from '../lib/prng.js'
import { failure, type Store, storeUnavailable } from '../store/contract.js'
import type { RemoteWriter } from './config-writer.js'
import type { Write } from './plan.js'
import type { HistoryEntry } from './registry.js'
import { StoreBench } from './store.fixture.js'
import { type Answer, del, delAll, forwarding, put, WriterBench } from './writer.fixture.js'

const NODES = 3
const CLIENTS = 8
const NAMES = ['a', 'b', 'c', 'd']
const TRIES_MAX = 20
const VIRTUAL_MS = 3_000
/** All of it: what happened is read from there. */
const HISTORY = { versionsMax: 1_000_000, bytesMax: 2 ** 40 }

/** What may be wrong with what the writers stand on; each has to be noticed. */
type Plant = 'none' | 'no comparison' | 'a look at the past' | 'an answer before the disk'

/** A write of a client, through as many tries as it took. */
interface Told {
  readonly write: Write
  /** The highest version that anybody was told of before it was begun. */
  readonly from: number
  /** The version when it was answered. */
  readonly to: number
  /** To the last try. */
  readonly answer: Answer
  /** The outcome of an earlier try is not known, of which 'none' says nothing. */
  readonly isInDoubt: boolean
}

/**
 * Writers of three members over one store. What they ask it, its answers, and what one asks of another
 * are late or lost; registries lag; another member leads, or nobody. Clients write through all of them
 * and repeat what they are not told the outcome of.
 */
class World {
  readonly bench = new StoreBench()
  readonly told: Told[] = []
  readonly observer: WriterBench
  batches = 0
  repetitions = 0
  readonly #random: Prng
  readonly #plant: Plant
  readonly #nodes: WriterBench[]
  #leader = 0
  #term = 1
  #isCalm = false
  #acknowledged = 0

  constructor(seed: number, plant: Plant) {
    this.#random = new Prng(seed)
    this.#plant = plant
    this.observer = new WriterBench(this.bench, { history: HISTORY })
    this.#nodes = Array.from(
      { length: NODES },
      (_, i) =>
        new WriterBench(this.bench, {
          history: HISTORY,
          patienceMs: 300,
          remote: this.#remoteOf(i),
          wrap: (store) => this.#unreliable(store),
          wrapSync: (store) => this.#lagging(store),
        }),
    )
  }

  run(): void {
    for (let i = 0; i < CLIENTS; i++) this.#client(VIRTUAL_MS)
    for (let ms = 0; ms < VIRTUAL_MS; ms += 150) {
      this.bench.time.advance(150)
      this.#lead(this.#random.below(NODES + 1) - 1)
    }
    this.#isCalm = true
    for (let i = 0; i < 20; i++) {
      this.#lead(0)
      this.bench.time.advance(500)
    }
    this.batches = this.#nodes
      .flatMap(({ attempts }) => attempts)
      .filter(({ batch }) => batch.length > 1).length
  }

  #lead(leader: number): void {
    this.#leader = leader
    this.#term += 1
    for (const { writer } of this.#nodes) {
      if (leader < 0) writer.onLeaderGone()
      else writer.onLeader()
    }
  }

  #chance(percent: number): boolean {
    return !this.#isCalm && this.#random.chance(percent)
  }

  /** After a while, or never. */
  #later(task: () => void): void {
    if (this.#chance(4)) return
    const delayMs = this.#chance(10) ? this.#random.below(200) : this.#random.below(4)
    this.bench.time.after(delayMs, task)
  }

  #remoteOf(self: number): RemoteWriter {
    return {
      isThere: () => this.#leader >= 0 && this.#leader !== self,
      write: (write, _timeoutMs, done) => {
        const [to, term] = [this.#leader, this.#term]
        const problem = (): GatewayError | null =>
          this.#leader === to && this.#term === term
            ? null
            : new GatewayError('NOT_LEADER', 'not here', { outcome: 'none' })
        this.#later(() => {
          const why = problem()
          if (why !== null) this.#later(() => done(failure(why)))
          else {
            const leader = this.#nodes[to] as WriterBench
            leader.asGuest(write, problem, (outcome) => this.#later(() => done(outcome)))
          }
        })
      },
    }
  }

  #unreliable(store: Store): Store {
    return {
      ...forwarding(store),
      txn: (compares, thenOps, elseOps, done) => {
        const held = this.#plant === 'no comparison' ? [] : compares
        if (this.#plant === 'an answer before the disk' && this.#chance(5)) {
          const results = thenOps.map(() => ({ type: 'put' }) as const)
          done({ ok: true, value: { succeeded: true, revision: 0, results } })
          return
        }
        const isEarly = this.#chance(5)
        if (isEarly) this.#later(() => done(failure(storeUnavailable('gone', 'unknown'))))
        this.#later(() =>
          store.txn(held, thenOps, elseOps, (outcome) => {
            if (!isEarly) this.#later(() => done(outcome))
          }),
        )
      },
      get: (key, consistency, done) => {
        if (this.#plant === 'a look at the past') {
          done({ ok: true, value: { revision: 0, kv: null } })
          return
        }
        this.#later(() => {
          if (this.#chance(10)) done(failure(storeUnavailable('no leader', 'none')))
          else store.get(key, consistency, (outcome) => this.#later(() => done(outcome)))
        })
      },
    }
  }

  #lagging(store: Store): Store {
    let lastMs = 0
    return {
      ...forwarding(store),
      watch: (prefix, from, watcher) =>
        store.watch(prefix, from, {
          ...watcher,
          onBatch: (batch) => {
            const { time } = this.bench
            const nowMs = time.monotonicMs()
            lastMs = Math.max(lastMs, nowMs + (this.#chance(10) ? this.#random.below(100) : 0))
            time.after(lastMs - nowMs, () => watcher.onBatch(batch))
          },
        }),
    }
  }

  #client(untilMs: number): void {
    const write = this.#draw()
    const from = this.#acknowledged
    this.#try(write, TRIES_MAX, (answer, isInDoubt) => {
      const to = this.observer.registry.version.version
      this.told.push({ write, from, to, answer, isInDoubt })
      this.#acknowledged = Math.max(this.#acknowledged, answer.written?.version.version ?? 0)
      if (this.bench.time.monotonicMs() < untilMs) this.#client(untilMs)
    })
  }

  #try(write: Write, tries: number, done: (answer: Answer, isInDoubt: boolean) => void): void {
    const node = this.#nodes[this.#random.below(NODES)] as WriterBench
    const answer = node.submit(write)
    const look = (): void => {
      if (answer.written === null && answer.error === null) {
        this.bench.time.after(1, look)
      } else if (answer.error?.detail['outcome'] === 'unknown' && tries > 0) {
        this.repetitions += 1
        this.#try(write, tries - 1, done)
      } else done(answer, tries < TRIES_MAX)
    }
    look()
  }

  #draw(): Write {
    const random = this.#random
    const name = NAMES[random.below(NAMES.length)] as string
    const known = this.observer.registry.record(name)?.version ?? 1
    const ifMatch = random.chance(20) ? known : null
    if (random.chance(2)) return delAll()
    if (random.chance(25)) return del(name, ifMatch === null ? {} : { ifMatch })
    const mode = (['apply', 'create', 'update'] as const)[random.below(3)] as 'apply'
    return put(name, `text ${random.below(3)}`, { mode, ifMatch })
  }
}

type States = readonly ReadonlyMap<string, { readonly text: string; readonly version: number }>[]

/** What was there at each version, by the histories. */
function statesOf(
  entries: readonly HistoryEntry[],
  textOf: (entry: HistoryEntry) => string,
): States {
  const states: Map<string, { text: string; version: number }>[] = [new Map()]
  for (const entry of [...entries].sort((a, b) => a.version - b.version)) {
    while (states.length <= entry.version) states.push(new Map(states.at(-1)))
    const state = states[entry.version]
    if (entry.op === 'delete') state?.delete(entry.name)
    else state?.set(entry.name, { text: textOf(entry), version: entry.version })
  }
  return states
}

/** What is wrong with what clients were told, or null. */
function problemOf({ told, observer }: World): string | null {
  const entries = [...observer.registry.allHistory()]
  const ids = new Map(told.map(({ write }) => [write.requestId, write]))
  const states = statesOf(entries, ({ requestId }) => {
    const write = ids.get(requestId)
    return write?.type === 'put' ? write.text : ''
  })
  const made = new Map<string, HistoryEntry>()
  for (const entry of entries) {
    const id = `${entry.requestId} ${entry.name}`
    if (made.has(id)) return `made twice: ${id}`
    made.set(id, entry)
    if (entry.created === states[entry.version - 1]?.has(entry.name) && entry.op === 'put') {
      return `version ${entry.version} says the wrong thing of what was there`
    }
  }
  if (states.length !== observer.registry.version.version + 1) return 'versions without a history'
  for (const { write, from, to, answer, isInDoubt } of told) {
    const mine = entries.filter((entry) => entry.requestId === write.requestId)
    const { written, error } = answer
    const what = `${write.type} ${write.requestId}`
    if (written?.changed) {
      const version = written.version.version
      if (mine.length === 0) return `acknowledged and lost: ${what}`
      if (mine.some((entry) => entry.version !== version)) return `wrong version: ${what}`
      if (version <= from || version > to) return `not while it was asked: ${what}`
      continue
    }
    const outcome = error?.detail['outcome']
    const isUnknown = outcome === 'unknown' || (outcome === 'none' && isInDoubt)
    if (!isUnknown && mine.length > 0) return `made, and said not to be: ${what}`
    const window = states.slice(from, to + 1)
    if (!isUnknown && !window.some((state) => isTrue(write, answer, state))) {
      return `never so: ${what} ${error?.code ?? 'unchanged'}`
    }
  }
  return null
}

function isTrue(write: Write, { error }: Answer, state: States[number]): boolean {
  if (write.type === 'delete-all') return error !== null || state.size === 0
  const found = state.get(write.name)
  if (error === null) return write.type === 'put' && found?.text === write.text
  if (error.code === 'OBJECT_EXISTS') return found !== undefined
  if (error.code === 'OBJECT_NOT_FOUND') return found === undefined
  if (error.code === 'VERSION_CONFLICT') return found?.version !== write.ifMatch
  return error.detail['outcome'] === 'none'
}

const seedsFrom = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i)

it('no write is lost or made twice, and every answer was true while it was asked for', () => {
  // Any seed is as good; those that failed once would be added.
  const first = Date.now() % 1_000_000
  let batches = 0
  let repetitions = 0
  let told = 0
  for (const seed of seedsFrom(first, 25)) {
    const world = new World(seed, 'none')
    world.run()
    expect(problemOf(world), `seed ${seed}`).toBeNull()
    batches += world.batches
    repetitions += world.repetitions
    told += world.told.length
  }
  expect(told).toBeGreaterThan(1_000)
  expect(batches).toBeGreaterThan(100)
  expect(repetitions).toBeGreaterThan(5)
})

it.each<Plant>(['no comparison', 'a look at the past', 'an answer before the disk'])(
  'a store with %s is noticed',
  (plant) => {
    const found = seedsFrom(1, 20).some((seed) => {
      const world = new World(seed, plant)
      world.run()
      return problemOf(world) !== null
    })
    expect(found).toBe(true)
  },
)
