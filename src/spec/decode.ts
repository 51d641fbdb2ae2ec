/**
 * Decoding of plain data by a schema, in four steps: `prune` copies the value without its nulls,
 * zod checks shapes and converts, `issues.ts` puts zod's findings into our words, and the Finisher
 * freezes the result and runs the checks across fields. All problems are reported, whichever step
 * finds them.
 */
import { Finisher } from './finish.js'
import { isAboutKeys, isIgnored, problemOf, unknownKeyAt, unknownKeysOf } from './issues.js'
import { nodeOf, type Path, type Schema, zodOf } from './node.js'
import type { Finding } from './problem.js'
import { prune } from './prune.js'

export interface DecodeOptions {
  /** What becomes of keys that the schema does not know. Default `refuse`. */
  readonly unknownFields?: 'refuse' | 'warn'
}

export type Decoded<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly problems: readonly Finding[] }

/**
 * Decodes JSON-like data. Never throws, unless a check of ours does. The result is deeply frozen
 * and shares nothing with `value`.
 */
export function decode<T>(
  schema: Schema<T>,
  value: unknown,
  options: DecodeOptions = {},
): Decoded<T> {
  const node = nodeOf(schema)
  const { value: pruned, nulls, problem } = prune(value)
  if (problem !== null) return { ok: false, problems: [problem] }
  const given = pruned ?? undefined // a lone null is nothing at all
  const run = zodOf(node)._zod.run({ value: given, issues: [] }, { async: false })
  if (run instanceof Promise) throw new TypeError('a schema must not be asynchronous')
  const issues = run.issues.filter((issue) => !isAboutKeys(issue))
  const isHopeless = issues.length > FINDINGS_MAX // what checks would add, nobody would read
  const finisher = new Finisher(isHopeless ? [] : issues)
  const finished = isHopeless ? undefined : finisher.finish(node, run.value)
  const unknownKeys = unknownKeysOf(node, given, run.issues, nulls)
  const areRefused = options.unknownFields !== 'warn'
  const isRefused = (path: Path): boolean => areRefused && !isIgnored(node, given, path)
  const word = (path: Path): Finding => unknownKeyAt(node, given, path)
  const problems = [
    ...limited(issues, (issue) => problemOf(node, given, issue)),
    ...limited(unknownKeys.filter(isRefused), word),
    ...limited(finisher.problems, (problem) => problem),
  ]
  if (problems.length > 0) return { ok: false, problems }
  // None of them is refused, or we would not be here.
  const warnings = [...limited(unknownKeys, word), ...limited(finisher.warnings, (each) => each)]
  return { ok: true, value: finished as T, warnings }
}

/** Nobody reads more of one sort than this; hostile documents could have millions. */
const FINDINGS_MAX = 100

function limited<T>(items: readonly T[], word: (item: T) => Finding): Finding[] {
  const findings = items.slice(0, FINDINGS_MAX).map(word)
  const more = items.length - findings.length
  if (more > 0) findings.push({ path: [], message: `and ${more} more problems of this sort` })
  return findings
}
