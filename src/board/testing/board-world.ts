import { VirtualTime } from '../../lib/clock.js'
import { GatewayError } from '../../lib/errors.js'
import { Prng } from '../../lib/prng.js'
import type { Answer, Peer, Rpc, Service } from '../../peer/peer.js'
import type { BoardReading } from '../board.js'
import { EmbeddedBoard, type EmbeddedBoardOptions } from '../embedded-board.js'

type SomeRpc = Pick<Rpc, 'ask' | 'tell' | 'serve'>

export interface Weather {
  lossPercent: number
  doublePercent: number
  delayMsMax: number
}

/** Boards whose messages are lost, doubled and overtaken: worse than any connection. */
export class BoardWorld {
  readonly time = new VirtualTime()
  readonly prng: Prng
  readonly boards = new Map<string, EmbeddedBoard>()
  readonly weather: Weather = { lossPercent: 0, doublePercent: 0, delayMsMax: 2 }
  readonly cut = new Set<string>()
  messages = 0
  messageBytes = 0
  #boots = 0
  readonly #services = new Map<string, Map<string, Service>>()
  readonly #bootOf = new Map<string, string>()

  constructor(seed = 1) {
    this.prng = new Prng(seed)
  }

  add(name: string, options: Partial<EmbeddedBoardOptions> = {}): EmbeddedBoard {
    this.#services.set(name, new Map())
    const bootId = `boot-${++this.#boots}`
    this.#bootOf.set(name, bootId)
    const board = new EmbeddedBoard({
      time: this.time,
      rpc: this.#rpc(name),
      self: { name, incarnation: name, bootId },
      ...options,
    })
    this.boards.set(name, board)
    return board
  }

  stop(name: string): void {
    this.boards.get(name)?.close()
    this.boards.delete(name)
    this.#services.delete(name)
  }

  /** Tells everybody. */
  elect(leader: string | null, term: number): void {
    for (const board of this.boards.values()) board.leads(leader, term)
  }

  isolate(name: string): void {
    for (const other of [...this.boards.keys()]) {
      this.cut.add(`${name} ${other}`)
      this.cut.add(`${other} ${name}`)
    }
  }

  /** What `name` reads now; time moves on until it is answered. */
  read(name: string, prefix = ''): BoardReading {
    let reading: BoardReading | null = null
    ;(this.boards.get(name) as EmbeddedBoard).read(prefix, (outcome) => {
      if (!outcome.ok) throw outcome.error
      reading = outcome.value
    })
    for (let ms = 0; reading === null && ms < 5000; ms++) this.time.advance(1)
    if (reading === null) throw new Error('a reading was never answered')
    return reading
  }

  #peer(name: string, bootId: string): Peer {
    return {
      ...{ name, incarnation: name, bootId, nodeId: 1, clusterName: 'c', clusterId: 'c' },
      ...{ admittedAt: 1, level: 1, levelMin: 1, clusterLevel: 1, logEnd: { index: 0, term: 0 } },
      guest: false,
    }
  }

  #rpc(from: string): SomeRpc {
    return {
      serve: (service, handler) => {
        this.#services.get(from)?.set(service, handler)
      },
      tell: (to, service, body) => {
        if (!this.#services.has(to)) return false
        const bootId = this.#bootOf.get(from) as string
        this.#carry(from, to, body, (handlers) => {
          // A connection belongs to one boot of the sender.
          if (this.#bootOf.get(from) !== bootId) return
          handlers.get(service)?.onNotice?.(body, this.#peer(from, bootId))
        })
        return true
      },
      ask: (to, service, body, timeoutMs, done) => {
        let isDone = false
        const once = (answer: Answer): void => {
          if (!isDone) done(answer)
          isDone = true
        }
        const error = new GatewayError('TIMEOUT', 'no answer')
        this.time.after(timeoutMs, () => once({ ok: false, error }))
        this.#carry(from, to, body, (handlers) => {
          handlers.get(service)?.onRequest?.(body, this.#peer(from, ''), (answer) => {
            this.#carry(to, from, answer.ok ? answer.body : body, () => once(answer))
          })
        })
      },
    }
  }

  #carry(
    from: string,
    to: string,
    body: Uint8Array,
    arrive: (services: Map<string, Service>) => void,
  ): void {
    this.messages += 1
    this.messageBytes += body.byteLength
    const { lossPercent, doublePercent, delayMsMax } = this.weather
    const copies = this.prng.chance(lossPercent) ? 0 : this.prng.chance(doublePercent) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      this.time.after(this.prng.below(delayMsMax + 1), () => {
        const services = this.#services.get(to)
        if (services !== undefined && !this.cut.has(`${from} ${to}`)) arrive(services)
      })
    }
  }
}
