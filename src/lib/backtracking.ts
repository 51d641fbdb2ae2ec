import type { Node, SimplePattern } from './simple-regexp.js'

/** Characters of the pattern with repetitions written out; more is not worth the proof. */
const POSITIONS_MAX = 128
/** Runs that may be alive after the same prefix of a text. */
const RUNS_MAX = 12
const STATES_MAX = 400

/** How often each position is reached; absent means never. */
type Counts = Map<number, number>

/** What joins a part of the pattern to its neighbours. */
interface Ends {
  /** Ways to match nothing. */
  readonly empty: number
  readonly first: Counts
  readonly last: Counts
}

/** Thrown while building: too large, or a repetition whose body may be empty. */
class Unproven extends Error {}

/**
 * Proves that a backtracking engine takes linear time for `pattern` on every text.
 *
 * Such an engine walks the runs of the pattern's position automaton (Glushkov 1961) one after the
 * other, each prefix of each run at most once. So if, for every text and every prefix of it, at
 * most RUNS_MAX runs end there, the steps are at most length times RUNS_MAX times a constant of
 * the pattern. To show that, the subset construction is done with *numbers* of runs in place of
 * plain membership; it ends only if the numbers stay bounded. For a search that may start
 * anywhere, one run is added at every step, so that the sum over all starts is what is bounded.
 * Whatever exceeds a bound is "not proven", so errors are on the slow side.
 */
export function isLinearByBacktracking(pattern: SimplePattern): boolean {
  try {
    return new Automaton(pattern).runsAreBounded()
  } catch (thrown) {
    if (thrown instanceof Unproven) return false
    throw thrown
  }
}

class Automaton {
  readonly #restarts: boolean
  readonly #sets: (readonly number[])[] = []
  /** How many ways lead from one position straight to another. */
  readonly #edges: Counts[] = []
  readonly #first: Counts
  /** For each class of characters that no set tells apart: which positions it satisfies. */
  readonly #accepts: boolean[][]

  constructor(pattern: SimplePattern) {
    this.#restarts = !pattern.fromStart
    this.#first = this.#build(pattern.body).first
    this.#accepts = this.#characterClasses()
  }

  runsAreBounded(): boolean {
    const seen = new Set<string>([''])
    const queue: Counts[] = [new Map()]
    let atStart = true
    for (let runs = queue.pop(); runs !== undefined; runs = queue.pop()) {
      const reached: Counts = new Map(atStart || this.#restarts ? this.#first : [])
      atStart = false
      for (const [from, count] of runs) addAll(reached, this.#edges[from] as Counts, count)
      const positions = [...reached.keys()].sort((a, b) => a - b)
      for (const accepts of this.#accepts) {
        let key = ''
        let total = 0
        for (const position of positions) {
          if (!accepts[position]) continue
          const count = reached.get(position) as number
          total += count
          key += `${position}:${count} `
        }
        if (total > RUNS_MAX) return false
        if (seen.has(key)) continue
        if (seen.size === STATES_MAX) return false
        seen.add(key)
        const next = positions.filter((position) => accepts[position])
        queue.push(new Map(next.map((position) => [position, reached.get(position) as number])))
      }
    }
    return true
  }

  #build(node: Node): Ends {
    switch (node.type) {
      case 'set': {
        const position = this.#sets.push(node.set) - 1
        if (position >= POSITIONS_MAX) throw new Unproven()
        this.#edges.push(new Map())
        return { empty: 0, first: new Map([[position, 1]]), last: new Map([[position, 1]]) }
      }
      case 'group':
        return this.#build(node.body)
      case 'seq':
        return node.parts.reduce<Ends>((ends, part) => this.#join(ends, this.#build(part)), NOTHING)
      case 'alt':
        return node.parts.map((part) => this.#build(part)).reduce(either)
      case 'repeat':
        return this.#repeat(node.body, node.min, node.max)
    }
  }

  /** Writes x{2,4} as x x (x (x)?)? and x{2,} as x x+, as the engines do. */
  #repeat(body: Node, min: number, max: number): Ends {
    const unbounded = max === Number.POSITIVE_INFINITY
    let tail = NOTHING
    for (let optional = unbounded ? 0 : max - min; optional > 0; optional--) {
      tail = maybe(this.#join(this.#solid(body), tail))
    }
    if (unbounded) {
      tail = this.#solid(body)
      this.#connect(tail.last, tail.first)
      if (min === 0) tail = maybe(tail)
    }
    for (let required = unbounded ? min - 1 : min; required > 0; required--) {
      tail = this.#join(this.#solid(body), tail)
    }
    return tail
  }

  /** The two dialects disagree about a repetition that goes round without taking a character. */
  #solid(body: Node): Ends {
    const ends = this.#build(body)
    if (ends.empty > 0) throw new Unproven()
    return ends
  }

  #join(left: Ends, right: Ends): Ends {
    this.#connect(left.last, right.first)
    const first = new Map(left.first)
    addAll(first, right.first, left.empty)
    const last = new Map(right.last)
    addAll(last, left.last, right.empty)
    return { empty: left.empty * right.empty, first, last }
  }

  #connect(from: Counts, to: Counts): void {
    for (const [position, count] of from) addAll(this.#edges[position] as Counts, to, count)
  }

  #characterClasses(): boolean[][] {
    const cuts = new Set<number>([0])
    for (const set of this.#sets) {
      for (let i = 0; i < set.length; i += 2) {
        cuts.add(set[i] as number)
        cuts.add((set[i + 1] as number) + 1)
      }
    }
    const classes = new Map<string, boolean[]>()
    for (const cut of cuts) {
      const accepts = this.#sets.map((set) => contains(set, cut))
      classes.set(accepts.map(Number).join(''), accepts)
    }
    return [...classes.values()]
  }
}

const NOTHING: Ends = { empty: 1, first: new Map(), last: new Map() }

function either(a: Ends, b: Ends): Ends {
  const first = new Map(a.first)
  addAll(first, b.first, 1)
  const last = new Map(a.last)
  addAll(last, b.last, 1)
  return { empty: a.empty + b.empty, first, last }
}

function maybe(ends: Ends): Ends {
  return { ...ends, empty: ends.empty + 1 }
}

function addAll(sum: Counts, counts: Counts, times: number): void {
  if (times === 0) return
  for (const [position, count] of counts)
    sum.set(position, (sum.get(position) ?? 0) + count * times)
}

function contains(set: readonly number[], code: number): boolean {
  for (let i = 0; i < set.length; i += 2) {
    if (code >= (set[i] as number) && code <= (set[i + 1] as number)) return true
  }
  return false
}
