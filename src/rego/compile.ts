import { suggest } from '../lib/suggest.js'
import type { Clause, Definition, Module, Position, Statement, Term } from './ast.js'
import { type Builtin, builtins } from './builtins.js'
import {
  type Code,
  combined,
  conjunction,
  constant,
  EvaluationError,
  type Frame,
  type Holds,
  iterate,
  lookUp,
  type Match,
  Outcome,
  type Run,
  single,
} from './code.js'
import { RegoError } from './lexer.js'
import {
  declared,
  eachCollect,
  eachFree,
  eachVariable,
  isWildcard,
  patternNames,
  Scope,
  Slots,
  termsOf,
} from './scope.js'
import { equal, isArray, RegoObject, RegoSet, type Value } from './value.js'

/** A rule, compiled: `value` for rules, `call` for functions. */
export interface CompiledRule {
  readonly name: string
  readonly index: number
  readonly isFunction: boolean
  value(run: Run): Value | undefined
  call(run: Run, args: readonly Value[]): Value | undefined
}

type Bound = Set<number>

/** Compiles all rules of a module. Throws {@link RegoError}. */
export function compileModule(module: Module): ReadonlyMap<string, CompiledRule> {
  return new Compiler(module).rules()
}

class Compiler {
  readonly #module: Module
  readonly #definitions = new Map<string, Definition[]>()
  readonly #rules = new Map<string, CompiledRule>()
  readonly #uses = new Map<string, Set<string>>()
  /** Name of the rule under compilation. */
  #current = ''

  constructor(module: Module) {
    this.#module = module
    for (const definition of module.definitions) {
      const group = this.#definitions.get(definition.name)
      if (group === undefined) this.#definitions.set(definition.name, [definition])
      else group.push(definition)
    }
  }

