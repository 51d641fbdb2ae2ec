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

// The tree once it is frozen is numbers in one array, a node behind the other as a walk meets them. What
// a walk reads of a node lies together, and in one cache line where it fits, since of ten thousand
// routes no line is in a cache. As objects and maps such a walk took 3 µs.
//
// A node is: a cell with the length of its label and the number of its children; two units a cell, the
// first units of the labels of the children, ascending; a cell for each child, with its offset; two
// units a cell, its own label without the first unit, which the parent has; and these four cells:
/** The lowest order of the exact paths that end here; NO_ENTRY without any. */
const EXACT = 0
/** The lowest order of all prefixes from the root to here. */
const LOWEST = 1
/** Index of the nearest list of prefixes (patterns), this node's included, on the way up; -1: none. */
const PREFIXED = 2
const PATTERNED = 3
const ENDING = 4

const CHILD_COUNT_BITS = 17
const CHILD_COUNT_MASK = (1 << CHILD_COUNT_BITS) - 1
/** Longer ones are a chain of nodes. */
const LABEL_LENGTH_MAX = 0x7fff

const CELLS_A_LINE = 16
/** Where large arrays begin in a line: behind the two words of an allocator. */
const CELLS_BEFORE = 4

/** Frozen in one go: well below a millisecond. */
const NODES_A_STEP = 512

/** Up to so many children are looked through one by one. */
const FEW_CHILDREN = 16

/** What is known where a walk ends. */
interface Ending {
  readonly exact: number
  readonly lowest: number
  readonly prefixed: number
  readonly patterned: number
}

const NOTHING_ABOVE: Ending = { exact: NO_ENTRY, lowest: NO_ENTRY, prefixed: -1, patterned: -1 }

/** What ends at one node, and the index of the next such list on the way to the root; -1: none. */
interface Listed<T> {
  readonly list: readonly T[]
  readonly above: number
}

/**
 * Path conditions of many entries, each entry known by its order. Finds the entries that a path
 * meets in ascending order, and looks only at those that could: one way down a radix tree of exact
 * paths, prefixes and the literal beginnings of patterns.
 */
export class PathIndex {
  #cells = new Int32Array(0)
  /** The same memory. */
  #units = new Uint16Array(0)
  #root: Growing | null = new Growing('')
  /** Of nodes where several exact paths end, by offset: all their orders. */
  readonly #exact = new Map<number, readonly number[]>()
  readonly #prefixes: Listed<number>[] = []
  readonly #patterns: Listed<Pattern>[] = []

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
    // Nodes that are still to be written, with those above them, and the cells that wait for them.
    const open: [node: Growing, above: Ending, cell: number][] = [
      [this.#root as Growing, NOTHING_ABOVE, -1],
    ]
    this.#root = null
    let used = 0
    for (let count = 1; ; count++) {
      const next = open.pop()
      if (next === undefined) break
      const [node, above, cell] = next
      const codes = [...node.children.keys()].sort((a, b) => a - b)
      const at = aligned(used, walkedCells(node.label.length, codes.length))
      const children = at + 1 + ((codes.length + 1) >> 1)
      const ending = this.#endingOf(node, above)
      used = this.#write(node.label, codes, ending, at)
      if (node.exact.length > 1) this.#exact.set(at, node.exact)
      if (cell >= 0) this.#cells[cell] = at
      // The first child is written next, right behind its parent.
      for (let i = codes.length - 1; i >= 0; i--) {
        open.push([node.children.get(codes[i] as number) as Growing, ending, children + i])
      }
      if (count % NODES_A_STEP === 0) yield
    }
    this.#resize(used)
  }

