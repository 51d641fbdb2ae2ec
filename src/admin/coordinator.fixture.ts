import type { Actor, ActorRef, Reply } from '../actor/actor.js'
import { ActorSystem } from '../actor/system.js'
import { unreachable } from '../lib/assert.js'
import { systemTime } from '../lib/clock.js'
import { GatewayError } from '../lib/errors.js'
import type {
  MemberStatus,
  NodeMetric,
  PutObject,
  StatusByMember,
  StoredObject,
  ToCoordinator,
  TrafficExplanation,
  WriteResult,
} from '../protocol/coordinator.js'
import type { CustomDataOp } from '../protocol/custom-data.js'
import type { ConfigVersion } from '../protocol/version.js'
import { formatProblems, problemAt } from '../spec/problem.js'
import { parseYaml } from '../spec/yaml.js'
import type { LogLevel } from '../telemetry/log.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { ProfileOptions } from '../telemetry/profile.js'
import type { Catalogue } from './catalogue.js'
import type { NodeControls } from './node-controls.js'

const EPOCH = 1_700_000_000
/** When every object of the fixture was made: 2026-01-02T03:04:05Z. */
export const CREATED_MS = Date.UTC(2026, 0, 2, 3, 4, 5)

/**
 * A coordinator for tests of the admin API and of egctl: the real protocol over objects in memory.
 * Documents need `kind` and `name`; `port` must be a number.
 */
export class CoordinatorFixture implements Actor<ToCoordinator> {
  readonly objects = new Map<string, StoredObject>()
  readonly received: ToCoordinator[] = []
  members: MemberStatus[] = []
  nodeMetrics: readonly NodeMetric[] = []
  /** What custom data is answered with. */
  customData: (what: CustomDataOp) => unknown = () => null
  status: Record<string, StatusByMember> = {}
  warnings: readonly string[] = []
  lagging: readonly string[] = []
  staleSeconds: number | null = null
  explanation: TrafficExplanation = { servers: [], server: null, explanation: null }
  version = 0
  /** What every message is answered with, when set. */
  failure: GatewayError | null = null
  /** While true, messages are taken and never answered. */
  isSilent = false

  receive(message: ToCoordinator, reply: Reply): void {
    this.received.push(message)
    if (this.isSilent) return
    try {
      if (this.failure !== null) throw this.failure
      reply.ok(this.#answer(message))
    } catch (thrown) {
      reply.fail(GatewayError.from(thrown))
    }
  }

  #answer(m: ToCoordinator): unknown {
    switch (m.type) {
      case 'put-object':
        return this.#put(m)
      case 'delete-object': {
        const object = this.#get(m.name)
        this.#expectVersion(object, m.ifMatch)
        this.objects.delete(m.name)
        this.version += 1
        return this.#written(object, true, false)
      }
      case 'delete-all-objects':
        this.objects.clear()
        this.version += 1
        return this.#written({ name: '', kind: '' }, true, false)
      case 'get-object':
        return this.#stamped(this.#get(m.name))
      case 'list-objects':
        return this.#stamped([...this.objects.values()])
      case 'get-object-status':
        this.#get(m.name)
        return this.#stamped(this.status[m.name] ?? {})
      case 'list-object-status':
        return this.#stamped(this.status)
      case 'list-members':
        return this.#stamped(this.members)
      case 'purge-member': {
        const left = this.members.filter((member) => member.options['name'] !== m.name)
        if (left.length === this.members.length) {
          throw new GatewayError('MEMBER_NOT_FOUND', 'not found')
        }
        this.members = left
        return this.#stamped(null)
      }
      case 'get-config-version':
        return this.#stamped(null)
      case 'explain-traffic':
        return this.#stamped(this.explanation)
      case 'list-node-metrics':
        return this.nodeMetrics
      case 'custom-data':
        return { value: this.customData(m.what), staleSeconds: null }
      default:
        return unreachable(m)
    }
  }

  #put(m: PutObject): WriteResult {
    const { kind, name } = decode(m.text)
    if (m.name !== null && m.name !== name) {
      throw new GatewayError('NAME_MISMATCH', 'inconsistent name in url and spec ')
    }
    const old = this.objects.get(name)
    if (m.mode === 'create' && old !== undefined) {
      throw new GatewayError('OBJECT_EXISTS', `conflict name: ${name}`)
    }
    if (m.mode === 'update') this.#get(name)
    if (old !== undefined && old.kind !== kind) {
      throw new GatewayError('KIND_MISMATCH', `different kinds: ${old.kind}, ${kind}`)
    }
    this.#expectVersion(old, m.ifMatch)
    const isNew = old === undefined
    if (!m.dryRun) {
      this.version += 1
      const { version } = this
      const createdVersion = old?.createdVersion ?? version
      this.objects.set(name, {
        name,
        kind,
        text: m.text,
        spec: {},
        version,
        createdVersion,
        dialect: m.dialect,
        createdMs: old?.createdMs ?? CREATED_MS,
      })
    }
    return this.#written({ name, kind }, true, isNew)
  }

  #get(name: string): StoredObject {
    const object = this.objects.get(name)
    if (object === undefined) throw new GatewayError('OBJECT_NOT_FOUND', 'not found')
    return object
  }

  #expectVersion(object: StoredObject | undefined, ifMatch: number | null): void {
    if (ifMatch !== null && object?.version !== ifMatch) {
      throw new GatewayError('VERSION_CONFLICT', `written at version ${object?.version}`)
    }
  }

  #written(of: { name: string; kind: string }, changed: boolean, created: boolean): WriteResult {
    const { warnings, lagging } = this
    const { name, kind } = of
    return { name, kind, version: this.#configVersion(), changed, created, warnings, lagging }
  }

  #stamped(value: unknown): unknown {
    return { value, version: this.#configVersion(), staleSeconds: this.staleSeconds }
  }

  #configVersion(): ConfigVersion {
    return { epoch: EPOCH, version: this.version }
  }
}

