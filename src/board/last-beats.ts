/**
 * The last heartbeat of a member that fell silent, written to the store once, so that a list of
 * members still knows it after a restart of everybody. The leader does it; whoever comes back and
 * falls silent again is written again.
 */
import type { Clock, Time, Timer } from '../lib/clock.js'
import { decodeBody, encodeBody } from '../peer/peer.js'
import type { Done, KeyValue, Store } from '../store/contract.js'
import { success } from '../store/contract.js'
import type { Logger } from '../telemetry/log.js'
import { type BoardMember, HEARTBEAT_KEY } from './board.js'
import type { EmbeddedBoard } from './embedded-board.js'

export const LAST_BEATS_PREFIX = '/cluster/last-beats/'

export interface LastBeat {
  readonly name: string
  readonly incarnation: string
  /** When it was heard last, in milliseconds since the Unix epoch, by the clock of who led then. */
  readonly wallMs: number
  /** What it had published under {@link HEARTBEAT_KEY}; empty when the leader never got it. */
  readonly heartbeat: Uint8Array
}

export interface LastBeatsOptions {
  readonly time: Time
  readonly log: Logger
  readonly board: Pick<EmbeddedBoard, 'isLeading' | 'leadingSinceMs' | 'lastBeatMs' | 'lastSaid'>
  readonly store: Store
  /** Every member, this one included or not. */
  readonly members: () => readonly BoardMember[]
  /** Monotonic time at which anything was last heard of a member; see `Links.lastHeardMs`. */
  readonly lastHeardMs: (incarnation: string) => number | null
  readonly self: BoardMember
  /** Without a beat for so long, a member is silent. Default 6000. */
  readonly silentMs?: number
}

const CHECK_MS = 1000

export class LastBeats {
  readonly #options: LastBeatsOptions
  readonly #silentMs: number
  #timer: Timer
  /** By incarnation: written, or being written, for the present silence. */
  readonly #noted = new Set<string>()

  constructor(options: LastBeatsOptions) {
    this.#options = options
    this.#silentMs = options.silentMs ?? 6000
    this.#timer = options.time.after(CHECK_MS, () => this.#check())
  }

  close(): void {
    this.#timer.cancel()
  }

  #check(): void {
    const { time, board, members, self } = this.#options
    this.#timer = time.after(CHECK_MS, () => this.#check())
    if (!board.isLeading) {
      this.#noted.clear()
      return
    }
    const nowMs = time.monotonicMs()
    for (const member of members()) {
      if (member.incarnation === self.incarnation) continue
      const beatMs = board.lastBeatMs(member.incarnation)
      // A new leader gives everybody the time to be heard.
      const sinceMs = beatMs ?? board.leadingSinceMs
      if (nowMs - sinceMs <= this.#silentMs) this.#noted.delete(member.incarnation)
      else if (!this.#noted.has(member.incarnation)) this.#note(member, beatMs)
    }
  }

  #note(member: BoardMember, beatMs: number | null): void {
    const { time, board, log, store, lastHeardMs } = this.#options
    const { name, incarnation } = member
    const heardMs = beatMs ?? lastHeardMs(incarnation)
    this.#noted.add(incarnation)
    log.warn('member is silent', { member: name, incarnation })
    // Nothing is known that could be worth more than what may be there.
    if (heardMs === null) return
    const heartbeat = board.lastSaid(incarnation, HEARTBEAT_KEY) ?? new Uint8Array(0)
    const beat: LastBeat = { name, incarnation, wallMs: wallOf(heardMs, time), heartbeat }
    const again = (): void => {
      this.#noted.delete(incarnation)
    }
    const key = `${LAST_BEATS_PREFIX}${name}`
    store.get(key, 'local', (found) => {
      if (!found.ok) {
        again()
        return
      }
      const { kv } = found.value
      if (kv !== null && this.#isEnough(decodeLastBeat(kv), beat)) return
      const operand = kv === null ? 0 : kv.modRevision
      store.txn(
        [{ target: 'modRevision', key, is: '=', operand }],
        [{ type: 'put', key, value: encodeBody(beat) }],
        [],
        (done) => {
          if (!done.ok || !done.value.succeeded) again()
        },
      )
    })
  }

  /** What an earlier leader wrote about the same silence: its clock and its last word may differ. */
  #isEnough(known: LastBeat | null, beat: LastBeat): boolean {
    if (known === null || known.incarnation !== beat.incarnation) return false
    if (known.heartbeat.byteLength === 0 && beat.heartbeat.byteLength > 0) return false
    return known.wallMs + this.#silentMs >= beat.wallMs
  }
}

function wallOf(monotonicMs: number, clock: Clock): number {
  return Math.round(clock.wallMs() - (clock.monotonicMs() - monotonicMs))
}

/** Every member that ever fell silent, as written last; what cannot be read is left out. */
export function readLastBeats(store: Store, done: Done<readonly LastBeat[]>): void {
  store.range(LAST_BEATS_PREFIX, 'local', (outcome) => {
    if (!outcome.ok) done(outcome)
    else done(success(outcome.value.kvs.map(decodeLastBeat).filter((beat) => beat !== null)))
  })
}

function decodeLastBeat(kv: KeyValue): LastBeat | null {
  const decoded = decodeBody(kv.value)
  const value = decoded.ok ? decoded.value : null
  if (typeof value !== 'object' || value === null) return null
  const { name, incarnation, wallMs, heartbeat } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof incarnation !== 'string') return null
  if (!Number.isFinite(wallMs) || !(heartbeat instanceof Uint8Array)) return null
  return { name, incarnation, wallMs: wallMs as number, heartbeat }
}
