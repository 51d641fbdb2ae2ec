/** Where something stands in a template; both count from 1, columns in UTF-16 code units. */
export interface TemplatePosition {
  readonly line: number
  readonly column: number
}

/** What is wrong with the text of a template, and where. */
export class SyntaxProblem extends Error {
  override readonly name = 'SyntaxProblem'
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

export type TokenType =
  | 'bool'
  | 'char'
  | 'charConstant'
  | 'complex'
  | 'assign'
  | 'declare'
  | 'eof'
  | 'field'
  | 'identifier'
  | 'leftDelim'
  | 'leftParen'
  | 'number'
  | 'pipe'
  | 'rawString'
  | 'rightDelim'
  | 'rightParen'
  | 'space'
  | 'string'
  | 'text'
  | 'variable'
  | 'dot'
  | 'keyword'
  | 'nil'

export interface Token {
  readonly type: TokenType
  readonly text: string
  /** UTF-16 units from the start of the template. */
  readonly offset: number
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'block',
  'break',
  'continue',
  'define',
  'else',
  'end',
  'if',
  'range',
  'template',
  'with',
])

const SPACES = ' \t\r\n'
const LETTER_OR_DIGIT = /[\p{L}\p{Nd}_]/u
const WORD = /[\p{L}\p{Nd}_]*/uy
const NUMBER_START = /[0-9+-]/
const LEFT_COMMENT = '/*'
const RIGHT_COMMENT = '*/'

export interface Delimiters {
  readonly left: string
  readonly right: string
}

/** Cuts the text of a template into tokens (Go: text/template/parse/lex.go). */
export function tokenize(text: string, delimiters: Delimiters): Token[] {
  return new Lexer(text, delimiters).tokens()
}

class Lexer {
  readonly #text: string
  readonly #left: string
  readonly #right: string
  readonly #tokens: Token[] = []
  #at = 0
  #parens = 0

  constructor(text: string, { left, right }: Delimiters) {
    this.#text = text
    this.#left = left
    this.#right = right
  }

