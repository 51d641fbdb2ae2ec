import type { IncomingMessage } from 'node:http'
import type { ActorRef } from '../actor/actor.js'
import { GatewayError } from '../lib/errors.js'
import { suggest } from '../lib/suggest.js'
import type { ToCoordinator } from '../protocol/coordinator.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { Dialect } from '../spec/document.js'
import type { Catalogue } from './catalogue.js'
import type { NodeControls } from './node-controls.js'

/** What handlers work with beside the request. */
export interface Surroundings {
  readonly coordinator: ActorRef<ToCoordinator>
  readonly catalogue: Catalogue
  readonly node: NodeControls
  /** Longest wait for the coordinator's answer to a read; a write may take `WRITE_EXTRA_MS` more. */
  readonly requestTimeoutMs: number
}

/** Methods and full paths of every route, for the API list. */
export interface ApiEntry {
  readonly path: string
  readonly method: string
  /** What it belongs to, as v2 groups them. */
  readonly group: string
}

/** One request that found its route. */
export interface Call {
  readonly around: Surroundings
  /** Decoded path parameters by name. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
  readonly request: IncomingMessage
  /** Path before the route's own, such as `/apis/v1`. */
  readonly prefix: string
  /** In which documents are written that do not say otherwise. */
  readonly dialect: Dialect
  readonly apiList: readonly ApiEntry[]
  readonly format: Format
  /** The body as text, read on demand. */
  readText(): Promise<string>
}

/** How values are written in an answer. */
export interface Format {
  readonly isJson: boolean
  /** Content type of YAML: the dialects have their own. */
  readonly yamlType: string
}

/** The body of an answer. `value`, `list` and `map` are written in the format of the call. */
export type Body =
  | { readonly type: 'none' }
  | { readonly type: 'value'; readonly value: unknown }
  /** Items of one list, rendered one at a time so that a long list does not stop the loop. */
  | { readonly type: 'list'; readonly items: Iterable<unknown> }
  /** The same for the entries of one map. */
  | { readonly type: 'map'; readonly entries: Iterable<readonly [key: string, value: unknown]> }
  | { readonly type: 'text'; readonly contentType: string; readonly text: string }
  /** Written as it comes; its iterator is asked to return once the client is gone. */
  | {
      readonly type: 'stream'
      readonly contentType: string
      readonly chunks: AsyncIterable<string>
    }

export interface Answer {
  readonly status: number
  readonly body: Body
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Of the configuration that the answer shows; null: the newest one heard of. */
  readonly version: ConfigVersion | null
}

export type Handler = (call: Call) => Promise<Answer>

export const EMPTY: Body = Object.freeze({ type: 'none' })

/** Query parameters; each handler names those it knows, and others are refused. */
export class Query {
  readonly #params: URLSearchParams
  readonly #everywhere: readonly string[]

  /** `everywhere`: parameters that every handler takes. */
  constructor(search: string, everywhere: readonly string[] = []) {
    this.#params = new URLSearchParams(search)
    this.#everywhere = everywhere
  }

  /** Throws REQUEST_INVALID for a parameter that is not in `known` or comes twice. */
  expectOnly(...names: readonly string[]): void {
    const known = [...names, ...this.#everywhere]
    for (const name of new Set(this.#params.keys())) {
      if (!known.includes(name)) {
        const near = suggest(name, known)
        const hint = near === null ? '' : `, did you mean ${near}?`
        throw new GatewayError('REQUEST_INVALID', `unknown query parameter ${name}${hint}`)
      }
      if (this.#params.getAll(name).length > 1) {
        throw new GatewayError('REQUEST_INVALID', `query parameter ${name} comes twice`)
      }
    }
  }

  /** The value of a parameter, or null when it is not there. */
  get(name: string): string | null {
    return this.#params.get(name)
  }

  /** One of `choices`, or null when it is not there. */
  choice<const C extends string>(name: string, choices: readonly C[]): C | null {
    const value = this.#params.get(name)
    const found = choices.find((each) => each === value)
    if (value === null || found !== undefined) return found ?? null
    const message = `query parameter ${name}: expected ${choices.join(' or ')}`
    throw new GatewayError('REQUEST_INVALID', message)
  }

  /** `?name` and `?name=true` are true; `?name=false` and nothing are false. */
  isSet(name: string): boolean {
    const value = this.#params.get(name)
    if (value === null || value === 'false') return false
    if (value === '' || value === 'true') return true
    throw new GatewayError('REQUEST_INVALID', `query parameter ${name}: expected true or false`)
  }
}
