import { GatewayError } from '../lib/errors.js'
import type { ExplainedRequest, RequestExplanation } from '../protocol/worker.js'
import { decode } from '../spec/decode.js'
import { formatProblems, problemAt } from '../spec/problem.js'
import { integer, list, object, type SpecOf, string } from '../spec/schema.js'
import { parseYaml } from '../spec/yaml.js'
import { ask, stamped } from './asking.js'
import type { Handler } from './call.js'

const QUESTION = object({
  method: string({ doc: 'Of the request.', default: 'GET', pattern: /^[!#$%&'*+\-.^_`|~\w]+$/ }),
  url: string({ doc: 'As the client would ask for it: http://host:port/path?query.' }),
  headers: list(
    object({
      name: string({ doc: 'Of the header.', pattern: /^[!#$%&'*+\-.^_`|~\w]+$/ }),
      value: string({ doc: 'Of the header.', pattern: /^[\t\x20-\x7e\u0080-\uffff]*$/ }),
    }),
    { doc: 'Host is that of the URL without.', default: [] },
  ),
  from: string({ doc: 'Address of the client.', default: '127.0.0.1' }),
  server: string({ doc: 'Ask this one, whatever its port.', optional: true }),
  port: integer({ doc: 'Port to connect to; that of the URL without.', optional: true }),
  body: string({ doc: 'Of the request.', optional: true }),
})
type Question = SpecOf<typeof QUESTION>

/**
 * Says what would become of a request: server, rule, pipeline, filters, pool and back end, and for
 * all other rules why not. Nothing is sent, and nothing is counted.
 */
export const explainRequest: Handler = async (call) => {
  call.query.expectOnly()
  const question = questionOf(await call.readText())
  const url = urlOf(question)
  const port = question.port ?? Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const asked = await ask(call, {
    type: 'explain-traffic',
    port,
    server: question.server ?? null,
    request: requestOf(question, url),
  })
  const { servers, server, explanation } = asked.value
  const head = { request: { method: question.method, url: url.href, from: question.from, port } }
  if (server === null || explanation === null) {
    return stamped(asked, { type: 'value', value: { ...head, servers, server } })
  }
  const stored = await ask(call, { type: 'get-object', name: server })
  const value = { ...head, servers, server, ...worded(explanation, stored.value.spec) }
  return stamped(asked, { type: 'value', value })
}

function questionOf(text: string): Question {
  const parsed = parseYaml(text)
  if (!parsed.ok) throw new GatewayError('REQUEST_INVALID', parsed.message)
  const decoded = decode(QUESTION, parsed.documents[0]?.value ?? {})
  if (decoded.ok) return decoded.value
  const problems = decoded.problems.map((finding) => problemAt(finding, null))
  throw new GatewayError('REQUEST_INVALID', formatProblems(problems))
}

function urlOf({ url }: Question): URL {
  const isWhole = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
  if (isWhole) return new URL(url)
  throw new GatewayError('REQUEST_INVALID', `url: expected http://host:port/path, got ${url}`)
}

/** Text as it goes on the wire. */
const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

function requestOf(question: Question, url: URL): ExplainedRequest {
  const headers = question.headers.map(
    ({ name, value }) => [name.toLowerCase(), latin1(value)] as const,
  )
  const host = headers.find(([name]) => name === 'host')?.[1] ?? url.host
  return {
    method: question.method,
    path: url.pathname,
    query: url.search.slice(1),
    host,
    headers: headers.filter(([name]) => name !== 'host'),
    clientAddress: question.from,
    body: question.body === undefined ? null : Buffer.from(question.body),
  }
}

interface RuleSpec {
  readonly host?: string
  readonly hostRegexp?: string
  readonly hosts?: readonly { readonly value: string }[]
  readonly paths?: readonly PathSpec[]
}
interface PathSpec {
  readonly path?: string
  readonly pathPrefix?: string
  readonly pathRegexp?: string
  readonly methods?: readonly string[]
  readonly headers?: readonly ValueSpec[]
  readonly queries?: readonly ValueSpec[]
  readonly backend?: string
}
interface ValueSpec {
  readonly key: string
  readonly values?: readonly string[]
  readonly regexp?: string
}

/** With rules as they are configured, and reasons in words. */
function worded(explanation: RequestExplanation, spec: unknown): Record<string, unknown> {
  const { rules = [] } = spec as { rules?: readonly RuleSpec[] }
  const { paths, refusal, isServerDenied, ...flow } = explanation
  const shown = paths.map(({ rule, path, verdict }) => {
    const ruleSpec = rules[rule] ?? {}
    const pathSpec = ruleSpec.paths?.[path] ?? {}
    const host = hostsOf(ruleSpec)
    return {
      rule,
      path,
      ...(host === '' ? {} : { host }),
      condition: conditionOf(pathSpec),
      backend: pathSpec.backend || 'a pool of its own',
      verdict,
      why: whyOf(verdict, ruleSpec, pathSpec),
    }
  })
  return {
    refusal,
    ...(isServerDenied ? { why: 'the IP filter of the server keeps the client out' } : {}),
    rules: shown,
    ...flow,
  }
}

function hostsOf({ host, hostRegexp, hosts = [] }: RuleSpec): string {
  const all = [host ?? '', hostRegexp ?? '', ...hosts.map(({ value }) => value)]
  return all.filter((each) => each !== '').join(' or ')
}

function conditionOf({ path, pathPrefix, pathRegexp }: PathSpec): string {
  const all = [
    path ? `path ${path}` : '',
    pathPrefix ? `pathPrefix ${pathPrefix}` : '',
    pathRegexp ? `pathRegexp ${pathRegexp}` : '',
  ].filter((each) => each !== '')
  return all.length === 0 ? 'any path' : all.join(' or ')
}

function whyOf(verdict: string, rule: RuleSpec, path: PathSpec): string {
  switch (verdict) {
    case 'taken':
      return 'the request goes here'
    case 'host':
      return `the host is not ${hostsOf(rule)}`
    case 'path':
      return `the path does not meet ${conditionOf(path)}`
    case 'method':
      return path.methods?.length
        ? `the method is none of ${path.methods.join(', ')}`
        : 'the method is unknown to conditions'
    case 'header':
      return `no header fits: ${(path.headers ?? []).map(conditionText).join('; ')}`
    case 'query':
      return `the query does not fit: ${(path.queries ?? []).map(conditionText).join('; ')}`
    case 'ip':
      return 'an IP filter keeps the client out'
    default:
      return 'the search was over before it came here'
  }
}

function conditionText({ key, values = [], regexp }: ValueSpec): string {
  const wanted = [
    values.length === 0 ? '' : values.map((value) => JSON.stringify(value)).join(' or '),
    regexp ? `like ${regexp}` : '',
  ].filter((each) => each !== '')
  return `${key} is ${wanted.join(' or ')}`
}
