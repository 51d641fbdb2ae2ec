import type { Clause, Definition, Module, Position, Statement, Term, With } from './ast.js'
import { RegoError, type Token, tokenize } from './lexer.js'

const OPERATORS: readonly Readonly<Record<string, string>>[] = [
  { '==': 'equal', '!=': 'neq', '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' },
  { '|': 'or' },
  { '&': 'and' },
  { '+': 'plus', '-': 'minus' },
  { '*': 'mul', '/': 'div', '%': 'rem' },
]
const UNION_LEVEL = 1
const RESERVED = new Set(['package', 'import', 'as', 'default', 'not', 'with', 'else', 'some'])
const DEPTH_MAX = 100

/**
 * Reads one module of Rego, in the syntax of OPA before and since 1.0 (`if`, `contains`, `in` and
 * `every` need no import). Throws {@link RegoError}.
 */
export function parseModule(text: string): Module {
  return new Parser(tokenize(text)).module()
}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0
  #wildcards = 0
  /** Second readings of a `|`: each may double the work of those around it. */
  #triesLeft = 64

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  module(): Module {
    this.#expectName('package')
    const path = this.#dotted()
    const imports = new Map<string, readonly string[]>()
    while (this.#isName('import')) this.#import(imports)
    const definitions: Definition[] = []
    while (this.#token.type !== 'end') definitions.push(...this.#rule())
    return { package: path, imports, definitions }
  }

  #import(imports: Map<string, readonly string[]>): void {
    const { line, column } = this.#next()
    const path = this.#dotted()
    const alias = this.#takeName('as') ? this.#name() : (path[path.length - 1] as string)
    const root = path[0] as string
    if (root === 'future' || root === 'rego') return
    if (root !== 'input' && root !== 'data') {
      throw new RegoError(`expected an import of input or data, got ${path.join('.')}`, {
        line,
        column,
      })
    }
    imports.set(alias, path)
  }

  #dotted(): string[] {
    const path = [this.#name()]
    for (;;) {
      if (this.#takeMark('.')) path.push(this.#name())
      else if (this.#isMark('[') && this.#token.isGlued) {
        this.#next()
        path.push(this.#expectType('string').text)
        this.#expectMark(']')
      } else return path
    }
  }

  // --- rules

  #rule(): Definition[] {
    const at = this.#token
    const isDefault = this.#takeName('default')
    const name = this.#name()
    let kind: Definition['kind'] = 'complete'
    let args: Term[] = []
    let key: Term | null = null
    let value: Term | null = null
    if (this.#isMark('(') && this.#token.isGlued) {
      kind = 'function'
      this.#next()
      args = this.#terms(')')
    } else if (this.#isMark('[') && this.#token.isGlued) {
      this.#next()
      key = this.#term()
      this.#expectMark(']')
    } else if (this.#isMark('.')) {
      throw new RegoError('names of rules cannot have dots here', this.#token)
    } else if (this.#takeName('contains')) {
      kind = 'set'
      value = this.#term()
    }
    if (kind !== 'set' && (this.#takeMark(':=') || this.#takeMark('='))) value = this.#term()
    const hasIf = this.#isName('if')
    if (key !== null) {
      // `p[x] { … }` was a set before `if` came; with `if` or a value it is an object.
      if (value === null && !hasIf) {
        kind = 'set'
        value = key
        key = null
      } else kind = 'object'
    }
    const head = { name, kind, args, key, isDefault, at }
    const clause = this.#clause(value ?? TRUE, value !== null)
    const made: Definition[] = [{ ...head, ...clause }]
    // More bodies of the same head: each is a definition of its own.
    while (this.#isMark('{') && !this.#token.startsLine) {
      made.push({ ...head, ...this.#clause(value ?? TRUE, false) })
    }
    return made
  }

  #clause(value: Term, hasValue: boolean): Clause {
    const hasIf = this.#takeName('if')
    let body: readonly Statement[] = []
    if (this.#isMark('{') && (hasIf || !this.#token.startsLine)) body = this.#block()
    else if (hasIf) body = [this.#statement()]
    else if (!hasValue) throw this.#unexpected('a body in braces')
    let otherwise: Clause | null = null
    if (this.#takeName('else')) {
      const isGiven = this.#takeMark(':=') || this.#takeMark('=')
      otherwise = this.#clause(isGiven ? this.#term() : TRUE, isGiven)
    }
    return { body, value, otherwise }
  }

  #block(): Statement[] {
    this.#expectMark('{')
    const statements = this.#statements('}')
    this.#expectMark('}')
    return statements
  }

  #statements(end: string): Statement[] {
    const found: Statement[] = []
    while (this.#takeMark(';'));
    while (!this.#isMark(end)) {
      found.push(this.#statement())
      const ended = this.#isMark(end) || this.#token.startsLine || this.#isMark(';')
      if (!ended) throw this.#unexpected(`the next line, ";" or "${end}"`)
      while (this.#takeMark(';'));
    }
    if (found.length === 0) throw this.#unexpected('a condition')
    return found
  }

  #statement(): Statement {
    return this.#nested(() => {
      const at = this.#token
      const bare = this.#bareStatement(at)
      const withs: With[] = []
      while (this.#takeName('with')) withs.push(this.#with())
      return withs.length === 0 ? bare : { ...bare, withs }
    })
  }

  #bareStatement(at: Position): Statement {
    const common = { withs: [], at }
    if (this.#takeName('not')) return { type: 'not', inner: this.#statement(), ...common }
    if (this.#takeName('some')) return this.#some(at)
    if (this.#isName('every')) return this.#every(at)
    const left = this.#term()
    const isNew = this.#isMark(':=')
    if (isNew || this.#isMark('=')) {
      this.#next()
      return { type: 'unify', left, right: this.#term(), isNew, ...common }
    }
    if (this.#isMark(',')) return { type: 'holds', term: this.#keyedMembership(left), ...common }
    return { type: 'holds', term: left, ...common }
  }

  /** `k, v in xs`, behind `k`. */
  #keyedMembership(key: Term): Term {
    const at = this.#next()
    const value = this.#infix(0)
    this.#expectName('in')
    return { type: 'call', name: 'internal.member_3', args: [key, value, this.#infix(0)], at }
  }

  #with(): With {
    const path = this.#dotted()
    if (path[0] !== 'input') {
      throw new RegoError('only input can be replaced by "with"', this.#token)
    }
    this.#expectName('as')
    return { path, value: this.#term() }
  }

  #some(at: Position): Statement {
    const terms = [this.#infix(UNION_LEVEL)]
    while (this.#takeMark(',')) terms.push(this.#infix(UNION_LEVEL))
    const common = { withs: [], at }
    if (this.#takeName('in')) {
      if (terms.length > 2) throw new RegoError('expected at most a key and a value', at)
      const item = terms[terms.length - 1] as Term
      const key = terms.length === 2 ? (terms[0] as Term) : null
      return { type: 'some-in', key, item, domain: this.#infix(0), ...common }
    }
    const names = terms.map((term) => {
      if (term.type !== 'variable') throw new RegoError('expected names of variables', at)
      return term.name
    })
    return { type: 'some', names, ...common }
  }

  #every(at: Position): Statement {
    this.#next()
    const first = this.#name()
    const second = this.#takeMark(',') ? this.#name() : null
    this.#expectName('in')
    const domain = this.#infix(0)
    return {
      type: 'every',
      key: second === null ? null : first,
      item: second ?? first,
      domain,
      body: this.#block(),
      withs: [],
      at,
    }
  }

  // --- terms

  /** With `x in xs` and `k, v in xs`, which may only stand where no comma has a meaning. */
  #term(): Term {
    return this.#membership(0)
  }

  #membership(level: number): Term {
    const left = this.#infix(level)
    const at = this.#token
    if (!this.#takeName('in')) return left
    const right = this.#infix(level)
    return { type: 'call', name: 'internal.member_2', args: [left, right], at }
  }

  #infix(level: number): Term {
    const operators = OPERATORS[level]
    if (operators === undefined) return this.#unary()
    let left = this.#infix(level + 1)
    for (;;) {
      const at = this.#token
      const name = at.type === 'mark' ? operators[at.text] : undefined
      if (name === undefined) return left
      // A new line that begins with a bracket or a sign is a statement of its own.
      if (at.startsLine && at.text === '-') return left
      this.#next()
      left = { type: 'call', name, args: [left, this.#infix(level + 1)], at }
    }
  }

  #unary(): Term {
    const at = this.#token
    if (!this.#takeMark('-')) return this.#postfix()
    const term = this.#nested(() => this.#unary())
    if (term.type === 'value' && typeof term.value === 'number') {
      return { type: 'value', value: -term.value }
    }
    return { type: 'call', name: 'minus', args: [{ type: 'value', value: 0 }, term], at }
  }

  #postfix(): Term {
    let term = this.#nested(() => this.#primary())
    for (;;) {
      const token = this.#token
      if (this.#isMark('.') && token.isGlued) {
        this.#next()
        term = extended(term, { type: 'value', value: this.#anyName() })
      } else if (this.#isMark('[') && token.isGlued) {
        this.#next()
        const index = this.#term()
        this.#expectMark(']')
        term = extended(term, index)
      } else if (this.#isMark('(') && token.isGlued) {
        const name = calledName(term)
        if (name === null) throw this.#unexpected('no call of this')
        this.#next()
        const args = this.#terms(')')
        term =
          name === 'set' && args.length === 0
            ? { type: 'set', items: [] }
            : { type: 'call', name, args, at: token }
      } else return term
    }
  }

  #primary(): Term {
    const token = this.#next()
    if (token.type === 'number') return { type: 'value', value: Number(token.text) }
    if (token.type === 'string') return { type: 'value', value: token.text }
    if (token.type === 'name') return this.#named(token)
    if (token.text === '(') return this.#parenthesis()
    if (token.text === '[') return this.#bracket()
    if (token.text === '{') return this.#brace()
    if (token.type !== 'end') this.#at -= 1
    throw this.#unexpected('a value')
  }

  #named(token: Token): Term {
    switch (token.text) {
      case 'true':
      case 'false':
        return { type: 'value', value: token.text === 'true' }
      case 'null':
        return { type: 'value', value: null }
      case '_':
        this.#wildcards += 1
        return { type: 'variable', name: `_ ${this.#wildcards}`, at: token }
      default:
        if (RESERVED.has(token.text)) {
          this.#at -= 1
          throw this.#unexpected('a value')
        }
        return { type: 'variable', name: token.text, at: token }
    }
  }

  #parenthesis(): Term {
    const first = this.#term()
    const term = this.#isMark(',') ? this.#keyedMembership(first) : first
    this.#expectMark(')')
    return term
  }

  #bracket(): Term {
    if (this.#takeMark(']')) return { type: 'array', items: [] }
    const first = this.#membership(UNION_LEVEL + 1)
    return (
      this.#comprehension('array', null, first, ']') ?? {
        type: 'array',
        items: this.#more(first, ']'),
      }
    )
  }

  #brace(): Term {
    if (this.#takeMark('}')) return { type: 'object', entries: [] }
    const first = this.#membership(UNION_LEVEL + 1)
    if (this.#takeMark(':')) {
      const item = this.#membership(UNION_LEVEL + 1)
      const collected = this.#comprehension('object', first, item, '}')
      if (collected !== null) return collected
      const entries: [Term, Term][] = [[first, this.#restOfUnion(item)]]
      while (this.#takeMark(',') && !this.#isMark('}')) {
        const key = this.#term()
        this.#expectMark(':')
        entries.push([key, this.#term()])
      }
      this.#expectMark('}')
      return { type: 'object', entries }
    }
    return (
      this.#comprehension('set', null, first, '}') ?? {
        type: 'set',
        items: this.#more(first, '}'),
      }
    )
  }

  /** Null, with nothing read, when the `|` that follows is that of a union of sets. */
  #comprehension(
    into: 'array' | 'set' | 'object',
    key: Term | null,
    item: Term,
    end: string,
  ): Term | null {
    const at = this.#at
    const depth = this.#depth
    if (!this.#takeMark('|')) return null
    try {
      const body = this.#statements(end)
      this.#expectMark(end)
      return { type: 'collect', into, key, item, body }
    } catch (thrown) {
      if (!(thrown instanceof RegoError) || !isSetLike(item) || this.#triesLeft === 0) throw thrown
      this.#triesLeft -= 1
      this.#at = at
      this.#depth = depth
      return null
    }
  }

  /** The first element was read without `|` and comparisons: here they may follow. */
  #restOfUnion(first: Term): Term {
    let left = first
    for (;;) {
      const at = this.#token
      const level = at.text === '|' ? UNION_LEVEL : 0
      const name = at.type === 'mark' ? OPERATORS[level]?.[at.text] : undefined
      if (name === undefined) return left
      this.#next()
      left = { type: 'call', name, args: [left, this.#infix(level + 1)], at }
    }
  }

  #more(first: Term, end: string): Term[] {
    const items = [this.#restOfUnion(first)]
    while (this.#takeMark(',') && !this.#isMark(end)) items.push(this.#term())
    this.#expectMark(end)
    return items
  }

  #terms(end: string): Term[] {
    const items: Term[] = []
    while (!this.#isMark(end)) {
      items.push(this.#term())
      if (!this.#takeMark(',')) break
    }
    this.#expectMark(end)
    return items
  }

  // --- tokens

  get #token(): Token {
    return this.#tokens[this.#at] as Token
  }

  #next(): Token {
    const token = this.#token
    if (token.type !== 'end') this.#at += 1
    return token
  }

  #isMark(text: string): boolean {
    return this.#token.type === 'mark' && this.#token.text === text
  }

  #isName(text: string): boolean {
    return this.#token.type === 'name' && this.#token.text === text
  }

  #takeMark(text: string): boolean {
    if (!this.#isMark(text)) return false
    this.#at += 1
    return true
  }

  #takeName(text: string): boolean {
    if (!this.#isName(text)) return false
    this.#at += 1
    return true
  }

  #expectMark(text: string): void {
    if (!this.#takeMark(text)) throw this.#unexpected(`"${text}"`)
  }

  #expectName(text: string): void {
    if (!this.#takeName(text)) throw this.#unexpected(`"${text}"`)
  }

  #expectType(type: Token['type']): Token {
    if (this.#token.type !== type) throw this.#unexpected(`a ${type}`)
    return this.#next()
  }

  #anyName(): string {
    return this.#expectType('name').text
  }

  #name(): string {
    if (RESERVED.has(this.#token.text)) throw this.#unexpected('a name')
    return this.#anyName()
  }

  #unexpected(expected: string): RegoError {
    const { type, text } = this.#token
    const got = type === 'end' ? text : `"${text}"`
    return new RegoError(`expected ${expected}, got ${got}`, this.#token)
  }

  #nested<T>(read: () => T): T {
    if (this.#depth >= DEPTH_MAX) {
      throw new RegoError(`nested more than ${DEPTH_MAX} deep`, this.#token)
    }
    this.#depth += 1
    const made = read()
    this.#depth -= 1
    return made
  }
}

/** What may stand before the `|` of a union: a set, or what is not known before it runs. */
function isSetLike(term: Term): boolean {
  return term.type !== 'value' && term.type !== 'array' && term.type !== 'object'
}

const TRUE: Term = { type: 'value', value: true }

function extended(term: Term, index: Term): Term {
  if (term.type !== 'ref') return { type: 'ref', head: term, path: [index] }
  return { type: 'ref', head: term.head, path: [...term.path, index] }
}

/** `a.b.c` before a parenthesis is the name of a function. */
function calledName(term: Term): string | null {
  if (term.type === 'variable') return term.name
  if (term.type !== 'ref' || term.head.type !== 'variable') return null
  const names = term.path.map((part) =>
    part.type === 'value' && typeof part.value === 'string' ? part.value : null,
  )
  return names.includes(null) ? null : [term.head.name, ...names].join('.')
}
