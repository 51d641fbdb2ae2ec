import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import type { Asks } from './actor.js'
import { ActorHarness, type Probe } from './harness.js'
import { type LinkOptions, PortLink } from './link.js'

type ToThere =
  | ({ readonly type: 'get'; readonly key: string } & Asks<string>)
  | ({ readonly type: 'share'; readonly memory: SharedArrayBuffer } & Asks<SharedArrayBuffer>)
  | { readonly type: 'note'; readonly value: unknown }
type ToHere = { readonly type: 'event'; readonly port?: MessagePort }

class Pair {
  readonly harness = new ActorHarness()
  readonly here: PortLink<ToThere>
  readonly there: PortLink<ToHere>
  readonly probeHere: Probe<ToHere>
  readonly probeThere: Probe<ToThere>

  constructor(limits: Partial<LinkOptions> = {}) {
    const { port1, port2 } = new MessageChannel()
    const { time, log } = this.harness
    const one = this.harness.probe<ToHere>('here')
    const two = this.harness.probe<ToThere>('there')
    this.probeHere = one.probe
    this.probeThere = two.probe
    this.here = new PortLink<ToThere>(port1, { name: 'there', time, log, ...limits }).serve(one.ref)
    this.there = new PortLink<ToHere>(port2, { name: 'here', time, log }).serve(two.ref)
  }

  /** Lets ports and actors run until `done`; a time-out of the test is its deadline. */
  async until(done: () => boolean): Promise<void> {
    while (!done()) await this.harness.settle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.here.close()
    await Promise.all([this.here.closed, this.there.closed])
  }
}

it('one port carries both directions: tell, ask, answer, failure', async () => {
  await using pair = new Pair()
  const good = pair.here.remote.ask({ type: 'get', key: 'a' }, 100)
  const bad = pair.here.remote.ask({ type: 'get', key: 'b' }, 100)
  bad.catch(() => {})
  pair.there.remote.tell({ type: 'event' })
  await pair.until(() => pair.probeThere.received.length === 2)
  const [first, second] = pair.probeThere.received
  second?.reply.fail(new GatewayError('VERSION_CONFLICT', 'version is 4', { version: 4 }))
  first?.reply.ok('value of a')
  expect(await good).toBe('value of a')
  const error = await bad.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(GatewayError)
  expect(error).toMatchObject({
    code: 'VERSION_CONFLICT',
    message: 'version is 4',
    detail: { version: 4 },
  })
  await pair.until(() => pair.probeHere.messages.length === 1)
})

it.each<[string, unknown]>([
  ['bytes', new Uint8Array([0, 255, 128])],
  ['nothing', undefined],
  ['null', null],
  ['big numbers', [2 ** 53 - 1, -(2 ** 31), 0.1, Number.NaN]],
  ['bigint', 2n ** 63n - 1n],
  ['dates', new Date(86_400_000)],
  ['text of all planes', 'ä中😀\0'],
  ['a hostile key', JSON.parse('{"a":{"__proto__x":1}}')],
  ['something large', 'x'.repeat(300_000)],
])('crosses unharmed: %s', async (_name, value) => {
  await using pair = new Pair()
  pair.here.remote.tell({ type: 'note', value })
  await pair.until(() => pair.probeThere.messages.length === 1)
  const [message] = pair.probeThere.messages
  expect(message?.type === 'note' && normal(message.value)).toEqual(normal(value))
})

/** Bytes arrive as a Buffer, which is a Uint8Array but not equal to one. */
function normal(value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value
}

it('shared memory stays shared and ports move, as fields of messages and answers', async () => {
  await using pair = new Pair()
  const memory = new SharedArrayBuffer(8)
  const answer = pair.here.remote.ask({ type: 'share', memory }, 100)
  const channel = new MessageChannel()
  pair.there.remote.tell({ type: 'event', port: channel.port2 })
  await pair.until(() => pair.probeThere.received.length + pair.probeHere.received.length === 2)
  const [got] = pair.probeThere.received
  if (got?.message.type !== 'share') throw new Error('expected a share')
  new Int32Array(got.message.memory)[1] = 42
  expect(new Int32Array(memory)[1]).toBe(42)
  got.reply.for(got.message).ok(got.message.memory)
  new Int32Array(await answer)[0] = 7
  expect(new Int32Array(memory)[0]).toBe(7)
  const [event] = pair.probeHere.messages
  const heard = new Promise((resolve) => channel.port1.once('message', resolve))
  event?.port?.postMessage('through the moved port')
  expect(await heard).toBe('through the moved port')
  channel.port1.close()
})

