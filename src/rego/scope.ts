import type { Statement, Term } from './ast.js'

/** Numbers the variables of one clause. */
export class Slots {
  count = 0

  next(): number {
    this.count += 1
    return this.count - 1
  }
}

/** Names of variables in a body, and in those around it. */
export class Scope {
  readonly slots: Slots
  readonly #outer: Scope | null
  readonly #names = new Map<string, number>()

  constructor(slots: Slots, outer: Scope | null) {
    this.slots = slots
    this.#outer = outer
  }

  find(name: string): number | undefined {
    return this.#names.get(name) ?? this.#outer?.find(name)
  }

  declare(name: string): number {
    const slot = this.slots.next()
    this.#names.set(name, slot)
    return slot
  }
}

export const isWildcard = (name: string): boolean => name.startsWith('_ ')

/** Calls `visit` for each variable of a term, but for those in bodies inside it. */
export function eachVariable(term: Term, visit: (name: string) => void): void {
  if (term.type === 'variable') visit(term.name)
  else if (term.type !== 'collect') for (const part of partsOf(term)) eachVariable(part, visit)
}

/** The terms that a term is made of. */
function partsOf(term: Term): readonly Term[] {
  switch (term.type) {
    case 'value':
    case 'variable':
      return []
    case 'ref':
      return [term.head, ...term.path]
    case 'array':
    case 'set':
      return term.items
    case 'object':
      return term.entries.flat()
    case 'call':
      return term.args
    case 'collect':
      return term.key === null ? [term.item] : [term.key, term.item]
  }
}

/** The terms of a statement that are evaluated in its own body. */
export function termsOf(statement: Statement): readonly Term[] {
  const withs = statement.withs.map(({ value }) => value)
  switch (statement.type) {
    case 'holds':
      return [statement.term, ...withs]
    case 'unify':
      return [statement.left, statement.right, ...withs]
    case 'some-in':
      return [
        ...(statement.key === null ? [] : [statement.key]),
        statement.item,
        statement.domain,
        ...withs,
      ]
    case 'every':
      return [statement.domain, ...withs]
    case 'not':
    case 'some':
      return withs
  }
}

/** Names that a body makes for itself, whatever stands around it. */
export function declared(body: readonly Statement[]): Set<string> {
  const names = new Set<string>()
  const add = (name: string): void => {
    names.add(name)
  }
  for (const statement of body) {
    if (statement.type === 'some') statement.names.forEach(add)
    else if (statement.type === 'unify' && statement.isNew) patternNames(statement.left, add)
    else if (statement.type === 'some-in') {
      if (statement.key !== null) patternNames(statement.key, add)
      patternNames(statement.item, add)
    }
  }
  return names
}

/** Variables that a pattern binds. */
export function patternNames(term: Term, visit: (name: string) => void): void {
  if (term.type === 'variable') visit(term.name)
  else if (term.type === 'array') for (const item of term.items) patternNames(item, visit)
  else if (term.type === 'object') for (const [, value] of term.entries) patternNames(value, visit)
}

/** Calls `visit` for each name in a body, at any depth, that the body does not make itself. */
export function eachFree(body: readonly Statement[], visit: (name: string) => void): void {
  const own = declared(body)
  const free = (name: string): void => {
    if (!own.has(name)) visit(name)
  }
  for (const statement of body) {
    for (const term of termsOf(statement)) eachFreeOfTerm(term, free)
    if (statement.type === 'not') eachFree([statement.inner], free)
    if (statement.type === 'every') {
      const { key, item } = statement
      eachFree(statement.body, (name) => {
        if (name !== key && name !== item) free(name)
      })
    }
  }
}

function eachFreeOfTerm(term: Term, visit: (name: string) => void): void {
  eachVariable(term, visit)
  eachCollect(term, (collect) => {
    const own = declared(collect.body)
    const free = (name: string): void => {
      if (!own.has(name)) visit(name)
    }
    eachFree(collect.body, free)
    if (collect.key !== null) eachFreeOfTerm(collect.key, free)
    eachFreeOfTerm(collect.item, free)
  })
}

type Collect = Extract<Term, { type: 'collect' }>

/** Calls `visit` for the outermost comprehensions of a term. */
export function eachCollect(term: Term, visit: (collect: Collect) => void): void {
  if (term.type === 'collect') visit(term)
  else for (const part of partsOf(term)) eachCollect(part, visit)
}
