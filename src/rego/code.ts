import { compare, equal, isArray, RegoObject, RegoSet, type Value } from './value.js'

/** Values of the variables of one body, by slot. */
export type Frame = Value[]

/** Calls `then` for each value that a term has; true from it ends the search. */
export type Each = (run: Run, frame: Frame, then: (value: Value) => boolean) => boolean

/** A term, compiled. */
export interface Code {
  /** Present when there is at most one value, which is the usual case. */
  readonly one: ((run: Run, frame: Frame) => Value | undefined) | null
  readonly each: Each
}

/** Calls `then` for each way in which a condition holds; true from it ends the search. */
export type Holds = (run: Run, frame: Frame, then: () => boolean) => boolean

/** The same for a pattern that a value is held against; binds the pattern's variables. */
export type Match = (run: Run, frame: Frame, value: Value, then: () => boolean) => boolean

/** A policy that cannot be evaluated to one answer, or takes too long. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError'
}

/** Values of rules, by their index; what is not there was not asked for yet. */
type Found = Map<number, Value | undefined>

interface World {
  readonly input: Value
  readonly found: Found
}

/** One evaluation of a policy: its input, and what has been found out so far. */
export class Run {
  input: Value
  readonly nowMs: number
  #stepsLeft: number
  #found: Found = new Map()

  constructor(input: Value, nowMs: number, stepsMax: number) {
    this.input = input
    this.nowMs = nowMs
    this.#stepsLeft = stepsMax
  }

  /** Called for each value that is looked at. Throws {@link EvaluationError} when it is too many. */
  step(): void {
    this.#stepsLeft -= 1
    if (this.#stepsLeft < 0) throw new EvaluationError('the policy takes too many steps')
  }

  /** The value of rule `index`, found once. */
  rule(index: number, find: (run: Run) => Value | undefined): Value | undefined {
    const found = this.#found
    if (found.has(index)) return found.get(index)
    this.step()
    const value = find(this)
    found.set(index, value)
    return value
  }

  /** `holds` with another input; what follows it sees the present one again. */
  withInput(input: Value, holds: (then: () => boolean) => boolean, then: () => boolean): boolean {
    const outside: World = { input: this.input, found: this.#found }
    const inside: World = { input, found: new Map() }
    const enter = (world: World): void => {
      this.input = world.input
      this.#found = world.found
    }
    enter(inside)
    try {
      return holds(() => {
        enter(outside)
        try {
          return then()
        } finally {
          enter(inside)
        }
      })
    } finally {
      enter(outside)
    }
  }
}

export function single(one: (run: Run, frame: Frame) => Value | undefined): Code {
  const each: Each = (run, frame, then) => {
    const value = one(run, frame)
    return value === undefined ? false : then(value)
  }
  return { one, each }
}

export const constant = (value: Value): Code => single(() => value)

/** The values of `codes`, in every combination, made into one. */
export function combined(
  codes: readonly Code[],
  make: (values: readonly Value[], run: Run) => Value | undefined,
): Code {
  const ones = codes.map((code) => code.one)
  if (ones.every((one) => one !== null)) {
    return single((run, frame) => {
      const values: Value[] = []
      for (const one of ones) {
        const value = (one as NonNullable<typeof one>)(run, frame)
        if (value === undefined) return undefined
        values.push(value)
      }
      return make(values, run)
    })
  }
  const from = (
    at: number,
    values: readonly Value[],
    run: Run,
    frame: Frame,
    then: (value: Value) => boolean,
  ): boolean => {
    const code = codes[at]
    if (code === undefined) {
      const made = make(values, run)
      return made === undefined ? false : then(made)
    }
    return code.each(run, frame, (value) => from(at + 1, [...values, value], run, frame, then))
  }
  return { one: null, each: (run, frame, then) => from(0, [], run, frame, then) }
}

/** What `value[index]` is; undefined where there is none. */
export function lookUp(value: Value, index: Value): Value | undefined {
  if (value instanceof RegoObject) return value.get(index)
  if (value instanceof RegoSet) return value.has(index) ? index : undefined
  if (!isArray(value as Value)) return undefined
  const isIndex = typeof index === 'number' && Number.isInteger(index) && index >= 0
  return isIndex ? (value as readonly Value[])[index] : undefined
}

/** Calls `then` with every index and its value; of a set the value is its own index. */
export function iterate(
  run: Run,
  value: Value,
  then: (key: Value, item: Value) => boolean,
): boolean {
  if (value instanceof RegoObject) {
    for (const [key, item] of value.entries()) {
      run.step()
      if (then(key, item)) return true
    }
  } else if (value instanceof RegoSet) {
    for (const item of value.values()) {
      run.step()
      if (then(item, item)) return true
    }
  } else if (isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      run.step()
      if (then(i, value[i] as Value)) return true
    }
  }
  return false
}

/** `all` in order, each for every way in which those before it hold. */
export function conjunction(all: readonly Holds[]): Holds {
  const [first, ...rest] = all
  if (first === undefined) return (_run, _frame, then) => then()
  if (rest.length === 0) return first
  const others = conjunction(rest)
  return (run, frame, then) => first(run, frame, () => others(run, frame, then))
}

/** Gathers the values of rules and functions that may have only one. */
export class Outcome {
  value: Value | undefined = undefined
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  add(value: Value): void {
    if (this.value === undefined) this.value = value
    else if (!equal(this.value, value)) {
      throw new EvaluationError(`${this.#name} has more than one value`)
    }
  }
}

/** Whether `item` is a value of `collection`. */
export function isMember(item: Value, collection: Value): boolean {
  if (collection instanceof RegoSet) return collection.has(item)
  if (collection instanceof RegoObject) {
    return collection.entries().some(([, value]) => compare(value, item) === 0)
  }
  return isArray(collection) && collection.some((value) => equal(value, item))
}
