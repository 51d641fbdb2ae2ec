import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { Prng } from '../lib/prng.js'
import { TimerWheel } from '../lib/timer-wheel.js'
import { HttpUpstreamClient } from './client.js'
import type { UpstreamCall, UpstreamHandler, UpstreamRequest } from './contract.js'
import { SystemResolver } from './resolver.js'
import { type Peer, ScriptedServer, turns, until } from './scripted-server.fixture.js'

const HEAD_END = '\r\n\r\n'

/** A back end that answers most requests well, and mistreats the rest in a random way. */
function misbehave(peer: Peer, prng: Prng): void {
  const mark = /GET \/(\d+) HTTP/.exec(peer.received)?.[1] ?? 'none'
  peer.received = ''
  const sized = `HTTP/1.1 200 OK\r\ncontent-length: ${mark.length}${HEAD_END}`
  const chunks = [...mark].map((digit) => `1\r\n${digit}\r\n`).join('')
  const answers: (() => void)[] = [
    () => peer.send(sized + mark),
    () => {
      peer.send(sized + mark.slice(0, 1))
      setImmediate(() => peer.send(mark.slice(1)))
    },
    () =>
      peer.send(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked${HEAD_END}${chunks}0${HEAD_END}`),
    () => peer.socket.end(`HTTP/1.1 200 OK${HEAD_END}${mark}`),
    () => peer.socket.end(sized + mark),
    () => peer.send(`HTTP/1.1 100 Continue${HEAD_END}${sized}${mark}`),
    () => peer.send(`${sized}${mark}garbage`),
    () => peer.socket.end(),
    () => peer.socket.resetAndDestroy(),
    () => peer.socket.end(sized + mark.slice(1)),
    () => peer.send('HTTP/1.1 200 OK\n\n'),
    () => {
      peer.send(sized + mark)
      peer.socket.end()
    },
  ]
  prng.pick(answers)()
}

/** Ends in every way a caller can; remembers what it got and that it got it once. */
class Caller implements UpstreamHandler {
  call: UpstreamCall | null = null
  readonly mark: string
  readonly mood: number
  body = ''
  ends = 0
  isGivenUp = false
  isWrong = false

  constructor(mark: string, mood: number) {
    this.mark = mark
    this.mood = mood
  }

  onHead(): void {
    this.#check()
    if (this.mood < 20) this.#pauseAWhile()
    else if (this.mood < 30) this.#giveUp('cancel')
    else if (this.mood < 40) this.#giveUp('discard')
  }

  onBody(chunk: Uint8Array): void {
    this.#check()
    this.body += Buffer.from(chunk).toString('latin1')
    if (this.mood < 10) this.#pauseAWhile()
    else if (this.mood < 15) this.#giveUp('cancel')
  }

  onEnd(): void {
    this.#check()
    this.ends += 1
    // Whatever the back end did: no other request's bytes.
    if (!this.isGivenUp && this.body !== this.mark) this.isWrong = true
  }

  onError(): void {
    this.#check()
    this.ends += 1
  }

  onDrain(): void {}

  onBatchEnd(): void {
    this.#check()
  }

  get isOver(): boolean {
    return this.isGivenUp || this.ends > 0
  }

  #check(): void {
    if (this.isOver) this.isWrong = true
  }

  #pauseAWhile(): void {
    this.call?.pause()
    setImmediate(() => this.call?.resume())
  }

  #giveUp(how: 'cancel' | 'discard'): void {
    this.isGivenUp = true
    this.call?.[how]()
  }
}

it.each([1, 2, 3, 4])(
  'random back ends and callers, seed %i: each request ends once, nothing leaks',
  async (seed) => {
    const prng = new Prng(seed)
    const backend = await ScriptedServer.listen()
    const time = new VirtualTime()
    const timers = new TimerWheel(time)
    const client = new HttpUpstreamClient({ timers, resolver: new SystemResolver(time) })
    const origin = { scheme: 'http', host: '127.0.0.1', port: backend.port } as const
    const server = client.acquire(origin, { connectionsMax: 8, queueMax: 12, idleTimeoutMs: 1_000 })
    const serve = (): void => {
      for (const peer of backend.peers) {
        if (!peer.isClosed && peer.received.includes(HEAD_END)) misbehave(peer, prng)
      }
    }
    const callers: Caller[] = []
    for (let i = 0; i < 600; i++) {
      const caller = new Caller(String(100_000 + i), prng.below(100))
      const wish: UpstreamRequest = {
        method: 'GET',
        target: `/${caller.mark}`,
        host: '',
        headers: [],
        bodyLength: 0,
        body: null,
      }
      caller.call = client.send(server, wish, caller)
      callers.push(caller)
      if (prng.chance(5)) {
        caller.isGivenUp = true
        caller.call.cancel()
      }
      if (prng.chance(40)) {
        serve()
        await turns(prng.below(4))
      }
      if (prng.chance(5)) {
        time.advance(300)
        timers.advance()
      }
    }
    await until(`every end (seed ${seed})`, () => {
      serve()
      time.advance(4)
      timers.advance()
      return callers.every((caller) => caller.isOver)
    })
    await turns()
    expect(callers.filter((caller) => caller.isWrong || caller.ends > 1)).toEqual([])
    expect(callers.filter((caller) => caller.body === caller.mark).length).toBeGreaterThan(100)
    expect(server.counts).toMatchObject({ connecting: 0, queued: 0 })
    server.release()
    await until(`an empty pool (seed ${seed})`, () => {
      time.advance(100)
      timers.advance()
      return client.stats.open === 0
    })
    expect(client.idleCount).toBe(0)
    expect(timers.runningCount).toBe(0)
    await client.close(0)
    await backend.close()
  },
)
