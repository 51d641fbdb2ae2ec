import type { Time, Timer } from '../lib/clock.js'
import type { DialFailedEvent, GuestDial, Peer, RefusedEvent } from '../peer/peer.js'
import type { ClusterSetup } from '../root/threads.js'
import type { Founding, MemberIdentity, Roster } from '../store/cluster.js'
import type { Logger } from '../telemetry/log.js'
import { type ClusterService, initialText, type Who } from './cluster-service.js'

export interface FounderOptions {
  readonly time: Time
  readonly log: Logger
  readonly self: MemberIdentity
  readonly setup: ClusterSetup
  readonly service: Pick<ClusterService, 'who' | 'join'>
  dialGuest(address: string, name: string | null): GuestDial
  /** Called once, one of the two. */
  found(members: readonly MemberIdentity[]): void
  join(roster: Roster): void
  /** A member that says this node founded the cluster with it. */
  foundAgain(founding: Founding): void
  /** For a person who wonders why nothing happens. */
  waiting(why: string): void
}

const ASK_MS = 500
const SAY_MS = 5_000

interface Met {
  readonly peer: Peer
  readonly who: Who | null
}

/**
 * What a node with an empty log is to be. A node that is told to found a cluster with others does
 * so once all of them have said that they are empty, too, and mean the same list; then each of them
 * writes the same first configuration, with the incarnations it has seen. One that says it is a
 * member turns founding into joining: a node that lost its disk must never vote with an empty log.
 *
 * The first writer of v1 starts before the others, so for it a refused connection says "empty" as
 * well; one that is not answered does not.
 */
export class Founder {
  readonly #options: FounderOptions
  readonly #dials: GuestDial[] = []
  /** By incarnation. */
  readonly #met = new Map<string, Met>()
  /** By address: why there is no connection. */
  readonly #failures = new Map<string, { readonly isRefused: boolean; readonly why: string }>()
  #isAsking = false
  #isJoining = false
  #isOver = false
  #askTimer: Timer | null = null
  #sayTimer: Timer | null = null
  #joinFailure = ''
  #said = ''

  constructor(options: FounderOptions) {
    this.#options = options
  }

  start(): void {
    const { start } = this.#options.setup
    const { self, dialGuest } = this.#options
    if (start.type === 'found') {
      const others = start.members.filter(({ name }) => name !== self.name)
      if (others.length === 0) {
        this.#over()
        this.#options.found([self])
        return
      }
      for (const { url, name } of others) this.#dials.push(dialGuest(url, name))
    } else {
      const urls = start.type === 'join' ? start.urls : start.others
      for (const url of urls) this.#dials.push(dialGuest(url, null))
    }
    this.#askLater()
    this.#sayLater()
  }

  close(): void {
    this.#over()
  }

  /** A connection for requests stands. */
  onMeeting(peer: Peer): void {
    if (this.#isOver) return
    this.#met.set(peer.incarnation, { peer, who: null })
    this.#ask(peer)
  }

  onDialFailed({ address, cause, message }: DialFailedEvent): void {
    if (this.#isOver) return
    this.#failures.set(address, { isRefused: cause === 'refused', why: message })
    this.#decide()
  }

  onRefused({ address, refusal, by }: RefusedEvent): void {
    if (this.#isOver || address === null) return
    const why = by === 'peer' ? `refused there: ${refusal.message}` : refusal.message
    this.#failures.set(address, { isRefused: false, why })
  }

  #askLater(): void {
    this.#askTimer = this.#options.time.after(ASK_MS, () => {
      this.#askLater()
      for (const { peer } of [...this.#met.values()]) this.#ask(peer)
    })
  }

  #ask(peer: Peer): void {
    this.#options.service.who(peer.incarnation, (who) => {
      if (this.#isOver) return
      if (who === null) this.#met.delete(peer.incarnation)
      else {
        this.#met.set(peer.incarnation, { peer, who })
        this.#failures.delete(who.url)
      }
      this.#decide()
    })
  }

  #decide(): void {
    // Told from within, it may ask for more.
    if (this.#isOver || this.#isAsking) return
    this.#isAsking = true
    this.#step()
    this.#isAsking = false
  }

  #step(): void {
    for (const { peer, who } of this.#met.values()) {
      if (who?.state !== 'member') continue
      this.#meetCluster(peer, who.roster)
      return
    }
    const { start } = this.#options.setup
    if (start.type === 'found') this.#tryToFound(start.members)
    else if (start.type === 'found-first' && start.others.every((url) => this.#isEmpty(url))) {
      this.#over()
      this.#options.found([this.#options.self])
    }
  }

