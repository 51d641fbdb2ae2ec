/**
 * Who belongs to the cluster: changed by entries of the log, kept in the head of each snapshot.
 * Pure; the forms of both are JSON, as they are rare and should be easy to look at.
 */
import { createHash } from 'node:crypto'
import { assert } from '../lib/assert.js'
import { type Config, configOf, type NodeId } from '../raft/raft.js'
import {
  type ClusterMember,
  type Founding,
  type MemberIdentity,
  REMOVED_MAX,
  type RemovedMember,
  type Roster,
} from './cluster.js'
import { nodeIdOf } from './node-id.js'

/** What is replicated of a roster. */
export type RosterState = Omit<Roster, 'isChanging'>

export const EMPTY_ROSTER: RosterState = { clusterId: '', members: [], removed: [] }

/** What an entry of the log does to the roster. Append only. */
export type RosterChange =
  | { readonly do: 'add-learner'; readonly member: MemberIdentity }
  | { readonly do: 'promote'; readonly nodeId: NodeId }
  | { readonly do: 'remove'; readonly nodeId: NodeId }
  | { readonly do: 'move'; readonly nodeId: NodeId; readonly peerUrl: string | null }

/** The same on every first member, in whatever order they know each other. */
export function foundingOf(members: readonly MemberIdentity[]): Founding {
  const incarnations = members.map(({ incarnation }) => incarnation).sort()
  const digest = createHash('sha256')
    .update(`cluster ${incarnations.join(' ')}`)
    .digest('hex')
  return { clusterId: digest.slice(0, 16), members }
}

export function foundingRoster({ clusterId, members }: Founding): RosterState {
  const founders = members.map((member) => ({
    name: member.name,
    incarnation: member.incarnation,
    peerUrl: member.peerUrl,
    nodeId: nodeIdOf(member.incarnation),
    suffrage: 'voter' as const,
    admittedAt: 1,
  }))
  return { clusterId, members: byName(founders), removed: [] }
}

export function foundingConfig({ members }: Founding): Config {
  return configOf(members.map(({ incarnation }) => nodeIdOf(incarnation)))
}

/** The roster after the entry at `index`. */
export function changeRoster(
  roster: RosterState,
  index: number,
  change: RosterChange,
): RosterState {
  const { members } = roster
  if (change.do === 'add-learner') {
    const { name, incarnation, peerUrl } = change.member
    const nodeId = nodeIdOf(incarnation)
    const others = members.filter((member) => member.nodeId !== nodeId)
    const added = { name, incarnation, peerUrl, nodeId, suffrage: 'learner' as const }
    return { ...roster, members: byName([...others, { ...added, admittedAt: index }]) }
  }
  const { nodeId } = change
  if (change.do === 'remove') {
    const gone = members
      .filter((member) => member.nodeId === nodeId)
      .map(({ name, incarnation }) => ({ name, incarnation, nodeId, removedAt: index }))
    const removed = [...roster.removed, ...gone].slice(-REMOVED_MAX)
    return { ...roster, members: members.filter((member) => member.nodeId !== nodeId), removed }
  }
  const changed = members.map((member): ClusterMember => {
    if (member.nodeId !== nodeId) return member
    if (change.do === 'promote') return { ...member, suffrage: 'voter' }
    return { ...member, peerUrl: change.peerUrl }
  })
  return { ...roster, members: changed }
}

/** The head of a snapshot: all that it says besides the state. */
export function encodeHead(config: Config, roster: RosterState): Uint8Array<ArrayBuffer> {
  return encodeJson({ format: 1, config, ...roster })
}

/** The head was checked with its snapshot, so that anything unknown in it is a bug of its writer. */
export function decodeHead(head: Uint8Array): { config: Config; roster: RosterState } {
  const { format, config, clusterId, members, removed } = decodeJson(head) as {
    format: number
    config: Config
    clusterId: string
    members: ClusterMember[]
    removed: RemovedMember[]
  }
  assert(format === 1, `the head of a snapshot has format ${format}; start a newer version`)
  return { config, roster: { clusterId, members, removed } }
}

export function encodeRosterChange(change: RosterChange): Uint8Array<ArrayBuffer> {
  return encodeJson(change)
}

export function decodeRosterChange(bytes: Uint8Array): RosterChange {
  return decodeJson(bytes) as RosterChange
}

export function encodeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(JSON.stringify(value), 'utf8'))
}

export function decodeJson(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
}

function byName(members: readonly ClusterMember[]): ClusterMember[] {
  return [...members].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}
