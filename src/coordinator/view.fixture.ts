import type { MemberStatus, NodeMetric, StatusByMember } from '../protocol/coordinator.js'
import type { ConsensusStatus } from '../store/cluster.js'
import { success } from '../store/contract.js'
import type { ClusterView, MemberServing, ServingOf } from './cluster-view.js'

const LEADING: ConsensusStatus = {
  nodeId: 1,
  clusterId: 'c1',
  admittedAt: 1,
  role: 'leader',
  term: 1,
  leader: 1,
  leaderIncarnation: 'abc',
  hasQuorum: true,
  staleMs: 0,
  lastIndex: 1,
  committedIndex: 1,
  appliedIndex: 1,
  logEnd: { index: 1, term: 1 },
  isVoting: true,
  isTransferring: false,
  logBytes: 0,
  followers: [],
}

/** A cluster as a test wants it to be; a node alone at first. */
export class FakeView implements ClusterView {
  isAlone = true
  hasQuorum = true
  staleMs = 0
  failed: () => string | null = () => null
  problem = 'no quorum: 1 of 3 voters can be reached'
  members: readonly MemberStatus[] = []
  serving: MemberServing | null = null
  /** What other members run; called once for each look. */
  others: () => readonly ServingOf[] = () => []
  readonly statuses = new Map<string, Readonly<Record<string, unknown>>>()
  othersStatus = new Map<string, StatusByMember>()
  readonly purged: string[] = []

  consensus(): ConsensusStatus {
    return { ...LEADING, hasQuorum: this.hasQuorum, staleMs: this.staleMs }
  }

  failure(): string | null {
    return this.failed()
  }

  metrics(): readonly NodeMetric[] {
    return [{ name: 'disk_syncs', type: 'counter', labels: {}, value: 1 }]
  }

  quorumProblem(): string {
    return this.problem
  }

  listMembers(done: (members: readonly MemberStatus[]) => void): void {
    done(this.members)
  }

  purge(name: string, done: Parameters<ClusterView['purge']>[1]): void {
    this.purged.push(name)
    done(success(null))
  }

  publishServing(serving: MemberServing): void {
    this.serving = serving
  }

  readServing(done: (all: readonly ServingOf[]) => void): void {
    done(this.others())
  }

  publishStatus(object: string, status: Readonly<Record<string, unknown>>): void {
    this.statuses.set(object, status)
  }

  withdrawStatus(object: string): void {
    this.statuses.delete(object)
  }

  readStatus(only: string | null, done: (all: ReadonlyMap<string, StatusByMember>) => void): void {
    const all = [...this.othersStatus].filter(([name]) => only === null || name === only)
    done(new Map(all))
  }

  close(): void {}
}
