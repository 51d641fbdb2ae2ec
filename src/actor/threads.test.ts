import { MessageChannel } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { systemTime, VirtualTime } from '../lib/clock.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { ActorRef } from './actor.js'
import { encode, TELL } from './codec.js'
import type { FromEcho, ToEcho } from './echo.fixture.js'
import { PortLink } from './link.js'
import type { RestartOptions } from './restarts.js'
import { ActorSystem } from './system.js'
import { type Incarnation, ThreadSupervisor } from './threads.js'

const url = await compileThreadFixture(new URL('./echo.fixture.ts', import.meta.url))

interface Ended {
  readonly number: number
  readonly code: number
  readonly thrown: unknown
}

/** A supervised echo thread, and the next of its lives on demand. */
class Echoes {
  readonly log = new MemoryLogger()
  readonly ended: Ended[] = []
  readonly gaveUp: Promise<void>
  readonly supervisor: ThreadSupervisor<'main', null>
  link!: PortLink<ToEcho>
  readonly words: number[] = []
  #started: () => void = () => {}
  readonly #listener: ActorRef<FromEcho> = new ActorSystem({
    time: systemTime,
    log: this.log,
    escalated: () => {},
  }).spawn<FromEcho>('listener', () => ({ receive: (m) => this.words.push(m.n) }), {
    mailbox: { capacity: 10_000, overflow: { policy: 'refuse' } },
  })

  constructor(restarts: RestartOptions = { backoffMinMs: 1 }) {
    let gaveUp = (): void => {}
    this.gaveUp = new Promise((resolve) => {
      gaveUp = resolve
    })
    this.supervisor = new ThreadSupervisor<'main', null>({
      url,
      name: 'echo',
      channels: ['main'],
      time: systemTime,
      log: this.log,
      restarts,
      data: () => null,
      started: (incarnation) => this.#onStarted(incarnation),
      ended: ({ number }, code, thrown) => this.ended.push({ number, code, thrown }),
      gaveUp,
    })
    this.supervisor.start()
  }

  /** Resolves when another incarnation has been started. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#started = resolve
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.supervisor.stop()
    this.link.remote.tell({ type: 'exit', code: 0 })
    await stopped
  }

  #onStarted(incarnation: Incarnation<'main'>): void {
    const { log } = this
    this.link = new PortLink(incarnation.ports.main, { name: 'echo', time: systemTime, log })
    this.link.serve(this.#listener)
    this.#started()
  }
}

it('an actor of another thread answers, fails, shares memory and takes ports', async () => {
  await using echoes = new Echoes()
  const { remote } = echoes.link
  const value = { text: 'ä', list: [1, 2, { three: 3 }] }
  expect(await remote.ask({ type: 'echo', value }, 5000)).toEqual(value)
  await expect(remote.ask({ type: 'refuse' }, 5000)).rejects.toMatchObject({
    code: 'VERSION_CONFLICT',
    detail: { version: 4 },
  })
  const memory = new SharedArrayBuffer(4)
  await remote.ask({ type: 'add', memory, times: 1000 }, 5000)
  expect(new Int32Array(memory)[0]).toBe(1000)
  const { port1, port2 } = new MessageChannel()
  const heard = new Promise((resolve) => port1.once('message', resolve))
  await remote.ask({ type: 'adopt', port: port2 }, 5000)
  expect(await heard).toBe('hello from the other thread')
  port1.close()
})

it('an actor that crashes there fails its ask here and is back', async () => {
  await using echoes = new Echoes()
  const { remote } = echoes.link
  await expect(remote.ask({ type: 'crash' }, 5000)).rejects.toMatchObject({ code: 'INTERNAL' })
  expect(await remote.ask({ type: 'incarnation' }, 5000)).toBe(1)
})

it('a thread that ends is started again with fresh ports; its open asks fail', async () => {
  await using echoes = new Echoes()
  const kept = echoes.link.remote.ask({ type: 'keep' }, 60_000)
  kept.catch(() => {})
  const next = echoes.next()
  echoes.link.remote.tell({ type: 'exit', code: 7 })
  await expect(kept).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', detail: { taken: true } })
  await next
  expect(echoes.ended).toEqual([{ number: 1, code: 7, thrown: null }])
  expect(await echoes.link.remote.ask({ type: 'incarnation' }, 5000)).toBe(2)
})

it('an uncaught throw ends the thread, is reported with its error, and costs one restart', async () => {
  await using echoes = new Echoes()
  const next = echoes.next()
  echoes.link.remote.tell({ type: 'throw' })
  await next
  expect(echoes.ended).toMatchObject([
    { number: 1, code: 1, thrown: { message: 'planted outside of any actor' } },
  ])
  expect(echoes.log.records.find((record) => record.level === 'error')?.fields).toMatchObject({
    thread: 'echo',
    code: 1,
    restartInMs: 1,
  })
  expect(await echoes.link.remote.ask({ type: 'incarnation' }, 5000)).toBe(2)
})

it('the last words of a thread are heard before its end is handled', async () => {
  const echoes = new Echoes({ restartsMax: 0 })
  echoes.link.remote.tell({ type: 'last-words', count: 5000 })
  await echoes.gaveUp
  expect(echoes.words).toHaveLength(5000)
  expect(echoes.words.at(-1)).toBe(5000)
})

it('a port that nobody reads does not keep the end from being handled', async () => {
  const time = new VirtualTime()
  let ended = (): void => {}
  const end = new Promise<void>((resolve) => {
    ended = resolve
  })
  const supervisor = new ThreadSupervisor<'main', null>({
    url,
    name: 'deaf',
    channels: ['main'],
    time,
    log: new MemoryLogger(),
    data: () => null,
    started: ({ ports, thread }) => {
      ports.main.postMessage(encode([TELL, { type: 'last-words', count: 10 }]).parcel)
      thread.terminateAsLastResort()
    },
    ended,
    gaveUp: () => {},
  })
  supervisor.start()
  while (supervisor.current !== null) await new Promise((resolve) => setImmediate(resolve))
  time.advance(1000)
  await end
  await supervisor.stop()
})

it('a thread that ends too often stays down', async () => {
  const echoes = new Echoes({ restartsMax: 0 })
  echoes.link.remote.tell({ type: 'exit', code: 3 })
  await echoes.gaveUp
  expect(echoes.supervisor.current).toBeNull()
  await echoes.supervisor.stop()
})

it('a thread that was asked to end is not started again', async () => {
  const echoes = new Echoes()
  const stopped = echoes.supervisor.stop()
  echoes.link.remote.tell({ type: 'exit', code: 0 })
  await stopped
  expect(echoes.ended).toEqual([{ number: 1, code: 0, thrown: null }])
  expect(echoes.log.count('thread ended')).toBe(0)
})

it('force is there as the last resort', async () => {
  const echoes = new Echoes({ restartsMax: 0 })
  await echoes.link.remote.ask({ type: 'incarnation' }, 5000)
  echoes.supervisor.current?.thread.terminateAsLastResort()
  await echoes.gaveUp
  expect(echoes.ended).toMatchObject([{ code: 1 }])
})
