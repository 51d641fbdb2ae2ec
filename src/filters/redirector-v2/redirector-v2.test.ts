import { expect, it } from 'vitest'
import { problemsOf, withPipeline } from '../harness.fixture.js'

const redirector = (fields: string): string => `
flow: [{filter: it, jumpIf: {redirected: END}}, {filter: ok}]
filters:
- {name: it, kind: RedirectorV2, ${fields}}
- {name: ok, kind: Mock, rules: [{code: 210}]}
`

const PREFIX = 'path: {type: ReplacePrefixMatch, replacePrefixMatch: '
const FULL = 'path: {type: ReplaceFullPath, replaceFullPath: '

it.each<[fields: string, host: string, want: string]>([
  ['scheme: https', 'a.test', '302 https://a.test/p/x%20y?q=1'],
  ['scheme: https', 'a.test:8080', '302 https://a.test/p/x%20y?q=1'],
  ['scheme: https, port: 8443', 'a.test:8080', '302 https://a.test:8443/p/x%20y?q=1'],
  ['hostname: b.test', 'a.test:8080', '302 //b.test/p/x%20y?q=1'],
  ['port: 81', 'a.test:8080', '302 //a.test:81/p/x%20y?q=1'],
  ['port: 81', '[::1]:8080', '302 //[::1]:81/p/x%20y?q=1'],
  [
    'scheme: http, hostname: b.test, port: 81, statusCode: 307',
    'a.test',
    '307 http://b.test:81/p/x%20y?q=1',
  ],
  [`${FULL}/new}`, 'a.test', '302 /new?q=1'],
  [`${FULL}/ü z}, hostname: b.test`, 'a.test', '302 //b.test/%C3%BC%20z?q=1'],
  [`${PREFIX}/v2}`, 'a.test', '302 /v2/x%20y?q=1'],
  [`${PREFIX}/}`, 'a.test', '302 /x%20y?q=1'],
  [`${PREFIX}/p}`, 'a.test', '210 null'],
  ['statusCode: 301', 'a.test', '210 null'],
])('{%s} for %s: %s', (fields, host, want) =>
  withPipeline(
    redirector(fields),
    (harness) => {
      const client = harness.start({ path: '/p/x%20y', query: 'q=1' }, ({ ex }) => {
        ex.pathPrefix = '/p'
        ex.request.host = host
      })
      expect(`${client.status} ${client.header('location')}`).toBe(want)
    },
    'v2',
  ),
)

it('a route without a prefix leaves the path as it is', () =>
  withPipeline(
    redirector(`${PREFIX}/v2}`),
    (harness) => {
      const byPattern = harness.start({ path: '/a' }, ({ ex }) => {
        ex.pattern = '/a'
      })
      expect(byPattern.status).toBe(210)
      expect(harness.start({ path: '/a' }).status).toBe(210)
    },
    'v2',
  ))

it.each<[fields: string, problem: string]>([
  ['scheme: ftp', 'scheme: expected one of http, https'],
  ['port: 0', 'port: expected a whole number in 1..65535'],
  ['hostname: "a.test:80"', 'hostname: expected a host name'],
  ['hostname: "evil.test/\\r\\n"', 'hostname: expected a host name'],
  ['statusCode: 200', 'expected one of 301'],
  ['path: {type: Replace}', 'path/type'],
  ['path: {type: ReplaceFullPath}', 'path/replaceFullPath: is required for ReplaceFullPath'],
  ['path: {type: ReplacePrefixMatch, replaceFullPath: /}', 'path/replacePrefixMatch: is required'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('RedirectorV2', fields, 'v2')).toContain(problem)
})
