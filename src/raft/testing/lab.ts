import { configOf } from '../config.js'
import {
  type Config,
  type Entry,
  type Message,
  NONE,
  type NodeId,
  Raft,
  type RaftOptions,
  type ReadState,
  type SnapshotTransfer,
} from '../raft.js'

export interface NodeShape extends Partial<Omit<RaftOptions, 'start'>> {
  readonly voters?: readonly NodeId[]
  readonly learners?: readonly NodeId[]
  readonly config?: Config
  readonly term?: number
  readonly vote?: NodeId
  readonly commit?: number
  /** Terms of the entries from index 2 on; 1@1 is the founding snapshot. */
  readonly log?: readonly number[]
}

export function entry(index: number, term: number, text = ''): Entry {
  return { index, term, data: new TextEncoder().encode(text), change: null }
}

/** A node in just this state; neither pre-vote nor check-quorum unless asked for. */
export function node(shape: NodeShape = {}): Raft {
  const { voters = [1, 2, 3], learners = [], log = [] } = shape
  const entries = log.map((term, at) => entry(2 + at, term))
  const config = shape.config ?? configOf(voters, learners)
  return new Raft({
    id: 1,
    electionTicks: 10,
    heartbeatTicks: 2,
    preVote: false,
    checkQuorum: false,
    random: () => 0,
    ...shape,
    start: {
      ballot: { term: shape.term ?? log.at(-1) ?? 1, vote: shape.vote ?? NONE },
      commit: shape.commit ?? 1,
      snapshot: { index: 1, term: 1, config },
      entries,
    },
  })
}

/** What came out of a node until it had nothing more to do. */
export interface Output {
  readonly messages: Message[]
  readonly applied: Entry[]
  readonly reads: ReadState[]
  readonly transfers: SnapshotTransfer[]
}

/** Writes and applies at once, and collects. */
export function drain(raft: Raft): Output {
  const out: Output = { messages: [], applied: [], reads: [], transfers: [] }
  for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
    out.messages.push(...ready.messages, ...(ready.append?.messages ?? []))
    out.applied.push(...ready.committed)
    out.reads.push(...ready.reads)
    out.transfers.push(...ready.transfers)
    raft.advance(ready)
  }
  return out
}

/** Messages of one type. */
export function only<T extends Message['type']>(
  messages: readonly Message[],
  type: T,
): Extract<Message, { type: T }>[] {
  return messages.filter(
    (message): message is Extract<Message, { type: T }> => message.type === type,
  )
}

const NOWHERE = { index: 0, term: 0 }

export function voteReply(from: NodeId, term: number, granted = true): Message {
  return { type: 'vote-reply', from, to: 1, term, granted, commit: NOWHERE }
}

export function vote(from: NodeId, term: number, lastIndex: number, lastTerm: number): Message {
  const commit = NOWHERE
  return { type: 'vote', from, to: 1, term, lastIndex, lastTerm, transfer: false, commit }
}

export function append(
  term: number,
  prevIndex: number,
  prevTerm: number,
  terms: readonly number[] = [],
  commit = 0,
  from: NodeId = 2,
): Message {
  const entries = terms.map((entryTerm, at) => entry(prevIndex + 1 + at, entryTerm))
  return { type: 'append', from, to: 1, term, prevIndex, prevTerm, entries, commit }
}

export function accept(from: NodeId, term: number, index: number, commit = 0): Message {
  const none = { hintIndex: 0, hintTerm: 0, commit }
  return { type: 'append-reply', from, to: 1, term, accepted: true, index, ...none }
}

export function reject(
  from: NodeId,
  term: number,
  index: number,
  hintIndex: number,
  hintTerm: number,
): Message {
  const hint = { hintIndex, hintTerm, commit: 0 }
  return { type: 'append-reply', from, to: 1, term, accepted: false, index, ...hint }
}

/** Node 1 as leader of the term after the one it starts in, all its output so far dropped. */
export function leader(shape: NodeShape = {}): Raft {
  const raft = node(shape)
  raft.campaign()
  drain(raft)
  const { term, config } = raft.status()
  for (const id of [...config.voters, ...config.outgoing]) {
    if (id !== 1 && raft.status().role !== 'leader') raft.step(voteReply(id, term))
  }
  drain(raft)
  return raft
}

/** A leader whose first entry is committed and which is heard of by all. */
export function settledLeader(shape: NodeShape = {}): Raft {
  const raft = leader(shape)
  const { term, lastIndex, members } = raft.status()
  for (const { id } of members) if (id !== 1) raft.step(accept(id, term, lastIndex, lastIndex))
  drain(raft)
  return raft
}

/** Passes messages between nodes until there are none; `lost` says which do not arrive. */
export function connect(nodes: readonly Raft[], lost: (message: Message) => boolean = () => false) {
  const applied = new Map<NodeId, Entry[]>(nodes.map((raft) => [raft.id, []]))
  const reads = new Map<NodeId, ReadState[]>(nodes.map((raft) => [raft.id, []]))
  for (let round = 0; round < 200; round++) {
    let busy = false
    for (const raft of nodes) {
      const out = drain(raft)
      applied.get(raft.id)!.push(...out.applied)
      reads.get(raft.id)!.push(...out.reads)
      for (const message of [...out.messages, ...out.transfers.map((each) => each.message)]) {
        busy = true
        if (!lost(message)) nodes.find((each) => each.id === message.to)?.step(message)
      }
    }
    if (!busy) return { applied, reads }
  }
  throw new Error('it does not settle')
}
