import { Command } from 'commander'
import { CliError, type CliIo, printable } from './io.js'
import { openSession } from './session.js'
import { collect } from './write-objects.js'

interface ExplainOptions {
  readonly request?: string
  readonly header?: string[]
  readonly data?: string
  readonly from?: string
  readonly port?: string
  readonly name?: string
}

interface Rule {
  readonly rule: number
  readonly path: number
  readonly host?: string
  readonly condition: string
  readonly backend: string
  readonly verdict: string
  readonly why: string
}

interface Step {
  readonly filter: string
  readonly kind: string
  readonly namespace: string
  readonly result: string
  readonly isAssumed: boolean
  readonly detail: Readonly<Record<string, unknown>>
}

/** As `/apis/v2/explain` answers. */
interface Explained {
  readonly request: { readonly port: number; readonly from: string }
  readonly servers: readonly {
    readonly name: string
    readonly port: number
    readonly state: string
  }[]
  readonly server: string | null
  readonly refusal?: number
  readonly why?: string
  readonly rules?: readonly Rule[]
  readonly pipeline?: string
  readonly method?: string
  readonly target?: string
  readonly steps?: readonly Step[]
  readonly status?: number
}

/** `egctl explain …`: where a request would go, without sending it. */
export function explain(io: CliIo): Command {
  return new Command('explain')
    .description('say what would become of a request, without sending it')
    .argument('<url>', 'as a client would ask for it: http://host:port/path')
    .option('-X, --request <method>', 'method of the request', 'GET')
    .option('-H, --header <field>', '"Name: value", again for more', collect)
    .option('-d, --data <text>', 'body of the request')
    .option('--from <address>', 'address of the client (default: 127.0.0.1)')
    .option('--port <number>', 'port of the gateway, where it is not that of the URL')
    .option('--name <server>', 'ask this HTTPServer, whatever its port')
    .addHelpText(
      'after',
      `
Nothing is sent and nothing is counted. A worker answers with the rules and filters that it runs;
of filters that would have to ask others it is assumed that all goes well.

Example:
  egctl explain -X POST -H 'X-User: 7' http://localhost:10080/api/orders`,
    )
    .action(async (url: string, options: ExplainOptions, command: Command) => {
      const session = openSession(io, command, 'table')
      const question = {
        method: options.request,
        url: /^[a-z]+:\/\//i.test(url) ? url : `http://${url}`,
        headers: (options.header ?? []).map(headerOf),
        ...(options.from === undefined ? {} : { from: options.from }),
        ...(options.port === undefined ? {} : { port: portOf(options.port) }),
        ...(options.name === undefined ? {} : { server: options.name }),
        ...(options.data === undefined ? {} : { body: options.data }),
      }
      const { body } = await session.client.request('POST', '/explain', {
        api: 'v2',
        as: 'json',
        body: JSON.stringify(question),
      })
      const explained = JSON.parse(body) as Explained
      if (session.output === 'yaml' || session.output === 'json') await session.print(explained)
      else io.out(printable(textOf(explained, session.isVerbose)))
    })
}

function headerOf(text: string): { name: string; value: string } {
  const colon = text.indexOf(':')
  if (colon <= 0) throw new CliError(`-H: expected "Name: value", got ${JSON.stringify(text)}`)
  return { name: text.slice(0, colon).trim(), value: text.slice(colon + 1).trim() }
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new CliError(`--port: expected 1..65535, got ${text}`)
}

/** Lines for people; of paths that are not taken those that come close, or all with `isVerbose`. */
function textOf(explained: Explained, isVerbose: boolean): string {
  const { server, servers, rules = [], pipeline = '', steps = [] } = explained
  if (server === null) {
    const known = servers.map(({ name, port, state }) => `  ${name} on ${port} (${state})\n`)
    return `No server listens on port ${explained.request.port}.\n${known.join('')}`
  }
  const taken = rules.find(({ verdict }) => verdict === 'taken')
  const lines = [`Server    ${server}`]
  if (explained.why !== undefined) lines.push(`          ${explained.why}`)
  if (taken !== undefined) lines.push(`Rule      ${placeOf(taken)}: ${taken.condition}`)
  if (pipeline !== '') lines.push(`Pipeline  ${pipeline}`)
  for (const step of steps) lines.push(`Filter    ${stepOf(step)}`)
  if (steps.length > 0) lines.push(`Request   ${explained.method} ${explained.target}`)
  lines.push(`Answer    ${answerOf(explained)}`)
  const others = rules.filter((each) => each !== taken)
  const shown = isVerbose ? others : others.filter(({ verdict }) => !FAR.has(verdict))
  if (shown.length > 0) lines.push('', 'Not taken:')
  for (const each of shown) lines.push(`  ${placeOf(each)}, ${each.condition}: ${each.why}`)
  const hidden = others.length - shown.length
  if (hidden > 0) lines.push('', `${hidden} more for other hosts or paths: -v shows them.`)
  return `${lines.join('\n')}\n`
}

/** What nobody asks about when there are many rules. */
const FAR: ReadonlySet<string> = new Set(['host', 'path'])

const placeOf = ({ rule, path, host }: Rule): string =>
  `rules[${rule}].paths[${path}]${host === undefined ? '' : ` for ${host}`}`

function stepOf({ filter, kind, namespace, result, isAssumed, detail }: Step): string {
  const where = namespace === 'DEFAULT' ? '' : ` in ${namespace}`
  const notes = [
    result === '' ? '' : `result ${result}`,
    ...Object.entries(detail).map(([key, value]) => `${key} ${shown(value)}`),
    isAssumed ? 'assumed to pass' : '',
  ].filter((note) => note !== '')
  return `${filter} (${kind})${where}${notes.length === 0 ? '' : `: ${notes.join(', ')}`}`
}

function shown(value: unknown): string {
  if (value === null) return 'by chance'
  if (Array.isArray(value)) return `[${value.join(', ')}]`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function answerOf({ refusal = 0, status = 0, pipeline = '' }: Explained): string {
  if (refusal === 503 && pipeline !== '') return '503, the pipeline does not exist'
  if (refusal !== 0) return `${refusal}, from the server`
  return status === 0 ? 'from the back end' : `${status}, from the pipeline`
}
