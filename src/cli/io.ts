/** Everything a command touches outside the process, but for the server. */
export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdinIsTty: boolean
  /** True when stderr may be coloured: a terminal, and NO_COLOR is not set. */
  readonly hasColor: boolean
  /** Results, to stdout, as they are. */
  out(text: string): void
  /** Everything else, to stderr, a line each. */
  err(line: string): void
  /** Rejects as `node:fs` does. */
  readFile(path: string): Promise<string>
  readStdin(): Promise<string>
  /** Replaces the file as a whole; rejects as `node:fs` does. */
  writeFile(path: string, text: string): Promise<void>
  /** Lets a person change `text` in a file of that name; resolves when the editor ends. */
  edit(text: string, fileName: string): Promise<Edited>
}

/** What came out of an editor. */
export interface Edited {
  readonly text: string
  /** Where the file is. */
  readonly path: string
  /** Removes it. */
  discard(): Promise<void>
}

/** An expected failure: its message is all the user sees, on one line or several. */
export class CliError extends Error {
  override readonly name: string = 'CliError'
}

/** Text from elsewhere for a terminal: nothing in it can move the cursor or change colours. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not pass
  return text.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '?')
}