  rules(): ReadonlyMap<string, CompiledRule> {
    let index = 0
    for (const [name, group] of this.#definitions) {
      this.#rules.set(name, this.#declare(name, group, index))
      index += 1
    }
    for (const bind of this.#pending) bind()
    this.#refuseRecursion()
    return this.#rules
  }

  readonly #pending: (() => void)[] = []

  /** Rules refer to each other, so all exist before the first is compiled. */
  #declare(name: string, group: readonly Definition[], index: number): CompiledRule {
    const [first] = group as readonly [Definition, ...Definition[]]
    const isFunction = first.kind === 'function'
    for (const one of group) {
      if (one.kind !== first.kind && !(one.isDefault && one.kind === 'complete')) {
        throw new RegoError(`${name} is of two kinds: see line ${first.at.line}`, one.at)
      }
      if (one.args.length !== first.args.length) {
        throw new RegoError(
          `${name} has another number of arguments at line ${first.at.line}`,
          one.at,
        )
      }
    }
    let evaluate: (run: Run, args: readonly Value[]) => Value | undefined = () => undefined
    this.#pending.push(() => {
      this.#current = name
      this.#uses.set(name, new Set())
      evaluate = this.#group(name, first.kind, group)
    })
    const find = (run: Run): Value | undefined => evaluate(run, [])
    return {
      name,
      index,
      isFunction,
      value: (run) => run.rule(index, find),
      call: (run, args) => {
        run.step()
        return evaluate(run, args)
      },
    }
  }

  #group(
    name: string,
    kind: Definition['kind'],
    group: readonly Definition[],
  ): (run: Run, args: readonly Value[]) => Value | undefined {
    const fallback = group.find((one) => one.isDefault)
    const others = group.filter((one) => !one.isDefault)
    if (kind === 'set' || kind === 'object') {
      return this.#partial(name, kind, others)
    }
    const clauses = others.map((one) => this.#clauseOf(one, one.args))
    const otherwise = fallback === undefined ? null : this.#clauseOf({ ...fallback, body: [] }, [])
    return (run, args) => {
      const outcome = new Outcome(name)
      for (const clause of clauses) {
        clause(run, args, outcome)
        if (outcome.value !== undefined && clause.isConstant && clauses.length === 1) break
      }
      if (outcome.value === undefined && otherwise !== null) otherwise(run, [], outcome)
      return outcome.value
    }
  }

  #partial(
    name: string,
    kind: 'set' | 'object',
    group: readonly Definition[],
  ): (run: Run) => Value | undefined {
    const members = group.map((one) => {
      const scope = new Scope(new Slots(), null)
      const bound: Bound = new Set()
      const heads = one.key === null ? [one.value] : [one.key, one.value]
      const holds = this.#body(one.body, scope, bound, heads)
      const head = combined(
        heads.map((term) => this.#term(term, scope, bound)),
        (values) => values,
      )
      return { holds, head, slots: scope.slots }
    })
    return (run) => {
      const found: (readonly Value[])[] = []
      for (const { holds, head, slots } of members) {
        const frame: Frame = new Array(slots.count)
        holds(run, frame, () =>
          head.each(run, frame, (pair) => {
            found.push(pair as readonly Value[])
            return false
          }),
        )
      }
      if (kind === 'set') return RegoSet.of(found.map(([value]) => value as Value))
      return objectOf(name, found)
    }
  }

  #clauseOf(clause: Clause, args: readonly Term[]): RunClause {
    const scope = new Scope(new Slots(), null)
    const bound: Bound = new Set()
    const patterns = args.map((arg) => {
      patternNames(arg, (name) => {
        if (scope.find(name) === undefined) scope.declare(name)
      })
      return this.#pattern(arg, scope, bound)
    })
    const holds = this.#body(clause.body, scope, bound, [clause.value])
    const value = this.#term(clause.value, scope, bound)
    const otherwise = clause.otherwise === null ? null : this.#clauseOf(clause.otherwise, args)
    const isConstant = clause.value.type === 'value'
    const run = (run: Run, values: readonly Value[], outcome: Outcome): boolean => {
      const frame: Frame = new Array(scope.slots.count)
      let hasFound = false
      matchAll(patterns, run, frame, values, () =>
        holds(run, frame, () =>
          value.each(run, frame, (found) => {
            outcome.add(found)
            hasFound = true
            return isConstant
          }),
        ),
      )
      if (hasFound || otherwise === null) return hasFound
      return otherwise(run, values, outcome)
    }
    return Object.assign(run, { isConstant: isConstant && clause.otherwise === null })
  }

  // --- bodies

  /** Puts the statements into an order in which each finds the variables it needs. */
  #body(
    body: readonly Statement[],
    scope: Scope,
    bound: Bound,
    heads: readonly Term[] = [],
  ): Holds {
    for (const name of declared(body)) scope.declare(name)
    const declare = (name: string): void => {
      if (!isWildcard(name) && this.#isUnknown(name, scope)) scope.declare(name)
    }
    for (const statement of body) {
      for (const term of termsOf(statement)) eachVariable(term, declare)
    }
    for (const head of heads) eachVariable(head, declare)
    const left = [...body]
    const ordered: Holds[] = []
    while (left.length > 0) {
      const at = left.findIndex((statement) => this.#lacks(statement, scope, bound) === null)
      if (at < 0) throw this.#unsafe(left[0] as Statement, scope, bound)
      const [statement] = left.splice(at, 1) as [Statement]
      ordered.push(this.#modified(statement, scope, bound))
    }
    return conjunction(ordered)
  }

  #unsafe(statement: Statement, scope: Scope, bound: Bound): RegoError {
    const name = this.#lacks(statement, scope, bound)
    return new RegoError(`nothing gives a value to "${name}"`, statement.at)
  }

  #isUnknown(name: string, scope: Scope): boolean {
    return (
      scope.find(name) === undefined &&
      name !== 'input' &&
      name !== 'data' &&
      !this.#definitions.has(name) &&
      !this.#module.imports.has(name)
    )
  }

  /** The name of a variable that has no value yet but must; null when there is none. */
  #lacks(statement: Statement, scope: Scope, bound: Bound): string | null {
    const needs = new Needs(scope, bound)
    for (const { value } of statement.withs) needs.term(value)
    switch (statement.type) {
      case 'holds':
        needs.statement(statement.term)
        break
      case 'unify': {
        const forward = needs.fork()
        forward.term(statement.right)
        forward.pattern(statement.left)
        if (forward.missing === null) return needs.missing
        const backward = needs.fork()
        backward.term(statement.left)
        backward.pattern(statement.right)
        if (backward.missing === null) return needs.missing
        return forward.missing
      }
      case 'not':
        needs.body([statement.inner])
        break
      case 'some':
        break
      case 'some-in':
        needs.term(statement.domain)
        if (statement.key !== null) needs.pattern(statement.key)
        needs.pattern(statement.item)
        break
      case 'every':
        needs.term(statement.domain)
        needs.body(statement.body, [statement.key ?? '', statement.item])
        break
    }
    return needs.missing
  }

  #modified(statement: Statement, scope: Scope, bound: Bound): Holds {
    const withs = statement.withs.map(({ path, value }) => ({
      path: path.slice(1),
      value: this.#term(value, scope, bound),
    }))
    const holds = this.#statement(statement, scope, bound)
    if (withs.length === 0) return holds
    const values = combined(
      withs.map(({ value }) => value),
      (all) => all,
    )
    return (run, frame, then) =>
      values.each(run, frame, (all) => {
        let input = run.input
        for (const [i, { path }] of withs.entries()) {
          input = replaced(input, path, (all as readonly Value[])[i] as Value)
        }
        return run.withInput(input, (inner) => holds(run, frame, inner), then)
      })
  }

  #statement(statement: Statement, scope: Scope, bound: Bound): Holds {
    switch (statement.type) {
      case 'holds':
        return this.#holds(statement.term, scope, bound)
      case 'unify':
        return this.#unify(statement, scope, bound)
      case 'some':
        return (_run, _frame, then) => then()
      case 'not': {
        const inner = this.#body([statement.inner], new Scope(scope.slots, scope), new Set(bound))
        return (run, frame, then) => (inner(run, frame, () => true) ? false : then())
      }
      case 'some-in': {
        const domain = this.#term(statement.domain, scope, bound)
        const key = statement.key === null ? null : this.#pattern(statement.key, scope, bound)
        const item = this.#pattern(statement.item, scope, bound)
        return (run, frame, then) =>
          domain.each(run, frame, (collection) =>
            iterate(run, collection, (at, value) =>
              key === null
                ? item(run, frame, value, then)
                : key(run, frame, at, () => item(run, frame, value, then)),
            ),
          )
      }
      case 'every': {
        const domain = this.#term(statement.domain, scope, bound)
        const inside = new Scope(scope.slots, scope)
        const known = new Set(bound)
        const slotOf = (name: string): number => {
          const slot = inside.declare(name)
          known.add(slot)
          return slot
        }
        const key = statement.key === null ? -1 : slotOf(statement.key)
        const item = slotOf(statement.item)
        const body = this.#body(statement.body, new Scope(scope.slots, inside), known)
        return (run, frame, then) =>
          domain.each(run, frame, (collection) => {
            if (!isCollection(collection)) return false
            const fails = iterate(run, collection, (at, value) => {
              if (key >= 0) frame[key] = at
              frame[item] = value
              return !body(run, frame, () => true)
            })
            return fails ? false : then()
          })
      }
    }
  }

  #holds(term: Term, scope: Scope, bound: Bound): Holds {
    if (term.type === 'call') {
      const output = this.#withOutput(term, scope, bound)
      if (output !== null) return output
    }
    const code = this.#term(term, scope, bound)
    return (run, frame, then) => code.each(run, frame, (value) => value !== false && then())
  }

  /** `walk(x, [path, value])`: one argument more than it takes is what the result is held against. */
  #withOutput(term: Extract<Term, { type: 'call' }>, scope: Scope, bound: Bound): Holds | null {
    const arity = this.#arity(term)
    if (arity < 0 || term.args.length !== arity + 1) return null
    const value = this.#call({ ...term, args: term.args.slice(0, -1) }, scope, bound)
    const pattern = this.#pattern(term.args[arity] as Term, scope, bound)
    return (run, frame, then) => value.each(run, frame, (found) => pattern(run, frame, found, then))
  }

  #unify(statement: Extract<Statement, { type: 'unify' }>, scope: Scope, bound: Bound): Holds {
    const forward = new Needs(scope, bound)
    forward.term(statement.right)
    forward.pattern(statement.left)
    const isForward = forward.missing === null
    const from = isForward ? statement.right : statement.left
    const to = isForward ? statement.left : statement.right
    const value = this.#term(from, scope, bound)
    const pattern = this.#pattern(to, scope, bound)
    return (run, frame, then) => value.each(run, frame, (found) => pattern(run, frame, found, then))
  }

  #pattern(term: Term, scope: Scope, bound: Bound): Match {
    if (term.type === 'variable') {
      if (isWildcard(term.name)) return (_run, _frame, _value, then) => then()
      const slot = scope.find(term.name)
      if (slot !== undefined && !bound.has(slot)) {
        bound.add(slot)
        return (_run, frame, value, then) => {
          frame[slot] = value
          return then()
        }
      }
    }
    if (term.type === 'array') {
      const items = term.items.map((item) => this.#pattern(item, scope, bound))
      return (run, frame, value, then) =>
        isArray(value) && value.length === items.length
          ? matchAll(items, run, frame, value, then)
          : false
    }
    if (term.type === 'object') return this.#objectPattern(term.entries, scope, bound)
    const code = this.#term(term, scope, bound)
    return (run, frame, value, then) =>
      code.each(run, frame, (wanted) => equal(wanted, value) && then())
  }

  #objectPattern(entries: readonly (readonly [Term, Term])[], scope: Scope, bound: Bound): Match {
    const keys = combined(
      entries.map(([key]) => this.#term(key, scope, bound)),
      (all) => all,
    )
    const items = entries.map(([, item]) => this.#pattern(item, scope, bound))
    return (run, frame, value, then) => {
      if (!(value instanceof RegoObject) || value.size !== items.length) return false
      return keys.each(run, frame, (all) => {
        const found = (all as readonly Value[]).map((key) => value.get(key))
        if (found.includes(undefined)) return false
        return matchAll(items, run, frame, found as Value[], then)
      })
    }
  }

  // --- terms

  #term(term: Term, scope: Scope, bound: Bound): Code {
    switch (term.type) {
      case 'value':
        return constant(term.value)
      case 'variable':
        return this.#variable(term.name, term.at, scope, bound)
      case 'ref':
        return this.#ref(term.head, term.path, scope, bound)
      case 'array':
        return combined(this.#terms(term.items, scope, bound), (values) => values)
      case 'set':
        return combined(this.#terms(term.items, scope, bound), (values) => RegoSet.of(values))
      case 'object': {
        const flat = term.entries.flat()
        return combined(this.#terms(flat, scope, bound), (values) => {
          const pairs: [Value, Value][] = []
          for (let i = 0; i < values.length; i += 2) {
            pairs.push([values[i] as Value, values[i + 1] as Value])
          }
          return RegoObject.of(pairs)
        })
      }
      case 'collect':
        return this.#collect(term, scope, bound)
      case 'call':
        return this.#call(term, scope, bound)
    }
  }

  #terms(terms: readonly Term[], scope: Scope, bound: Bound): Code[] {
    return terms.map((term) => this.#term(term, scope, bound))
  }

  #variable(name: string, at: Position, scope: Scope, bound: Bound): Code {
    const slot = scope.find(name)
    if (slot !== undefined) {
      if (!bound.has(slot)) throw new RegoError(`nothing gives a value to "${name}"`, at)
      return single((_run, frame) => frame[slot])
    }
    if (isWildcard(name)) throw new RegoError('"_" has no value here', at)
    if (name === 'input') return single((run) => run.input)
    const path = this.#module.imports.get(name)
    if (path !== undefined) {
      const [root, ...rest] = path as [string, ...string[]]
      const parts = rest.map((value): Term => ({ type: 'value', value }))
      return this.#ref(
        { type: 'variable', name: root, at },
        parts,
        new Scope(new Slots(), null),
        new Set(),
      )
    }
    if (name === 'data') throw new RegoError('name a rule below data', at)
    return this.#rule(name, at)
  }

  #rule(name: string, at: Position): Code {
    const rule = this.#rules.get(name)
    if (rule === undefined) throw new RegoError(`nothing gives a value to "${name}"`, at)
    if (rule.isFunction) throw new RegoError(`${name} is a function: call it`, at)
    this.#uses.get(this.#current)?.add(name)
    return single((run) => rule.value(run))
  }

  #ref(head: Term, path: readonly Term[], scope: Scope, bound: Bound): Code {
    if (head.type === 'variable' && head.name === 'data' && scope.find('data') === undefined) {
      return this.#data(head.at, path, scope, bound)
    }
    let code = this.#term(head, scope, bound)
    for (const part of path) code = this.#step(code, part, scope, bound)
    return code
  }

  /** Below `data` there is nothing but the rules of this package. */
  #data(at: Position, path: readonly Term[], scope: Scope, bound: Bound): Code {
    const names = path.map((part) => (part.type === 'value' ? part.value : null))
    const own = this.#module.package
    const isOwn = own.every((name, i) => names[i] === name)
    const rule = names[own.length]
    if (!isOwn) return single(() => undefined)
    if (typeof rule !== 'string') throw new RegoError('name a rule of the package', at)
    if (!this.#rules.has(rule)) return single(() => undefined)
    let code = this.#rule(rule, at)
    for (const part of path.slice(own.length + 1)) code = this.#step(code, part, scope, bound)
    return code
  }

  #step(from: Code, part: Term, scope: Scope, bound: Bound): Code {
    const isFree = this.#isFree(part, scope, bound)
    if (isFree) {
      const pattern = this.#pattern(part, scope, bound)
      return {
        one: null,
        each: (run, frame, then) =>
          from.each(run, frame, (value) =>
            iterate(run, value, (key, item) => pattern(run, frame, key, () => then(item))),
          ),
      }
    }
    return combined([from, this.#term(part, scope, bound)], ([value, index]) =>
      lookUp(value as Value, index as Value),
    )
  }

  /** True for an index that has to be searched for. */
  #isFree(part: Term, scope: Scope, bound: Bound): boolean {
    let isFree = false
    patternNames(part, (name) => {
      const slot = scope.find(name)
      if (isWildcard(name) || (slot !== undefined && !bound.has(slot))) isFree = true
    })
    return isFree
  }

  #collect(term: Extract<Term, { type: 'collect' }>, scope: Scope, outside: Bound): Code {
    const inside = new Scope(scope.slots, scope)
    const bound = new Set(outside)
    const heads = term.key === null ? [term.item] : [term.key, term.item]
    const body = this.#body(term.body, inside, bound, heads)
    const head = combined(this.#terms(heads, inside, bound), (values) => values)
    const { into } = term
    return single((run, frame) => {
      const found: (readonly Value[])[] = []
      body(run, frame, () =>
        head.each(run, frame, (values) => {
          found.push(values as readonly Value[])
          return false
        }),
      )
      if (into === 'object') {
        return objectOf('the object', found)
      }
      const items = found.map(([item]) => item as Value)
      return into === 'array' ? items : RegoSet.of(items)
    })
  }

  #arity(term: Extract<Term, { type: 'call' }>): number {
    const definition = this.#definitions.get(term.name)?.[0]
    if (definition !== undefined) return definition.args.length
    return builtins.get(term.name)?.arity ?? -1
  }

  #call(term: Extract<Term, { type: 'call' }>, scope: Scope, bound: Bound): Code {
    const { name, at } = term
    const own = this.#functionOf(name)
    const builtin = own === null ? builtins.get(name) : undefined
    if (own === null && builtin === undefined) throw this.#unknownFunction(name, at)
    const arity = this.#arity({ ...term, name: own?.name ?? name })
    if (arity >= 0 && term.args.length !== arity) {
      throw new RegoError(`${name} takes ${arity} arguments, got ${term.args.length}`, at)
    }
    const args = this.#terms(term.args, scope, bound)
    if (own !== null) {
      if (!own.isFunction) throw new RegoError(`${name} is no function`, at)
      this.#uses.get(this.#current)?.add(own.name)
      return combined(args, (values, run) => own.call(run, values))
    }
    const { results, run: evaluate } = builtin as Builtin
    if (results === 'many') {
      const all = combined(args, (values, run) => evaluate(values, run))
      return {
        one: null,
        each: (run, frame, then) =>
          all.each(run, frame, (found) => iterate(run, found, (_key, item) => then(item))),
      }
    }
    return combined(args, (values, run) => {
      run.step()
      return evaluate(values, run)
    })
  }

  /** Of this package, by its bare name or in full. */
  #functionOf(name: string): CompiledRule | null {
    const prefix = `data.${this.#module.package.join('.')}.`
    const bare = name.startsWith(prefix) ? name.slice(prefix.length) : name
    return this.#rules.get(bare) ?? null
  }

  #unknownFunction(name: string, at: Position): RegoError {
    const own = [...this.#definitions.keys()]
    const close = suggest(name, [...own, ...builtins.keys()])
    const hint = close === null ? '' : `; did you mean "${close}"?`
    return new RegoError(`there is no function "${name}"${hint}`, at)
  }

  #refuseRecursion(): void {
    const done = new Set<string>()
    const visit = (name: string, path: readonly string[]): void => {
      if (done.has(name)) return
      if (path.includes(name)) {
        const circle = [...path.slice(path.indexOf(name)), name].join(' -> ')
        const at = this.#definitions.get(name)?.[0]?.at as Position
        throw new RegoError(`rules may not go in circles: ${circle}`, at)
      }
      for (const used of this.#uses.get(name) ?? []) visit(used, [...path, name])
      done.add(name)
    }
    for (const name of this.#definitions.keys()) visit(name, [])
  }
}