function decode(text: string): { kind: string; name: string } {
  const parsed = parseYaml(text)
  if (!parsed.ok) {
    const problem = problemAt({ path: [], message: parsed.message }, parsed.position)
    throw new GatewayError(parsed.code, formatProblems([problem]))
  }
  const document = parsed.documents[0]
  const value = (document?.value ?? {}) as Record<string, unknown>
  const findings = [
    ...(['kind', 'name'] as const)
      .filter((key) => typeof value[key] !== 'string')
      .map((key) => ({ path: [key], message: 'expected text, got nothing' })),
    ...(value['port'] === undefined || typeof value['port'] === 'number'
      ? []
      : [{ path: ['port'], message: 'expected a whole number in 1..65535' }]),
  ]
  if (findings.length > 0) {
    const positions = document?.locate(findings.map(({ path }) => ({ path, isKey: false }))) ?? []
    const problems = findings.map((finding, i) => problemAt(finding, positions[i] ?? null))
    throw new GatewayError('SPEC_INVALID', formatProblems(problems))
  }
  return { kind: String(value['kind']), name: String(value['name']) }
}

/** Starts the fixture as an actor of this thread. */
export function spawnCoordinator(fixture: CoordinatorFixture): ActorRef<ToCoordinator> {
  const system = new ActorSystem({
    time: systemTime,
    log: new MemoryLogger(),
    escalated: (name, thrown) => {
      throw new Error(`${name} gave up`, { cause: thrown })
    },
  })
  return system.spawn<ToCoordinator>('coordinator', () => fixture)
}

/** A catalogue of two objects and two filters. */
export const CATALOGUE_FIXTURE: Catalogue = {
  objectKinds: () => ['HTTPServer', 'HTTPPipeline'],
  objectKind: (kind) =>
    kind === 'HTTPServer' || kind === 'HTTPPipeline'
      ? {
          kind,
          category: kind === 'HTTPServer' ? 'TrafficGate' : 'Pipeline',
          aliases: kind === 'HTTPServer' ? ['httpservers', 'hs'] : ['hpl'],
          description: `What ${kind} is for.`,
        }
      : null,
  objectSchema: (kind, dialect) => ({ title: kind, dialect }),
  completed: (_kind, dialect, document) => ({ completedAs: dialect, ...(document as object) }),
  filterKinds: () => ['Validator', 'Proxy'],
  filterKind: (kind) =>
    kind === 'Proxy'
      ? {
          description: 'Proxy sets the proxy of proxy servers.',
          schema: { type: 'object', properties: { name: { type: 'string' } } },
          results: ['internalError', 'clientError', 'serverError'],
        }
      : null,
}

/** A member as the seed shows it. */
export const MEMBER_FIXTURE: MemberStatus = {
  options: {
    name: 'eg-default-name',
    labels: {},
    'cluster-name': 'eg-cluster-default-name',
    'cluster-role': 'writer',
    'cluster-request-timeout': '10s',
    'cluster-listen-client-urls': ['http://127.0.0.1:2379'],
    'cluster-join-urls': [],
    'api-addr': 'localhost:2381',
    debug: false,
    'home-dir': './',
    'wal-dir': '',
  },
  lastHeartbeatTime: '2021-05-05T15:43:27+08:00',
  etcd: { id: 'a30c34bf7ec77546', startTime: '2021-05-05T15:42:37+08:00', state: 'Leader' },
}

/** What the admin API may do with its process, here with nothing. */
export class NodeFixture implements NodeControls {
  readonly member = 'eg-1'
  readonly clusterName = 'demo'
  readonly clusterRole = 'writer'
  readonly homeDir = '/tmp'
  logFile = '/dev/null'
  level: LogLevel = 'info'
  wanted: ProfileOptions = { cpuFile: null, heapFile: null }

  logLevel(): LogLevel {
    return this.level
  }

  setLogLevel(level: LogLevel): void {
    this.level = level
  }

  profiles(): ProfileOptions {
    return this.wanted
  }

  setProfiles(options: ProfileOptions): void {
    this.wanted = options
  }
}
