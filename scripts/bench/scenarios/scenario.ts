import { ask } from '../ask.js'
import type { Bench } from '../bench.js'
import { DEFAULT_TARGET, type Load } from '../loadgen.js'
import { type Origin, startOrigin } from '../origin.js'
import { gateway } from '../peers/gateway.js'
import type { ScenarioResult } from '../result.js'
import { load, type Rounds, type Side, SideError } from '../rounds.js'
import {
  bodyOf,
  type Peer,
  type Place,
  type Site,
  type Subject,
  UnsupportedError,
} from '../site.js'

export interface Scenario {
  readonly name: string
  readonly title: string
  /** What it takes, roughly, for the progress bar. */
  plannedSeconds(bench: Bench): number
  run(bench: Bench): Promise<ScenarioResult>
}

/** Of a scenario with a bar; each round has two turns. */
export const fullRounds = ({ effort }: Bench): Rounds => ({
  count: effort.rounds,
  slices: 2,
  seconds: effort.sliceSeconds / 2,
})

/**
 * Of a scenario that judges a ratio near one: what disturbs the machine must hit both sides alike, so
 * they take turns often.
 */
export const tightRounds = ({ effort }: Bench): Rounds => ({
  count: effort.rounds,
  slices: 4,
  seconds: effort.sliceSeconds / 2,
})

/**
 * Of a scenario that judges a percentile, or a ratio so near one that few rounds do not tell: many
 * rounds, and short ones, since one pause of the machine decides the p99 of a whole round.
 */
export const shortRounds = ({ effort }: Bench, times: number, parts = 2): Rounds => ({
  count: times * effort.rounds,
  slices: 1,
  seconds: effort.sliceSeconds / parts,
})

/** Of a scenario that only prints. */
export const rounds = ({ effort }: Bench): Rounds => ({
  count: effort.roundsBeside,
  slices: 1,
  seconds: effort.sliceSeconds,
})

export const secondsOf = (plan: Rounds, sides: number): number =>
  plan.count * plan.slices * plan.seconds * sides

/** Every peer and every build of ours. */
export const allPeers = ({ peers, builds }: Bench): Peer[] => [...peers, ...builds.map(gateway)]

export const origin = (bench: Bench, servers: readonly string[]): Promise<Origin> =>
  startOrigin(bench.place.household, bench.native.origin, bench.place.cores.load, servers)

export interface Started {
  readonly sides: readonly Side[]
  /** Who is missing, and why; what differs between answers. */
  readonly notes: readonly string[]
}

export interface SidesOptions {
  readonly peers: readonly Peer[]
  readonly site: Site
  readonly load: Load
  /** Length of the answers that are compared whole before anything counts; null: not compared. */
  readonly answerBytes: number | null
}

/** Native code needs no compiler, only its memory and connections. */
const warmUpOf = ({ effort }: Bench, peer: Peer): number =>
  peer.isOurs ? effort.warmUpSeconds : effort.warmUpSeconds / 3

/** Requests a second of warm-up below which it goes on: a busy machine, or slow work. */
const WARM_PER_SECOND = 10_000
const WARM_UPS_MAX = 2

/** Load that does not count, so that code is compiled, connections are there and memory has grown. */
export async function warmUp(bench: Bench, side: Side, seconds: number): Promise<void> {
  let asked = 0
  for (let i = 0; i < WARM_UPS_MAX && asked < seconds * WARM_PER_SECOND; i++) {
    asked += (await load(bench, side, seconds)).requests
  }
}

/** Starts every peer, compares an answer of each, and warms it up. Who cannot is left out. */
export async function startSides(bench: Bench, options: SidesOptions): Promise<Started> {
  const { peers, site, load: asked, answerBytes } = options
  const sides: Side[] = []
  const notes: string[] = []
  const fields = new Map<string, string[]>()
  for (const peer of peers) {
    bench.progress.doing(`${peer.name} starts`)
    try {
      const subject = await peer.start(bench.place, site)
      if (answerBytes !== null) {
        fields.set(peer.name, await checkAnswer(subject, asked, answerBytes))
      }
      const side = { name: peer.name, subject, load: asked }
      await warmUp(bench, side, warmUpOf(bench, peer))
      sides.push(side)
    } catch (thrown) {
      // A build of ours that does not serve is a failure, a peer that does not is only missed.
      if (peer.isOurs && !(thrown instanceof UnsupportedError)) throw thrown
      notes.push(`${peer.name} is left out: ${(thrown as Error).message.trim()}`)
    }
  }
  return { sides, notes: [...notes, ...fieldNotes(fields)] }
}

