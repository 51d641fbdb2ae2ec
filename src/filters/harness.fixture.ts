import { expect } from 'vitest'
import { FakeClient, type FakeRequest } from '../http/fake-client.fixture.js'
import type { FlowSlot } from '../http/flow.js'
import { Template } from '../http/template.js'
import { objectKinds } from '../kinds/registry.js'
import { VirtualTime } from '../lib/clock.js'
import { TimerWheel } from '../lib/timer-wheel.js'
import {
  type CompiledPipeline,
  compilePipeline,
  type FilterSpec,
  type LoadedKind,
  type PipelineSpec,
} from '../pipeline/compile.js'
import { compilePipelineV2, type PipelineSpecV2 } from '../pipeline/compile-v2.js'
import type { Pipeline } from '../pipeline/pipeline.js'
import { NodePermits, permitsBroker } from '../shared/permits.js'
import { type Dialect, decodeDocument, formatProblems } from '../spec/document.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { HttpUpstreamClient } from '../upstream/client.js'
import { SystemResolver } from '../upstream/resolver.js'
import { until } from '../upstream/scripted-server.fixture.js'
import type { AnyFilterKind, FilterContext, FilterModule } from './contract.js'
import { NO_POLICIES } from './policies.js'
import { filterKinds, filterKindsV2 } from './registry.js'

/** One request as a statistics row was told of it; `in` is what the client sends. */
export interface Recorded {
  readonly status: number
  readonly bytesIn: number
  readonly bytesOut: number
}

interface Slot extends FlowSlot {
  current: Pipeline | null
}

class TestData extends Map<string, string> {
  version = 0

  override set(key: string, json: string): this {
    this.version += 1
    return super.set(key, json)
  }
}

/** A pipeline at work without a listener: real decoder, filters and upstream client. */
export class Harness {
  readonly time = new VirtualTime()
  readonly timers = new TimerWheel(this.time)
  readonly log = new MemoryLogger()
  readonly upstream = new HttpUpstreamClient({
    timers: this.timers,
    resolver: new SystemResolver(this.time),
  })
  /** What the filters' statistics were told, by filter and key. */
  readonly stats = new Map<string, Recorded[]>()
  readonly #words = new Map<string, Int32Array>()
  readonly #data = new Map<string, TestData>()
  readonly #permits = permitsBroker(this.time, 1)
  /** All pipelines by name. */
  readonly #slots = new Map<string, Slot>()
  #compiled: CompiledPipeline | null = null

  get pipeline(): Pipeline {
    return (this.#compiled as CompiledPipeline).pipeline
  }

  /**
   * The pipeline with these fields of an HTTPPipeline (v1) or a Pipeline (v2); one that was there
   * before is retired.
   */
  async use(yaml: string, dialect: Dialect = 'v1'): Promise<void> {
    const before = this.#compiled
    this.#compiled = await this.#compile('demo', yaml, dialect, before)
    this.#slot('demo').current = this.pipeline
    before?.pipeline.retire()
  }

  /** Another pipeline, which filters of the first may lead to; one of that name before is retired. */
  async add(name: string, yaml: string, dialect: Dialect = 'v1'): Promise<Pipeline> {
    const { pipeline } = await this.#compile(name, yaml, dialect, null)
    this.remove(name)
    this.#slot(name).current = pipeline
    return pipeline
  }

  remove(name: string): void {
    const slot = this.#slot(name)
    slot.current?.retire()
    slot.current = null
  }

  async #compile(
    name: string,
    yaml: string,
    dialect: Dialect,
    before: CompiledPipeline | null,
  ): Promise<CompiledPipeline> {
    const context = (filter: FilterSpec): FilterContext => this.contextOf(filter.name, name)
    if (dialect === 'v1') {
      const spec = decodePipeline(yaml, 'HTTPPipeline') as PipelineSpec
      const kinds = await loaded(spec.filters, filterKinds)
      return compilePipeline(name, spec, kinds, context, before, this.log)
    }
    const spec = decodePipeline(yaml, 'Pipeline') as PipelineSpecV2
    const kinds = await loaded(spec.filters, filterKindsV2)
    return compilePipelineV2(name, spec, kinds, context, before, this.log)
  }

  start(request: FakeRequest = {}, prepare: (client: FakeClient) => void = () => {}): FakeClient {
    const client = new FakeClient(request)
    prepare(client)
    this.pipeline.start(client.ex)
    return client
  }

  /** Starts, and waits for the end of the answer. */
  async ask(request: FakeRequest = {}): Promise<FakeClient> {
    const client = this.start(request)
    await until('an end of the exchange', () => client.ending !== 'open')
    return client
  }