interface RunClause {
  (run: Run, args: readonly Value[], outcome: Outcome): boolean
  readonly isConstant: boolean
}

/** What a term or pattern finds missing, given what is bound. */
class Needs {
  missing: string | null = null
  readonly #scope: Scope
  readonly #bound: Bound

  constructor(scope: Scope, bound: Bound) {
    this.#scope = scope
    this.#bound = new Set(bound)
  }

  fork(): Needs {
    return new Needs(this.#scope, this.#bound)
  }

  /** A term that stands alone: a call may have its result as last argument. */
  statement(term: Term): void {
    const arity = term.type === 'call' ? builtins.get(term.name)?.arity : undefined
    if (term.type !== 'call' || arity === undefined || term.args.length !== arity + 1) {
      this.term(term)
      return
    }
    for (const arg of term.args.slice(0, -1)) this.term(arg)
    this.pattern(term.args[arity] as Term)
  }

  term(term: Term): void {
    switch (term.type) {
      case 'value':
        return
      case 'variable':
        this.#name(term.name)
        return
      case 'ref':
        this.term(term.head)
        for (const part of term.path) this.#index(part)
        return
      case 'array':
      case 'set':
        for (const item of term.items) this.term(item)
        return
      case 'object':
        for (const pair of term.entries) for (const part of pair) this.term(part)
        return
      case 'call':
        for (const arg of term.args) this.term(arg)
        return
      case 'collect':
        eachCollect(term, ({ body, key, item }) => {
          const heads = key === null ? [item] : [key, item]
          const own = declared(body)
          this.body(body)
          for (const head of heads) {
            eachVariable(head, (name) => {
              if (!own.has(name)) this.#nameIfKnown(name)
            })
          }
        })
    }
  }

  pattern(term: Term): void {
    if (term.type === 'variable') this.#bind(term.name)
    else if (term.type === 'array') for (const item of term.items) this.pattern(item)
    else if (term.type === 'object') {
      for (const [key] of term.entries) this.term(key)
      for (const [, item] of term.entries) this.pattern(item)
    } else this.term(term)
  }

  /** Variables of a body inside that this one knows must have their value already. */
  body(body: readonly Statement[], except: readonly string[] = []): void {
    eachFree(body, (name) => {
      if (!except.includes(name)) this.#nameIfKnown(name)
    })
  }

  #index(part: Term): void {
    if (part.type === 'variable' || part.type === 'array') this.pattern(part)
    else this.term(part)
  }