/**
 * Measures all sides. When the answers of a peer are wrong it is left out, and all others begin anew;
 * those of ours fail the scenario. `sides` is what is left.
 */
export async function withoutFailing<T>(
  bench: Bench,
  all: readonly Side[],
  measure: (sides: readonly Side[]) => Promise<T>,
): Promise<{ readonly sides: readonly Side[]; readonly notes: string[]; readonly measured: T }> {
  let sides = all
  const notes: string[] = []
  for (;;) {
    try {
      return { sides, notes, measured: await measure(sides) }
    } catch (thrown) {
      const isPeers =
        thrown instanceof SideError && bench.peers.some(({ name }) => name === thrown.side)
      if (!isPeers) throw thrown
      notes.push(`left out: ${thrown.message}`)
      sides = sides.filter(({ name }) => name !== thrown.side)
    }
  }
}

/**
 * Measures one peer after the other, as each is asked for what it can do itself. `measure` may say
 * why it cannot. A peer that fails is only missed; a build of ours that does fails the scenario.
 */
export async function oneByOne<T>(
  bench: Bench,
  peers: readonly Peer[],
  asked: Pick<SidesOptions, 'site' | 'load'>,
  measure: (side: Side) => Promise<T | string>,
): Promise<{ readonly notes: string[]; readonly measured: readonly T[] }> {
  const notes: string[] = []
  const measured: T[] = []
  for (const peer of peers) {
    const started = await startSides(bench, { ...asked, peers: [peer], answerBytes: null })
    notes.push(...started.notes)
    const [side] = started.sides
    if (side === undefined) continue
    try {
      const found = await measure(side)
      if (typeof found === 'string') notes.push(`${peer.name} is left out: ${found}`)
      else measured.push(found)
    } catch (thrown) {
      if (peer.isOurs) throw thrown
      notes.push(`left out: ${(thrown as Error).message}`)
    } finally {
      await endSides(bench.place, started.sides, null)
    }
  }
  return { notes, measured }
}

/** The names of the fields of the answer; fails unless it is 200 with the body of the origin. */
export async function checkAnswer(
  { name, port, tls }: Subject,
  asked: Load,
  bytes: number,
): Promise<string[]> {
  const body = asked.bodyBytes === undefined ? {} : { body: bodyOf(asked.bodyBytes) }
  const method = asked.method ?? (asked.bodyBytes === undefined ? 'GET' : 'POST')
  const answer = await ask({ port, path: asked.path ?? DEFAULT_TARGET, tls, method, ...body })
  if (answer.status !== 200 || answer.body !== bodyOf(bytes)) {
    throw new Error(`${name} answers ${answer.status}: ${answer.body.slice(0, 200)}`)
  }
  return Object.keys(answer.headers).sort()
}

/** Which fields the answers of some have and those of others lack. */
function fieldNotes(fields: ReadonlyMap<string, readonly string[]>): string[] {
  const common = [...fields.values()].reduce<readonly string[] | null>(
    (kept, names) => kept?.filter((name) => names.includes(name)) ?? names,
    null,
  )
  const extra = [...fields].flatMap(([name, names]) => {
    // Node's client asks for the end of the connection, and some say that they heard it.
    const more = names.filter((each) => !common?.includes(each) && each !== 'connection')
    return more.length === 0 ? [] : [`${name} ${more.join(', ')}`]
  })
  return extra.length === 0
    ? []
    : [`answers differ in their fields; beyond all others': ${extra.join('; ')}`]
}

/** Ends the servers of a scenario. */
export async function endSides(
  place: Place,
  started: readonly { readonly subject: Pick<Subject, 'child'> }[],
  backEnd: Origin | null,
): Promise<void> {
  await Promise.all(started.map(({ subject }) => place.household.end(subject.child)))
  if (backEnd !== null) await place.household.end(backEnd.child)
}