  /** Lets `ms` pass for timers. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= 1_000) {
      this.time.advance(Math.min(left, 1_000))
      this.timers.advance()
    }
  }

  statuses(key: string): number[] {
    return this.#recorded(key).map(({ status }) => status)
  }

  /** Sees that nothing is left: no exchange, no connection, no timer, no failure that was logged. */
  async close(): Promise<void> {
    const pipeline = this.#compiled?.pipeline ?? null
    pipeline?.retire()
    expect(pipeline?.pinCount ?? 0).toBe(0)
    for (const { current } of this.#slots.values()) {
      current?.retire()
      expect(current?.pinCount ?? 0).toBe(0)
    }
    await until('connections to close', () => this.upstream.stats.open === 0)
    expect(this.upstream.stats.queued).toBe(0)
    expect(this.timers.runningCount).toBe(0)
    expect(this.log.records.filter(({ level }) => level === 'error')).toEqual([])
  }

  /** What a filter of that name would get; templates are texts without variables here. */
  contextOf(name: string, pipeline = 'demo'): FilterContext {
    return {
      template: (text) => new Template([text]),
      policies: NO_POLICIES,
      pipeline,
      name,
      timers: this.timers,
      nodeMs: () => this.time.monotonicMs(),
      log: this.log,
      upstream: this.upstream,
      flow: (other) => this.#slot(other),
      words: (key) => ({ words: this.#wordsOf(`${name}/${key}`), base: 0 }),
      area: ({ key, bytes }) => ({ words: this.#wordsOf(`${name}/${key}`, bytes), base: 0 }),
      permits: (key) => this.#permitsOf(`${name}/${key}`),
      data: (prefix) => this.#dataOf(prefix),
      stats: (key) => ({
        record: (status, durationMs, bytesIn, bytesOut) => {
          expect(durationMs).toBeGreaterThanOrEqual(0)
          this.#recorded(`${name}/${key}`).push({ status, bytesIn, bytesOut })
        },
      }),
    }
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name) ?? { name, current: null }
    this.#slots.set(name, slot)
    return slot
  }

  /** Custom data, by prefix and key; `set` of it is a change of the cluster's. */
  setData(prefix: string, key: string, json: string): void {
    this.#dataOf(prefix).set(key, json)
  }

  #dataOf(prefix: string): TestData {
    let data = this.#data.get(prefix)
    if (data === undefined) {
      data = new TestData()
      this.#data.set(prefix, data)
    }
    return data
  }

  #wordsOf(key: string, bytes = 64): Int32Array {
    let words = this.#words.get(key)
    if (words === undefined) {
      words = new Int32Array(bytes / Int32Array.BYTES_PER_ELEMENT)
      this.#words.set(key, words)
    }
    return words
  }

  #permitsOf(key: string): NodePermits {
    const [place] = this.#permits.claim(0, [key])
    const { segment = 0, index = 0 } = place ?? {}
    return new NodePermits(
      { memory: this.#permits.segments[segment] as SharedArrayBuffer, index },
      0,
    )
  }

  #recorded(key: string): Recorded[] {
    let recorded = this.stats.get(key)
    if (recorded === undefined) {
      recorded = []
      this.stats.set(key, recorded)
    }
    return recorded
  }
}

async function loaded(
  filters: readonly FilterSpec[],
  kinds: ReadonlyMap<string, AnyFilterKind>,
): Promise<Map<string, LoadedKind>> {
  const engines = new Map<string, LoadedKind>()
  for (const { kind: name } of filters) {
    const kind = kinds.get(name)
    if (kind === undefined) throw new Error(`no kind ${name}`)
    engines.set(name, { kind, module: (await kind.load()) as FilterModule<unknown> })
  }
  return engines
}

/** Runs `test` with the pipeline of `yaml`, and sees that it leaves nothing behind. */
export async function withPipeline(
  yaml: string,
  test: (harness: Harness) => Promise<void> | void,
  dialect: Dialect = 'v1',
): Promise<void> {
  const harness = new Harness()
  await harness.use(yaml, dialect)
  await test(harness)
  await harness.close()
}

function decodePipeline(yaml: string, kind: string): unknown {
  const decoded = decodeDocument(`name: demo\nkind: ${kind}\n${yaml}`, objectKinds)
  if (!decoded.ok) throw new Error(formatProblems(decoded.problems))
  return decoded.object.spec
}

/** The problems of a pipeline with one filter of these fields, one line each; empty when fine. */
export function problemsOf(kind: string, fields: string, dialect: Dialect = 'v1'): string {
  const indented = fields.replace(/^/gm, '  ')
  const pipeline = dialect === 'v1' ? 'HTTPPipeline' : 'Pipeline'
  const text = `name: demo\nkind: ${pipeline}\nfilters:\n- name: it\n  kind: ${kind}\n${indented}\n`
  const decoded = decodeDocument(text, objectKinds)
  return decoded.ok ? '' : formatProblems(decoded.problems)
}
