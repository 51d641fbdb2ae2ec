import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Asks } from './actor.js'
import { ActorHarness } from './harness.js'
import { Mailbox, type MailboxOptions, type Overflow } from './mailbox.js'

type Item = { readonly type: 'item'; readonly id: number; readonly key: number | null }

/** The policies again, on an array. */
class SlowMailbox {
  readonly #options: MailboxOptions<Item>
  readonly waiting: Item[] = []
  readonly losses: string[] = []

  constructor(options: MailboxOptions<Item>) {
    this.#options = options
  }

  put(item: Item): void {
    const { capacity, overflow } = this.#options
    const key = overflow.policy === 'latest-wins' ? overflow.key(item) : null
    const at = key === null ? -1 : this.waiting.findIndex((other) => other.key === key)
    if (at >= 0) {
      this.losses.push(`superseded ${this.waiting[at]?.id}`)
      this.waiting.splice(at, 1)
    } else if (this.waiting.length === capacity) {
      if (overflow.policy !== 'drop-oldest') {
        this.losses.push(`refused ${item.id}`)
        return
      }
      this.losses.push(`dropped ${this.waiting.shift()?.id}`)
    }
    this.waiting.push(item)
  }
}

it.each<[Overflow<Item>]>([
  [{ policy: 'refuse' }],
  [{ policy: 'drop-oldest' }],
  [{ policy: 'latest-wins', key: (item) => item.key }],
])('%j: agrees with a slow twin', (overflow) => {
  const step = fc.oneof(
    fc.constant('take' as const),
    fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 60, size: 'max' }),
      (capacity, steps) => {
        const losses: string[] = []
        const fast = new Mailbox<Item, { message: Item }>({ capacity, overflow }, (letter, loss) =>
          losses.push(`${loss} ${letter.message.id}`),
        )
        const slow = new SlowMailbox({ capacity, overflow })
        steps.forEach((each, id) => {
          if (each === 'take') expect(fast.take()?.message.id).toBe(slow.waiting.shift()?.id)
          else {
            const item: Item = { type: 'item', id, key: each }
            fast.put({ message: item })
            slow.put(item)
          }
          expect(fast.size).toBe(slow.waiting.length)
        })
        expect(losses).toEqual(slow.losses)
        for (const item of slow.waiting) expect(fast.take()?.message).toBe(item)
        expect(fast.take()).toBeNull()
      },
    ),
  )
})

type Job = { readonly type: 'job'; readonly id: number } & Asks<void>

it('a full mailbox fails asks with OVERLOADED, counts tells and logs them once in 10 s', async () => {
  const harness = new ActorHarness()
  const ref = harness.system.spawn<Job>(
    'slow',
    () => ({ receive: (m, reply) => reply.for(m).ok() }),
    {
      mailbox: { capacity: 2, overflow: { policy: 'refuse' } },
    },
  )
  ref.tell({ type: 'job', id: 1 })
  ref.tell({ type: 'job', id: 2 })
  const refused = ref.ask({ type: 'job', id: 3 }, 100)
  ref.tell({ type: 'job', id: 4 })
  ref.tell({ type: 'job', id: 5 })
  await expect(refused).rejects.toMatchObject({ code: 'OVERLOADED', detail: { taken: false } })
  expect(harness.system.stats()[0]).toMatchObject({ waiting: 2, refused: 3, handled: 0 })
  expect(harness.log.count('mailbox full')).toBe(1)
  harness.time.advance(10_000)
  ref.tell({ type: 'job', id: 6 })
  expect(harness.log.records.at(-1)?.fields).toMatchObject({ actor: 'slow', count: 3 })
  harness.run()
  expect(await harness.outcome(ref.ask({ type: 'job', id: 7 }, 100))).toBeUndefined()
})

it.each<[Overflow<Job>['policy'], number]>([
  ['drop-oldest', 1],
  ['latest-wins', 1],
])('%s: the ask that makes room fails with OVERLOADED', async (policy, loser) => {
  const harness = new ActorHarness()
  const overflow: Overflow<Job> =
    policy === 'latest-wins' ? { policy, key: () => 'same' } : { policy: 'drop-oldest' }
  const ref = harness.system.spawn<Job>('a', () => ({ receive: (m, reply) => reply.for(m).ok() }), {
    mailbox: { capacity: 1, overflow },
  })
  const asks = [1, 2].map((id) => ref.ask({ type: 'job', id }, 100))
  for (const ask of asks) ask.catch(() => {})
  await harness.settle()
  const outcomes = await Promise.allSettled(asks)
  expect(outcomes.map((each) => each.status)).toEqual(
    [1, 2].map((id) => (id === loser ? 'rejected' : 'fulfilled')),
  )
})
