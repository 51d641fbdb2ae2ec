import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { GROUPS, type OptionRow, ROWS } from '../../src/options/table.js'

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

/** One table for each group, as it has to stand in the page. */
function optionTable(group: string): string {
  const rows = ROWS.filter(([, row]) => row.group === group).map(([, row]) => line(row))
  return ['| Option | Value | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function line(row: OptionRow<unknown>): string {
  const names = [row.name, ...(row.alias === null ? [] : [row.alias])].map((name) => `\`${name}\``)
  if (row.short !== null) names.push(`\`-${row.short}\``)
  const place = row.onCommandLine ? (row.inFile ? '' : ' Not in the file.') : ' In the file only.'
  const value = row.type.placeholder || (row.onCommandLine ? 'switch' : 'map')
  const doc = row.doc.includes('config file only') ? row.doc : `${row.doc}${place}`
  const cells = [names.join(', '), value.replaceAll('|', ' or '), defaultOf(row), doc]
  return `| ${cells.join(' | ')} |`
}

function defaultOf({ default: value, defaultDoc }: OptionRow<unknown>): string {
  if (defaultDoc !== null) return defaultDoc
  if (Array.isArray(value)) return value.length === 0 ? 'none' : `\`${value.join(',')}\``
  return typeof value === 'object' ? 'none' : `\`${String(value)}\``
}

it.each(GROUPS)('docs/operations.md has the options of group %s as the code has them', (group) => {
  expect(page).toContain(optionTable(group))
})

it('docs/operations.md shows no option table of a group that is gone', () => {
  expect(page.match(/^\| Option \| Value \| Default \| Meaning \|$/gm)).toHaveLength(GROUPS.length)
})
