import type { LinearRegexp } from '../lib/regexp.js'

/** What {@link PathIndex.next} gives when no entry is left; above every order. */
export const NO_ENTRY = 0x3fff_ffff

interface Pattern {
  readonly order: number
  readonly regexp: LinearRegexp
}

// Most nodes have none of them.
const NO_ORDERS: number[] = []
const NO_PATTERNS: Pattern[] = []

/** A node of the radix tree while it grows: the entries that begin with the text from the root to here. */
class Growing {
  label: string
  readonly children = new Map<number, Growing>()
  /** Orders of the exact paths, and of the prefixes, that end here, ascending. */
  exact = NO_ORDERS
  prefixes = NO_ORDERS
  /** Patterns whose literal beginning ends here, ascending by order. */
  patterns = NO_PATTERNS

  constructor(label: string) {
    this.label = label
  }
}

// The tree once it is frozen is numbers in a few arrays. A walk over ten thousand routes as objects
// and maps took 3 µs, nearly all of it waiting for memory: each step was eight cache lines or so.
/** Cells of a node. */
const CELLS = 8
/** Where its label begins in the units of all labels, and its length. */
const LABEL = 0
const LABEL_LENGTH = 1
/** Its first child; the others follow, ascending by the first unit of their labels. */
const CHILDREN = 2
const CHILD_COUNT = 3
/** The lowest order of the exact paths that end here; NO_ENTRY without any. */
const EXACT = 4
/** The lowest order of all prefixes from the root to here. */
const LOWEST = 5
/** The nearest node with prefixes (patterns), this one included, on the way to the root; -1: none. */
const PREFIXED = 6
const PATTERNED = 7

/** Frozen in one go: well below a millisecond. */
const NODES_A_STEP = 512

/** Up to so many children are looked through one by one. */
const FEW_CHILDREN = 16

/**
 * Path conditions of many entries, each entry known by its order. Finds the entries that a path
 * meets in ascending order, and looks only at those that could: one way down a radix tree of exact
 * paths, prefixes and the literal beginnings of patterns.
 */
export class PathIndex {
  #root: Growing | null = new Growing('')
  #cells = new Int32Array(0)
  /** First units of the labels, by node. */
  #firsts = new Uint16Array(0)
  #units = new Uint16Array(0)
  #parents = new Int32Array(0)
  readonly #exact: (readonly number[])[] = []
  readonly #prefixes: (readonly number[])[] = []
  readonly #patterns: (readonly Pattern[])[] = []

  /** Orders are added ascending; one entry may have several conditions, any of which suffices. */
  addExact(path: string, order: number): void {
    const node = this.#nodeOf(path)
    if (node.exact === NO_ORDERS) node.exact = [order]
    else node.exact.push(order)
  }

  /** The empty prefix holds for every path. */
  addPrefix(prefix: string, order: number): void {
    const node = this.#nodeOf(prefix)
    if (node.prefixes === NO_ORDERS) node.prefixes = [order]
    else node.prefixes.push(order)
  }

  addPattern(regexp: LinearRegexp, order: number): void {
    const node = this.#nodeOf(regexp.literalPrefix ?? '')
    if (node.patterns === NO_PATTERNS) node.patterns = [{ regexp, order }]
    else node.patterns.push({ regexp, order })
  }

