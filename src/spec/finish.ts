import type * as z from 'zod'
import type { ListNode, Path, SchemaNode, SpecProblem, UnionNode } from './node.js'
import type { Finding } from './problem.js'
import { shown } from './wording.js'

/** What a check runs into when it reads a value that was refused. */
const UNREADABLE = new Error('this value was refused')

/** Which values zod refused: null for the value itself, a map for something inside it. */
type Refused = Map<string | number, Refused> | null

/** From a value up to the root; cheap to extend. */
interface Place {
  readonly parent: Place | null
  readonly step: string | number
}

type Container = Record<string | number, unknown>

/**
 * The last step of decoding: freezes what zod made, sets `spec` apart in tagged objects, runs the
 * checks. Refused values are replaced by getters that throw, so that a check which does not read
 * them still runs.
 */
export class Finisher {
  readonly problems: Finding[] = []
  readonly warnings: Finding[] = []
  readonly #refused: Refused | undefined

  /** `issues`: those that refuse a value; a mapping around a key that is not known is itself fine. */
  constructor(issues: readonly z.core.$ZodRawIssue[]) {
    this.#refused = refusedBy(issues)
  }

  /** Changes `value`, which has to be zod's own, in place. */
  finish(node: SchemaNode, value: unknown): unknown {
    const root: Container = { value }
    const refused = this.#refused
    this.#finishChild(node, root, 'value', refused, null)
    return readable(root, 'value')
  }

  #finishChild(
    node: SchemaNode,
    container: Container,
    key: string | number,
    refused: Refused | undefined,
    place: Place | null,
  ): void {
    if (refused === null) hide(container, key)
    else if (node.type !== 'leaf' && container[key] !== undefined) {
      container[key] = this.#finishCollection(node, container[key] as Container, refused, place)
    }
  }

  #finishCollection(
    node: Exclude<SchemaNode, { type: 'leaf' }>,
    members: Container,
    refused: Map<string | number, Refused> | undefined,
    place: Place | null,
  ): Container {
    if (node.type === 'union') return this.#finishTagged(node, members, refused, place)
    const finishMember = (key: string | number, member: SchemaNode): void =>
      this.#finishChild(member, members, key, refused?.get(key), { parent: place, step: key })
    if (node.type === 'object') {
      for (const [name, field] of node.fields) {
        // A text that counted as none.
        if (Object.hasOwn(members, name) && members[name] === undefined) delete members[name]
        finishMember(name, field)
      }
    } else if (node.type === 'map') {
      for (const key of Object.keys(members)) finishMember(key, node.value)
    } else {
      for (const index of (members as unknown as unknown[]).keys()) finishMember(index, node.item)
      this.#checkUnique(node, members as unknown as unknown[], place)
    }
    Object.freeze(members)
    this.#check(node, members, place)
    return members
  }

  #finishTagged(
    node: UnionNode,
    members: Container,
    refused: Map<string | number, Refused> | undefined,
    place: Place | null,
  ): Container {
    const { [node.tag]: kind, name, ...own } = members
    for (const aside of node.head.keys()) delete own[aside]
    const tagged: Container = { [node.tag]: kind, name, spec: own }
    if (refused?.has('name')) hide(tagged, 'name')
    const member = refused?.has(node.tag) ? undefined : node.kinds.get(kind as string)
    if (member === undefined) {
      // Nothing but the name can be made out; checks of references between names can still run.
      for (const key of [node.tag, 'spec']) hide(tagged, key)
      if (typeof name !== 'string') hide(tagged, 'name')
    } else this.#finishCollection(member, own, refused, place)
    Object.freeze(tagged)
    this.#check(node, tagged, place)
    return tagged
  }

  #check(node: SchemaNode, value: unknown, place: Place | null): void {
    for (const check of node.checks) {
      for (const problem of foundBy(() => check(value as never))) this.#add(problem, place)
    }
  }

  #add({ path, message, hint, severity }: SpecProblem, place: Place | null): void {
    const finding = {
      path: [...pathOf(place), ...path],
      message,
      ...(hint === undefined ? {} : { hint }),
    }
    if (severity === 'warning') this.warnings.push(finding)
    else this.problems.push(finding)
  }

  #checkUnique(node: ListNode, items: readonly unknown[], place: Place | null): void {
    const { unique, uniqueBy } = node
    if (!unique && uniqueBy === null) return
    const firstIndex = new Map<string, number>()
    for (const index of items.keys()) {
      const item = readable(items, index)
      const value = uniqueBy === null ? item : readable(item, uniqueBy)
      const [text] = foundBy(() => (value === undefined ? [] : [JSON.stringify(value)]))
      if (text === undefined) continue
      const first = firstIndex.get(text)
      if (first === undefined) firstIndex.set(text, index)
      else {
        const path = uniqueBy === null ? [index] : [index, uniqueBy]
        const what = uniqueBy === null ? '' : `the ${uniqueBy} of `
        this.#add({ path, message: `${shown(value)} is already ${what}item ${first}` }, place)
      }
    }
  }
}

/** What `find` returns, or nothing when it reads a refused value. */
function foundBy<T>(find: () => readonly T[]): readonly T[] {
  try {
    return find()
  } catch (thrown) {
    if (thrown === UNREADABLE) return []
    throw thrown
  }
}

function hide(container: Container, key: string | number): void {
  Object.defineProperty(container, key, {
    enumerable: true,
    get: () => {
      throw UNREADABLE
    },
  })
}

/** The member of `container`, or undefined when it is missing or was refused. */
function readable(container: unknown, key: string | number): unknown {
  if (typeof container !== 'object' || container === null) return undefined
  return Object.getOwnPropertyDescriptor(container, key)?.value
}

function refusedBy(issues: readonly z.core.$ZodRawIssue[]): Refused | undefined {
  let refused: Refused | undefined
  for (const { path = [] } of issues) refused = withRefused(refused, path as Path, 0)
  return refused
}

function withRefused(refused: Refused | undefined, path: Path, depth: number): Refused {
  const step = path[depth]
  if (refused === null || step === undefined) return null
  const map = refused ?? new Map<string | number, Refused>()
  return map.set(step, withRefused(map.get(step), path, depth + 1))
}

function pathOf(place: Place | null): Path {
  const path: (string | number)[] = []
  for (let at = place; at !== null; at = at.parent) path.push(at.step)
  return path.reverse()
}
