import { convert, countProblem, goType, memberOf, paramAt } from './arguments.js'
import type {
  BranchNode,
  Command,
  Node,
  NumberOperand,
  Operand,
  Pipe,
  TemplateTree,
} from './ast.js'
import { display } from './format.js'
import type { RunState } from './run-state.js'
import {
  Func,
  GoMap,
  integerOf,
  isTrue,
  type Param,
  TemplateError,
  typeName,
  type Value,
} from './value.js'

/** A compiled template: runs with its own variables, `$` and dot being `dot`. */
export interface CompiledTemplate {
  body: Statement
  readonly slots: number
}

/** How a list of statements ended. */
type Flow = 0 | 1 | 2
const NEXT = 0
const BREAK = 1
const CONTINUE = 2

type Statement = (run: RunState, dot: Value) => Flow
type Expression = (run: RunState, dot: Value) => Value
/** A command of a pipeline; `final` is what the command before gave. */
type Stage = (run: RunState, dot: Value, final: Value) => Value

/** A mistake that shows only when the template gets there. */
export interface TemplateWarning {
  readonly message: string
  readonly offset: number
}

/**
 * Turns trees into closures, once for each template (Go: text/template/exec.go). The functions of
 * a tree are all in `functions`.
 */
export class Compiler {
  readonly warnings: TemplateWarning[] = []
  readonly templates = new Map<string, CompiledTemplate>()
  readonly #functions: ReadonlyMap<string, Func>

  constructor(functions: ReadonlyMap<string, Func>) {
    this.#functions = functions
  }

  compile(trees: ReadonlyMap<string, TemplateTree>): void {
    // Templates may name each other: all of them are there before the first body is.
    for (const [name, { slots }] of trees) this.templates.set(name, { body: () => NEXT, slots })
    for (const [name, { nodes }] of trees) {
      const template = this.templates.get(name)
      if (template !== undefined) template.body = this.#list(nodes)
    }
  }

  #list(nodes: readonly Node[]): Statement {
    const statements = nodes.map((node) => this.#node(node))
    const [first, second] = statements
    if (first === undefined) return () => NEXT
    if (second === undefined) return first
    return (run, dot) => {
      for (const statement of statements) {
        const flow = statement(run, dot)
        if (flow !== NEXT) return flow
      }
      return NEXT
    }
  }

