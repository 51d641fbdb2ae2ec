import { type Run, TemplateError, type Value } from './value.js'

/** Bounds of one run; what goes over one ends it with a {@link TemplateError}. */
export interface TemplateLimits {
  /** Characters of output. */
  readonly outputMax: number
  /** Characters and items that all functions together may make. */
  readonly growthMax: number
  /** Nodes, calls and rounds of `range`. */
  readonly stepsMax: number
  /** Templates within templates. */
  readonly depthMax: number
}

/** Items that take about as long as a node of a template. */
const ITEMS_PER_STEP = 4

/** Of a template that runs for a request: some 50 ms of work at most. */
export const DEFAULT_LIMITS: TemplateLimits = Object.freeze({
  outputMax: 4 * 1024 * 1024,
  growthMax: 32 * 1024 * 1024,
  stepsMax: 200_000,
  depthMax: 100,
})

/** Who a running template may ask for what is not in its data. */
export interface TemplateHost {
  /** Milliseconds since the Unix epoch. */
  wallMs(): number
  /** Where the function `log` writes; `level` is debug, info, warn or error. */
  log(level: string, message: string): void
}

/** Output, variables and budget of one run. */
export class RunState implements Run {
  output = ''
  variables: Value[]
  depth = 0
  readonly #limits: TemplateLimits
  readonly #host: TemplateHost
  #steps: number
  #growth: number

  constructor(limits: TemplateLimits, host: TemplateHost, variables: Value[]) {
    this.#limits = limits
    this.#host = host
    this.#steps = limits.stepsMax
    this.#growth = limits.growthMax
    this.variables = variables
  }

  write(text: string): void {
    this.output += text
    if (this.output.length > this.#limits.outputMax) {
      throw new TemplateError(`more than ${this.#limits.outputMax} characters of output`)
    }
  }

  step(count = 1): void {
    this.#steps -= count
    if (this.#steps < 0) throw new TemplateError(`more than ${this.#limits.stepsMax} steps`)
  }

  grow(count: number): void {
    this.#growth -= count
    if (!(this.#growth >= 0)) {
      throw new TemplateError(`more than ${this.#limits.growthMax} characters and items made`)
    }
  }

  makeItems(count: number): void {
    this.step(count / ITEMS_PER_STEP)
  }

  enter(): void {
    this.depth += 1
    if (this.depth > this.#limits.depthMax) {
      throw new TemplateError(`templates nested more than ${this.#limits.depthMax} deep`)
    }
  }

  nowMs(): number {
    return this.#host.wallMs()
  }

  log(level: string, message: string): void {
    this.#host.log(level, message)
  }
}
