import type { LinearRegexp } from '../lib/regexp.js'

/** What {@link PathIndex.next} gives when no entry is left; above every order. */
export const NO_ENTRY = 0x3fff_ffff

interface Pattern {
  readonly order: number
  readonly regexp: LinearRegexp
}

/** A node of a radix tree: the entries that begin with the text from the root to here. */
class Node {
  label: string
  readonly children = new Map<number, Node>()
  /** Orders of the prefixes that end here, ascending. */
  readonly prefixes: number[] = []
  /** Patterns whose literal beginning ends here, ascending by order. */
  readonly patterns: Pattern[] = []
  // What follows is filled in by `freeze`.
  /** The lowest order of all prefixes from the root to here. */
  lowest = NO_ENTRY
  /** The nearest node with prefixes, this one included, on the way to the root. */
  withPrefixes: Node | null = null
  withPatterns: Node | null = null
  parent: Node | null = null

  constructor(label: string) {
    this.label = label
  }

  freeze(parent: Node | null): void {
    const own = this.prefixes[0] ?? NO_ENTRY
    this.parent = parent
    this.lowest = Math.min(own, parent === null ? NO_ENTRY : parent.lowest)
    this.withPrefixes = own < NO_ENTRY ? this : (parent?.withPrefixes ?? null)
    this.withPatterns = this.patterns.length > 0 ? this : (parent?.withPatterns ?? null)
  }
}

/**
 * Path conditions of many entries, each entry known by its order. Finds the entries that a path
 * meets in ascending order, and looks only at those that could: exact paths by hash, prefixes and
 * the literal beginnings of patterns by a radix tree.
 */
export class PathIndex {
  readonly #exact = new Map<string, number[]>()
  readonly #root = new Node('')

  /** Orders are added ascending; one entry may have several conditions, any of which suffices. */
  addExact(path: string, order: number): void {
    const orders = this.#exact.get(path)
    if (orders === undefined) this.#exact.set(path, [order])
    else orders.push(order)
  }

  /** The empty prefix holds for every path. */
  addPrefix(prefix: string, order: number): void {
    this.#nodeOf(prefix).prefixes.push(order)
  }

  addPattern(regexp: LinearRegexp, order: number): void {
    this.#nodeOf(regexp.literalPrefix ?? '').patterns.push({ regexp, order })
  }

  /** Called once, when all is added. */
  freeze(): void {
    const stack = [this.#root]
    this.#root.freeze(null)
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      for (const child of node.children.values()) {
        child.freeze(node)
        stack.push(child)
      }
    }
  }

  /** The lowest order above `after` of an entry that `path` meets, or NO_ENTRY. */
  next(path: string, after: number): number {
    let best = NO_ENTRY
    if (this.#exact.size > 0) {
      const orders = this.#exact.get(path)
      if (orders !== undefined) best = firstAbove(orders, after)
    }
    let node = this.#root
    for (let at = 0; at < path.length; at += node.label.length) {
      const child = node.children.get(path.charCodeAt(at))
      if (child === undefined || !path.startsWith(child.label, at)) break
      node = child
    }
    if (node.lowest > after) best = Math.min(best, node.lowest)
    else {
      for (let at = node.withPrefixes; at !== null; at = at.parent?.withPrefixes ?? null) {
        best = Math.min(best, firstAbove(at.prefixes, after))
      }
    }
    for (let at = node.withPatterns; at !== null; at = at.parent?.withPatterns ?? null) {
      best = firstMatch(at.patterns, path, after, best)
    }
    return best
  }

  /** The node for `text`, split off or added if need be. */
  #nodeOf(text: string): Node {
    let node = this.#root
    let at = 0
    while (at < text.length) {
      const code = text.charCodeAt(at)
      const child = node.children.get(code)
      if (child === undefined) {
        const leaf = new Node(text.slice(at))
        node.children.set(code, leaf)
        return leaf
      }
      const common = commonLength(child.label, text, at)
      if (common < child.label.length) {
        const middle = new Node(child.label.slice(0, common))
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
