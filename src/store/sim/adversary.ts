/**
 * Who brings a seed its trouble: faults that come by chance, and plots, each made of the moments in
 * which one kind of bug would show. A plot only does what may happen anyway: nodes end at the worst
 * time, messages do not come.
 */
import type { Prng } from '../../lib/prng.js'
import type { Message } from '../../raft/raft.js'
import type { SimWorld } from './companion.js'
import { FigureEight, type Play, TwoChanges } from './plays.js'
import { CALM, type Net, type NetWeather } from './sim-net.js'
import type { SimNode } from './sim-node.js'

/**
 * - `second-vote`: who has just voted ends and is back at once, the one that was elected is not
 *   heard, and somebody else asks for the same vote.
 * - `lonely-leader`: each new leader reaches few others, and ends soon: entries of many terms on a
 *   few nodes each (paper, Figure 8).
 * - `sleeper`: leaders are stopped until others lead, and go on as if nothing had been.
 * - `late-snapshot`: snapshots come long after what follows them.
 * - `last-word`: the leader ends when a client has just heard that its write is done.
 * - `hasty-changes`: the membership changes while leaders do.
 * - `figure-eight`, `two-changes`: see `plays.ts`.
 */
export const PLOTS = [
  'second-vote',
  'lonely-leader',
  'sleeper',
  'late-snapshot',
  'last-word',
  'hasty-changes',
  'figure-eight',
  'two-changes',
] as const
export type Plot = (typeof PLOTS)[number]

/** How hard a seed is on the cluster; chances are per virtual second. */
interface Climate {
  readonly crash: number
  readonly cut: number
  readonly breaks: number
  readonly pause: number
  /** Of the leader, in its worst moments. */
  readonly trouble: number
  /** Percent of votes and elections after which somebody ends, and is soon back. */
  readonly upset: number
  readonly transfer: number
  readonly change: number
  readonly diskFault: number
  readonly diskFull: number
  readonly wallClock: number
}

/** What it may do. */
export interface Stage {
  readonly world: SimWorld
  readonly net: Net
  isOver(): boolean
  down(node: SimNode, isPowerLoss: boolean, awayMs?: number): void
  /** The membership changes in one way or another. */
  change(): void
}

export class Adversary {
  readonly plot: Plot | null
  readonly #stage: Stage
  readonly #world: SimWorld
  readonly #prng: Prng
  readonly #climate: Climate
  readonly #play: Play | null
  /** A plot is being played until then. */
  #busyUntilMs = 0

