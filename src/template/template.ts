/**
 * Templates in the language of Go's `text/template`, with the functions that Easegress 2 offers
 * (those of sprig and its own). Callers, in order:
 *
 * 1. {@link checkTemplate} where a spec is validated: every problem that can be known then.
 * 2. `new TextTemplate` once, when a pipeline is built: compiles to closures.
 * 3. `render` for each request; it throws a {@link TemplateError} when the template fails on the
 *    data or goes over a bound, and never anything else.
 */
import { BUILTINS } from './builtins.js'
import { CASE_FUNCTIONS } from './case-functions.js'
import { COLLECTION_FUNCTIONS } from './collection-functions.js'
import { type CompiledTemplate, Compiler, framed, type TemplateWarning } from './compile.js'
import { fieldsOf } from './fields-read.js'
import { laterFunctions } from './later-functions.js'
import { type Delimiters, positionAt, SyntaxProblem } from './lexer.js'
import { miscFunctions } from './misc-functions.js'
import { NUMBER_FUNCTIONS } from './number-functions.js'
import { type FunctionNames, MAIN, parse } from './parser.js'
import { DEFAULT_LIMITS, RunState, type TemplateHost, type TemplateLimits } from './run-state.js'
import { TEXT_FUNCTIONS } from './text-functions.js'
import { type Func, TemplateError, type Value } from './value.js'

const byName = (functions: readonly Func[]): ReadonlyMap<string, Func> =>
  new Map(functions.map((func) => [func.name, func]))

/** Later ones replace earlier ones of the same name: sprig has a `slice` of its own. */
const ORDINARY = byName([
  ...BUILTINS,
  ...TEXT_FUNCTIONS,
  ...CASE_FUNCTIONS,
  ...NUMBER_FUNCTIONS,
  ...COLLECTION_FUNCTIONS,
  ...miscFunctions(),
])

const FUNCTIONS = byName([...ORDINARY.values(), ...laterFunctions(ORDINARY)])

const TOO_SLOW = 'it takes so long that all other requests would wait'

/** Key generation takes seconds: no request may start that on the thread that serves all. */
const REFUSED: ReadonlyMap<string, string> = new Map(
  [
    'genPrivateKey',
    'derivePassword',
    'buildCustomCert',
    'genCA',
    'genSelfSignedCert',
    'genSignedCert',
    // Asks the network.
    'getHostByName',
  ].map((name) => [name, TOO_SLOW]),
)

const NAMES: FunctionNames = { known: new Set(FUNCTIONS.keys()), refused: REFUSED }

/** The delimiters of Go, for those that are empty. */
export function delimitersOf(left: string, right: string): Delimiters {
  return { left: left === '' ? '{{' : left, right: right === '' ? '}}' : right }
}

/** Something about the text of a template; line and column count from 1 within it. */
export interface TemplateFinding {
  readonly message: string
  readonly line: number
  readonly column: number
  /** Shows only if the template gets there. */
  readonly isWarning: boolean
}

/** What is wrong with a template; nothing when it can be compiled and is sound as far as seen. */
export function checkTemplate(text: string, delimiters: Delimiters): readonly TemplateFinding[] {
  const placed = ({ message, offset }: TemplateWarning, isWarning: boolean): TemplateFinding => ({
    message,
    ...positionAt(text, offset),
    isWarning,
  })
  try {
    return compile(text, delimiters).warnings.map((warning) => placed(warning, true))
  } catch (thrown) {
    if (thrown instanceof SyntaxProblem) return [placed(thrown, false)]
    throw thrown
  }
}

function compile(text: string, delimiters: Delimiters): Compiler {
  const compiler = new Compiler(FUNCTIONS)
  compiler.compile(parse(text, delimiters, NAMES))
  return compiler
}

/**
 * The fields that a template reads, as far as its text tells: `.a.b` and `$.a.b` as `['a', 'b']`;
 * those of anything else than the data itself behind a '' (`$x.b`, or `.b` inside `with` and
 * `range`, where dot is something else). `text`: one that {@link checkTemplate} takes.
 */
export function fieldsRead(text: string, delimiters: Delimiters): readonly (readonly string[])[] {
  return fieldsOf(parse(text, delimiters, NAMES))
}

export class TextTemplate {
  readonly #main: CompiledTemplate
  readonly #limits: TemplateLimits

  /** `text`: one that {@link checkTemplate} takes. */
  constructor(text: string, delimiters: Delimiters, limits: TemplateLimits = DEFAULT_LIMITS) {
    this.#main = compile(text, delimiters).templates.get(MAIN) as CompiledTemplate
    this.#limits = limits
  }

  render(data: Value, host: TemplateHost): string {
    const run = new RunState(this.#limits, host, framed(this.#main, data))
    try {
      this.#main.body(run, data)
    } catch (thrown) {
      // Data may nest deeper than the stack is; text may grow beyond what a string may hold.
      if (thrown instanceof RangeError) throw new TemplateError(`too large: ${thrown.message}`)
      throw thrown
    }
    return run.output
  }
}
