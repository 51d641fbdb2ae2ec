/** Bugs in the board and around it, one each, that the simulation must notice. */
import type { Answer, Peer } from '../../peer/peer.js'
import { type Batch, decodeNotice, encodeBatch } from '../messages.js'
import type { BoardPlant, BoardRpc } from './board-sim.js'

export interface NamedBoardPlant {
  readonly name: string
  readonly plant: BoardPlant
  /** A seed soon after which it shows. */
  readonly from: number
  /** What is said of it. */
  readonly shows: RegExp
}

function between(rpc: BoardRpc, change: Partial<BoardRpc>): BoardRpc {
  const base: BoardRpc = {
    ask: (...args) => rpc.ask(...args),
    tell: (...args) => rpc.tell(...args),
    serve: (...args) => rpc.serve(...args),
  }
  return { ...base, ...change }
}

/** The leader gets another batch than was sent, or one of somebody else. */
function hearing(change: (batch: Batch, peer: Peer) => readonly [Batch, Peer]): BoardPlant {
  return {
    rpc: (rpc) =>
      between(rpc, {
        serve: (name, service) => {
          rpc.serve(name, {
            ...service,
            onNotice: (body, peer) => {
              const notice = decodeNotice(body)
              if (notice === null || !('batch' in notice)) service.onNotice?.(body, peer)
              else {
                const [batch, as] = change(notice.batch, peer)
                service.onNotice?.(encodeBatch(batch), as)
              }
            },
          })
        },
      }),
  }
}

/** Takes each for the one that spoke before. */
function mistaken(): BoardPlant {
  let before: Peer | null = null
  return hearing((batch, peer) => {
    const { name, incarnation } = before ?? peer
    before = peer
    return [batch, { ...peer, name, incarnation }]
  })
}

/** Every other reading is the answer to the one before it. */
function repeating(): BoardPlant {
  return {
    rpc: (rpc) => {
      const known = new Map<string, Answer>()
      return between(rpc, {
        ask: (to, service, body, timeoutMs, done) => {
          const key = Buffer.from(body).toString('latin1')
          rpc.ask(to, service, body, timeoutMs, (answer) => {
            const old = known.get(key)
            known.delete(key)
            if (old === undefined && answer.ok) known.set(key, answer)
            done(old ?? answer)
          })
        },
      })
    },
  }
}

export const BOARD_PLANTS: readonly NamedBoardPlant[] = [
  {
    name: 'a new life is taken for the last one',
    plant: hearing((batch, peer) => [batch, { ...peer, bootId: 'ever the same' }]),
    from: 1,
    shows: /after a restart|in its lives/,
  },
  {
    name: 'what one member says is noted for another',
    plant: mistaken(),
    from: 1,
    shows: /is shown as of/,
  },
  {
    name: 'the board does not hear of later leaders',
    plant: { hearsOf: ({ term }) => term < 4 },
    from: 1,
    shows: /without a leader/,
  },
  {
    name: 'changes are acknowledged, and lost',
    plant: hearing((batch, peer) => [{ ...batch, puts: batch.puts.slice(1) }, peer]),
    from: 1,
    shows: /is shown as|it says/,
  },
  {
    name: 'what is withdrawn stays',
    plant: hearing((batch, peer) => [{ ...batch, deletes: [] }, peer]),
    from: 1,
    shows: /never said all of that|it was so/,
  },
  {
    name: 'an answer of before is given again',
    plant: repeating(),
    from: 1,
    shows: /it says|it was so/,
  },
  {
    name: 'who is silent grows old too slowly',
    plant: {
      time: (time) => ({
        monotonicMs: () => time.monotonicMs() / 20,
        wallMs: () => time.wallMs(),
        after: (delayMs, fire) => time.after(delayMs, fire),
      }),
    },
    from: 1,
    shows: /ms ago/,
  },
  {
    name: 'who was purged stays',
    plant: { forgetsNobody: true },
    from: 8,
    shows: /is no member/,
  },
  {
    name: 'nobody is noted as silent',
    plant: { notesNobody: true },
    from: 1,
    shows: /nobody noted/,
  },
  {
    name: 'beats are far between',
    plant: { beatMs: 5_000 },
    from: 1,
    shows: /it says|ms old/,
  },
  {
    name: 'there are no bounds',
    plant: { hasNoBounds: true },
    from: 9,
    shows: /it may/,
  },
]
