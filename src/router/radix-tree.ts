import { compileRegexp, type LinearRegexp } from '../lib/regexp.js'
import type { PathPattern } from './path-pattern.js'

/** Says whether what was found will do; else the search goes on. */
export type Accept<E> = (entry: E) => boolean

interface Parameter<E> {
  readonly tail: string
  /** Of the whole parameter; null for any text. */
  readonly regexp: LinearRegexp | null
  readonly source: string
  readonly node: Node<E>
}

class Node<E> {
  readonly texts: { label: string; node: Node<E> }[] = []
  /** Those with a regexp first, and of equal ones those that end at a '/' last. */
  readonly parameters: Parameter<E>[] = []
  /** Entries whose pattern ends here; with `*` here. */
  readonly ends: E[] = []
  readonly rests: E[] = []
}

/**
 * Patterns of paths as a tree (compat/traffic-v2.md §4.2). At each place text comes before
 * parameters with a regexp, those before others, and `*` last; what is not accepted is gone back on.
 * A node can be reached in one way only, so a search takes time linear in the tree at worst.
 */
export class RadixTree<E> {
  readonly #root = new Node<E>()
  /** Of the last path that was found. */
  readonly #values: string[] = []

  /** Texts that the parameters of the pattern found last stand for, in order. */
  get values(): readonly string[] {
    return this.#values
  }

  add({ parts }: PathPattern, entry: E): void {
    let node = this.#root
    for (const part of parts) {
      if (part.type === 'rest') {
        node.rests.push(entry)
        return
      }
      node = part.type === 'text' ? textNode(node, part.text) : parameterNode(node, part)
    }
    node.ends.push(entry)
  }

  /** The first entry that `path` meets and `accept` takes, or null. */
  find(path: string, accept: Accept<E>): E | null {
    this.#values.length = 0
    return this.#search(this.#root, path, 0, accept)
  }

  #search(node: Node<E>, path: string, at: number, accept: Accept<E>): E | null {
    if (at === path.length) {
      for (const entry of node.ends) if (accept(entry)) return entry
    }
    for (const { label, node: next } of node.texts) {
      if (!path.startsWith(label, at)) continue
      const found = this.#search(next, path, at + label.length, accept)
      if (found !== null) return found
      break // no other label begins with the same character
    }
    for (const parameter of node.parameters) {
      const end = endOf(parameter, path, at)
      if (end < 0) continue
      const depth = this.#values.push(path.slice(at, end))
      const found = this.#search(parameter.node, path, end, accept)
      if (found !== null) return found
      this.#values.length = depth - 1
    }
    if (node.rests.length > 0) {
      const depth = this.#values.push(path.slice(at))
      for (const entry of node.rests) if (accept(entry)) return entry
      this.#values.length = depth - 1
    }
    return null
  }
}

/** Where a parameter that begins at `at` ends, or -1 when there is none. */
function endOf<E>({ tail, regexp }: Parameter<E>, path: string, at: number): number {
  let end = path.indexOf(tail, at)
  if (end < 0) {
    if (tail !== '/') return -1
    end = path.length
  }
  const slash = path.indexOf('/', at)
  if (slash >= 0 && slash < end) return -1
  if (regexp !== null && (end === at || !regexp.test(path.slice(at, end)))) return -1
  return end
}

function parameterNode<E>(node: Node<E>, part: { regexp: string; tail: string }): Node<E> {
  const { regexp: source, tail } = part
  for (const known of node.parameters) {
    if (known.source === source && known.tail === tail) return known.node
  }
  const made: Parameter<E> = {
    tail,
    source,
    regexp: source === '' ? null : compileRegexp(`^(?:${source})$`),
    node: new Node<E>(),
  }
  const rank = rankOf(made)
  const at = node.parameters.findIndex((each) => rankOf(each) > rank)
  node.parameters.splice(at < 0 ? node.parameters.length : at, 0, made)
  return made.node
}

const rankOf = ({ regexp, tail }: { regexp: LinearRegexp | null; tail: string }): number =>
  (regexp === null ? 2 : 0) + (tail === '/' ? 1 : 0)

/** The node behind `text`, split off or added if need be. */
function textNode<E>(start: Node<E>, text: string): Node<E> {
  let node = start
  let left = text
  while (left !== '') {
    const child = node.texts.find(({ label }) => label[0] === left[0])
    if (child === undefined) {
      const leaf = new Node<E>()
      node.texts.push({ label: left, node: leaf })
      return leaf
    }
    let common = 0
    while (common < child.label.length && child.label[common] === left[common]) common += 1
    if (common < child.label.length) {
      const middle = new Node<E>()
      middle.texts.push({ label: child.label.slice(common), node: child.node })
      child.label = child.label.slice(0, common)
      child.node = middle
    }
    node = child.node
    left = left.slice(common)
  }
  return node
}