  #bind(name: string): void {
    const slot = this.#scope.find(name)
    if (slot !== undefined) this.#bound.add(slot)
  }

  #nameIfKnown(name: string): void {
    if (this.#scope.find(name) !== undefined) this.#name(name)
  }

  #name(name: string): void {
    const slot = this.#scope.find(name)
    if (slot !== undefined && !this.#bound.has(slot)) this.missing ??= name
  }
}

function matchAll(
  patterns: readonly Match[],
  run: Run,
  frame: Frame,
  values: readonly Value[],
  then: () => boolean,
): boolean {
  const from = (at: number): boolean => {
    const pattern = patterns[at]
    return pattern === undefined
      ? then()
      : pattern(run, frame, values[at] as Value, () => from(at + 1))
  }
  return from(0)
}

/** `found`: pairs of a key and a value. */
function objectOf(name: string, found: readonly (readonly Value[])[]): RegoObject {
  const pairs = found.map((pair) => pair as unknown as readonly [Value, Value])
  const made = RegoObject.of(pairs)
  if (made.size === pairs.length) return made
  for (const [key, value] of pairs) {
    if (!equal(made.get(key) as Value, value)) {
      throw new EvaluationError(`${name} has more than one value for a key`)
    }
  }
  return made
}

function isCollection(value: Value): boolean {
  return isArray(value) || value instanceof RegoObject || value instanceof RegoSet
}

function replaced(value: Value, path: readonly string[], by: Value): Value {
  const [first, ...rest] = path
  if (first === undefined) return by
  const entries = value instanceof RegoObject ? value.entries() : []
  const inner = value instanceof RegoObject ? (value.get(first) ?? null) : null
  return RegoObject.of([...entries, [first, replaced(inner, rest, by)]])
}
