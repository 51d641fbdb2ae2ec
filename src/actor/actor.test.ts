import { expect, it } from 'vitest'
import { GatewayError } from '../lib/errors.js'
import { type Actor, type ActorRef, type Asks, pipe, type Reply } from './actor.js'
import { ActorHarness } from './harness.js'

interface Get extends Asks<number> {
  readonly type: 'get'
  readonly key: string
}
type Put = { readonly type: 'put'; readonly key: string; readonly value: number } & Asks<void>
type Note = { readonly type: 'note'; readonly text: string }
type ToBox = Get | Put | Note

class Box implements Actor<ToBox> {
  readonly #values = new Map<string, number>()

  receive(m: ToBox, reply: Reply): void {
    if (m.type === 'put') {
      this.#values.set(m.key, m.value)
      reply.for(m).ok()
    } else if (m.type === 'get') {
      const value = this.#values.get(m.key)
      if (value === undefined) reply.fail(new GatewayError('OBJECT_NOT_FOUND', `no ${m.key}`))
      else reply.for(m).ok(value)
    }
  }
}

it('types say what may be asked and what comes back', async () => {
  const harness = new ActorHarness()
  const ref: ActorRef<ToBox> = harness.system.spawn<ToBox>('box', () => new Box())
  const narrow: ActorRef<Get> = ref // whoever may send more may be used where less is sent
  // @ts-expect-error the narrow one does not take notes
  const wide: ActorRef<ToBox> = narrow
  const put: Promise<void> = ref.ask({ type: 'put', key: 'a', value: 7 }, 100)
  const got: Promise<number> = narrow.ask({ type: 'get', key: 'a' }, 100)
  // @ts-expect-error a note has no answer
  const noted = ref.ask({ type: 'note', text: '' }, 100)
  // @ts-expect-error it lacks its key
  const lame = ref.ask({ type: 'get' }, 100)
  // @ts-expect-error the answer to a get is a number
  const wrong: Promise<string> = ref.ask({ type: 'get', key: 'a' }, 100)
  for (const failing of [lame, noted]) failing.catch(() => {})
  await harness.outcome(put)
  expect(await harness.outcome(got)).toBe(7)
  expect(await harness.outcome(wrong)).toBe(7)
  harness.advance(100)
  await expect(noted).rejects.toMatchObject({ code: 'TIMEOUT' })
  await expect(lame).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' })
  expect(wide).toBe(ref)
})

it('an answer may be kept and given later, once', async () => {
  const harness = new ActorHarness()
  const { ref, probe } = harness.probe<ToBox>('probe')
  const asked = ref.ask({ type: 'get', key: 'a' }, 100)
  harness.run()
  const [first] = probe.received
  expect(first?.reply.awaited).toBe(true)
  harness.advance(50)
  first?.reply.ok(1)
  first?.reply.ok(2)
  first?.reply.fail(new GatewayError('INTERNAL', 'too late'))
  expect(first?.reply.awaited).toBe(false)
  expect(await harness.outcome(asked)).toBe(1)
})

it('a told message has nobody waiting for the answer, and answering it does no harm', () => {
  const harness = new ActorHarness()
  const { ref, probe } = harness.probe<ToBox>('probe')
  ref.tell({ type: 'put', key: 'a', value: 1 })
  harness.run()
  const reply = probe.received[0]?.reply
  expect(reply?.awaited).toBe(false)
  expect(() => {
    reply?.ok(1)
    reply?.fail(new GatewayError('INTERNAL', 'x'))
  }).not.toThrow()
})

it('an ask that times out in the mailbox is not handled, and says so', async () => {
  const harness = new ActorHarness()
  const { ref, probe } = harness.probe<ToBox>('probe')
  const asked = ref.ask({ type: 'get', key: 'a' }, 100)
  asked.catch(() => {})
  harness.time.advance(99)
  harness.time.advance(1)
  harness.run()
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT', detail: { taken: false } })
  expect(probe.received).toHaveLength(0)
})

it('an ask that times out while the actor works on it says that it was taken', async () => {
  const harness = new ActorHarness()
  const { ref, probe } = harness.probe<ToBox>('probe')
  const asked = ref.ask({ type: 'get', key: 'a' }, 100)
  harness.advance(100)
  await expect(asked).rejects.toMatchObject({ code: 'TIMEOUT', detail: { taken: true } })
  expect(probe.received[0]?.reply.awaited).toBe(false)
})

it('messages are handled to completion and in the order of their sending', () => {
  const harness = new ActorHarness()
  const seen: string[] = []
  const ref = harness.system.spawn<Note>('nested', ({ self }) => ({
    receive(m) {
      seen.push(`>${m.text}`)
      if (m.text === 'a') self.tell({ type: 'note', text: 'c' })
      seen.push(`<${m.text}`)
    },
  }))
  ref.tell({ type: 'note', text: 'a' })
  ref.tell({ type: 'note', text: 'b' })
  expect(seen).toEqual([]) // never within tell
  expect(harness.run()).toBe(3)
  expect(seen).toEqual(['>a', '<a', '>b', '<b', '>c', '<c'])
})

it('pipe turns both outcomes of a promise into messages', async () => {
  const harness = new ActorHarness()
  const { ref, probe } = harness.probe<Note>('probe')
  const note = (text: string): Note => ({ type: 'note', text })
  pipe(Promise.resolve('good'), ref, note, (thrown) => note(String(thrown)))
  pipe(Promise.reject(new Error('bad')), ref, note, (thrown) => note(String(thrown)))
  pipe(Promise.resolve('plain'), ref, note)
  await harness.settle()
  expect(probe.messages.map((m) => m.text).sort()).toEqual(['Error: bad', 'good', 'plain'])
})
