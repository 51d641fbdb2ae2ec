import type { Exchange } from '../http/exchange.js'
import { DEFAULT, DEFAULT_NAMESPACE, namespaceIndex, namespaceName } from '../http/namespaces.js'
import { systemTime } from '../lib/clock.js'
import type { Logger } from '../telemetry/log.js'
import type { TemplateHost } from '../template/run-state.js'
import { delimitersOf, fieldsRead, TextTemplate } from '../template/template.js'
import { fromPlain, GoMap, TemplateError, type Value } from '../template/value.js'
import type { BodyNeeds } from './body-gatherer.js'
import { RequestView, ResponseView } from './message-views.js'

export interface TemplateSpec {
  readonly template: string
  readonly leftDelim: string
  readonly rightDelim: string
}

/** What templates of filters see of an exchange (compat/traffic-v2.md §8.11). */
export function templateData(ex: Exchange): GoMap {
  const data = new Map<string, Value>()
  const requests = new Map<string, Value>()
  const responses = new Map<string, Value>()
  const namespaces = ex.pairs === null ? [ex.namespace] : ex.pairs.map((pair) => pair.namespace)
  for (const namespace of namespaces) {
    const name = namespaceName(namespace)
    const request = ex.requestIn(namespace)
    const response = ex.responseIn(namespace)
    if (request !== null) requests.set(name, new RequestView(request, ex, name))
    if (response !== null) responses.set(name, new ResponseView(response, name))
  }
  for (const [key, value] of ex.data ?? []) data.set(key, value as Value)
  const own = ex.engine?.data ?? null
  if (own !== null) data.set('PIPELINE', fromPlain(own))
  return new GoMap(
    new Map<string, Value>([
      ['req', requests.get(DEFAULT_NAMESPACE) ?? null],
      ['resp', responses.get(DEFAULT_NAMESPACE) ?? null],
      ['requests', new GoMap(requests)],
      ['responses', new GoMap(responses)],
      ['data', new GoMap(data)],
      ['namespace', namespaceName(ex.namespace)],
    ]),
  )
}

const BODIES: ReadonlySet<string> = new Set([
  'Body',
  'RawBody',
  'JSONBody',
  'YAMLBody',
  'ContentLength',
])

/** Which bodies a template reads, as far as its text tells; rather too many than too few. */
export function bodiesRead({ template, leftDelim, rightDelim }: TemplateSpec): BodyNeeds {
  const requests = new Set<number>()
  const responses = new Set<number>()
  let takesAnyRequest = false
  let takesAnyResponse = false
  const fields = fieldsRead(template, delimitersOf(leftDelim, rightDelim))
  // `{{with .resp}}{{.Body}}`: what dot is there, the chain alone does not tell.
  const isLoose = fields.some((names) => names[0] === '' && names.some((name) => BODIES.has(name)))
  const isWhole = fields.some((names) => names.length === 0)
  for (const [first, second, third] of fields) {
    const isShort = first === 'req' || first === 'resp'
    const isLong = first === 'requests' || first === 'responses'
    if (!isShort && !isLong) continue
    const member = isShort ? second : third
    if (member === undefined ? !isLoose : !BODIES.has(member)) continue
    const namespace = isShort ? DEFAULT : second === undefined ? -1 : namespaceIndex(second)
    if (first === 'req' || first === 'requests') {
      if (namespace < 0) takesAnyRequest = true
      else requests.add(namespace)
    } else if (namespace < 0) takesAnyResponse = true
    else responses.add(namespace)
  }
  return {
    requests: takesAnyRequest || (isWhole && isLoose) ? 'all' : [...requests],
    responses: takesAnyResponse || (isWhole && isLoose) ? 'all' : [...responses],
  }
}

/** Runs a template for exchanges; what goes wrong is logged. */
export class DataTemplate {
  readonly #template: TextTemplate
  readonly #host: TemplateHost
  readonly #log: Logger
  readonly #filter: string

  constructor(spec: TemplateSpec, log: Logger, filter: string) {
    this.#template = new TextTemplate(spec.template, delimitersOf(spec.leftDelim, spec.rightDelim))
    this.#log = log
    this.#filter = filter
    this.#host = {
      wallMs: () => systemTime.wallMs(),
      log: (level, message) => {
        if (level === 'debug' || level === 'info' || level === 'warn' || level === 'error') {
          log[level]('template', { filter, message })
        }
      },
    }
  }

  /** Null when the template fails on what the exchange holds. */
  render(ex: Exchange): string | null {
    try {
      return this.#template.render(templateData(ex), this.#host)
    } catch (thrown) {
      if (!(thrown instanceof TemplateError)) throw thrown
      this.#log.warn('template failed', { filter: this.#filter, reason: thrown.message })
      return null
    }
  }
}
