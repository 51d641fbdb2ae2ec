/** One column: its head and what it shows of a row. */
export interface Column {
  readonly head: string
  readonly of: (row: Record<string, unknown>) => unknown
}

/** Longest text of a cell; what is longer is cut. */
const CELL_MAX = 60
const GAP = '   '

export const column = (head: string, key: string): Column => ({ head, of: (row) => row[key] })

/** Aligned columns under their heads, without lines between them: easy to read and to cut. */
export function table(columns: readonly Column[], rows: readonly unknown[]): string {
  const cells = rows.map((row) =>
    columns.map(({ of }) => cellText(of((row ?? {}) as Record<string, unknown>))),
  )
  const lines = [columns.map(({ head }) => head), ...cells]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)))
  return lines
    .map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(GAP))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

function cellText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would break the table
  const flat = text.replaceAll(/[\x00-\x1f\x7f-\x9f]+/g, ' ')
  return flat.length <= CELL_MAX ? flat : `${flat.slice(0, CELL_MAX - 1)}…`
}