it('the asker has its own time-out, and the late answer is only counted', async () => {
  await using pair = new Pair()
  const asked = pair.here.remote.ask({ type: 'get', key: 'a' }, 100)
  asked.catch(() => {})
  await pair.until(() => pair.probeThere.received.length === 1)
  pair.harness.time.advance(100)
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT', detail: { actor: 'there' } })
  expect(pair.here.stats().asksOpen).toBe(0)
  await pair.until(() => pair.here.stats().late === 1)
})

it('a closed port fails open asks with unknown outcome and new ones as certainly not sent', async () => {
  await using pair = new Pair()
  const open = pair.here.remote.ask({ type: 'get', key: 'a' }, 100)
  open.catch(() => {})
  await pair.until(() => pair.probeThere.received.length === 1)
  pair.there.close()
  await pair.here.closed
  const gone = (taken: boolean) => ({ code: 'STORE_UNAVAILABLE', detail: { taken } })
  await expect(open).rejects.toMatchObject(gone(true))
  await expect(pair.here.remote.ask({ type: 'get', key: 'b' }, 100)).rejects.toMatchObject(
    gone(false),
  )
  pair.here.remote.tell({ type: 'note', value: 1 })
  pair.here.remote.tell({ type: 'note', value: 2 })
  expect(pair.here.stats().lost).toBe(2)
  expect(pair.harness.log.count('messages to another thread lost')).toBe(1)
  // An answer given after the end goes nowhere and harms nobody.
  pair.probeThere.received[0]?.reply.ok('too late')
  await pair.harness.settle()
})

it('open asks are bounded', async () => {
  await using pair = new Pair({ asksMax: 2 })
  const asks = ['a', 'b', 'c'].map((key) => pair.here.remote.ask({ type: 'get', key }, 100))
  for (const ask of asks) ask.catch(() => {})
  await expect(asks[2]).rejects.toMatchObject({ code: 'OVERLOADED', detail: { taken: false } })
  await pair.until(() => pair.probeThere.received.length === 2)
  pair.probeThere.received[0]?.reply.ok('x')
  await asks[0]
  const another = pair.here.remote.ask({ type: 'get', key: 'd' }, 100)
  another.catch(() => {})
  await pair.until(() => pair.probeThere.received.length === 3)
})

it('what lies in the port is bounded, and room comes back as the other side takes', async () => {
  await using pair = new Pair({ backlogMax: 256 })
  const { remote } = pair.here
  for (let i = 0; i < 300; i++) remote.tell({ type: 'note', value: i })
  expect(pair.here.stats()).toMatchObject({ backlog: 256, lost: 44 })
  await expect(remote.ask({ type: 'get', key: 'a' }, 100)).rejects.toMatchObject({
    code: 'OVERLOADED',
  })
  await pair.until(() => pair.here.stats().backlog === 0)
  for (let i = 0; i < 1000; i++) {
    remote.tell({ type: 'note', value: i })
    await pair.until(() => pair.here.stats().backlog < 256)
  }
  await pair.until(() => pair.probeThere.received.length === 1256)
  expect(pair.here.stats().lost).toBe(44)
})

it('an answer that cannot be packed fails the ask instead of the thread', async () => {
  await using pair = new Pair()
  const asked = pair.here.remote.ask({ type: 'get', key: 'a' }, 100)
  asked.catch(() => {})
  await pair.until(() => pair.probeThere.received.length === 1)
  const moved = new MessageChannel()
  moved.port1.close()
  const twice = [moved.port2, moved.port2] // a port can move once only
  pair.probeThere.received[0]?.reply.ok(twice)
  await expect(asked).rejects.toMatchObject({ code: 'INTERNAL' })
})
