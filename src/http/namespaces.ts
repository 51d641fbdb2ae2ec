import { HttpRequest, HttpResponse } from './message.js'

/** The namespace that nodes are in unless they name another, and whose answer the client gets. */
export const DEFAULT_NAMESPACE = 'DEFAULT'
/** Its index. */
export const DEFAULT = 0

/** A request and its answer in one namespace of a flow (v2). */
export interface MessagePair {
  readonly namespace: number
  readonly request: HttpRequest
  readonly response: HttpResponse
}

const indices = new Map<string, number>([[DEFAULT_NAMESPACE, DEFAULT]])

/**
 * The number of a namespace, the same for every flow of this thread: flows that run on one exchange
 * (those of a GlobalFilter) share namespaces by name. For use when a flow or template is compiled;
 * names come from configurations, so there are few. The empty name is DEFAULT.
 */
export function namespaceIndex(name: string): number {
  if (name === '') return DEFAULT
  let index = indices.get(name)
  if (index === undefined) {
    index = indices.size
    indices.set(name, index)
  }
  return index
}

/** A pair in which there is nothing yet: no request (method '') and no answer (status 0). */
export function emptyPair(namespace: number): MessagePair {
  const response = new HttpResponse()
  response.status = 0
  return { namespace, request: new HttpRequest(), response }
}

/** The name behind an index that {@link namespaceIndex} gave. */
export function namespaceName(index: number): string {
  for (const [name, each] of indices) if (each === index) return name
  return DEFAULT_NAMESPACE
}
