import { type Introduction, type Refusal, refusal } from './identity.js'

/** What this node knows of the cluster, as applied here; it may lag behind. */
export interface Membership {
  readonly self: Introduction
  /** Raft index up to which members and tombstones are known here. */
  readonly knownUpTo: number
  /** Null: no member has that name. `nodeId` 0: a reader. */
  member(name: string): { readonly incarnation: string; readonly nodeId: number } | null
  /** The name of the member with that number, which is not 0; null: nobody's. */
  nameOf(nodeId: number): string | null
  isPurged(incarnation: string): boolean
  /** Boot id under which that incarnation is alive, as far as is known; null: it is not. */
  liveBoot(incarnation: string): string | null
}

export type Verdict =
  | { readonly ok: true; readonly guest: boolean }
  | { readonly ok: false; readonly refusal: Refusal }

/**
 * Whether to talk to a peer that has proved who it is. Both sides ask, each by what it knows. Who
 * belongs to no cluster is a guest, and so is everybody to a node that belongs to none. A member
 * that is unknown here is accepted as long as this node may just not have heard of it: its vote may
 * be the one that is needed to hear of it (dissertation §4.1).
 */
export function judge(peer: Introduction, membership: Membership): Verdict {
  const found = problem(peer, membership)
  if (found !== null) return { ok: false, refusal: found }
  const { self } = membership
  return { ok: true, guest: peer.clusterId === null || self.clusterId === null }
}

function problem(peer: Introduction, membership: Membership): Refusal | null {
  return (
    ofIdentity(peer, membership) ??
    ofLevels(peer, membership.self) ??
    ofMembership(peer, membership)
  )
}

function ofIdentity(peer: Introduction, membership: Membership): Refusal | null {
  const { self } = membership
  const who = `"${peer.name}"`
  if (peer.incarnation === self.incarnation) {
    if (peer.bootId === self.bootId) {
      return refusal('self', `member ${who} has connected to itself: check the peer addresses`)
    }
    return copied(peer)
  }
  if (self.clusterId !== null && peer.clusterId !== null && self.clusterId !== peer.clusterId) {
    return refusal(
      'cluster-id',
      `member ${who} belongs to another cluster of the same name (id ${peer.clusterId}, here ${self.clusterId}); a node changes clusters only with an empty data directory`,
    )
  }
  if (membership.isPurged(peer.incarnation)) {
    return refusal(
      'purged',
      `member ${who} (incarnation ${peer.incarnation}) was purged from the cluster; empty its data directory to join as a new member`,
    )
  }
  return null
}

function ofLevels(peer: Introduction, self: Introduction): Refusal | null {
  const who = `"${peer.name}"`
  if (self.clusterLevel > peer.level) {
    return refusal(
      'level-too-old',
      `the cluster is at level ${self.clusterLevel}, member ${who} can do ${peer.level} at most: start a newer version there`,
    )
  }
  if (self.clusterLevel !== 0 && self.clusterLevel < peer.levelMin) {
    return refusal(
      'level-too-new',
      `the cluster is at level ${self.clusterLevel}, member ${who} needs ${peer.levelMin} at least: start an older version there, or upgrade the other members`,
    )
  }
  return null
}

function ofMembership(peer: Introduction, membership: Membership): Refusal | null {
  const { self } = membership
  const who = `"${peer.name}"`
  const known = membership.member(peer.name)
  const other = known === null ? null : known.incarnation
  // Two nodes may go by one name before there are members, too. That somebody of that name was
  // purged and its successor admitted may not be known here yet.
  const isNews = peer.clusterId !== null && peer.admittedAt > membership.knownUpTo
  const taken = peer.name === self.name || (other !== null && other !== peer.incarnation && !isNews)
  if (taken) {
    return refusal(
      'name-in-use',
      `the name ${who} belongs to another member (incarnation ${other ?? self.incarnation}); purge it first, or start with another name`,
    )
  }
  const boot = membership.liveBoot(peer.incarnation)
  if (boot !== null && boot !== peer.bootId) return copied(peer)
  if (peer.clusterId === null || self.clusterId === null) return null
  if (peer.nodeId !== 0) {
    const owner = membership.nameOf(peer.nodeId)
    if (owner !== null && owner !== peer.name) {
      return refusal(
        'node-id-in-use',
        `member ${who} claims the number ${peer.nodeId}, which is "${owner}"'s`,
      )
    }
  }
  return isNews || known?.nodeId === peer.nodeId ? null : unknown(peer)
}

function copied(peer: Introduction): Refusal {
  return refusal(
    'copied',
    `member "${peer.name}" (incarnation ${peer.incarnation}) is alive in another process: is its data directory a copy? stop one of them; a new member starts with an empty directory`,
  )
}

function unknown(peer: Introduction): Refusal {
  return refusal(
    'unknown-member',
    `the cluster has no member "${peer.name}" with incarnation ${peer.incarnation} and number ${peer.nodeId}; empty its data directory to join as a new member`,
  )
}
