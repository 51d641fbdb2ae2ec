import { GatewayError } from '../lib/errors.js'
import { type Answer, decodeBody, encodeBody, type Rpc } from '../peer/peer.js'
import type { PutMode } from '../protocol/coordinator.js'
import type { Dialect } from '../spec/document.js'
import type { ConsensusStatus } from '../store/cluster.js'
import { type Done, failure, storeUnavailable, success } from '../store/contract.js'
import type { RemoteWriter, RemoteWritten } from './config-writer.js'
import type { Write } from './plan.js'

/** Name of the service between members; part of the wire format. */
const SERVICE = 'config-write'

export interface LeaderWritesOptions {
  readonly rpc: Pick<Rpc, 'ask' | 'serve'>
  consensus(): ConsensusStatus
  /** Of this member. */
  readonly incarnation: string
}

/** A write of another member. */
export interface GuestWrite {
  readonly write: Write
  /** Why it must not be begun any more: this member leads no longer, or not without a break. */
  problem(): GatewayError | null
  readonly done: Done<RemoteWritten>
}

/**
 * Has writes planned where their order is made, by the member that leads. Were each member to plan
 * by itself and to compare the version, those far from the leader would lose every race against
 * those close to it. Nothing is sent twice: what is not known is looked for in the history.
 */
export class LeaderWrites implements RemoteWriter {
  readonly #options: LeaderWritesOptions

  constructor(options: LeaderWritesOptions) {
    this.#options = options
  }

  isThere(): boolean {
    return this.#leader() !== null
  }

  write(write: Write, timeoutMs: number, done: Done<RemoteWritten>): void {
    const leader = this.#leader()
    if (leader === null) {
      done(failure(notLeading()))
      return
    }
    // On the wire it is a whole number.
    this.#options.rpc.ask(leader, SERVICE, encodeBody(write), Math.ceil(timeoutMs), (answer) => {
      if (!answer.ok) done(failure(answer.error))
      else {
        const written = decodeWritten(answer.body)
        const nonsense = 'the answer of the leader makes no sense'
        done(written === null ? failure(storeUnavailable(nonsense, 'unknown')) : success(written))
      }
    })
  }

  /** From now on writes of other members are taken, while this one leads. Called once. */
  serve(take: (guest: GuestWrite) => void): void {
    const { rpc, consensus } = this.#options
    rpc.serve(SERVICE, {
      onRequest: (body, _peer, answer) => {
        const write = decodeWrite(body)
        const { term } = consensus()
        const problem = (): GatewayError | null =>
          this.#leads() && consensus().term === term ? null : notLeading()
        const refusal = write === null ? malformed() : problem()
        if (write === null || refusal !== null) answer(failed(refusal ?? malformed()))
        else take({ write, problem, done: (outcome) => answer(answerOf(outcome)) })
      },
    })
  }

  /** Null: nobody else does. */
  #leader(): string | null {
    const { leaderIncarnation, hasQuorum } = this.#options.consensus()
    return !hasQuorum || this.#leads() ? null : leaderIncarnation
  }

  #leads(): boolean {
    return this.#options.consensus().leaderIncarnation === this.#options.incarnation
  }
}

const notLeading = (): GatewayError =>
  new GatewayError('NOT_LEADER', 'this member does not lead', { outcome: 'none' })

const malformed = (): GatewayError =>
  new GatewayError('REQUEST_INVALID', 'a write of another member is malformed')

const failed = (error: GatewayError): Answer => ({ ok: false, error })

function answerOf(outcome: Parameters<Done<RemoteWritten>>[0]): Answer {
  return outcome.ok ? { ok: true, body: encodeBody(outcome.value) } : failed(outcome.error)
}

function fields(body: Uint8Array): Record<string, unknown> {
  const decoded = decodeBody(body)
  const value = decoded.ok ? decoded.value : null
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMap ? (value as Record<string, unknown>) : {}
}

const MODES: readonly unknown[] = ['create', 'update', 'apply'] satisfies PutMode[]
const DIALECTS: readonly unknown[] = ['v1', 'v2'] satisfies Dialect[]

const isText = (value: unknown): value is string => typeof value === 'string'
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value)

/** Null for anything that no member would send. */
export function decodeWrite(body: Uint8Array): Write | null {
  const { type, requestId, name, ifMatch, mode, kind, text, spec, dialect } = fields(body)
  if (!isText(requestId) || requestId === '') return null
  if (type === 'delete-all') return { type, requestId }
  if (!isText(name) || name === '' || !(ifMatch === null || isWhole(ifMatch))) return null
  if (type === 'delete') return { type, name, ifMatch, requestId }
  if (type !== 'put' || !MODES.includes(mode) || !DIALECTS.includes(dialect)) return null
  if (!isText(kind) || !isText(text) || !(spec instanceof Uint8Array)) return null
  return {
    type,
    mode: mode as PutMode,
    name,
    kind,
    text,
    // Of its own: it outlives the frame it came in.
    spec: new Uint8Array(spec),
    dialect: dialect as Dialect,
    ifMatch,
    requestId,
  }
}

function decodeWritten(body: Uint8Array): RemoteWritten | null {
  const { version, created, changed } = fields(body)
  const { epoch, version: number } = (version ?? {}) as Record<string, unknown>
  if (!isWhole(epoch) || !isWhole(number)) return null
  if (typeof created !== 'boolean' || typeof changed !== 'boolean') return null
  return { version: { epoch, version: number }, created, changed }
}
