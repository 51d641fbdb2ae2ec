import { Command, Option } from 'commander'
import type { Problem } from '../spec/document.js'
import { type Part, readParts } from './documents.js'
import { CliError, type CliIo, printable } from './io.js'
import { warningPrefix } from './messages.js'
import { collect } from './write-objects.js'

interface LintOptions {
  readonly file?: string[]
  readonly dialect: 'v1' | 'v2'
  readonly unknownFields: 'refuse' | 'warn'
}

/** Something to mend, with its place in the file. */
interface Found {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly severity: 'error' | 'warning'
  readonly message: string
}

/** `egctl object lint …`: what the server would say of files, without a server. */
export function lint(io: CliIo): Command {
  return new Command('lint')
    .description('check files without a server; exit code 1 when something is wrong')
    .option('-f, --file <path>', 'YAML or JSON, again for more; "-" or none reads stdin', collect)
    .addOption(
      new Option('--dialect <dialect>', 'of documents that do not say')
        .choices(['v1', 'v2'])
        .default('v1'),
    )
    .addOption(
      new Option('--unknown-fields <what>', 'what to make of fields that do not exist')
        .choices(['refuse', 'warn'])
        .default('refuse'),
    )
    .addHelpText(
      'after',
      '\nNames of objects that are in other files are not followed.\n\nExample:\n  egctl object lint -f all.yaml',
    )
    .action(async (options: LintOptions, command: Command) => {
      const parts = await readParts(io, options.file ?? ['-'])
      const found = await lintAll(parts, options)
      const { output } = command.optsWithGlobals<{ output?: string }>()
      if (output === 'json') io.out(`${JSON.stringify(found, null, 2)}\n`)
      const errors = found.filter(({ severity }) => severity === 'error')
      if (output !== 'json') {
        for (const each of found) {
          if (each.severity === 'warning') io.err(`${warningPrefix(io)}${lineOf(each)}`)
        }
      }
      if (errors.length === 0) return
      const things = errors.length === 1 ? '1 problem' : `${errors.length} problems`
      const lines = output === 'json' ? [] : errors.map(lineOf)
      throw new CliError([`${things} in ${countOf(parts)}`, ...lines].join('\n'))
    })
}

const countOf = (parts: readonly Part[]): string =>
  parts.length === 1 ? '1 document' : `${parts.length} documents`

const lineOf = ({ file, line, column, message }: Found): string =>
  printable(`${file}:${line}:${column}: ${message}`)

async function lintAll(parts: readonly Part[], options: LintOptions): Promise<readonly Found[]> {
  const { decodeDocument, formatProblems } = await import('../spec/document.js')
  // Every schema there is, without any engine.
  const { objectKinds } = await import('../kinds/registry.js')
  const found: Found[] = []
  const names = new Map<string, Part>()
  if (parts.length === 0) throw new CliError('expected an object, but there is nothing')
  for (const part of parts) {
    const { file, line, text } = part
    const decoded = decodeDocument(text, objectKinds, options)
    const at = (problem: Problem, severity: Found['severity']): Found => ({
      file,
      line: line + (problem.line ?? 1) - 1,
      column: problem.column ?? 1,
      severity,
      message: formatProblems([{ ...problem, line: null }]),
    })
    if (!decoded.ok) {
      found.push(...decoded.problems.map((problem) => at(problem, 'error')))
      continue
    }
    found.push(...decoded.warnings.map((problem) => at(problem, 'warning')))
    const { name } = decoded.object
    const first = names.get(name)
    if (first === undefined) names.set(name, part)
    else {
      const message = `name: ${name} is already at ${first.file}:${first.line}`
      found.push({ file, line, column: 1, severity: 'error', message })
    }
  }
  return found
}
