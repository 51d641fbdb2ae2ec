/**
 * Deliberate bugs, one flag each, so that the tests can show they would notice them. Production
 * code never passes any: reading a flag of the shared empty object is all they cost. The section
 * says which rule is broken.
 */
export interface Faults {
  /** Vote and term are not handed out to be written (§3.8). */
  readonly voteNotPersisted?: boolean
  /** A second vote is given in one term (§3.4). */
  readonly voteTwice?: boolean
  /** A candidate's log is not compared (§3.6.1). */
  readonly voteForStaleLog?: boolean
  /** An election starts without asking first (§9.6). */
  readonly preVoteIgnored?: boolean
  /** Requests for votes are heard although a leader is alive (§4.2.3). */
  readonly stickinessIgnored?: boolean
  /** One vote, one acknowledgement less than a majority is enough (§3.4, §3.5). */
  readonly quorumOffByOne?: boolean
  /** An entry of an older term is committed by counting (§3.6.2). */
  readonly commitOldTerm?: boolean
  /** Heartbeats carry a commit index beyond what the follower is known to share (§3.5). */
  readonly commitUnmatched?: boolean
  /** Appends and votes are answered before they are durable (§3.8). */
  readonly replyBeforeDurable?: boolean
  /** The leader counts its own entries before they are durable (§10.2.1). */
  readonly selfAckBeforeDurable?: boolean
  /** Entries that differ from the leader's stay (Figure 2). */
  readonly keepConflictingSuffix?: boolean
  /** A snapshot replaces a log that already holds what it covers, and more (paper §7). */
  readonly snapshotOverNewerLog?: boolean
  /** Reads are answered without a round of heartbeats (§6.4). */
  readonly staleRead?: boolean
  /** A new leader answers reads before it knows what is committed (§6.4, step 1). */
  readonly readBeforeOwnCommit?: boolean
  /** What an older leader says is taken for the present one's (Figure 2, AppendEntries 1). */
  readonly oldTermObeyed?: boolean
  /** Learners count as voters (§4.2.1). */
  readonly learnerVotes?: boolean
  /** Of a joint configuration only the new half is asked (§4.3). */
  readonly jointNewHalfOnly?: boolean
  /** A change of configuration is accepted while another one is pending (§4.1). */
  readonly confChangeOverlap?: boolean
}

export const NO_FAULTS: Faults = Object.freeze({})
