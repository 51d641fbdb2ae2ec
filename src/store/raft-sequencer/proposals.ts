/**
 * Proposals and reads of this node, from when they are asked for until it is decided what became of
 * them. In the log of this node when it leads; with the leader when another does; waiting when
 * nobody does, but not when that has been so for longer than they would wait.
 */
import type { Clock } from '../../lib/clock.js'
import { GatewayError } from '../../lib/errors.js'
import type { Rpc } from '../../peer/peer.js'
import { NONE, type Raft, type ReadState } from '../../raft/raft.js'
import { CONSENSUS_SERVICE } from '../cluster.js'
import { storeUnavailable } from '../contract.js'
import type { Origin } from '../entries.js'
import type { SequencerSink } from '../sequencer.js'
import { decodeVerdicts, encodeRequest, type Verdict } from './requests.js'
import type { Standing } from './standing.js'
import { Tickets } from './tickets.js'

/** Proposals whose fate is open, or that wait for a leader, beyond which more are refused. */
const PROPOSALS_MAX = 16_384
const READS_MAX = 16_384
/** Milliseconds a proposal or read waits for somebody to lead. */
const PROPOSE_WAIT_MS = 2_000
const READ_WAIT_MS = 1_000
/** Milliseconds until the fate of what was handed to another is called unknown. */
const OUTCOME_MS = 5_000
/** A request to the leader carries as many proposals as fit. */
const FORWARD_BYTES = 1024 * 1024

interface Proposal {
  readonly ticket: number
  readonly command: Uint8Array
  /** For the log of this node alone. */
  readonly here: boolean
  /** Until when it is tried. */
  readonly deadlineMs: number
}

/** For somebody to lead. */
type Waiting = Proposal | { readonly ticket: number; readonly command: null; deadlineMs: number }

export interface ProposalsOptions {
  readonly standing: Standing
  /** Of this life of the node, among proposals of earlier ones. */
  readonly boot: number
  readonly time: Clock
  readonly rpc: Pick<Rpc, 'ask'>
  readonly sink: Pick<SequencerSink, 'onDropped' | 'onReadable'>
  /** The core has something to do: soon, with what else comes in until then. */
  readonly wake: () => void
  /** The same at once. */
  readonly pump: () => void
  /** The log has something to write. */
  readonly isWriting: () => boolean
  /** Something was put into this node's own log. */
  readonly onProposed: () => void
}

export class Proposals {
  readonly #options: ProposalsOptions
  readonly #standing: Standing
  readonly #sink: ProposalsOptions['sink']
  readonly #tickets = new Tickets()
  #waiting: Waiting[] = []
  /** Reads the core has, with the time until which they are asked again. */
  readonly #reads = new Map<number, number>()
  #forwards: Proposal[] = []

  constructor(options: ProposalsOptions) {
    this.#options = options
    this.#standing = options.standing
    this.#sink = options.sink
  }

  propose(ticket: number, command: Uint8Array<ArrayBuffer>, here: boolean): void {
    if (this.#standing.stage !== 'running') {
      this.#sink.onDropped(ticket, this.#standing.unavailable())
      return
    }
    const count = this.#tickets.size + this.#waiting.length + this.#forwards.length
    if (count >= PROPOSALS_MAX) {
      const error = new GatewayError('OVERLOADED', 'too many writes wait', { waiting: count })
      this.#sink.onDropped(ticket, error)
      return
    }
    this.#propose({ ticket, command, here, deadlineMs: this.#nowMs + PROPOSE_WAIT_MS })
  }

  read(ticket: number): void {
    if (this.#standing.stage !== 'running') {
      this.#sink.onDropped(ticket, this.#standing.unavailable())
      return
    }
    if (this.#reads.size + this.#waiting.length >= READS_MAX) {
      this.#sink.onDropped(ticket, new GatewayError('OVERLOADED', 'too many reads wait'))
      return
    }
    this.#read({ ticket, command: null, deadlineMs: this.#nowMs + READ_WAIT_MS })
  }

  // ---- what the core says ----------------------------------------------------------------------

  /** This node leads. */
  leads(): void {
    this.#tickets.leads()
  }

  /** It does not any more. */
  deposed(): void {
    this.#tickets.deposed(this.#nowMs + OUTCOME_MS)
  }

