import { GROUPS, type OptionRow, ROWS } from './table.js'

const HEAD = `Easegress: a traffic gateway, load balancer and API orchestrator.

Usage:
  easegress-server [flags]

Every option may be given in four places; the first that has it counts:
  --name eg-1          flag
  EG_NAME=eg-1         environment: EG_, capitals, _ for -
  name: eg-1           config file (--config-file)
  its default          shown in brackets
`

const TAIL = `
Examples:
  easegress-server
  easegress-server --name eg-1 --workers 2 --api-addr 127.0.0.1:12381
  easegress-server -f eg-1.yaml --print-config
`

const WIDTH = 100
const INDENT = 8

/** The text of `--help`: all options in groups, with their defaults; at most 100 columns. */
export function helpText(): string {
  const parts = [HEAD]
  for (const group of GROUPS) {
    parts.push(`\n${group}:\n`)
    for (const [, row] of ROWS) if (row.group === group) parts.push(entry(row))
  }
  parts.push(TAIL)
  return parts.join('')
}

function entry(row: OptionRow<unknown>): string {
  const short = row.short === null ? '    ' : `-${row.short}, `
  const value = row.type.placeholder === '' ? '' : ` ${row.type.placeholder}`
  const head = row.onCommandLine
    ? `  ${short}--${row.name}${value}`
    : `      ${row.name}: (file only)`
  return `${head}\n${wrap(`${row.doc} ${defaultText(row)}`.trim())}`
}

function defaultText(row: OptionRow<unknown>): string {
  if (!row.inFile && row.type.placeholder === '') return ''
  if (row.defaultDoc !== null) return `[${row.defaultDoc}]`
  const value = row.default
  if (Array.isArray(value)) return `[${value.length === 0 ? 'none' : value.join(',')}]`
  if (typeof value === 'object' && value !== null) return '[none]'
  return `[${String(value)}]`
}

function wrap(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines.map((each) => `${' '.repeat(INDENT)}${each}\n`).join('')
}
