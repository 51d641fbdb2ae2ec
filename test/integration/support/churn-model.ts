import type { Prng } from '../../../src/lib/prng.js'
import type { Document } from './gateway.js'

/** What a client gets on a route: nobody listens, a status without a body, or a pipeline's tag. */
export type Expected = 'closed' | '404' | '503' | `200 ${string}`

export const PATHS = ['/a', '/b', '/c', '/d'] as const
const SERVERS = ['s0', 's1', 's2', 's3', 's4', 's5']
const PIPELINES = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7']

interface ServerState {
  readonly kind: 'HTTPServer'
  /** Order of creation: of two servers on one port the older one has it. */
  readonly born: number
  readonly port: number
  readonly routes: ReadonlyMap<string, string>
  readonly keepAlive: boolean
  readonly cacheSize: number
}
interface PipelineState {
  readonly kind: 'HTTPPipeline'
  readonly tag: string
  readonly isProxy: boolean
}
type State = ReadonlyMap<string, ServerState | PipelineState>

export interface Change {
  readonly op: 'create' | 'update' | 'delete'
  readonly name: string
  /** Null for a delete. */
  readonly document: Document | null
  /** False when an update writes what is there already: no new version of the configuration. */
  readonly isNew: boolean
}

/** Objects as the driver knows them, random changes to them, and what each route must answer. */
export class ChurnModel {
  readonly #prng: Prng
  readonly #ports: readonly number[]
  readonly #backEndUrl: string
  #state: State = new Map()
  #next: State = new Map()
  #count = 0

  constructor(prng: Prng, ports: readonly number[], backEndUrl: string) {
    this.#prng = prng
    this.#ports = ports
    this.#backEndUrl = backEndUrl
  }

  /** Draws the next change; it is on its way until `settle`. */
  begin(): Change {
    this.#count += 1
    const name = this.#prng.chance(60) ? this.#prng.pick(PIPELINES) : this.#prng.pick(SERVERS)
    const existing = this.#state.get(name)
    const next = new Map(this.#state)
    this.#next = next
    // A quarter of what exists goes: most names are there most of the time.
    if (existing !== undefined && this.#prng.chance(25)) {
      next.delete(name)
      return { op: 'delete', name, document: null, isNew: true }
    }
    const state = name.startsWith('p') ? this.#pipeline(name) : this.#server(existing)
    next.set(name, state)
    const op = existing === undefined ? 'create' : 'update'
    const document = this.#document(name, state)
    const before = existing === undefined ? null : this.#document(name, existing)
    const isNew = JSON.stringify(document) !== JSON.stringify(before)
    return { op, name, document, isNew }
  }

  /** The change is acknowledged. */
  settle(): void {
    this.#state = this.#next
  }

  /** What is so now, and once the change on its way is done. */
  expected(port: number, path: string): readonly [now: Expected, next: Expected] {
    return [expectedIn(this.#state, port, path), expectedIn(this.#next, port, path)]
  }

  #pipeline(name: string): PipelineState {
    return { kind: 'HTTPPipeline', tag: `${name}#${this.#count}`, isProxy: this.#prng.chance(50) }
  }

  #server(existing: ServerState | PipelineState | undefined): ServerState {
    const before = existing?.kind === 'HTTPServer' ? existing : null
    const port =
      before !== null && this.#prng.chance(80) ? before.port : this.#prng.pick(this.#ports)
    const routes = new Map<string, string>()
    for (const path of PATHS) {
      const old = before?.routes.get(path)
      // Most routes of a server outlive its update.
      if (old !== undefined && this.#prng.chance(70)) routes.set(path, old)
      else if (this.#prng.chance(85)) routes.set(path, this.#prng.pick(PIPELINES))
    }
    return {
      kind: 'HTTPServer',
      born: before === null ? this.#count : before.born,
      port,
      routes,
      keepAlive: this.#prng.chance(85),
      cacheSize: this.#prng.pick([0, 16]),
    }
  }

  #document(name: string, state: ServerState | PipelineState): Document {
    if (state.kind === 'HTTPServer') {
      const { port, keepAlive, cacheSize } = state
      const paths = [...state.routes].map(([path, backend]) => ({ path, backend }))
      return { kind: state.kind, name, port, keepAlive, cacheSize, rules: [{ paths }] }
    }
    const { tag } = state
    const filters = state.isProxy
      ? [
          { name: 'tag', kind: 'RequestAdaptor', header: { set: { 'X-Tag': tag } } },
          { name: 'proxy', kind: 'Proxy', mainPool: { servers: [{ url: this.#backEndUrl }] } },
        ]
      : [{ name: 'mock', kind: 'Mock', rules: [{ pathPrefix: '/', code: 200, body: tag }] }]
    return { kind: state.kind, name, filters }
  }
}

function expectedIn(state: State, port: number, path: string): Expected {
  let holder: ServerState | null = null
  for (const object of state.values()) {
    if (object.kind !== 'HTTPServer' || object.port !== port) continue
    if (holder === null || object.born < holder.born) holder = object
  }
  if (holder === null) return 'closed'
  const name = holder.routes.get(path)
  if (name === undefined) return '404'
  const pipeline = state.get(name)
  return pipeline?.kind === 'HTTPPipeline' ? `200 ${pipeline.tag}` : '503'
}