  /** Somebody leads: what waited for that is tried again. */
  retry(): void {
    if (this.#waiting.length === 0) return
    const all = this.#waiting
    this.#waiting = []
    for (const waiting of all) {
      if (waiting.command === null) this.#read(waiting)
      else this.#propose(waiting)
    }
  }

  /** An entry is decided: the ticket of who waits for it here; those it replaced are dropped. */
  decided(index: number, term: number, origin: Origin | null): number | null {
    const { ticket, lost } = this.#tickets.decided(index, term)
    for (const each of lost) this.#sink.onDropped(each, OVERRULED)
    const isOurs = origin?.nodeId === this.#standing.self && origin.boot === this.#options.boot
    return isOurs && this.#tickets.takeForwarded(origin.ticket) ? origin.ticket : ticket
  }

  /** A snapshot took the place of the log up to `index`. */
  restored(index: number): void {
    for (const ticket of this.#tickets.restored(index)) {
      this.#sink.onDropped(ticket, storeUnavailable('a snapshot came instead of it', 'unknown'))
    }
  }

  onReadState({ id, index }: ReadState): void {
    const deadlineMs = this.#reads.get(id)
    if (deadlineMs === undefined) return
    this.#reads.delete(id)
    if (index !== null) this.#sink.onReadable(id, index)
    else if (this.#standing.stage === 'running') {
      this.#wait({ ticket: id, command: null, deadlineMs })
    } else this.#sink.onDropped(id, this.#standing.unavailable())
  }

  /** To the leader, with all that was proposed since. */
  flush(): void {
    const all = this.#forwards
    if (all.length === 0) return
    this.#forwards = []
    for (let from = 0; from < all.length; ) {
      let bytes = 0
      let to = from
      while (to < all.length && (to === from || bytes < FORWARD_BYTES)) {
        bytes += (all[to] as Proposal).command.byteLength
        to += 1
      }
      this.#forward(all.slice(from, to))
      from = to
    }
  }

  // ---- time and the end ------------------------------------------------------------------------

  tick(nowMs: number): void {
    for (const ticket of this.#tickets.expired(nowMs)) {
      this.#sink.onDropped(ticket, storeUnavailable('no word of its fate in time', 'unknown'))
    }
    if (this.#waiting.length === 0) return
    const late = this.#waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    if (late.length > 0) {
      this.#waiting = this.#waiting.filter(({ deadlineMs }) => deadlineMs > nowMs)
      for (const { ticket } of late) this.#sink.onDropped(ticket, this.#standing.noLeader())
    }
    if (this.#standing.soft.leader !== NONE) this.retry()
  }

  /** All of it. What lies behind `handedIndex` never left this process. */
  dropAll(message: string, handedIndex: number, cause: GatewayError | undefined): void {
    const options = cause === undefined ? {} : { cause }
    const none = storeUnavailable(message, 'none', options)
    const unknown = storeUnavailable(message, 'unknown', options)
    const left = this.#tickets.clear(handedIndex)
    for (const ticket of left.unsaid) this.#sink.onDropped(ticket, none)
    for (const ticket of left.unknown) this.#sink.onDropped(ticket, unknown)
    this.dropWaiting(none)
  }

  /** What nobody was told of, and reads. */
  dropWaiting(error: GatewayError): void {
    const dropped = [...this.#waiting, ...this.#forwards].map(({ ticket }) => ticket)
    dropped.push(...this.#reads.keys())
    this.#waiting = []
    this.#forwards = []
    this.#reads.clear()
    for (const ticket of dropped) this.#sink.onDropped(ticket, error)
  }

  // ---- one by one ------------------------------------------------------------------------------

  #propose(proposal: Proposal): void {
    const { ticket, command } = proposal
    const raft = this.#standing.raft as Raft
    const result = raft.propose(command)
    if (result.ok) {
      this.#tickets.addOwn(result.index, result.term, ticket)
      this.#options.onProposed()
      // Alone there is nobody to gather for: while the log writes, the next ones gather anyway.
      if (this.#standing.isAlone && !this.#options.isWriting()) this.#options.pump()
      else this.#options.wake()
    } else if (result.reason === 'full') {
      this.#sink.onDropped(ticket, full())
    } else if (proposal.here) this.#sink.onDropped(ticket, this.#standing.noLeader())
    else if (result.reason === 'not-leader') {
      this.#forwards.push(proposal)
      this.#options.wake()
    } else this.#wait(proposal)
  }

  #read(waiting: Waiting): void {
    const { ticket, deadlineMs } = waiting
    if (this.#standing.raft?.readIndex(ticket) !== true) {
      this.#wait(waiting)
      return
    }
    this.#reads.set(ticket, deadlineMs)
    if (this.#standing.isAlone) this.#options.pump()
    else this.#options.wake()
  }

  /** For a leader, if there was one not long ago. */
  #wait(waiting: Waiting): void {
    const { soft, leaderlessMs } = this.#standing
    const waitMs = waiting.command === null ? READ_WAIT_MS : PROPOSE_WAIT_MS
    const isHopeless = soft.leader === NONE && this.#nowMs - leaderlessMs > waitMs
    if (isHopeless || waiting.deadlineMs <= this.#nowMs) {
      this.#sink.onDropped(waiting.ticket, this.#standing.noLeader())
      return
    }
    this.#waiting.push(waiting)
  }

  #forward(batch: readonly Proposal[]): void {
    const again = (): void => {
      for (const proposal of batch) {
        if (this.#tickets.takeForwarded(proposal.ticket)) this.#wait(proposal)
      }
    }
    const outcomeMs = this.#nowMs + OUTCOME_MS
    for (const { ticket } of batch) this.#tickets.addForwarded(ticket, outcomeMs)
    const leader = this.#standing.incarnationOf(this.#standing.soft.leader)
    if (leader === null) {
      again()
      return
    }
    const items = batch.map(({ ticket, command }) => [ticket, command] as const)
    const body = encodeRequest({ ask: 'propose', boot: this.#options.boot, items })
    this.#options.rpc.ask(leader, CONSENSUS_SERVICE, body, OUTCOME_MS, (answer) => {
      if (!this.#standing.isAlive) return
      if (!answer.ok) {
        // Whatever else happened to it, it may be in the log: then it is seen when it is applied.
        if (answer.error.detail['outcome'] === 'none') again()
        return
      }
      const verdicts = decodeVerdicts(answer.body, batch.length)
      if (verdicts === null) return
      for (const [at, each] of batch.entries()) this.#onVerdict(each, verdicts[at] as Verdict)
    })
  }

  #onVerdict(proposal: Proposal, verdict: Verdict): void {
    if (verdict === 'accepted' || !this.#tickets.takeForwarded(proposal.ticket)) return
    if (verdict === 'full') this.#sink.onDropped(proposal.ticket, full())
    else this.#wait(proposal)
  }

  get #nowMs(): number {
    return this.#options.time.monotonicMs()
  }
}

const OVERRULED = storeUnavailable('another leader decided otherwise', 'none')

function full(): GatewayError {
  return new GatewayError('OVERLOADED', 'too many writes wait for the disk or a majority')
}
