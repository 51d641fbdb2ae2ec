import { suggest } from '../lib/suggest.js'
import type { BranchNode, Command, Node, Operand, Pipe, TemplateTree } from './ast.js'
import { type Delimiters, SyntaxProblem, type Token, type TokenType, tokenize } from './lexer.js'
import { parseNumber, runeOf, unquote } from './literals.js'

/** How deep parentheses and blocks may nest. */
const NESTING_MAX = 200

/** The name of the template that the text itself is. */
export const MAIN = ''

/**
 * Reads a template and those that it defines (Go: text/template/parse/parse.go); throws a
 * {@link SyntaxProblem}. Unlike Go's it finds variables and templates that do not exist now, not
 * when they are used.
 */
export function parse(
  text: string,
  delimiters: Delimiters,
  functions: FunctionNames,
): ReadonlyMap<string, TemplateTree> {
  return new Parser(tokenize(text, delimiters), functions).parse()
}

/** What templates may call. */
export interface FunctionNames {
  readonly known: ReadonlySet<string>
  /** Functions that exist elsewhere, and why they do not here. */
  readonly refused: ReadonlyMap<string, string>
}

/** How a list of nodes came to its end. */
type Closing = 'end' | 'else' | 'else if' | 'else with'

interface Frame {
  variables: string[]
  slots: number
  ranges: number
}

interface Nodes {
  readonly nodes: Node[]
  readonly closing: Closing
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #functions: FunctionNames
  readonly #templates = new Map<string, TemplateTree>()
  readonly #used: { readonly name: string; readonly offset: number }[] = []
  #at = 0
  #nesting = 0
  #frame: Frame = newFrame()

  constructor(tokens: readonly Token[], functions: FunctionNames) {
    this.#tokens = tokens
    this.#functions = functions
  }

  parse(): ReadonlyMap<string, TemplateTree> {
    const nodes: Node[] = []
    while (this.#peek().type !== 'eof') {
      if (this.#isAtKeyword('define')) this.#parseDefine()
      else {
        const node = this.#textOrAction()
        if (typeof node === 'string') this.#fail(`unexpected {{${node}}}`, this.#previous())
        nodes.push(node)
      }
    }
    this.#add(MAIN, { nodes, slots: this.#frame.slots }, 0)
    for (const { name, offset } of this.#used) {
      if (!this.#templates.has(name)) {
        throw new SyntaxProblem(`template ${JSON.stringify(name)} not defined`, offset)
      }
    }
    return this.#templates
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token
  }

  #next(): Token {
    const token = this.#tokens[this.#at] as Token
    if (token.type !== 'eof') this.#at += 1
    return token
  }