  /**
   * Run once, when all is added; nothing is added later. Yields after every few nodes, as it takes
   * 10 ms for ten thousand entries.
   */
  *freeze(): Generator<undefined, void, undefined> {
    const nodes: Growing[] = [this.#root as Growing]
    this.#root = null
    const parents: number[] = [-1]
    const children: number[] = []
    let unitCount = 0
    // Breadth first, so that children lie beside each other.
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as Growing
      unitCount += node.label.length
      children.push(nodes.length)
      const codes = [...node.children.keys()].sort((a, b) => a - b)
      for (const code of codes) {
        nodes.push(node.children.get(code) as Growing)
        parents.push(i)
      }
      if ((i + 1) % NODES_A_STEP === 0) yield
    }
    this.#cells = new Int32Array(nodes.length * CELLS)
    this.#firsts = new Uint16Array(nodes.length)
    this.#units = new Uint16Array(unitCount)
    this.#parents = Int32Array.from(parents)
    let unitsUsed = 0
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as Growing
      this.#cells[i * CELLS + CHILDREN] = children[i] as number
      this.#freezeNode(i, node, unitsUsed)
      unitsUsed += node.label.length
      if ((i + 1) % NODES_A_STEP === 0) yield
    }
  }

  #freezeNode(index: number, node: Growing, unitsUsed: number): void {
    const { label, children, exact, prefixes, patterns } = node
    const cells = this.#cells
    const at = index * CELLS
    const above = (this.#parents[index] as number) * CELLS
    const own = prefixes[0] ?? NO_ENTRY
    const isRoot = index === 0
    cells[at + LABEL] = unitsUsed
    cells[at + LABEL_LENGTH] = label.length
    cells[at + CHILD_COUNT] = children.size
    cells[at + EXACT] = exact[0] ?? NO_ENTRY
    cells[at + LOWEST] = isRoot ? own : Math.min(own, cells[above + LOWEST] as number)
    cells[at + PREFIXED] =
      own < NO_ENTRY ? index : isRoot ? -1 : (cells[above + PREFIXED] as number)
    cells[at + PATTERNED] =
      patterns.length > 0 ? index : isRoot ? -1 : (cells[above + PATTERNED] as number)
    this.#firsts[index] = isRoot ? 0 : label.charCodeAt(0)
    for (let i = 0; i < label.length; i++) this.#units[unitsUsed + i] = label.charCodeAt(i)
    this.#exact.push(exact)
    this.#prefixes.push(prefixes)
    this.#patterns.push(patterns)
  }

  /** The lowest order above `after` of an entry that `path` meets, or NO_ENTRY. */
  next(path: string, after: number): number {
    const cells = this.#cells
    let node = 0
    let at = 0
    while (at < path.length) {
      const child = this.#childOf(node, path.charCodeAt(at))
      if (child < 0 || !this.#hasLabel(child, path, at)) break
      node = child
      at += cells[child * CELLS + LABEL_LENGTH] as number
    }
    const cell = node * CELLS
    let best = NO_ENTRY
    if (at === path.length) {
      best = cells[cell + EXACT] as number
      if (best <= after) best = firstAbove(this.#exact[node] as readonly number[], after)
    }
    const lowest = cells[cell + LOWEST] as number
    if (lowest > after) best = Math.min(best, lowest)
    else best = this.#prefixAbove(cells[cell + PREFIXED] as number, after, best)
    const patterned = cells[cell + PATTERNED] as number
    return patterned < 0 ? best : this.#patternAbove(patterned, path, after, best)
  }

  #childOf(node: number, code: number): number {
    const cell = node * CELLS
    let from = this.#cells[cell + CHILDREN] as number
    let to = from + (this.#cells[cell + CHILD_COUNT] as number)
    const firsts = this.#firsts
    while (to - from > FEW_CHILDREN) {
      const middle = (from + to) >> 1
      if ((firsts[middle] as number) > code) to = middle
      else from = middle
    }
    for (let child = from; child < to; child++) if (firsts[child] === code) return child
    return -1
  }

  /** Whether the label of `node` stands in `path` at `at`; its first unit is known to. */
  #hasLabel(node: number, path: string, at: number): boolean {
    const cell = node * CELLS
    const start = this.#cells[cell + LABEL] as number
    const length = this.#cells[cell + LABEL_LENGTH] as number
    if (at + length > path.length) return false
    const units = this.#units
    for (let i = 1; i < length; i++) {
      if (units[start + i] !== path.charCodeAt(at + i)) return false
    }
    return true
  }

  #prefixAbove(nearest: number, after: number, than: number): number {
    let best = than
    for (let node = nearest; node >= 0; node = this.#above(node, PREFIXED)) {
      best = Math.min(best, firstAbove(this.#prefixes[node] as readonly number[], after))
    }
    return best
  }

  #patternAbove(nearest: number, path: string, after: number, than: number): number {
    let best = than
    for (let node = nearest; node >= 0; node = this.#above(node, PATTERNED)) {
      best = firstMatch(this.#patterns[node] as readonly Pattern[], path, after, best)
    }
    return best
  }

  /** What `which` of the node above `node` says. */
  #above(node: number, which: number): number {
    const parent = this.#parents[node] as number
    return parent < 0 ? -1 : (this.#cells[parent * CELLS + which] as number)
  }

  /** The node for `text`, split off or added if need be. */
  #nodeOf(text: string): Growing {
    let node = this.#root as Growing
    let at = 0
    while (at < text.length) {
      const code = text.charCodeAt(at)
      const child = node.children.get(code)
      if (child === undefined) {
        const leaf = new Growing(text.slice(at))
        node.children.set(code, leaf)
        return leaf
      }
      const common = commonLength(child.label, text, at)
      if (common < child.label.length) {
        const middle = new Growing(child.label.slice(0, common))
        node.children.set(code, middle)
        child.label = child.label.slice(common)
        middle.children.set(child.label.charCodeAt(0), child)
        node = middle
      } else node = child
      at += common
    }
    return node
  }
}

/** How many characters of `label` stand in `text` at `at`. */
function commonLength(label: string, text: string, at: number): number {
  let length = 0
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) {
    length += 1
  }
  return length
}

function firstAbove(orders: readonly number[], after: number): number {
  let low = 0
  let high = orders.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((orders[middle] as number) > after) high = middle
    else low = middle + 1
  }
  return orders[low] ?? NO_ENTRY
}

/** Tests the patterns that would be better than `best`. */
function firstMatch(
  patterns: readonly Pattern[],
  path: string,
  after: number,
  best: number,
): number {
  for (const { order, regexp } of patterns) {
    if (order >= best) break
    if (order > after && regexp.test(path)) return order
  }
  return best
}