  constructor(stage: Stage, prng: Prng, plot: Plot | null) {
    this.#stage = stage
    this.#world = stage.world
    this.#prng = prng
    this.plot = plot
    this.#play =
      plot === 'figure-eight'
        ? new FigureEight(stage, prng)
        : plot === 'two-changes'
          ? new TwoChanges(stage, prng)
          : null
    const calmer = plot === null ? 1 : this.#play === null ? 0.3 : 0.03
    const often = (...chances: number[]): number => prng.pick(chances) * calmer
    this.#climate = {
      crash: often(0, 0.1, 0.3, 0.8),
      cut: often(0, 0.2, 0.6),
      breaks: often(0, 0, 0.3, 1),
      pause: often(0, 0.1, 0.3),
      trouble: often(0, 0, 0.3, 0.8),
      upset: often(0, 0, 10, 40),
      transfer: often(0, 0.1, 0.3),
      change: plot === 'hasty-changes' ? 3 : often(0, 0, 0.2, 0.5),
      diskFault: often(0, 0, 0.1),
      diskFull: often(0, 0, 0, 0.1),
      wallClock: often(0, 0, 0.3),
    }
  }

  begin(): void {
    this.#stage.net.weather = this.#drawNet()
    this.#byChance()
    this.#play?.begin()
    if (this.plot === 'second-vote' || this.plot === 'lonely-leader') this.#keepElecting()
    if (this.plot === 'sleeper') this.#putToSleep()
  }

  // ---- what it hears ---------------------------------------------------------------------------

  onLeads(node: SimNode): void {
    if (this.#stage.isOver()) return
    this.#play?.onLeads(node)
    this.#upset(node)
    if (this.plot === 'lonely-leader' && this.#mayPlay(10)) this.#leaveAlone(node)
    if (this.plot === 'hasty-changes') {
      this.#world.at(this.#prng.below(20), () => this.#stage.change())
      if (this.#mayPlay(40)) this.#leaveAlone(node)
    }
  }

  onVoteWritten(node: SimNode): void {
    this.#upset(node)
  }

  onSend(node: SimNode, message: Message): void {
    if (!this.#stage.isOver()) this.#play?.onSend(node, message)
    if (this.plot !== 'second-vote') return
    if (message.type === 'pre-vote-reply' && message.granted) this.#soloOf(node, message.to)
    if (message.type === 'vote-reply' && message.granted) this.#endVoter(node)
  }

  onSendChunk(node: SimNode, to: number): void {
    if (this.plot !== 'late-snapshot' || !this.#mayPlay(60)) return
    const other = this.#byId(to)
    if (other === undefined) return
    // The sender believes it lost, and begins another one.
    this.#world.at(this.#prng.below(40), () => this.#stage.net.breakOff(node, other))
  }

  onAck(): void {
    if (this.plot !== 'last-word' || !this.#mayPlay(10)) return
    const leader = this.#leader()
    if (leader === undefined) return
    this.#busyUntilMs = this.#world.nowMs + 1500
    this.#endSoon(leader, this.#prng.float(), 1500)
  }

  // ---- plots -----------------------------------------------------------------------------------

  #mayPlay(percent: number): boolean {
    const isFree = this.#world.nowMs >= this.#busyUntilMs
    return !this.#stage.isOver() && isFree && this.#prng.chance(percent)
  }

  /** Somebody will be elected with `voter`, and is not heard by any other from now on. */
  #soloOf(voter: SimNode, to: number): void {
    const candidate = this.#byId(to)
    if (candidate === undefined || !this.#mayPlay(80)) return
    const { net } = this.#stage
    const { nodes, nowMs } = this.#world
    this.#busyUntilMs = nowMs + 2500
    for (const other of nodes) {
      if (other !== candidate && other !== voter) net.cut(candidate, other)
    }
    this.#world.at(2000, () => net.heal())
    this.#solo = { candidate, voter }
  }

  #solo: { readonly candidate: SimNode; readonly voter: SimNode } | null = null

  #endVoter(voter: SimNode): void {
    const solo = this.#solo
    if (solo === null || solo.voter !== voter || this.#stage.isOver()) return
    this.#solo = null
    this.#stage.net.cut(solo.candidate, voter)
    this.#endSoon(voter, this.#prng.float(), 5)
  }

  /** It reaches one other at most, and not for long. */
  #leaveAlone(leader: SimNode): void {
    const { net } = this.#stage
    const { nodes, nowMs } = this.#world
    this.#busyUntilMs = nowMs + 300
    const heard = this.#prng.chance(70) ? this.#prng.pick(nodes) : null
    for (const other of nodes) {
      if (other === leader || other === heard) continue
      net.cut(leader, other)
    }
    this.#endSoon(leader, this.#prng.pick([3, 30, 200]), this.#prng.pick([5, 60, 1500]))
    this.#world.at(250, () => net.heal())
  }

  /** A leader that nothing happens to ends now and then, as plots are about elections. */
  #keepElecting(): void {
    if (this.#stage.isOver()) return
    const leader = this.#leader()
    if (leader !== undefined && this.#mayPlay(60)) {
      this.#endSoon(leader, 0, this.#prng.pick([5, 100, 800]))
    }
    this.#world.at(1500, () => this.#keepElecting())
  }

  #putToSleep(): void {
    if (this.#stage.isOver()) return
    const leader = this.#leader()
    const sleepMs = 800 + this.#prng.below(this.#prng.pick([700, 3_000]))
    leader?.stop(sleepMs)
    this.#world.at(sleepMs + this.#prng.below(1_000), () => this.#putToSleep())
  }

  #endSoon(node: SimNode, withinMs: number, awayMsMax: number): void {
    const { life } = node
    const isPowerLoss = this.#prng.chance(70)
    const awayMs = 1 + this.#prng.below(awayMsMax)
    this.#world.at(this.#prng.float() * withinMs, () => {
      const isThere = node.isUp && node.life === life
      if (isThere && !this.#stage.isOver()) this.#stage.down(node, isPowerLoss, awayMs)
    })
  }

  // ---- by chance -------------------------------------------------------------------------------

  #byChance(): void {
    const stage = this.#stage
    if (stage.isOver()) return
    const prng = this.#prng
    const climate = this.#climate
    const draw = (perSecond: number): boolean => prng.chance(perSecond * 10)
    const node = prng.pick(stage.world.nodes)
    if (draw(climate.crash) && node.isUp) stage.down(node, prng.chance(60))
    if (draw(climate.cut)) this.#cut()
    if (draw(climate.cut)) stage.net.heal()
    if (draw(climate.breaks)) this.#breakOff(node)
    if (draw(climate.pause) && node.isUp) node.stop(prng.below(4000))
    if (draw(climate.trouble)) this.#trouble()
    if (draw(0.05)) stage.net.weather = this.#drawNet()
    if (draw(climate.diskFault) && node.isUp) {
      const call = prng.chance(80) ? 'fdatasync' : 'write'
      node.disk.failWhen = (asked) => asked === call
    }
    if (draw(climate.diskFull)) this.#fill(node)
    if (draw(climate.wallClock)) node.setWallClock(prng.below(7_200_000) - 3_600_000)
    if (draw(climate.transfer)) this.#transfer(prng.pick(stage.world.nodes))
    if (draw(climate.change)) stage.change()
    stage.world.at(100, () => this.#byChance())
  }

  #drawNet(): NetWeather {
    const prng = this.#prng
    const isBulkLate = this.plot === 'late-snapshot'
    // Who goes by a text needs to be understood.
    if (this.#play !== null) return { ...CALM, delayMsMax: prng.pick([0.5, 2]) }
    return {
      lossPercent: prng.pick([0, 0, 1, 10]),
      doublePercent: prng.pick([0, 0, 5]),
      delayMsMax: prng.pick([0.5, 3, 30]),
      bulkDelayMsMax: isBulkLate ? 600 : prng.pick([0, 0, 100]),
    }
  }

  /** One way or both, one node or a group. */
  #cut(): void {
    const prng = this.#prng
    const { net } = this.#stage
    const { nodes } = this.#world
    const side = nodes.filter(() => prng.chance(40))
    for (const a of side) {
      for (const b of nodes) {
        if (side.includes(b)) continue
        if (!prng.chance(30)) net.cut(a, b)
        if (!prng.chance(30)) net.cut(b, a)
      }
    }
  }

  #breakOff(node: SimNode): void {
    const { net } = this.#stage
    const { nodes } = this.#world
    const other = this.#prng.pick(nodes)
    if (other !== node && other.isUp && node.isUp) net.breakOff(node, other)
  }

  /** Nothing more can be written there, for a while. */
  #fill(node: SimNode): void {
    const { disk } = node
    disk.capacityBytes = disk.usedBytes + this.#prng.below(40_000)
    this.#world.at(500 + this.#prng.below(4000), () => {
      disk.capacityBytes = Number.POSITIVE_INFINITY
    })
  }

  /** The leader ends, is cut off, or stops and goes on without knowing that it was away. */
  #trouble(): void {
    const prng = this.#prng
    const { net } = this.#stage
    const { nodes } = this.#world
    const leader = this.#leader()
    if (leader === undefined) return
    const draw = prng.below(3)
    if (draw === 0) this.#stage.down(leader, prng.chance(50))
    const hears = prng.chance(30)
    const speaks = prng.chance(30)
    for (const other of nodes) {
      if (other === leader || draw === 0) continue
      if (!speaks) net.cut(leader, other)
      if (!hears) net.cut(other, leader)
    }
    if (draw === 1) leader.stop(500 + prng.below(3000))
    this.#world.at(500 + prng.below(5000), () => net.heal())
  }

  #upset(node: SimNode): void {
    if (this.#stage.isOver() || !this.#prng.chance(this.#climate.upset)) return
    this.#endSoon(node, this.#prng.pick([2, 20, 100]), 60)
  }

  #transfer(node: SimNode): void {
    const to = this.#prng.chance(50) ? null : this.#prng.pick(this.#world.nodes).nodeId
    if (node.isReady) node.replica?.transferLeadership(to, () => {})
  }

  #leader(): SimNode | undefined {
    const leading = this.#world.nodes.filter(
      ({ raft }) => raft?.standingForTest().role === 'leader',
    )
    return leading.length === 0 ? undefined : this.#prng.pick(leading)
  }

  #byId(nodeId: number): SimNode | undefined {
    return this.#world.nodes.find((node) => node.nodeId === nodeId)
  }
}
