import { expect, it } from 'vitest'
// Loaded here, since it takes a while: no test is to wait for it.
import '../kinds/registry.js'
import { egctlWith } from './egctl.fixture.js'

const SERVER = 'name: s\nkind: HTTPServer\nport: 10080\n'
const PIPELINE = `# one filter
name: p
kind: HTTPPipeline
filters:
- name: m
  kind: Mock
  rules: [{code: 200}]
`

it('says nothing of what is right', async () => {
  const files = { 'a.yaml': `${SERVER}---\n${PIPELINE}`, 'b.yaml': SERVER.replace('s', 't') }
  expect(await egctlWith({}, 'object lint -f a.yaml -f b.yaml', { files })).toEqual({
    code: 0,
    out: '',
    err: '',
  })
  expect(await egctlWith({}, 'object lint', { stdin: SERVER })).toMatchObject({ code: 0 })
})

it('tells every problem of every document with its place in the file', async () => {
  const files = {
    'a.yaml': `${SERVER.replace('10080', 'x')}---\n${PIPELINE.replace('code: 200', 'code: 7')}`,
    'b.yaml': `name: s\nkind: HTTPSever\n---\nname: [\n`,
  }
  const ran = await egctlWith({}, 'object lint -f a.yaml -f b.yaml', { files })
  expect(ran).toMatchObject({ code: 1, out: '' })
  const [head, ...lines] = ran.err.trimEnd().split('\n')
  expect(head).toBe('Error: 4 problems in 4 documents')
  expect(lines).toEqual([
    expect.stringMatching(/^a\.yaml:3:7: port: expected a whole number/),
    expect.stringMatching(/^a\.yaml:11:18: filters\/0\/rules\/0\/code: /),
    expect.stringMatching(/^b\.yaml:2:7: kind: .*did you mean "HTTPServer"\?$/),
    expect.stringMatching(/^b\.yaml:5:1: not valid YAML/),
  ])
})

it('a name that is there twice is told', async () => {
  const files = { 'a.yaml': `${SERVER}---\n${SERVER}` }
  const ran = await egctlWith({}, 'object lint -f a.yaml', { files })
  expect(ran.err).toBe(
    'Error: 1 problem in 2 documents\na.yaml:5:1: name: s is already at a.yaml:1\n',
  )
})

it('unknown fields are problems, or warnings', async () => {
  const stdin = `${SERVER}prot: 7\n`
  const refused = await egctlWith({}, 'object lint', { stdin })
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toMatch(/\nstdin:4:1: prot: there is no such field; did you mean "port"\?\n$/)
  const warned = await egctlWith({}, 'object lint --unknown-fields warn', { stdin })
  expect(warned).toMatchObject({ code: 0, out: '' })
  expect(warned.err).toMatch(/^Warning: stdin:4:1: prot: /)
})

it('-o json is for programs', async () => {
  const ran = await egctlWith({}, 'object lint -o json', { stdin: 'name: a b\nkind: HTTPServer' })
  expect(ran.code).toBe(1)
  expect(JSON.parse(ran.out)).toMatchObject([
    {
      file: 'stdin',
      line: 1,
      column: 1,
      severity: 'error',
      message: expect.stringMatching(/port/),
    },
    {
      file: 'stdin',
      line: 1,
      column: 7,
      severity: 'error',
      message: expect.stringMatching(/name/),
    },
  ])
})

it.each([
  ['nothing', '', /^Error: expected an object, but there is nothing\n$/],
  ['a list', '- 1', /stdin:1:1: expected a mapping/],
])('refuses %s', async (_name, stdin, err) => {
  const ran = await egctlWith({}, 'object lint', { stdin })
  expect(ran).toMatchObject({ code: 1, out: '' })
  expect(ran.err).toMatch(err)
})