  #node(node: Node): Statement {
    switch (node.type) {
      case 'text': {
        const { text } = node
        return (run) => {
          run.write(text)
          return NEXT
        }
      }
      case 'action':
        return this.#action(node.pipe)
      case 'break':
        return () => BREAK
      case 'continue':
        return () => CONTINUE
      case 'template':
        return this.#call(node.name, node.pipe)
      case 'range':
        return this.#range(node)
      default:
        return this.#conditional(node)
    }
  }

  #action(pipe: Pipe): Statement {
    const value = this.#pipe(pipe)
    if (pipe.variables.length > 0) {
      return (run, dot) => {
        run.step()
        value(run, dot)
        return NEXT
      }
    }
    return (run, dot) => {
      run.step()
      run.write(display(value(run, dot), run))
      return NEXT
    }
  }

  #conditional({ type, pipe, then, otherwise }: BranchNode): Statement {
    const value = this.#pipe(pipe)
    const yes = this.#list(then)
    const no = otherwise === null ? null : this.#list(otherwise)
    const isWith = type === 'with'
    return (run, dot) => {
      run.step()
      const tested = value(run, dot)
      if (isTrue(tested)) return yes(run, isWith ? tested : dot)
      return no === null ? NEXT : no(run, dot)
    }
  }

  #call(name: string, pipe: Pipe | null): Statement {
    const template = this.templates.get(name) as CompiledTemplate
    const value = pipe === null ? null : this.#pipe(pipe)
    return (run, dot) => {
      run.step()
      run.enter()
      const inner = value === null ? undefined : value(run, dot)
      const { variables } = run
      run.variables = framed(template, inner)
      template.body(run, inner)
      run.variables = variables
      run.depth -= 1
      return NEXT
    }
  }

  #range({ pipe, then, otherwise }: BranchNode): Statement {
    const value = this.#pipe(pipe)
    const body = this.#list(then)
    const no = otherwise === null ? null : this.#list(otherwise)
    const [first = -1, second = -1] = pipe.variables
    const elementSlot = second < 0 ? first : second
    const keySlot = second < 0 ? -1 : first
    const round = (run: RunState, key: Value, element: Value): Flow => {
      run.step()
      if (elementSlot >= 0) run.variables[elementSlot] = element
      if (keySlot >= 0) run.variables[keySlot] = key
      return body(run, element)
    }
    return (run, dot) => {
      run.step()
      const ranged = rangeOver(run, value(run, dot), keySlot >= 0, round)
      return ranged || no === null ? NEXT : no(run, dot)
    }
  }

  #pipe({ variables, commands }: Pipe): Expression {
    const [first, ...others] = commands
    const start = this.#first(first as Command)
    const stages = others.map((command) => this.#stage(command))
    const chained: Expression =
      stages.length === 0
        ? (run, dot) => start(run, dot) ?? undefined
        : (run, dot) => {
            let value = start(run, dot) ?? undefined
            for (const stage of stages) value = stage(run, dot, value) ?? undefined
            return value
          }
    if (variables.length === 0) return chained
    return (run, dot) => {
      const value = chained(run, dot)
      for (const slot of variables) run.variables[slot] = value
      return value
    }
  }

  /** The first command of a pipeline: nothing comes from before. */
  #first(command: Command): Expression {
    const [head, ...args] = command.args as [Operand, ...Operand[]]
    switch (head.type) {
      case 'function':
        return this.#function(head.name, args, head.offset)
      case 'field':
      case 'variable':
      case 'chain':
        return this.#member(head, args)
      case 'nil':
        return this.#broken('nil is not a command', head.offset)
      default:
        if (args.length > 0) return this.#notAFunction(head)
        return this.#operand(head)
    }
  }

  #stage(command: Command): Stage {
    const [head, ...args] = command.args as [Operand, ...Operand[]]
    switch (head.type) {
      case 'function':
        return this.#piped(head.name, args, head.offset)
      case 'field':
      case 'variable':
      case 'chain':
        return this.#pipedMember(head, args)
      default:
        return this.#notAFunction(head)
    }
  }

  #notAFunction({ offset }: Operand): Expression {
    return this.#broken("can't give argument to non-function", offset)
  }

  /** Code that fails whenever it is run: worth a warning now. */
  #broken(message: string, offset: number): Expression {
    this.warnings.push({ message, offset })
    return () => {
      throw new TemplateError(message)
    }
  }

  #operand(operand: Operand): Expression {
    switch (operand.type) {
      case 'constant':
      case 'number': {
        const { value } = operand
        return () => value
      }
      case 'nil':
        return () => null
      case 'dot':
        return (_run, dot) => dot
      case 'pipe':
        return this.#pipe(operand.pipe)
      case 'function':
        return this.#function(operand.name, [], operand.offset)
      default:
        return this.#member(operand, [])
    }
  }

  /** What `.a.b`, `$x.a.b` and `(…).a.b` go out from, and the names. */
  #receiver(head: Operand): { readonly from: Expression; readonly names: readonly string[] } {
    if (head.type === 'field') return { from: (_run, dot) => dot, names: head.names }
    if (head.type === 'variable') {
      const { slot, names } = head
      return { from: (run) => run.variables[slot], names }
    }
    const chain = head as Extract<Operand, { type: 'chain' }>
    return { from: this.#operand(chain.of), names: chain.names }
  }

  #member(head: Operand, args: readonly Operand[]): Expression {
    const { from, names } = this.#receiver(head)
    if (names.length === 0) return args.length > 0 ? this.#notAFunction(head) : from
    if (args.length > 0) {
      const called = this.#lastMember(from, names, args)
      return (run, dot) => called(run, dot, NOTHING)
    }
    const [only, ...more] = names as [string, ...string[]]
    if (more.length === 0) return (run, dot) => read(from(run, dot), only, run)
    return (run, dot) => {
      let value = from(run, dot)
      for (const name of names) value = read(value, name, run)
      return value
    }
  }

  #pipedMember(head: Operand, args: readonly Operand[]): Stage {
    const { from, names } = this.#receiver(head)
    return names.length === 0 ? this.#notAFunction(head) : this.#lastMember(from, names, args)
  }

  /** The last of the names takes the arguments; which parameters it has shows when it is run. */
  #lastMember(from: Expression, names: readonly string[], args: readonly Operand[]): Stage {
    const ahead = names.slice(0, -1)
    const last = names[names.length - 1] as string
    const values = args.map((arg) => (arg.type === 'nil' ? NIL : this.#operand(arg)))
    return (run, dot, final) => {
      let receiver = from(run, dot)
      for (const name of ahead) receiver = read(receiver, name, run)
      const member = memberOf(receiver, last)
      const given = values.map((value) => value(run, dot))
      if (final !== NOTHING) given.push(final)
      if (member instanceof Func) return invoke(member, given, run)
      if (receiver === undefined) return undefined
      throw new TemplateError(`${last} is not a method but has arguments`)
    }
  }

  #function(name: string, args: readonly Operand[], offset: number): Expression {
    const func = this.#functions.get(name) as Func
    const problem = countProblem(func, args.length)
    if (problem !== null) return this.#broken(problem, offset)
    if (name === 'and' || name === 'or') return this.#logical(name, args)
    const given = args.map((arg, i) => this.#argument(arg, paramAt(func, i), func.isRaw))
    const { call } = func
    const [one, two] = given
    if (one !== undefined && given.length === 1) {
      return (run, dot) => made(call([one(run, dot)], run), run)
    }
    if (one !== undefined && two !== undefined && given.length === 2) {
      return (run, dot) => made(call([one(run, dot), two(run, dot)], run), run)
    }
    return (run, dot) => {
      const values = given.map((argument) => argument(run, dot))
      return made(call(values, run), run)
    }
  }

  #piped(name: string, args: readonly Operand[], offset: number): Stage {
    const func = this.#functions.get(name) as Func
    const problem = countProblem(func, args.length + 1)
    if (problem !== null) return this.#broken(problem, offset)
    if (name === 'and' || name === 'or') return this.#pipedLogical(name, args)
    const given = args.map((arg, i) => this.#argument(arg, paramAt(func, i), func.isRaw))
    const last = paramAt(func, args.length)
    const { call, isRaw } = func
    return (run, dot, final) => {
      const values = given.map((argument) => argument(run, dot))
      values.push(convert(final, last, isRaw))
      return made(call(values, run), run)
    }
  }

  /** `and` and `or` evaluate no further than they must. */
  #logical(name: 'and' | 'or', args: readonly Operand[]): Expression {
    const stops = name === 'or'
    const given = args.map((arg) => this.#argument(arg, 'any', true))
    return (run, dot) => {
      run.step()
      let value: Value
      for (const argument of given) {
        value = argument(run, dot)
        if (isTrue(value) === stops) return value
      }
      return value
    }
  }

  #pipedLogical(name: 'and' | 'or', args: readonly Operand[]): Stage {
    const stops = name === 'or'
    const given = args.map((arg) => this.#argument(arg, 'any', true))
    return (run, dot, final) => {
      run.step()
      for (const argument of given) {
        const value = argument(run, dot)
        if (isTrue(value) === stops) return value
      }
      return final
    }
  }

  #argument(operand: Operand, param: Param, isRaw: boolean): Expression {
    if (operand.type === 'constant' || operand.type === 'number' || operand.type === 'nil') {
      return this.#literal(operand, param)
    }
    const value = this.#operand(operand)
    if (param === 'any' && isRaw) return value
    return (run, dot) => convert(value(run, dot), param, isRaw)
  }

  /** A literal takes the type of the parameter, where it can. */
  #literal(operand: Operand, param: Param): Expression {
    const value = literalFor(operand, param)
    if (value !== undefined) return () => value
    return this.#broken(`expected ${goType(param)}; found another literal`, operand.offset)
  }
}

