import type { Path } from './node.js'
import type { Position } from './position.js'

/** One thing that is wrong with a document, or worth a warning. */
export interface Problem {
  /** Keys and indices joined by `/`, as in `filters/2/bytesMax`; empty for the whole document. */
  readonly path: string
  /** Both count from 1; null where there is no text, only a value. */
  readonly line: number | null
  readonly column: number | null
  /** `expected 1..1048576 bytes, got "1k"`: everything but the place and what to do. */
  readonly message: string
  readonly expected?: string
  readonly got?: string
  /** What to do about it. */
  readonly hint?: string
}

/** A problem before it has a place in a text. */
export interface Finding {
  readonly path: Path
  /** It is the key that is wrong, not its value. */
  readonly isKey?: boolean
  readonly message: string
  readonly expected?: string
  readonly got?: string
  readonly hint?: string
}

/** `position` null: there is no text. */
export function problemAt(finding: Finding, position: Position | null): Problem {
  const { path, isKey: _, ...rest } = finding
  return {
    path: path.join('/'),
    line: position?.line ?? null,
    column: position?.column ?? null,
    ...rest,
  }
}

/**
 * One line for each problem: `line 12, column 7: filters/2/bytesMax: expected …, got …; did you
 * mean …?`.
 */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('\n')
}

function formatProblem({ path, line, column, message, hint }: Problem): string {
  const place = line === null ? '' : `line ${line}, column ${column}: `
  const field = path === '' ? '' : `${oneLine(path)}: `
  return `${place}${field}${oneLine(message)}${hint === undefined ? '' : `; ${hint}`}`
}

/** Keys and refused values come from users: they must not be able to fake lines of their own. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f\u2028\u2029]/g, (character) =>
    JSON.stringify(character).slice(1, -1),
  )
}
