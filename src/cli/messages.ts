import pc from 'picocolors'
import type { CliIo } from './io.js'

export function errorPrefix(io: CliIo): string {
  return pc.createColors(io.hasColor).red('Error: ')
}

export function warningPrefix(io: CliIo): string {
  return pc.createColors(io.hasColor).yellow('Warning: ')
}

export interface Placed {
  /** The lines that name a place, as `file:line:column: …`, in order, others as they were. */
  readonly lines: readonly string[]
  readonly hasPlaces: boolean
}

/**
 * The server counts from the start of the document it was sent: its `line 3, column 7: …` becomes
 * `file:line:column: …`, as compilers write it and editors understand it. `firstLine` is where the
 * document begins in the file.
 */
export function placeProblems(message: string, file: string, firstLine: number): Placed {
  let hasPlaces = false
  const lines = message.split('\n').map((line) => {
    const match = /^\s*line (\d+), column (\d+): (.*)$/s.exec(line)
    if (match === null) return line
    hasPlaces = true
    return `${file}:${Number(match[1]) + firstLine - 1}:${match[2]}: ${match[3]}`
  })
  return { lines, hasPlaces }
}