/** Stands for a command that has none before it. */
const NOTHING: Value = Object.freeze(new GoMap()) as Value
const NIL: Expression = () => null

function literalFor(operand: Operand, param: Param): Value {
  if (operand.type === 'nil')
    return param === 'any' ? null : param === 'map' ? new GoMap() : undefined
  if (operand.type === 'number') return numberFor(operand, param)
  const { value } = operand as Extract<Operand, { type: 'constant' }>
  const own: Param = typeof value === 'string' ? 'string' : 'bool'
  if (param === 'bytes' && typeof value === 'string') return Buffer.from(value)
  return param === 'any' || param === own ? value : undefined
}

function numberFor({ value, integer, float }: NumberOperand, param: Param): Value {
  if (param === 'any') return value
  if (param === 'float') return float
  return param === 'int' ? (integer ?? undefined) : undefined
}

/** The variables of one call of a template. */
export function framed({ slots }: CompiledTemplate, dot: Value): Value[] {
  const variables = new Array<Value>(slots).fill(undefined)
  variables[0] = dot
  return variables
}

function read(receiver: Value, name: string, run: RunState): Value {
  const member = memberOf(receiver, name)
  return member instanceof Func ? invoke(member, [], run) : member
}

/** Calls with arguments that are not of the right types yet. */
export function invoke(func: Func, given: Value[], run: RunState): Value {
  const problem = countProblem(func, given.length)
  if (problem !== null) throw new TemplateError(problem)
  const values = given.map((value, i) => convert(value, paramAt(func, i), func.isRaw))
  return made(func.call(values, run), run)
}

/** Charges for what a function has made. */
function made(value: Value, run: RunState): Value {
  run.step()
  if (typeof value === 'string' || Array.isArray(value)) run.grow(value.length)
  return value
}

/** False when there was nothing to go over. */
function rangeOver(
  run: RunState,
  value: Value,
  hasKey: boolean,
  round: (run: RunState, key: Value, element: Value) => Flow,
): boolean {
  if (value === undefined || value === null) return false
  const count = integerOf(value)
  if (count !== null) {
    if (hasKey) throw new TemplateError(`can't use ${count} to iterate over more than one variable`)
    for (let i = 0n; i < count; i++) if (round(run, undefined, i) === BREAK) break
    return count > 0n
  }
  if (value instanceof GoMap) {
    const keys = value.sortedKeys()
    for (const key of keys) if (round(run, key, value.entries.get(key)) === BREAK) break
    return keys.length > 0
  }
  if (Array.isArray(value) || value instanceof Uint8Array) {
    const { length } = value
    for (let i = 0; i < length; i++) {
      const item = value[i]
      const element = typeof item === 'number' && value instanceof Uint8Array ? BigInt(item) : item
      if (round(run, BigInt(i), element as Value) === BREAK) break
    }
    return length > 0
  }
  throw new TemplateError(`range can't iterate over type ${typeName(value)}`)
}