  #meetCluster(peer: Peer, roster: Roster): void {
    const { self, join, foundAgain, log } = this.#options
    const own = roster.members.find((member) => member.incarnation === self.incarnation)
    if (own === undefined) {
      this.#askToJoin(peer)
      return
    }
    this.#over()
    const first = roster.members.filter(({ admittedAt }) => admittedAt === own.admittedAt)
    const isFounder = own.suffrage === 'voter' && first.length === roster.members.length
    log.info(isFounder ? 'founding the cluster with others' : 'joining the cluster', {
      cluster: roster.clusterId,
      by: peer.name,
    })
    if (isFounder) {
      const members = first.map(({ name, incarnation, peerUrl }) => ({
        name,
        incarnation,
        peerUrl,
      }))
      foundAgain({ clusterId: roster.clusterId, members })
    } else join(roster)
  }

  #askToJoin(peer: Peer): void {
    if (this.#isJoining) return
    this.#isJoining = true
    const { service, self, join, log } = this.#options
    service.join(peer.incarnation, self, (answer) => {
      this.#isJoining = false
      if (this.#isOver) return
      if ('code' in answer) {
        this.#joinFailure = answer.message
        return
      }
      log.info('joining the cluster', { cluster: answer.clusterId, by: peer.name })
      this.#over()
      join(answer)
    })
  }

  #tryToFound(members: readonly { readonly name: string; readonly url: string }[]): void {
    const { self, found } = this.#options
    const initial = initialText(members)
    const all: MemberIdentity[] = []
    for (const { name, url } of members) {
      if (name === self.name) {
        all.push({ ...self, peerUrl: url })
        continue
      }
      const met = this.#metBy(name)
      if (met?.who?.state !== 'blank' || met.who.initial !== initial) return
      all.push({ name, incarnation: met.peer.incarnation, peerUrl: url })
    }
    this.#over()
    found(all)
  }

  #metBy(name: string): Met | null {
    for (const met of this.#met.values()) if (met.peer.name === name) return met
    return null
  }

  #isEmpty(url: string): boolean {
    if (this.#failures.get(url)?.isRefused === true) return true
    for (const { who } of this.#met.values()) if (who?.url === url) return who.state === 'blank'
    return false
  }

  #over(): void {
    this.#isOver = true
    this.#askTimer?.cancel()
    this.#sayTimer?.cancel()
    for (const dial of this.#dials) dial.close()
  }

  // -- for a person ------------------------------------------------------------------------------

  #sayLater(): void {
    // What comes first is soon out of date: others start just now.
    const delayMs = this.#said === '' ? 1_000 : SAY_MS
    this.#sayTimer = this.#options.time.after(delayMs, () => {
      this.#sayLater()
      const why = this.#why()
      if (why !== this.#said) this.#options.log.warn('waiting for the cluster', { reason: why })
      this.#said = why
      this.#options.waiting(why)
    })
  }

  #why(): string {
    if (this.#joinFailure !== '') return `the cluster does not take this node: ${this.#joinFailure}`
    const { start } = this.#options.setup
    if (start.type === 'found') {
      const others = start.members.filter(({ name }) => name !== this.#options.self.name)
      const initial = initialText(start.members)
      const states = others.map(({ name, url }) => `"${name}" ${this.#stateOf(name, url, initial)}`)
      return `waiting for the other first members: ${states.join('; ')}`
    }
    const urls = start.type === 'join' ? start.urls : start.others
    const what =
      start.type === 'join'
        ? 'waiting for a member of the cluster'
        : 'waiting to hear whether there is a cluster already'
    return `${what}: ${urls.map((url) => this.#stateOf(null, url, null)).join('; ')}`
  }

  #stateOf(name: string | null, url: string, initial: string | null): string {
    const met = name === null ? this.#metAt(url) : this.#metBy(name)
    if (met?.who?.state === 'blank') {
      if (initial !== null && met.who.initial !== initial) {
        return `at ${url} has another initial-cluster (${met.who.initial || 'none'})`
      }
      return `at ${url} waits, too`
    }
    return `at ${url}: ${this.#failures.get(url)?.why ?? 'no answer yet'}`
  }

  #metAt(url: string): Met | null {
    for (const met of this.#met.values()) if (met.who?.url === url) return met
    return null
  }
}
