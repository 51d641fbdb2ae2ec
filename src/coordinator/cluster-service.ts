import { GatewayError } from '../lib/errors.js'
import { type Answer, decodeBody, encodeBody, type Peer, type Rpc } from '../peer/peer.js'
import type { MemberIdentity, Replica, Roster } from '../store/cluster.js'
import { storeUnavailable } from '../store/contract.js'

/** Name of the service between nodes; part of the wire format. */
const CLUSTER_SERVICE = 'cluster'
const WHO_MS = 2_000
const JOIN_MS = 15_000

/** What a node says when it is asked what it is. */
export type Who =
  /** Nothing yet. `initial`: whom it is to found a cluster with, as {@link initialText}; '' alone. */
  | { readonly state: 'blank'; readonly url: string; readonly initial: string }
  /** `roster`: of its cluster, without those who left. */
  | { readonly state: 'member'; readonly url: string; readonly roster: Roster }

export interface ClusterServiceOptions {
  readonly rpc: Pick<Rpc, 'ask' | 'serve'>
  readonly replica: () => Replica | null
  readonly url: string
  readonly initial: string
}

type Request = { readonly type: 'who' } | { readonly type: 'join'; readonly member: MemberIdentity }

/** The list of `initial-cluster` in one form, to be compared. */
export function initialText(members: readonly { name: string; url: string }[]): string {
  const all = members.map(({ name, url }) => `${name}=${url}`).sort()
  return all.length > 1 ? all.join(',') : ''
}

/** How nodes that are no members find out about a cluster, and become members. */
export class ClusterService {
  readonly #options: ClusterServiceOptions

  constructor(options: ClusterServiceOptions) {
    this.#options = options
    options.rpc.serve(CLUSTER_SERVICE, {
      guests: true,
      onRequest: (body, peer, answer) => this.#onRequest(body, peer, answer),
    })
  }

  /** Null: it does not answer, or not with sense. */
  who(incarnation: string, done: (who: Who | null) => void): void {
    const body = encodeBody({ type: 'who' } satisfies Request)
    this.#options.rpc.ask(incarnation, CLUSTER_SERVICE, body, WHO_MS, (answer) => {
      done(answer.ok ? decodeWho(answer.body) : null)
    })
  }

  /** Asks a member to make this node one. */
  join(
    incarnation: string,
    member: MemberIdentity,
    done: (roster: Roster | GatewayError) => void,
  ): void {
    const body = encodeBody({ type: 'join', member } satisfies Request)
    this.#options.rpc.ask(incarnation, CLUSTER_SERVICE, body, JOIN_MS, (answer) => {
      if (!answer.ok) done(answer.error)
      else {
        const who = decodeWho(answer.body)
        if (who?.state === 'member') done(who.roster)
        else done(storeUnavailable('the answer of the member makes no sense', 'unknown'))
      }
    })
  }

  #onRequest(body: Uint8Array, peer: Peer, answer: (answer: Answer) => void): void {
    const request = decodeRequest(body)
    const replica = this.#options.replica()
    if (request === null) {
      answer(failed(new GatewayError('REQUEST_INVALID', 'a request of a newcomer is malformed')))
    } else if (replica === null) {
      answer(failed(storeUnavailable('the store is starting', 'none')))
    } else if (request.type === 'who') answer(this.#who(replica))
    else this.#join(replica, request.member, peer, answer)
  }

  #who(replica: Replica): Answer {
    const { url, initial } = this.#options
    const roster = replica.roster()
    const who: Who =
      roster.members.length === 0
        ? { state: 'blank', url, initial }
        : { state: 'member', url, roster: { ...roster, removed: [] } }
    return { ok: true, body: encodeBody(who) }
  }

  #join(
    replica: Replica,
    member: MemberIdentity,
    peer: Peer,
    answer: (answer: Answer) => void,
  ): void {
    // Nobody joins in the name of another.
    if (member.name !== peer.name || member.incarnation !== peer.incarnation) {
      answer(failed(new GatewayError('REQUEST_INVALID', 'a newcomer asks for itself alone')))
      return
    }
    if (replica.roster().members.length === 0) {
      answer(failed(storeUnavailable('this node is no member itself yet', 'none')))
      return
    }
    replica.changeMembership({ type: 'add-learner', member }, (outcome) => {
      if (!outcome.ok) answer(failed(outcome.error))
      else {
        const roster = { ...outcome.value, removed: [] }
        const who: Who = { state: 'member', url: this.#options.url, roster }
        answer({ ok: true, body: encodeBody(who) })
      }
    })
  }
}

const failed = (error: GatewayError): Answer => ({ ok: false, error })

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fields(body: Uint8Array): Record<string, unknown> {
  const decoded = decodeBody(body)
  return decoded.ok && isRecord(decoded.value) ? decoded.value : {}
}

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= 2_048
const isWhole = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

function isIdentity(value: unknown): value is MemberIdentity {
  if (!isRecord(value)) return false
  const { name, incarnation, peerUrl } = value
  return isText(name) && isText(incarnation) && (peerUrl === null || isText(peerUrl))
}

function decodeRequest(body: Uint8Array): Request | null {
  const { type, member } = fields(body)
  if (type === 'who') return { type }
  if (type !== 'join' || !isIdentity(member)) return null
  const { name, incarnation, peerUrl } = member
  return { type, member: { name, incarnation, peerUrl } }
}

function decodeWho(body: Uint8Array): Who | null {
  const { state, url, initial, roster } = fields(body)
  if (!isText(url)) return null
  if (state === 'blank' && isText(initial)) return { state, url, initial }
  return state === 'member' && isRoster(roster) ? { state, url, roster } : null
}

function isRoster(value: unknown): value is Roster {
  if (!isRecord(value)) return false
  const { clusterId, members, removed, isChanging } = value
  if (!isText(clusterId) || !Array.isArray(removed) || typeof isChanging !== 'boolean') return false
  return Array.isArray(members) && members.every(isMember)
}

function isMember(value: unknown): boolean {
  if (!isIdentity(value)) return false
  const { nodeId, suffrage, admittedAt } = value as unknown as Record<string, unknown>
  return isWhole(nodeId) && isWhole(admittedAt) && (suffrage === 'voter' || suffrage === 'learner')
}
