/**
 * The board of every node in a simulated cluster: it is put together as `coordinator/` does it,
 * says and reads things all the time, and is judged by what was said (`voices.ts`). When the faults
 * are over everybody must know everything within a beat, a new leader too, and who is gone must be
 * shown so.
 */
import type { Time } from '../../lib/clock.js'
import { Prng } from '../../lib/prng.js'
import { decodeBody, type Peer, type Rpc } from '../../peer/peer.js'
import type { ConsensusStatus, Roster } from '../../store/cluster.js'
import type { CalmWorld, Companion, CompanionLife, SimWorld } from '../../store/sim/companion.js'
import type { SimNode } from '../../store/sim/sim-node.js'
import type { Logger } from '../../telemetry/log.js'
import { BOARD_LIMITS, type BoardReading, HEARTBEAT_KEY } from '../board.js'
import { EmbeddedBoard, type EmbeddedBoardOptions } from '../embedded-board.js'
import { LAST_BEATS_PREFIX, LastBeats } from '../last-beats.js'
import { BoardViolation, linesOf, type Voice, Voices } from './voices.js'

const BEAT_MS = 1000
const READ_MS = 1000
const SILENT_MS = 6000
/** `handshakeMs` of the connections, and a moment to dial again. */
const HANDSHAKE_MS = 3200
const HEARTBEAT_TTL_MS = 600_000
const KEYS = ['status/a', 'status/b', 'status/c', 'serving', 'x', 'y'] as const
const PREFIXES = ['', '', 'status/', 'status/b', 'serving', 'nothing'] as const

/** A bug of ours in the board or around it, to see that the simulation finds it. */
export interface BoardPlant {
  rpc?(rpc: BoardRpc): BoardRpc
  time?(time: Time): Time
  /** The board hears of a leader only when this says so. */
  hearsOf?(status: ConsensusStatus): boolean
  readonly beatMs?: number
  readonly forgetsNobody?: boolean
  readonly notesNobody?: boolean
  readonly hasNoBounds?: boolean
}

export type BoardRpc = EmbeddedBoardOptions['rpc']