  #endingOf({ exact, prefixes, patterns }: Growing, above: Ending): Ending {
    return {
      exact: exact[0] ?? NO_ENTRY,
      lowest: Math.min(prefixes[0] ?? NO_ENTRY, above.lowest),
      prefixed: listed(this.#prefixes, prefixes, above.prefixed),
      patterned: listed(this.#patterns, patterns, above.patterned),
    }
  }

  /** A node at offset `at`, but for the cells that its children fill in; gives where it ends. */
  #write(label: string, codes: readonly number[], ending: Ending, at: number): number {
    const end = at + walkedCells(label.length, codes.length)
    if (end + ENDING > this.#cells.length) this.#resize(2 * (end + ENDING))
    const cells = this.#cells
    cells[at] = (label.length << CHILD_COUNT_BITS) | codes.length
    for (let i = 0; i < codes.length; i++) this.#units[2 * (at + 1) + i] = codes[i] as number
    const unit = 2 * (end - (label.length >> 1)) - 1
    for (let i = 1; i < label.length; i++) this.#units[unit + i] = label.charCodeAt(i)
    cells[end + EXACT] = ending.exact
    cells[end + LOWEST] = ending.lowest
    cells[end + PREFIXED] = ending.prefixed
    cells[end + PATTERNED] = ending.patterned
    return end + ENDING
  }

  #resize(length: number): void {
    const cells = new Int32Array(length)
    cells.set(this.#cells.subarray(0, length))
    this.#cells = cells
    this.#units = new Uint16Array(cells.buffer)
  }

  /** The lowest order above `after` of an entry that `path` meets, or NO_ENTRY. */
  next(path: string, after: number): number {
    const cells = this.#cells
    let node = 0
    let sizes = cells[0] as number
    let at = 0
    while (at < path.length) {
      const child = this.#childOf(node, sizes & CHILD_COUNT_MASK, path.charCodeAt(at))
      if (child < 0) break
      const childSizes = cells[child] as number
      if (!this.#hasLabel(child, childSizes, path, at)) break
      node = child
      sizes = childSizes
      at += sizes >>> CHILD_COUNT_BITS
    }
    const ending = node + walkedCells(sizes >>> CHILD_COUNT_BITS, sizes & CHILD_COUNT_MASK)
    let best = NO_ENTRY
    if (at === path.length) {
      best = cells[ending + EXACT] as number
      if (best <= after) best = firstAbove(this.#exact.get(node) ?? NO_ORDERS, after)
    }
    const lowest = cells[ending + LOWEST] as number
    if (lowest > after) best = Math.min(best, lowest)
    else best = this.#prefixAbove(cells[ending + PREFIXED] as number, after, best)
    const patterned = cells[ending + PATTERNED] as number
    return patterned < 0 ? best : this.#patternAbove(patterned, path, after, best)
  }

  #childOf(node: number, count: number, code: number): number {
    const units = this.#units
    const first = 2 * (node + 1)
    let from = first
    let to = first + count
    while (to - from > FEW_CHILDREN) {
      const middle = (from + to) >> 1
      if ((units[middle] as number) > code) to = middle
      else from = middle
    }
    for (let i = from; i < to; i++) {
      if (units[i] === code) {
        return this.#cells[node + 1 + ((count + 1) >> 1) + i - first] as number
      }
    }
    return -1
  }

  /** Whether the label of `node` stands in `path` at `at`; its first unit is known to. */
  #hasLabel(node: number, sizes: number, path: string, at: number): boolean {
    const length = sizes >>> CHILD_COUNT_BITS
    if (at + length > path.length) return false
    const count = sizes & CHILD_COUNT_MASK
    const units = this.#units
    const unit = 2 * (node + 1 + ((count + 1) >> 1) + count) - 1
    for (let i = 1; i < length; i++) {
      if (units[unit + i] !== path.charCodeAt(at + i)) return false
    }
    return true
  }

  #prefixAbove(nearest: number, after: number, than: number): number {
    let best = than
    for (let at = nearest; at >= 0; ) {
      const { list, above } = this.#prefixes[at] as Listed<number>
      best = Math.min(best, firstAbove(list, after))
      at = above
    }
    return best
  }

  #patternAbove(nearest: number, path: string, after: number, than: number): number {
    let best = than
    for (let at = nearest; at >= 0; ) {
      const { list, above } = this.#patterns[at] as Listed<Pattern>
      best = firstMatch(list, path, after, best)
      at = above
    }
    return best
  }

  /** The node for `text`, split off or added if need be. */
  #nodeOf(text: string): Growing {
    let node = this.#root as Growing
    let at = 0
    while (at < text.length) {
      const code = text.charCodeAt(at)
      const child = node.children.get(code)
      if (child === undefined) {
        const leaf = new Growing(text.slice(at, at + LABEL_LENGTH_MAX))
        node.children.set(code, leaf)
        node = leaf
        at += leaf.label.length
        continue
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

/** Cells of a node before its ending. */
function walkedCells(labelLength: number, childCount: number): number {
  return 1 + ((childCount + 1) >> 1) + childCount + (labelLength >> 1)
}

/** Where a node may begin at or behind `at`, so that it lies in as few lines as it can. */
function aligned(at: number, cells: number): number {
  const inLine = (at + CELLS_BEFORE) % CELLS_A_LINE
  const left = CELLS_A_LINE - inLine
  return inLine === 0 || cells <= left ? at : at + left
}

/** Index of the list for a node that adds `list` to what is `above` it. */
function listed<T>(lists: Listed<T>[], list: readonly T[], above: number): number {
  return list.length === 0 ? above : lists.push({ list, above }) - 1
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
    if (order > after && regexp.testBehindPrefix(path)) return order
  }
  return best
}