  tokens(): Token[] {
    while (this.#lexText()) this.#lexAction()
    this.#tokens.push({ type: 'eof', text: '', offset: this.#text.length })
    return this.#tokens
  }

  /** Up to the next action, which it enters; false at the end. Comments are left out. */
  #lexText(): boolean {
    const text = this.#text
    for (;;) {
      const start = this.#at
      const left = text.indexOf(this.#left, start)
      if (left < 0) {
        this.#push('text', text.slice(start), start)
        return false
      }
      const inside = left + this.#left.length
      const trims = this.#hasTrimMarker(inside, true)
      let end = left
      if (trims) while (end > start && isSpace(text[end - 1])) end -= 1
      this.#push('text', text.slice(start, end), start)
      this.#at = inside + (trims ? 2 : 0)
      if (text.startsWith(LEFT_COMMENT, this.#at)) {
        this.#skipComment(left)
        continue
      }
      this.#tokens.push({ type: 'leftDelim', text: this.#left, offset: left })
      return true
    }
  }

  #push(type: TokenType, text: string, offset: number): void {
    if (text !== '') this.#tokens.push({ type, text, offset })
  }

  /** `- ` behind a left delimiter, ` -` before a right one. */
  #hasTrimMarker(at: number, isLeft: boolean): boolean {
    const text = this.#text
    return isLeft
      ? text[at] === '-' && isSpace(text[at + 1])
      : isSpace(text[at]) && text[at + 1] === '-' && text.startsWith(this.#right, at + 2)
  }

  #skipComment(left: number): void {
    const end = this.#text.indexOf(RIGHT_COMMENT, this.#at + LEFT_COMMENT.length)
    if (end < 0) throw new SyntaxProblem('unclosed comment', left)
    this.#at = end + RIGHT_COMMENT.length
    if (!this.#takeRightDelim()) {
      throw new SyntaxProblem('comment ends before closing delimiter', this.#at)
    }
  }

  /** Takes a right delimiter with what it trims; false when there is none here. */
  #takeRightDelim(): boolean {
    const trims = this.#hasTrimMarker(this.#at, false)
    if (!trims && !this.#text.startsWith(this.#right, this.#at)) return false
    this.#at += this.#right.length + (trims ? 2 : 0)
    if (trims) while (isSpace(this.#text[this.#at])) this.#at += 1
    return true
  }

  /** The left delimiter is taken; takes all up to the right one. */
  #lexAction(): void {
    const left = this.#at
    this.#parens = 0
    for (;;) {
      const start = this.#at
      if (this.#takeRightDelim()) {
        if (this.#parens > 0) throw new SyntaxProblem('unclosed left paren', start)
        this.#tokens.push({ type: 'rightDelim', text: this.#right, offset: start })
        return
      }
      if (start >= this.#text.length) throw new SyntaxProblem('unclosed action', left)
      this.#lexInside(start)
    }
  }

  #lexInside(start: number): void {
    const text = this.#text
    const first = text[start] as string
    if (isSpace(first)) this.#lexSpace(start)
    else if (first === '=') this.#take('assign', start + 1)
    else if (first === ':') {
      if (text[start + 1] !== '=') throw new SyntaxProblem('expected :=', start)
      this.#take('declare', start + 2)
    } else if (first === '|') this.#take('pipe', start + 1)
    else if (first === '"') this.#lexQuoted('string', '"', 'quoted string')
    else if (first === "'") this.#lexQuoted('charConstant', "'", 'character constant')
    else if (first === '`') this.#lexRawString(start)
    else if (first === '$') this.#lexWord('variable')
    else if (first === '.' && !/[0-9]/.test(text[start + 1] ?? '')) this.#lexWord('field')
    else if (first === '.' || NUMBER_START.test(first)) this.#lexNumber(start)
    else if (LETTER_OR_DIGIT.test(this.#codePoint(start))) this.#lexWord('identifier')
    else this.#lexSign(start, first)
  }

  #lexSign(start: number, first: string): void {
    if (first === '(') this.#parens += 1
    else if (first === ')') {
      this.#parens -= 1
      if (this.#parens < 0) throw new SyntaxProblem('unexpected right paren', start)
    } else if (first < ' ' || first > '~') {
      const shown = JSON.stringify(this.#codePoint(start))
      throw new SyntaxProblem(`unrecognized character in action: ${shown}`, start)
    }
    this.#take(first === '(' ? 'leftParen' : first === ')' ? 'rightParen' : 'char', start + 1)
  }

  #codePoint(at: number): string {
    return String.fromCodePoint(this.#text.codePointAt(at) ?? 0)
  }

  #take(type: TokenType, end: number): void {
    this.#tokens.push({ type, text: this.#text.slice(this.#at, end), offset: this.#at })
    this.#at = end
  }

  /** A run of spaces; the last one may belong to a right delimiter that trims. */
  #lexSpace(start: number): void {
    let end = start
    while (isSpace(this.#text[end])) end += 1
    if (this.#hasTrimMarker(end - 1, false)) end -= 1
    if (end > start) this.#take('space', end)
  }

  #lexQuoted(type: TokenType, quote: string, what: string): void {
    const text = this.#text
    let at = this.#at + 1
    for (;;) {
      const next = text[at]
      if (next === undefined || next === '\n') this.#unterminated(what)
      if (next === quote) break
      if (next === '\\') {
        at += 1
        if (text[at] === undefined || text[at] === '\n') this.#unterminated(what)
      }
      at += 1
    }
    this.#take(type, at + 1)
  }

  #lexRawString(start: number): void {
    const end = this.#text.indexOf('`', start + 1)
    if (end < 0) this.#unterminated('raw quoted string')
    this.#take('rawString', end + 1)
  }

  #unterminated(what: string): never {
    throw new SyntaxProblem(`unterminated ${what}`, this.#at)
  }

  /** `.field`, `$variable` or a word. */
  #lexWord(type: 'field' | 'variable' | 'identifier'): void {
    const start = this.#at
    WORD.lastIndex = type === 'identifier' ? start : start + 1
    WORD.exec(this.#text)
    const end = WORD.lastIndex
    if (!this.#isTerminated(end)) {
      throw new SyntaxProblem(`bad character ${JSON.stringify(this.#codePoint(end))}`, end)
    }
    const word = this.#text.slice(start, end)
    if (type === 'field' && end === start + 1) this.#take('dot', end)
    else if (type !== 'identifier') this.#take(type, end)
    else if (KEYWORDS.has(word)) this.#take('keyword', end)
    else if (word === 'nil') this.#take('nil', end)
    else this.#take(word === 'true' || word === 'false' ? 'bool' : 'identifier', end)
  }

  /** What may follow a word: `$x+2` is no expression. */
  #isTerminated(at: number): boolean {
    const next = this.#text[at]
    if (next === undefined || isSpace(next) || '.,|:)('.includes(next)) return true
    return this.#text.startsWith(this.#right, at)
  }

  #lexNumber(start: number): void {
    let end = this.#scanNumber(start)
    let type: TokenType = 'number'
    const sign = this.#text[end]
    if (sign === '+' || sign === '-') {
      end = this.#scanNumber(end)
      if (this.#text[end - 1] !== 'i') this.#badNumber(start, end)
      type = 'complex'
    }
    this.#take(type, end)
  }

  #scanNumber(start: number): number {
    NUMBER.lastIndex = start
    NUMBER.exec(this.#text)
    const end = NUMBER.lastIndex
    const next = this.#text[end]
    if (next !== undefined && LETTER_OR_DIGIT.test(this.#codePoint(end))) {
      this.#badNumber(start, end + 1)
    }
    return end
  }

  #badNumber(start: number, end: number): never {
    const shown = JSON.stringify(this.#text.slice(start, end))
    throw new SyntaxProblem(`bad number syntax: ${shown}`, start)
  }
}

/** Accepts too much, as Go's scanner does: whoever reads the number will notice. */
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?/y

function isSpace(unit: string | undefined): boolean {
  return unit !== undefined && unit !== '' && SPACES.includes(unit)
}

/** Turns an offset into a place. */
export function positionAt(text: string, offset: number): TemplatePosition {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  let line = 1
  for (let at = before.indexOf('\n'); at >= 0; at = before.indexOf('\n', at + 1)) line += 1
  return { line, column: offset - lineStart + 1 }
}
