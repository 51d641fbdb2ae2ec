import type { Bench } from './bench.js'
import { type Load, type LoadReport, runLoadgen } from './loadgen.js'
import { type Sample, type Series, sampleOf } from './sample.js'
import type { Subject } from './site.js'

/** One side of a comparison: a server, and what it is asked. */
export interface Side {
  readonly name: string
  readonly subject: Pick<Subject, 'port' | 'tls' | 'child' | 'changing'>
  readonly load: Load
  /** Called right before and right after each of its slices. */
  readonly before?: () => Promise<void> | void
  readonly after?: () => Promise<void> | void
}

/** A side whose answers were wrong, or that gave none. */
export class SideError extends Error {
  readonly side: string

  constructor(side: string, problem: string) {
    super(`${side}: ${problem}`)
    this.side = side
  }
}

export interface Rounds {
  readonly count: number
  /** Each side loads so often in a round, in turn with the others. */
  readonly slices: number
  /** Of each slice. */
  readonly seconds: number
}

/** Not counted, at the head of each slice: the time in which connections settle. */
const SETTLE_SECONDS = 0.05

/**
 * Every side in every round, in slices, in turn (A B A B …): what disturbs the machine for longer
 * than a slice disturbs all alike. The order turns round from one turn to the next, so that none
 * is always the one that runs on a machine warmed by another. `loadOne`: for tests.
 */
export async function interleave(
  bench: Bench,
  what: string,
  sides: readonly Side[],
  rounds: Rounds,
  loadOne: typeof load = load,
): Promise<Series[]> {
  const samples = new Map<Side, Sample[]>(sides.map((side) => [side, []]))
  let turns = 0
  for (let round = 1; round <= rounds.count; round++) {
    bench.progress.doing(`${what}, round ${round} of ${rounds.count}`)
    const reports = new Map<Side, LoadReport[]>(sides.map((side) => [side, []]))
    for (let slice = 0; slice < rounds.slices; slice++) {
      turns += 1
      for (const side of turns % 2 === 1 ? sides : sides.toReversed()) {
        reports.get(side)?.push(await loadOne(bench, side, rounds.seconds, SETTLE_SECONDS))
      }
    }
    for (const side of sides) samples.get(side)?.push(sampleOf(reports.get(side) ?? []))
  }
  return sides.map((side) => ({ name: side.name, rounds: samples.get(side) ?? [] }))
}

/** Loads one side for so long. Rejects with {@link SideError} when an answer was wrong. */
export async function load(
  bench: Bench,
  side: Side,
  seconds: number,
  warmUpSeconds = 0,
): Promise<LoadReport> {
  const { subject } = side
  const target = { port: subject.port, tls: subject.tls, pid: subject.child.pid }
  await side.before?.()
  try {
    return await runLoadgen(side.load, {
      program: bench.native.loadgen,
      cores: bench.place.cores.load,
      target,
      seconds,
      warmUpSeconds,
    })
  } catch (thrown) {
    const died = subject.child.process.exitCode !== null ? `\n${subject.child.said()}` : ''
    throw new SideError(side.name, `${(thrown as Error).message}${died}`)
  } finally {
    await side.after?.()
    bench.progress.advance(seconds + warmUpSeconds)
  }
}
