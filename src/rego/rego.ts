import { EvaluationError, Run } from './code.js'
import { type CompiledRule, compileModule } from './compile.js'
import { RegoError } from './lexer.js'
import { parseModule } from './parser.js'
import type { Value } from './value.js'

export { EvaluationError } from './code.js'
export { fromJson, toJson, type Value } from './value.js'

/** Values looked at in one evaluation; some 20 ms of work. */
const STEPS_MAX = 100_000

/**
 * A policy in Rego, the language of Open Policy Agent: one module, evaluated from the rule asked
 * for downwards, without anything outside the policy and its input. Functions that would wait or
 * talk to the network (`http.send`) do not exist; an evaluation ends after 100,000 steps.
 */
export class Policy {
  readonly package: readonly string[]
  readonly #rules: ReadonlyMap<string, CompiledRule>

  /** Throws {@link RegoError}, with line and column, for a text that is no valid policy. */
  constructor(text: string) {
    const module = parseModule(text)
    this.package = module.package
    this.#rules = compileModule(module)
  }

  /** True when there is a rule of this name that is no function. */
  has(rule: string): boolean {
    return this.#rules.get(rule)?.isFunction === false
  }

  /**
   * The value of a rule; undefined where it has none. `nowMs`: milliseconds since the Unix epoch.
   * Throws {@link EvaluationError}.
   */
  evaluate(rule: string, input: Value, nowMs: number): Value | undefined {
    const found = this.#rules.get(rule)
    if (found === undefined || found.isFunction) return undefined
    try {
      return found.value(new Run(input, nowMs, STEPS_MAX))
    } catch (thrown) {
      if (thrown instanceof RangeError) throw new EvaluationError('the policy goes too deep')
      throw thrown
    }
  }
}

/** What is wrong with a policy, with its line and column; null when nothing is. */
export function checkPolicy(text: string): string | null {
  try {
    new Policy(text)
    return null
  } catch (thrown) {
    if (thrown instanceof RegoError) return `${thrown.line}:${thrown.column}: ${thrown.message}`
    throw thrown
  }
}