  #previous(): Token {
    return this.#tokens[Math.max(0, this.#at - 1)] as Token
  }

  #skipSpace(): void {
    while (this.#peek().type === 'space') this.#at += 1
  }

  #peekNonSpace(): Token {
    this.#skipSpace()
    return this.#peek()
  }

  #nextNonSpace(): Token {
    this.#skipSpace()
    return this.#next()
  }

  #expect(type: TokenType, context: string): Token {
    const token = this.#nextNonSpace()
    if (token.type !== type) this.#unexpected(token, context)
    return token
  }

  #unexpected(token: Token, context: string): never {
    const shown = token.type === 'eof' ? 'end of the template' : JSON.stringify(token.text)
    this.#fail(`unexpected ${shown} in ${context}`, token)
  }

  #fail(message: string, { offset }: { readonly offset: number }): never {
    throw new SyntaxProblem(message, offset)
  }

  /** At a left delimiter with this keyword right behind it. */
  #isAtKeyword(keyword: string): boolean {
    if (this.#peek().type !== 'leftDelim') return false
    let at = this.#at + 1
    while (this.#tokens[at]?.type === 'space') at += 1
    const token = this.#tokens[at]
    return token?.type === 'keyword' && token.text === keyword
  }

  #parseDefine(): void {
    this.#next()
    const { offset } = this.#nextNonSpace()
    const name = this.#templateName(this.#nextNonSpace(), 'define clause')
    this.#expect('rightDelim', 'define clause')
    this.#define(name, offset)
  }

  /** The body of a template of its own, up to its end; sees no variables from outside. */
  #define(name: string, offset: number): void {
    const outer = this.#frame
    this.#frame = newFrame()
    const { nodes, closing } = this.#list(offset)
    if (closing !== 'end') this.#fail(`unexpected {{${closing}}} in define`, this.#previous())
    this.#add(name, { nodes, slots: this.#frame.slots }, offset)
    this.#frame = outer
  }

  /** Of two templates of one name, an empty one gives way. */
  #add(name: string, tree: TemplateTree, offset: number): void {
    const before = this.#templates.get(name)
    if (before === undefined || isEmpty(before)) this.#templates.set(name, tree)
    else if (!isEmpty(tree)) {
      this.#fail(`multiple definition of template ${JSON.stringify(name)}`, { offset })
    }
  }

  /** Up to `end` or `else`, which is taken. */
  #list(offset: number): Nodes {
    this.#nesting += 1
    if (this.#nesting > NESTING_MAX) this.#fail('nested too deeply', { offset })
    const nodes: Node[] = []
    for (;;) {
      const token = this.#peekNonSpace()
      if (token.type === 'eof')
        this.#fail('unexpected end of the template: expected {{end}}', token)
      const node = this.#textOrAction()
      if (typeof node === 'string') {
        this.#nesting -= 1
        return { nodes, closing: node }
      }
      nodes.push(node)
    }
  }

  #textOrAction(): Node | Closing {
    const token = this.#nextNonSpace()
    if (token.type === 'text') return { type: 'text', text: token.text }
    if (token.type !== 'leftDelim') this.#unexpected(token, 'input')
    return this.#action()
  }

  #action(): Node | Closing {
    const token = this.#peekNonSpace()
    if (token.type !== 'keyword')
      return { type: 'action', pipe: this.#pipe('command', 'rightDelim') }
    this.#next()
    switch (token.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(token.text, token.offset)
      case 'end':
        this.#expect('rightDelim', 'end')
        return 'end'
      case 'else':
        return this.#else()
      case 'break':
      case 'continue':
        return this.#jump(token.text)
      case 'template':
        return this.#template(token.offset)
      case 'block':
        return this.#block()
      default:
        this.#unexpected(token, 'command')
    }
  }

  #else(): Closing {
    const next = this.#peekNonSpace()
    if (next.type === 'keyword' && (next.text === 'if' || next.text === 'with')) {
      this.#next()
      return `else ${next.text}`
    }
    this.#expect('rightDelim', 'else')
    return 'else'
  }

  #jump(type: 'break' | 'continue'): Node {
    const token = this.#expect('rightDelim', `{{${type}}}`)
    if (this.#frame.ranges === 0) this.#fail(`{{${type}}} outside {{range}}`, token)
    return { type }
  }

  #branch(type: BranchNode['type'], offset: number): Node {
    const frame = this.#frame
    const variableCount = frame.variables.length
    const pipe = this.#pipe(type, 'rightDelim')
    const bodyCount = frame.variables.length
    if (type === 'range') frame.ranges += 1
    const { nodes: then, closing } = this.#list(offset)
    if (type === 'range') frame.ranges -= 1
    frame.variables.length = bodyCount
    const otherwise = this.#otherwise(type, closing, offset)
    frame.variables.length = variableCount
    return { type, pipe, then, otherwise }
  }

  #otherwise(type: BranchNode['type'], closing: Closing, offset: number): Node[] | null {
    if (closing === 'end') return null
    if (closing === 'else') {
      const { nodes, closing: last } = this.#list(offset)
      if (last !== 'end') this.#fail(`expected {{end}}, found {{${last}}}`, this.#previous())
      return nodes
    }
    const word = closing === 'else if' ? 'if' : 'with'
    if (word !== type) this.#fail(`unexpected {{${closing}}} in {{${type}}}`, this.#previous())
    // `{{else if x}}` is `{{else}}{{if x}}`, and one end closes both.
    this.#nesting += 1
    const nodes = [this.#branch(word, offset)]
    this.#nesting -= 1
    return nodes
  }

  #template(offset: number): Node {
    const name = this.#templateName(this.#nextNonSpace(), 'template clause')
    let pipe: Pipe | null = null
    if (this.#peekNonSpace().type === 'rightDelim') this.#next()
    else pipe = this.#pipe('template clause', 'rightDelim')
    this.#used.push({ name, offset })
    return { type: 'template', name, pipe, offset }
  }

  #block(): Node {
    const token = this.#nextNonSpace()
    const name = this.#templateName(token, 'block clause')
    const pipe = this.#pipe('block clause', 'rightDelim')
    this.#define(name, token.offset)
    return { type: 'template', name, pipe, offset: token.offset }
  }

  #templateName(token: Token, context: string): string {
    if (token.type !== 'string' && token.type !== 'rawString') this.#unexpected(token, context)
    return this.#unquoted(token)
  }

  #unquoted(token: Token): string {
    const text = unquote(token.text)
    if (text === null) this.#fail(`invalid escape in ${token.text}`, token)
    return text
  }

  #pipe(context: string, end: TokenType): Pipe {
    const { offset } = this.#peekNonSpace()
    const target = this.#target(context)
    const commands: Command[] = []
    for (;;) {
      const token = this.#peekNonSpace()
      if (token.type === end) {
        this.#next()
        break
      }
      if (!OPERANDS.has(token.type)) this.#unexpected(this.#next(), context)
      commands.push(this.#command())
    }
    this.#checkCommands(commands, context, offset)
    const variables = target.isAssign
      ? target.names.map((name) => this.#slotOf(name, { offset }))
      : target.names.map((name) => this.#declare(name))
    return { offset, variables, commands }
  }

  /** `$x :=`, `$x =` or, for range, `$i, $x :=`; nothing is taken when there is none. */
  #target(context: string): { readonly names: string[]; readonly isAssign: boolean } {
    const names: string[] = []
    for (;;) {
      const start = this.#at
      const variable = this.#peekNonSpace()
      if (variable.type !== 'variable') {
        if (names.length > 0 && variable.type !== 'rightDelim' && variable.type !== 'rightParen') {
          this.#fail('range can only initialize variables', variable)
        }
        return { names, isAssign: false }
      }
      this.#next()
      const next = this.#peekNonSpace()
      if (next.type === 'assign' || next.type === 'declare') {
        this.#next()
        return { names: [...names, variable.text], isAssign: next.type === 'assign' }
      }
      const isList = next.type === 'char' && next.text === ','
      if (!isList) {
        this.#at = start
        return { names, isAssign: false }
      }
      this.#next()
      names.push(variable.text)
      if (context !== 'range' || names.length > 1) {
        this.#fail(`too many declarations in ${context}`, next)
      }
    }
  }

  #checkCommands(commands: readonly Command[], context: string, offset: number): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`, { offset })
    for (const [index, { args, offset: at }] of commands.entries()) {
      const first = args[0] as Operand
      if (index > 0 && LITERALS.has(first.type)) {
        this.#fail(`non executable command in pipeline stage ${index + 1}`, { offset: at })
      }
    }
  }

  #declare(name: string): number {
    const frame = this.#frame
    frame.variables.push(name)
    frame.slots = Math.max(frame.slots, frame.variables.length)
    return frame.variables.length - 1
  }

  #slotOf(name: string, at: { readonly offset: number }): number {
    const slot = this.#frame.variables.lastIndexOf(name)
    if (slot < 0) this.#fail(`undefined variable ${JSON.stringify(name)}`, at)
    return slot
  }

  /** Up to the end of the pipeline, or past a `|`. */
  #command(): Command {
    const { offset } = this.#peekNonSpace()
    const args: Operand[] = []
    for (;;) {
      this.#skipSpace()
      const operand = this.#operand()
      if (operand !== null) args.push(operand)
      const token = this.#peek()
      if (token.type === 'space') continue
      if (token.type === 'pipe') {
        this.#next()
      } else if (token.type !== 'rightDelim' && token.type !== 'rightParen') {
        this.#unexpected(token, 'operand')
      }
      break
    }
    if (args.length === 0) this.#fail('empty command', { offset })
    return { offset, args }
  }

  /** A term with the fields behind it. */
  #operand(): Operand | null {
    const term = this.#term()
    if (term === null || this.#peek().type !== 'field') return term
    const first = this.#peek()
    const names: string[] = []
    while (this.#peek().type === 'field') names.push(this.#next().text.slice(1))
    switch (term.type) {
      case 'field':
      case 'variable':
        return { ...term, names: [...term.names, ...names] }
      case 'function':
      case 'pipe':
      case 'chain':
        return { type: 'chain', of: term, names, offset: term.offset }
      default:
        return this.#fail('unexpected . after a literal', first)
    }
  }

  #term(): Operand | null {
    const token = this.#peekNonSpace()
    const { offset, text } = token
    if (!OPERANDS.has(token.type)) return null
    this.#next()
    switch (token.type) {
      case 'identifier':
        return this.#function(token)
      case 'dot':
        return { type: 'dot', offset }
      case 'nil':
        return { type: 'nil', offset }
      case 'variable':
        return { type: 'variable', slot: this.#slotOf(text, token), names: [], offset }
      case 'field':
        return { type: 'field', names: [text.slice(1)], offset }
      case 'bool':
        return { type: 'constant', value: text === 'true', offset }
      case 'string':
      case 'rawString':
        return { type: 'constant', value: this.#unquoted(token), offset }
      case 'leftParen':
        return this.#parenthesized(offset)
      default:
        return this.#number(token)
    }
  }

  #function(token: Token): Operand {
    const { text: name, offset } = token
    const { known, refused } = this.#functions
    if (!known.has(name)) {
      const reason = refused.get(name)
      if (reason !== undefined) {
        this.#fail(`function ${JSON.stringify(name)} is not supported: ${reason}`, token)
      }
      const close = suggest(name, [...known])
      const hint = close === null ? '' : ` (did you mean ${close}?)`
      this.#fail(`function ${JSON.stringify(name)} not defined${hint}`, token)
    }
    return { type: 'function', name, offset }
  }

  #parenthesized(offset: number): Operand {
    this.#nesting += 1
    if (this.#nesting > NESTING_MAX) this.#fail('nested too deeply', { offset })
    const pipe = this.#pipe('parenthesized pipeline', 'rightParen')
    this.#nesting -= 1
    return { type: 'pipe', pipe, offset }
  }

  #number(token: Token): Operand {
    const { text, offset } = token
    if (token.type === 'charConstant') {
      const rune = runeOf(text)
      if (rune === null) this.#fail(`malformed character constant: ${text}`, token)
      return { type: 'number', value: rune, integer: rune, float: Number(rune), offset }
    }
    const number = parseNumber(text, offset)
    if (typeof number === 'string') this.#fail(number, token)
    return number
  }
}

const OPERANDS: ReadonlySet<TokenType> = new Set<TokenType>([
  'bool',
  'charConstant',
  'complex',
  'dot',
  'field',
  'identifier',
  'number',
  'nil',
  'rawString',
  'string',
  'variable',
  'leftParen',
])

const LITERALS: ReadonlySet<Operand['type']> = new Set<Operand['type']>([
  'constant',
  'number',
  'nil',
  'dot',
])

function newFrame(): Frame {
  return { variables: ['$'], slots: 1, ranges: 0 }
}

function isEmpty({ nodes }: TemplateTree): boolean {
  return nodes.every((node) => node.type === 'text' && node.text.trim() === '')
}
