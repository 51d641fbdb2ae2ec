import { dump, loadAll, YAMLException } from 'js-yaml'

export interface YamlProblem {
  /** From 1. */
  readonly line: number
  readonly column: number
  readonly message: string
}

export type ParsedYaml =
  | {
      readonly ok: true
      readonly value: unknown
      positionOf(path: readonly string[]): { readonly line: number; readonly column: number }
    }
  | { readonly ok: false; readonly problems: readonly YamlProblem[] }

export function parseYaml(text: string): ParsedYaml {
  try {
    const [value = null, ...more] = loadAll(text, { maxAliases: 100 })
    if (more.length > 0) {
      return { ok: false, problems: [{ line: 1, column: 1, message: 'expected one document' }] }
    }
    return {
      ok: true,
      value,
      positionOf: ([key]) => ({ line: lineOf(text, key ?? ''), column: 1 }),
    }
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) throw thrown
    const line = (thrown.mark?.line ?? 0) + 1
    const column = (thrown.mark?.column ?? 0) + 1
    return { ok: false, problems: [{ line, column, message: thrown.reason }] }
  }
}

export function toYaml(value: unknown): string {
  return dump(value)
}

function lineOf(text: string, key: string): number {
  const at = text
    .split('\n')
    .findIndex((line) => line.replaceAll(/["']/g, '').startsWith(`${key}:`))
  return at < 0 ? 1 : at + 1
}