const silent: Logger = {
  debugOn: false,
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

interface Limits {
  readonly member: { readonly keysMax: number; readonly bytesMax: number }
  readonly tableBytesMax: number
}

const WIDE: Limits = { member: BOARD_LIMITS, tableBytesMax: 256 * 1024 * 1024 }

export class BoardSim implements Companion {
  readonly voices = new Voices()
  readonly plant: BoardPlant
  readonly prng: Prng
  readonly lives = new Map<SimNode, BoardLife>()
  /** Nobody says anything new. */
  isQuiet = false
  /** Readings that were answered, by whom they came from. */
  readonly readings = { leader: 0, local: 0 }
  readonly limits: Limits
  readonly #messageBytes: EmbeddedBoardOptions['messageBytes'] | undefined
  #world!: SimWorld

  /** `seed`: that of the cluster. */
  constructor(seed: number, plant: BoardPlant = {}) {
    this.plant = plant
    this.prng = new Prng(seed ^ 0x0b0a_4d00)
    const { prng } = this
    this.limits = prng.chance(15)
      ? { member: { keysMax: 5, bytesMax: 1200 }, tableBytesMax: prng.pick([1500, 4000]) }
      : WIDE
    // Changes and readings of many messages.
    this.#messageBytes = prng.chance(30) ? { batch: 150, page: 200 } : undefined
  }

  get isTight(): boolean {
    return this.limits !== WIDE
  }

  get isWhole(): boolean {
    return this.#messageBytes === undefined
  }

  get options(): Partial<EmbeddedBoardOptions> {
    const { limits, plant } = this
    const bounded = { limits: limits.member, tableBytesMax: limits.tableBytesMax }
    return {
      beatMs: plant.beatMs ?? BEAT_MS,
      readMs: READ_MS,
      ...(plant.hasNoBounds === true ? {} : bounded),
      ...(this.#messageBytes === undefined ? {} : { messageBytes: this.#messageBytes }),
    }
  }

  begin(world: SimWorld): void {
    this.#world = world
    const next = (): void => {
      world.at(100 + this.prng.below(1200), next)
      const ready = world.nodes.filter((node) => node.isReady)
      if (this.isQuiet || ready.length === 0) return
      const node = this.prng.pick(ready)
      world.on(node, () => this.#readNow(node, this.prng.pick(PREFIXES), () => {}))
    }
    next()
  }

  start(node: SimNode, time: Time, rpc: Rpc): CompanionLife {
    const life = new BoardLife(this, this.#world, node, time, rpc)
    this.lives.set(node, life)
    return life
  }

  #readNow(node: SimNode, prefix: string, done: (reading: BoardReading) => void): void {
    const world = this.#world
    const life = this.lives.get(node)
    if (life === undefined || !node.isUp) return
    const startMs = world.nowMs
    let isAnswered = false
    const { life: lifeNumber } = node
    life.board.read(prefix, (outcome) => {
      if (isAnswered) world.fail(new BoardViolation('a reading was answered twice'))
      isAnswered = true
      if (!outcome.ok) {
        world.fail(new BoardViolation(`a reading of ${node.name} failed: ${outcome.error.message}`))
        return
      }
      this.readings[outcome.value.source] += 1
      try {
        this.#judge(outcome.value, life, prefix, startMs)
      } catch (thrown) {
        world.fail(thrown as Error)
      }
      done(outcome.value)
    })
    // Its own time, which runs a little differently.
    world.at(READ_MS * 1.01 + 60, () => {
      const wasStopped = node.pausedUntilMs > startMs
      if (isAnswered || wasStopped || node.life !== lifeNumber) return
      world.fail(new BoardViolation(`a reading of ${node.name} was not answered in time`))
    })
  }

  #judge(reading: BoardReading, life: BoardLife, prefix: string, startMs: number): void {
    const { nodes, nowMs, isOverLinks } = this.#world
    // A beat brings one message at most: of changes that take several, the last may come so late.
    const messages = this.isWhole ? 1 : KEYS.length + 1
    this.voices.judge(reading, {
      reader: life.voice,
      prefix,
      startMs,
      endMs: nowMs,
      // A connection that is cut holds back what was sent until it is known to be dead.
      slackMs: BEAT_MS * messages + (isOverLinks ? 7_000 : 1_000) + (this.isTight ? 1e9 : 0),
      isWhole: this.isWhole,
      wasStoppedAfter: (ms) => nodes.some((node) => node.pausedUntilMs > ms),
    })
    life.checkBounds()
  }

  // ---- when all is well ------------------------------------------------------------------------

  end(world: CalmWorld): void {
    this.isQuiet = true
    const areReady = (): boolean => this.#members(world).every((node) => node.isReady)
    world.runUntil('every member is ready', areReady, 10_000)
    world.run(BEAT_MS * 2 + 200)
    // A connection that one side lost at the last moment, when it had just been made, stands with
    // the other until a handshake would be over (`links.ts`).
    const connectedMs = world.calmSinceMs + HANDSHAKE_MS
    if (world.isOverLinks && world.nowMs < connectedMs) world.run(connectedMs - world.nowMs)
    this.#expectCurrent(world, 'after the storm')
    for (const node of world.nodes) if (node.isReady) this.lives.get(node)?.sayMuch()
    world.run(BEAT_MS + 100)
    this.#expectCurrent(world, 'a beat after changes')
    if (this.#passOn(world)) this.#expectCurrent(world, 'a beat after a change of the leader')
    if (this.prng.chance(50)) this.#restart(world)
    if (this.prng.chance(40)) this.#silence(world)
    if (this.prng.chance(30)) this.#purge(world)
  }

  /** Every member knows of every other exactly what it says, and nothing else of anybody. */
  #expectCurrent(world: CalmWorld, when: string, without: SimNode | null = null): void {
    const members = this.#members(world).filter((node) => node !== without)
    for (const node of members) {
      const reading = this.#read(world, node)
      if (this.isTight) continue
      if (reading.source !== 'leader') {
        const { leader } = (this.lives.get(node) as BoardLife).board.status()
        throw new BoardViolation(`${when}: ${node.name} reads without a leader, it knows ${leader}`)
      }
      for (const other of members) {
        const found = linesOf(reading, other.incarnation)
        const expected = (this.lives.get(other) as BoardLife).voice.linesNow('')
        if (found.join('\n') === expected.join('\n')) continue
        throw new BoardViolation(
          `${when}: ${node.name} reads of ${other.name} ${found.join()}, it says ${expected.join()}`,
        )
      }
      const known = new Set(members.map(({ incarnation }) => incarnation))
      for (const { member, ageMs } of reading.entries) {
        const isOld = known.has(member.incarnation) && ageMs > BEAT_MS * 1.02 + 100
        if (isOld) throw new BoardViolation(`${when}: ${member.name} is shown as ${ageMs} ms old`)
        if (known.has(member.incarnation) || member.incarnation === without?.incarnation) continue
        throw new BoardViolation(`${when}: ${member.name} is no member, ${node.name} reads of it`)
      }
    }
  }

  #read(world: CalmWorld, node: SimNode): BoardReading {
    let found: BoardReading | null = null
    world.on(node, () => {
      this.#readNow(node, '', (reading) => {
        found = reading
      })
    })
    world.runUntil(`a reading of ${node.name}`, () => found !== null, READ_MS * 1.1)
    return found as unknown as BoardReading
  }

  /** Who belongs to the cluster, as its leader knows it. */
  #members(world: CalmWorld): SimNode[] {
    const leader = this.#leader(world)
    const members = leader.replica?.roster().members ?? []
    const ids = new Set(members.map(({ incarnation }) => incarnation))
    return world.nodes.filter((node) => ids.has(node.incarnation))
  }

  #leader(world: CalmWorld): SimNode {
    const find = () => world.nodes.find(({ raft }) => raft?.standingForTest().role === 'leader')
    world.runUntil('somebody leads', () => find() !== undefined, 5_000)
    return find() as SimNode
  }

  /** Somebody who has led for so long: elections overlap where disks are slow. */
  #ledFor(world: CalmWorld, ms: number): SimNode {
    for (let tries = 0; tries < 5; tries++) {
      const leader = this.#leader(world)
      const term = leader.raft?.standingForTest().term
      world.run(ms)
      if (this.#leader(world).raft?.standingForTest().term === term) return leader
    }
    throw new BoardViolation(`nobody leads for ${ms} ms`)
  }

  #passOn(world: CalmWorld): boolean {
    const leader = this.#leader(world)
    let isDone = false
    leader.replica?.transferLeadership(null, (outcome) => {
      isDone = outcome.ok
    })
    world.run(2_000)
    const term = this.#leader(world).raft?.standingForTest().term
    const all = (): boolean =>
      this.#members(world).every(({ consensus }) => {
        return consensus !== null && consensus.term === term && consensus.hasQuorum
      })
    world.runUntil('everybody knows who leads', all, 5_000)
    world.run(BEAT_MS + 100)
    return isDone
  }

  /** Somebody ends and is back at once, under the same leader as before. */
  #restart(world: CalmWorld): void {
    const leader = this.#leader(world)
    const others = this.#members(world).filter((node) => node !== leader)
    if (others.length === 0) return
    const node = this.prng.pick(others)
    world.kill(node)
    world.start(node)
    world.runUntil(`${node.name} is back`, () => node.isReady, 10_000)
    world.run(BEAT_MS * 2 + 200)
    this.#expectCurrent(world, 'after a restart')
  }

  /** Somebody is gone without a word. */
  #silence(world: CalmWorld): void {
    const leader = this.#leader(world)
    const members = this.#members(world)
    const others = members.filter((node) => node !== leader)
    if (votersOf(leader) < 3 || others.length === 0 || this.isTight) return
    const gone = this.prng.chance(30) ? leader : this.prng.pick(others)
    const lines = (this.lives.get(gone) as BoardLife).voice.linesNow('')
    const walls = new Map(members.map((node) => [node, this.lives.get(node)?.wallMs()]))
    world.say(gone, 'is gone without a word')
    world.kill(gone)
    const goneMs = world.nowMs
    world.run(1_000)
    const next = this.#ledFor(world, SILENT_MS + 3_000)
    this.#expectCurrent(world, 'while a member is silent', gone)
    const reading = this.#read(world, next)
    const shown = reading.entries.filter(({ member }) => member.incarnation === gone.incarnation)
    for (const { key, ageMs } of shown) {
      if (ageMs >= world.nowMs - goneMs - BEAT_MS) continue
      throw new BoardViolation(`${key} of ${gone.name}, which is gone, is shown as ${ageMs} ms old`)
    }
    if (gone !== leader && lines.length > 0 && !shown.some(({ key }) => key === HEARTBEAT_KEY)) {
      throw new BoardViolation(`the heartbeat of ${gone.name} is forgotten`)
    }
    this.#expectNoted(world, next, gone, walls.get(next) as number)
    world.start(gone)
    world.runUntil(`${gone.name} is back`, () => gone.isReady, 10_000)
    world.run(BEAT_MS * 2 + 200)
    this.#expectCurrent(world, 'after a member came back')
  }

  /** Its last word is in the store, with the time at which it was heard. */
  #expectNoted(world: CalmWorld, leader: SimNode, gone: SimNode, wallMs: number): void {
    let found: Record<string, unknown> | null = null
    leader.replica?.store.get(`${LAST_BEATS_PREFIX}${gone.name}`, 'local', (outcome) => {
      if (!outcome.ok || outcome.value.kv === null) return
      const decoded = decodeBody(outcome.value.kv.value)
      if (decoded.ok) found = decoded.value as Record<string, unknown>
    })
    world.run(100)
    const beat = found as Record<string, unknown> | null
    if (beat === null || beat['incarnation'] !== gone.incarnation) {
      throw new BoardViolation(`nobody noted when ${gone.name} was heard last`)
    }
    // What a leader with another idea of the time wrote of an earlier silence may be enough.
    const earlyMs = wallMs - (beat['wallMs'] as number)
    if (earlyMs <= 2 * BEAT_MS + SILENT_MS) return
    throw new BoardViolation(`${gone.name} is noted as heard last ${earlyMs} ms before its end`)
  }

  #purge(world: CalmWorld): void {
    const leader = this.#leader(world)
    const others = this.#members(world).filter((node) => node !== leader)
    if (votersOf(leader) < 3) return
    const gone = this.prng.pick(others)
    let isGone = false
    leader.replica?.changeMembership(
      { type: 'remove', incarnation: gone.incarnation },
      (outcome) => {
        isGone = outcome.ok
      },
    )
    world.runUntil(`${gone.name} is purged`, () => isGone, 5_000)
    world.run(BEAT_MS * 2 + 200)
    this.#expectCurrent(world, 'after a purge')
  }
}

