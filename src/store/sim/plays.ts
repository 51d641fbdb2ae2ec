/**
 * Plots that go by a text: what chance would hardly ever do in this order. Each act waits for its
 * moment; when that does not come, the play begins again.
 */
import type { Prng } from '../../lib/prng.js'
import type { Message } from '../../raft/raft.js'
import type { Stage } from './adversary.js'
import type { SimNode } from './sim-node.js'

export interface Play {
  begin(): void
  onLeads(node: SimNode): void
  onSend(node: SimNode, message: Message): void
}

const AGAIN_MS = 6_000

/**
 * Figure 8 of the paper, with three nodes. The first leader writes an entry that nobody else gets,
 * and ends. Its rival is elected, writes another one in its place, and ends. The first is back,
 * leads again, and the third node gets the old entry, and no newer one. Were it committed now, the
 * rival would come back and replace it.
 */
export class FigureEight implements Play {
  readonly #stage: Stage
  readonly #prng: Prng
  #act: 'first' | 'rival' | 'return' | 'over' = 'over'
  #first: SimNode | null = null

  constructor(stage: Stage, prng: Prng) {
    this.#stage = stage
    this.#prng = prng
  }

  begin(): void {
    const { world, isOver } = this.#stage
    if (isOver()) return
    world.at(AGAIN_MS, () => this.begin())
    world.at(1_000, () => this.#begin())
  }

  #begin(): void {
    const { net, isOver } = this.#stage
    const leader = leaderOf(this.#stage)
    if (leader === null || isOver()) return
    this.#act = 'first'
    this.#first = leader
    muffle(this.#stage, leader)
    this.#end(leader, 150 + this.#prng.below(200), 600, () => {
      this.#act = 'rival'
      net.heal()
    })
  }

  onLeads(node: SimNode): void {
    if (this.#act !== 'rival') return
    this.#act = 'return'
    if (node === this.#first) return
    muffle(this.#stage, node)
    this.#end(node, 20 + this.#prng.below(120), 2_500, () => this.#stage.net.heal())
  }

  onSend(node: SimNode, message: Message): void {
    const first = this.#first
    if (this.#act !== 'return' || message.type !== 'append-reply' || !message.accepted) return
    if (first === null || message.to !== first.nodeId) return
    const term = node.raft?.termAtForTest(message.index) ?? message.term
    if (term === message.term) return
    this.#act = 'over'
    muffle(this.#stage, first)
    this.#end(first, 50, 4_000, () => this.#stage.net.heal())
  }

  #end(node: SimNode, withinMs: number, awayMs: number, then: () => void): void {
    endAfter(this.#stage, node, withinMs, awayMs, then)
  }
}

/**
 * Two changes of the membership that overlap, by two leaders: the second one knows of the first
 * only from its log. When both hold at once, who knows of neither and who knows of both would
 * count majorities that have nobody in common.
 */
export class TwoChanges implements Play {
  readonly #stage: Stage
  readonly #prng: Prng
  #act: 'first' | 'second' | 'apart' | 'over' = 'over'
  #leader: SimNode | null = null
  #heir: SimNode | null = null
  #second: SimNode | null = null

  constructor(stage: Stage, prng: Prng) {
    this.#stage = stage
    this.#prng = prng
  }

  begin(): void {
    const { world, isOver } = this.#stage
    if (isOver()) return
    world.at(AGAIN_MS, () => this.begin())
    world.at(1_000, () => this.#begin())
  }

  #begin(): void {
    const { net } = this.#stage
    const leader = leaderOf(this.#stage)
    const voters = (leader?.roster()?.members ?? []).filter(({ suffrage }) => suffrage === 'voter')
    const others = this.#stage.world.nodes.filter(
      (node) => node !== leader && voters.some(({ nodeId }) => nodeId === node.nodeId),
    )
    const [a, b] = others
    if (this.#stage.isOver() || voters.length !== 3) return
    if (leader === null || a === undefined || b === undefined) return
    const [heir, other] = this.#prng.chance(50) ? [a, b] : [b, a]
    const isOwn = this.#prng.chance(50)
    this.#act = 'first'
    this.#leader = leader
    this.#heir = heir
    this.#second = isOwn ? other : leader
    net.cut(leader, other)
    remove(leader, isOwn ? leader : other)
  }

  onLeads(node: SimNode): void {
    const second = this.#second
    if (this.#act !== 'second' || second === null) return
    this.#act = node === this.#heir ? 'apart' : 'over'
    if (node === this.#heir) this.#stage.world.on(node, () => remove(node, second))
  }

  onSend(node: SimNode, message: Message): void {
    const { net, world } = this.#stage
    const heir = this.#heir
    if (heir === null) return
    if (this.#act === 'first' && node === this.#leader && message.type === 'append') {
      const isIt = message.to === heir.nodeId && message.entries.some(({ change }) => change)
      if (!isIt) return
      this.#act = 'second'
      // It must not be decided by who proposed it.
      net.cut(heir, node)
      endAfter(this.#stage, node, 80, 1_500, () => net.heal())
    } else if (this.#act === 'apart' && message.type === 'append-reply' && message.accepted) {
      const entry = node.raft?.entryForTest(message.index)
      if (message.to !== heir.nodeId || !entry?.change || entry.term !== message.term) return
      this.#act = 'over'
      for (const other of world.nodes) {
        if (other === heir) continue
        net.cut(heir, other)
        net.cut(other, heir)
      }
      world.at(4_000, () => net.heal())
    }
  }
}

function remove(asked: SimNode, node: SimNode): void {
  const { incarnation } = node
  asked.replica?.changeMembership({ type: 'remove', incarnation }, () => {})
}

function leaderOf({ world }: Stage): SimNode | null {
  return world.nodes.find(({ raft }) => raft?.standingForTest().role === 'leader') ?? null
}

/** Nobody hears it. */
function muffle({ net, world }: Stage, node: SimNode): void {
  for (const other of world.nodes) if (other !== node) net.cut(node, other)
}

function endAfter(
  stage: Stage,
  node: SimNode,
  afterMs: number,
  awayMs: number,
  then: () => void,
): void {
  const { life } = node
  stage.world.at(afterMs, () => {
    if (stage.isOver()) return
    if (node.isUp && node.life === life) stage.down(node, false, awayMs)
    then()
  })
}
