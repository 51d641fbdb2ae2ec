import { expect, it } from 'vitest'
import { RequestBody } from '../http/body.js'
import { Exchange } from '../http/exchange.js'
import { Template } from '../http/template.js'
import { parseVariable, scanVariables, VariableTable } from './variables.js'

it.each<[text: string, source: string, argument: string]>([
  ['filter.a.req.method', 'method', ''],
  ['filter.a.req.scheme', 'scheme', ''],
  ['filter.a.req.path', 'path', ''],
  ['filter.a.req.proto', 'proto', ''],
  ['filter.a.req.host', 'host', ''],
  ['filter.a.req.header.X-User-Id', 'header', 'x-user-id'],
  ['filter.a.req.header.x.y', 'header', 'x.y'],
  ['filter.a.req.body', 'body', ''],
  ['filter.a.req.body.friends.#.name', 'body', 'friends.#.name'],
  ['filter.a.rsp.statuscode', 'statuscode', ''],
  ['filter.a.rsp.body', 'body', ''],
  ['filter.a.rsp.body.id', 'body', 'id'],
])('[[%s]] is a variable', (text, source, argument) => {
  const side = text.includes('.req.') ? 'req' : 'rsp'
  expect(parseVariable(text)).toEqual({ filter: 'a', side, source, argument })
})

it.each([
  '',
  ':alpha:',
  'filter',
  'filter.a',
  'filter.a.req',
  'filter..req.path',
  'filter.a.req.',
  'filter.a.req.query',
  'filter.a.req.path.more',
  'filter.a.req.header',
  'filter.a.req.header.',
  'filter.a.req.statuscode',
  'filter.a.rsp.path',
  'filter.a.rsp.header.X-A',
  'filter.a.rsp.statuscode.more',
  'filter.a.request.path',
  'Filter.a.req.path',
  ' filter.a.req.path',
])('[[%s]] is none, and the message says what would be', (text) => {
  expect(parseVariable(text)).toBe(
    `[[${text}]]: expected filter.NAME.req.method|scheme|path|proto|host|header.KEY|body|` +
      'body.GJSON or filter.NAME.rsp.statuscode|body|body.GJSON',
  )
})

it('finds all variables of a text, and all that look like one', () => {
  const { variables, problems } = scanVariables(
    'a [[filter.x.req.path]] [[oops]] ] [ [[filter.y.rsp.body.a]][[:alpha:]] [[open',
  )
  expect(variables.map(({ filter }) => filter)).toEqual(['x', 'y'])
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual(['[[oops]]:', '[[:alpha:]]:'])
})

it.each<[text: string]>([[''], ['plain'], ['[[oops]] stays'], ['[not.a.variable]']])(
  'a text without variables is a literal: %j',
  (text) => {
    const template = new VariableTable().compile(text)
    expect(template.literal).toBe(text)
    expect(template.render(new Exchange())).toBe(text)
  },
)

it('a template of nothing but a variable is no literal', () => {
  expect(new VariableTable().compile('[[filter.a.req.path]]').literal).toBeNull()
  expect(new Template([]).literal).toBe('')
})

function exchange(): Exchange {
  const ex = new Exchange()
  ex.request.method = 'POST'
  ex.request.rawPath = '/caf%C3%A9'
  ex.request.query = 'q=1'
  ex.request.host = 'h\xc3\xa4.test:8080'
  ex.request.headers.add('x-many', 'one')
  ex.request.headers.add('x-other', '-')
  ex.request.headers.add('x-many', 'tw\xc3\xb6')
  ex.request.body = RequestBody.of(Buffer.from('{"user":{"id":12345678901234567890}}'))
  ex.response.status = 418
  ex.response.body = Buffer.from('{"ok":true,"text":"grün"}')
  return ex
}

it.each<[variable: string, want: string]>([
  ['req.method', 'POST'],
  ['req.scheme', ''],
  ['req.path', '/café'],
  ['req.proto', 'HTTP/1.1'],
  ['req.host', 'hä.test:8080'],
  ['req.header.X-Many', 'one,twö'],
  ['req.header.X-Missing', ''],
  ['req.body', '{"user":{"id":12345678901234567890}}'],
  ['req.body.user.id', '12345678901234567890'],
  ['req.body.user.name', ''],
  ['rsp.statuscode', '418'],
  ['rsp.body', '{"ok":true,"text":"grün"}'],
  ['rsp.body.text', 'grün'],
])('the value of %s', (variable, want) => {
  const table = new VariableTable()
  const template = table.compile(`<[[filter.a.${variable}]]>`)
  const ex = exchange()
  expect(template.render(ex)).toBe('<>')
  table.captures('a', variable.startsWith('req') ? 'req' : 'rsp')?.store(ex)
  expect(template.render(ex)).toBe(`<${want}>`)
})

it('bodies that are not there are empty texts', () => {
  const table = new VariableTable()
  const template = table.compile(
    '[[filter.a.req.body]][[filter.a.rsp.body]][[filter.a.rsp.body.x]]',
  )
  const ex = new Exchange()
  table.captures('a', 'req')?.store(ex)
  table.captures('a', 'rsp')?.store(ex)
  expect(template.render(ex)).toBe('')
})

it('equal variables share a place; captures are told apart by filter and side', () => {
  const table = new VariableTable()
  table.compile('[[filter.a.req.path]] [[filter.a.req.path]] [[filter.b.req.path]]')
  table.compile('[[filter.a.req.path]] [[filter.a.rsp.statuscode]]')
  expect(table.count).toBe(3)
  expect(table.captures('c', 'req')).toBeNull()
  expect(table.captures('b', 'rsp')).toBeNull()
  expect(table.captures('b', 'req')?.needsBody).toBe(false)
})

it('captures know whether they need a body', () => {
  const table = new VariableTable()
  table.compile('[[filter.a.req.body.x]] [[filter.a.rsp.statuscode]]')
  expect(table.captures('a', 'req')?.needsBody).toBe(true)
  expect(table.captures('a', 'rsp')?.needsBody).toBe(false)
})

it('exchanges do not see the values of each other', () => {
  const table = new VariableTable()
  const template = table.compile('[[filter.a.req.path]]')
  const [one, two] = [new Exchange(), new Exchange()]
  one.request.rawPath = '/one'
  two.request.rawPath = '/two'
  const captures = table.captures('a', 'req')
  captures?.store(one)
  captures?.store(two)
  expect([template.render(one), template.render(two)]).toEqual(['/one', '/two'])
  one.reset()
  expect(template.render(one)).toBe('')
})