/** The board of one life of a node. */
export class BoardLife implements CompanionLife {
  readonly board: EmbeddedBoard
  readonly voice: Voice
  readonly #sim: BoardSim
  readonly #world: SimWorld
  readonly #time: Time
  readonly #lastBeats: LastBeats | null

  constructor(sim: BoardSim, world: SimWorld, node: SimNode, time: Time, rpc: Rpc) {
    this.#sim = sim
    this.#world = world
    this.#time = time
    const { name, incarnation, life } = node
    const { plant } = sim
    this.voice = sim.voices.begin(name, incarnation, life)
    const self = { name, incarnation, bootId: `${life}` }
    const boardTime = plant.time?.(time) ?? time
    this.board = new EmbeddedBoard({
      time: boardTime,
      rpc: plant.rpc?.(rpc) ?? rpc,
      self,
      ...sim.options,
    })
    this.#lastBeats =
      plant.notesNobody === true
        ? null
        : new LastBeats({
            time,
            log: silent,
            board: this.board,
            store: storeOf(node),
            members: () => node.replica?.roster().members ?? [],
            lastHeardMs: (of) => node.lastHeardMs(of),
            self,
            silentMs: SILENT_MS,
          })
    this.#says(HEARTBEAT_KEY, HEARTBEAT_TTL_MS)
    this.#sayLater()
  }

