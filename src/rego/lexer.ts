export type TokenType = 'name' | 'number' | 'string' | 'mark' | 'end'

export interface Token {
  readonly type: TokenType
  /** Of a string: its value; else as written. */
  readonly text: string
  readonly line: number
  readonly column: number
  /** True when a line ended since the token before. */
  readonly startsLine: boolean
  /** True when nothing, not even a blank, stands before it. */
  readonly isGlued: boolean
}

/** What is wrong with a policy, and where. */
export class RegoError extends Error {
  override readonly name = 'RegoError'
  readonly line: number
  readonly column: number

  constructor(message: string, at: { readonly line: number; readonly column: number }) {
    super(message)
    this.line = at.line
    this.column = at.column
  }
}

const BLANK = /[ \t\r\n]+|#[^\n]*/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const NUMBER = /(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const QUOTED = /"(?:[^"\\\n]|\\.)*"/y
const RAW = /`[^`]*`/y
const MARK = /:=|==|!=|<=|>=|[-+*/%&|<>=:;,.(){}[\]]/y

/** Splits a policy into tokens, the last of type `end`. Throws {@link RegoError}. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let line = 1
  let lineStart = 0
  let startsLine = true
  let isGlued = false
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0] ?? null
  }
  const pass = (piece: string): void => {
    for (let i = piece.indexOf('\n'); i >= 0; i = piece.indexOf('\n', i + 1)) {
      line += 1
      lineStart = at + i + 1
    }
    at += piece.length
  }
  const push = (type: TokenType, value: string, piece: string): void => {
    const column = at - lineStart + 1
    tokens.push({ type, text: value, line, column, startsLine, isGlued })
    pass(piece)
    startsLine = false
    isGlued = true
  }
  while (at < text.length) {
    const blank = take(BLANK)
    if (blank !== null) {
      if (blank.includes('\n')) startsLine = true
      isGlued = false
      pass(blank)
      continue
    }
    const name = take(NAME)
    if (name !== null) {
      push('name', name, name)
      continue
    }
    const number = take(NUMBER)
    if (number !== null) {
      push('number', number, number)
      continue
    }
    const raw = take(RAW)
    if (raw !== null) {
      push('string', raw.slice(1, -1), raw)
      continue
    }
    const quoted = take(QUOTED)
    const here = { line, column: at - lineStart + 1 }
    if (quoted !== null) {
      push('string', unquoted(quoted, here), quoted)
      continue
    }
    const mark = take(MARK)
    if (mark === null) {
      const what = text[at] === '"' || text[at] === '`' ? 'a string that does not end' : text[at]
      throw new RegoError(`unexpected ${what}`, here)
    }
    push('mark', mark, mark)
  }
  push('end', 'the end of the policy', '')
  return tokens
}

function unquoted(quoted: string, at: { readonly line: number; readonly column: number }): string {
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw new RegoError(`${quoted} is no valid string: escapes are those of JSON`, at)
  }
}
