import { RequestBody } from '../../http/body.js'
import { Exchange } from '../../http/exchange.js'
import type { Pipeline } from '../../pipeline/pipeline.js'
import { NoResponder, rehearse } from '../../pipeline/rehearse.js'
import type { ExplainedRequest, RequestExplanation } from '../../protocol/worker.js'
import type { RouteExplanation } from '../../router/explain.js'

/** An exchange as if the request had arrived, which nobody waits for. */
export function exchangeOf(request: ExplainedRequest, isTls = false): Exchange {
  const ex = new Exchange()
  ex.isTls = isTls
  ex.responder = new NoResponder(request.clientAddress)
  ex.request.method = request.method
  ex.request.host = request.host
  ex.request.rawPath = request.path
  ex.request.query = request.query
  for (const [name, value] of request.headers) ex.request.headers.add(name, value)
  if (request.body !== null) ex.request.body = RequestBody.of(request.body)
  return ex
}

/** What a server does with an exchange once it is routed: a status, or the pipeline that starts. */
export type Lead = { readonly name: string; readonly pipeline: Pipeline | number }

/** Puts together what the router and the flow say; `lead` is called when there is a route. */
export function explanationOf<R extends object>(
  ex: Exchange,
  { outcome, isServerDenied, verdicts }: RouteExplanation<R | number>,
  lead: (route: R) => Lead,
): RequestExplanation {
  const refused = (status: number, name: string): RequestExplanation => ({
    refusal: status,
    isServerDenied,
    paths: verdicts,
    pipeline: name,
    method: ex.request.method,
    target: ex.request.target,
    steps: [],
    status,
  })
  if (typeof outcome === 'number') return refused(outcome, '')
  const { name, pipeline } = lead(outcome)
  if (typeof pipeline === 'number') return refused(pipeline, name)
  const { steps, isAnswered, isForwarded } = rehearse(pipeline, ex)
  // By a proxy, or by a filter that nobody asked, when no other one has an answer.
  const isFromElsewhere = isForwarded || (!isAnswered && steps.some(({ isAssumed }) => isAssumed))
  return {
    refusal: 0,
    isServerDenied,
    paths: verdicts,
    pipeline: name,
    method: ex.request.method,
    target: ex.request.target,
    steps,
    status: isFromElsewhere ? 0 : ex.response.status,
  }
}