  wallMs(): number {
    return this.#time.wallMs()
  }

  onConsensus(status: ConsensusStatus): void {
    if (this.#sim.plant.hearsOf?.(status) === false) return
    this.board.leads(status.hasQuorum ? status.leaderIncarnation : null, status.term)
  }

  onMembers(roster: Roster): void {
    if (this.#sim.plant.forgetsNobody === true) return
    for (const { incarnation } of roster.removed) this.board.forget(incarnation)
  }

  onForwardUp(peer: Peer): void {
    this.board.peerUp(peer)
  }

  ended(): void {
    this.voice.endedMs = this.#world.nowMs
    this.board.close()
    this.#lastBeats?.close()
  }

  sayMuch(): void {
    for (const key of KEYS) if (this.#sim.prng.chance(60)) this.#change(key)
  }

  checkBounds(): void {
    const { publishedBytes, tableBytes } = this.board.status()
    const { member, tableBytesMax } = this.#sim.limits
    if (publishedBytes > member.bytesMax || tableBytes > tableBytesMax) {
      throw new BoardViolation(
        `${this.voice.name} says ${publishedBytes} bytes and keeps ${tableBytes}, it may ${member.bytesMax} and ${tableBytesMax}`,
      )
    }
  }

  #sayLater(): void {
    const { prng } = this.#sim
    this.#time.after(50 + prng.below(prng.pick([200, 3_000])), () => {
      this.#sayLater()
      if (!this.#sim.isQuiet) this.#change(prng.pick(KEYS))
    })
  }

  #change(key: string): void {
    const { prng } = this.#sim
    if (prng.chance(25)) {
      this.board.withdraw(key)
      this.voice.says(this.#world.nowMs, key, null, 0)
    } else this.#says(key, prng.pick([2_000, 6_000, 60_000]))
  }

  #says(key: string, ttlMs: number): void {
    const { prng } = this.#sim
    const value = this.voice.nextValue('x'.repeat(prng.pick([0, 10, 100])))
    try {
      this.board.publish(key, Uint8Array.from(Buffer.from(value)), ttlMs)
    } catch {
      return // more than it may say
    }
    this.voice.says(this.#world.nowMs, key, value, ttlMs)
  }
}

function votersOf(node: SimNode): number {
  const members = node.roster()?.members ?? []
  return members.filter(({ suffrage }) => suffrage === 'voter').length
}

/** The store of a node whose replica comes a moment later. */
function storeOf(node: SimNode): ConstructorParameters<typeof LastBeats>[0]['store'] {
  const store = () => node.replica?.store as NonNullable<SimNode['replica']>['store']
  return {
    range: (...args) => store().range(...args),
    get: (...args) => store().get(...args),
    txn: (...args) => store().txn(...args),
    watch: (...args) => store().watch(...args),
    limits: () => store().limits(),
    get lease() {
      return store().lease
    },
  }
}
