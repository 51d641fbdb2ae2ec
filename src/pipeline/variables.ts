import type { Exchange } from '../http/exchange.js'
import { fromLatin1 } from '../http/headers.js'
import { Template } from '../http/template.js'
import { gjson } from '../lib/gjson.js'

/** What a variable reads. `body` and `json` need the body whole. */
type Source = 'method' | 'scheme' | 'path' | 'proto' | 'host' | 'header' | 'body' | 'statuscode'

/** `[[filter.NAME.req.header.X-Id]]` taken apart. */
export interface Variable {
  readonly filter: string
  readonly side: 'req' | 'rsp'
  readonly source: Source
  /** Header name in lower case, or gjson path; empty otherwise. */
  readonly argument: string
}

/** Bodies that variables read are at most this long (compat/traffic-v1.md §5.3). */
export const CAPTURED_BODY_BYTES = 10_240

const PATTERN = /\[\[([^[\]]*)\]\]/g
const REQUEST_SOURCES: readonly string[] = ['method', 'scheme', 'path', 'proto', 'host', 'body']

/** The variable named by the text between the brackets, or a sentence that says what is wrong. */
export function parseVariable(text: string): Variable | string {
  const parts = text.split('.')
  const [root, filter = '', side, source = '', ...rest] = parts
  const expected =
    'expected filter.NAME.req.method|scheme|path|proto|host|header.KEY|body|body.GJSON or ' +
    'filter.NAME.rsp.statuscode|body|body.GJSON'
  if (root !== 'filter' || filter === '' || parts.length < 4) return `[[${text}]]: ${expected}`
  const argument = rest.join('.')
  if (side === 'req') {
    if (source === 'header' && argument !== '') {
      return { filter, side, source, argument: argument.toLowerCase() }
    }
    if (REQUEST_SOURCES.includes(source) && (argument === '' || source === 'body')) {
      return { filter, side, source: source as Source, argument }
    }
  }
  if (side === 'rsp') {
    if (source === 'statuscode' && argument === '') return { filter, side, source, argument }
    if (source === 'body') return { filter, side, source, argument }
  }
  return `[[${text}]]: ${expected}`
}

/** Every variable in `text`, and every text between brackets that is none. */
export function scanVariables(text: string): { variables: Variable[]; problems: string[] } {
  const variables: Variable[] = []
  const problems: string[] = []
  for (const match of text.matchAll(PATTERN)) {
    const parsed = parseVariable(match[1] as string)
    if (typeof parsed === 'string') problems.push(parsed)
    else variables.push(parsed)
  }
  return { variables, problems }
}

/** Collects the variables of one pipeline while its filters are created. */
export class VariableTable {
  readonly #variables: Variable[] = []
  readonly #index = new Map<string, number>()

  get count(): number {
    return this.#variables.length
  }

  compile(text: string): Template {
    const parts: (string | number)[] = []
    let end = 0
    for (const match of text.matchAll(PATTERN)) {
      const parsed = parseVariable(match[1] as string)
      if (typeof parsed === 'string') continue // the check refused it; stays literal
      if (match.index > end) parts.push(text.slice(end, match.index))
      parts.push(this.#indexOf(parsed))
      end = match.index + match[0].length
    }
    if (end < text.length) parts.push(text.slice(end))
    return new Template(parts)
  }

  /** What to store before (`req`) or after (`rsp`) the filter of that name runs. */
  captures(filter: string, side: 'req' | 'rsp'): Captures | null {
    const wanted: Capture[] = []
    this.#variables.forEach((variable, index) => {
      if (variable.filter === filter && variable.side === side) wanted.push({ variable, index })
    })
    return wanted.length === 0 ? null : new Captures(wanted, this.#variables.length)
  }

  #indexOf(variable: Variable): number {
    const key = `${variable.filter}\n${variable.side}\n${variable.source}\n${variable.argument}`
    let index = this.#index.get(key)
    if (index === undefined) {
      index = this.#variables.length
      this.#variables.push(variable)
      this.#index.set(key, index)
    }
    return index
  }
}

interface Capture {
  readonly variable: Variable
  readonly index: number
}

/** The variables to be stored at one point of a flow. */
export class Captures {
  readonly needsBody: boolean
  readonly #wanted: readonly Capture[]
  readonly #count: number

  constructor(wanted: readonly Capture[], count: number) {
    this.#wanted = wanted
    this.#count = count
    this.needsBody = wanted.some((each) => each.variable.source === 'body')
  }

  store(ex: Exchange): void {
    if (ex.captured === null) ex.captured = new Array<string | null>(this.#count).fill(null)
    for (const { variable, index } of this.#wanted) ex.captured[index] = read(ex, variable)
  }
}

function read(ex: Exchange, variable: Variable): string {
  const { request, response } = ex
  switch (variable.source) {
    case 'method':
      return request.method
    case 'scheme':
      return '' // a server request has none (compat/traffic-v1.md §2.1)
    case 'path':
      return request.path
    case 'proto':
      return 'HTTP/1.1'
    case 'host':
      return fromLatin1(request.host)
    case 'header':
      return fromLatin1(request.headers.values(variable.argument).join(','))
    case 'statuscode':
      return String(response.status)
    case 'body': {
      const bytes = variable.side === 'req' ? (request.body?.whole ?? null) : response.body
      const text = bytes === null ? '' : Buffer.from(bytes).toString('utf8')
      return variable.argument === '' ? text : gjson(text, variable.argument)
    }
  }
}
