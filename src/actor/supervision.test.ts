import { expect, it } from 'vitest'
import type { Actor, ActorRef, Asks, Reply } from './actor.js'
import type { ActorContext } from './cell.js'
import { ActorHarness } from './harness.js'

type ToWorker =
  | { readonly type: 'throw' }
  | { readonly type: 'stop' }
  | ({ readonly type: 'keep' } & Asks<void>)
  | ({ readonly type: 'throw-over' } & Asks<void>)
  | ({ readonly type: 'life' } & Asks<number>)

/** Crashes when told to; counts its lives. */
class Fragile implements Actor<ToWorker> {
  readonly #life: number
  readonly #context: ActorContext<ToWorker>
  readonly #events: string[]

  constructor(life: number, context: ActorContext<ToWorker>, events: string[]) {
    this.#life = life
    this.#context = context
    this.#events = events
    events.push(`start ${life}`)
  }

  receive(m: ToWorker, reply: Reply): void {
    if (m.type === 'throw' || m.type === 'throw-over') throw new Error('planted')
    if (m.type === 'life') reply.for(m).ok(this.#life)
    if (m.type === 'stop') this.#context.stop()
  }

  stopped(): void {
    this.#events.push(`stopped ${this.#life}`)
  }
}

function spawnFragile(harness: ActorHarness): { ref: ActorRef<ToWorker>; events: string[] } {
  const events: string[] = []
  let lives = 0
  const ref = harness.system.spawn<ToWorker>('fragile', (context) => {
    lives += 1
    return new Fragile(lives, context, events)
  })
  return { ref, events }
}

it('a crash fails the message at hand and kept answers, keeps the mail, restarts after back-off', async () => {
  const harness = new ActorHarness()
  const { ref, events } = spawnFragile(harness)
  const kept = ref.ask({ type: 'keep' }, 10_000)
  const fatal = ref.ask({ type: 'throw-over' }, 10_000)
  const waiting = ref.ask({ type: 'life' }, 10_000)
  kept.catch(() => {})
  fatal.catch(() => {})
  harness.run()
  await expect(kept).rejects.toMatchObject({ code: 'INTERNAL', detail: { taken: true } })
  await expect(fatal).rejects.toMatchObject({ code: 'INTERNAL', detail: { actor: 'fragile' } })
  harness.advance(99)
  expect(events).toEqual(['start 1', 'stopped 1'])
  harness.advance(1)
  expect(events).toEqual(['start 1', 'stopped 1', 'start 2'])
  expect(await harness.outcome(waiting)).toBe(2)
  expect(harness.log.count('actor crashed')).toBe(1)
})

it('one that crashes too often stays down and is escalated; later asks fail at once', async () => {
  const harness = new ActorHarness()
  const { ref, events } = spawnFragile(harness)
  for (let crash = 0; crash < 6; crash++) {
    ref.tell({ type: 'throw' })
    harness.advance(2000)
  }
  expect(events.filter((event) => event.startsWith('start'))).toHaveLength(6)
  expect(harness.escalations).toMatchObject([{ name: 'fragile', thrown: { message: 'planted' } }])
  await expect(ref.ask({ type: 'life' }, 100)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    detail: { taken: false },
  })
  ref.tell({ type: 'throw' })
  expect(harness.run()).toBe(0)
  expect(harness.system.stats()).toEqual([]) // it is no longer one of the system's
})

it('crashes spread over time are restarted for ever', () => {
  const harness = new ActorHarness()
  const { ref } = spawnFragile(harness)
  for (let crash = 0; crash < 50; crash++) {
    ref.tell({ type: 'throw' })
    harness.advance(15_000)
  }
  expect(harness.escalations).toEqual([])
  expect(harness.system.stats()[0]).toMatchObject({ state: 'running', crashes: 50 })
})

it('a factory that throws is a crash like any other', () => {
  const harness = new ActorHarness()
  let tries = 0
  harness.system.spawn<ToWorker>('stillborn', () => {
    tries += 1
    throw new Error('no luck')
  })
  expect(tries).toBe(1)
  harness.advance(100_000)
  expect(tries).toBe(6)
  expect(harness.escalations.map((each) => each.name)).toEqual(['stillborn'])
})

it('a child that gives up crashes its parent, whose restart makes it anew', () => {
  const harness = new ActorHarness()
  const children: ActorRef<ToWorker>[] = []
  const events: string[] = []
  harness.system.spawn<ToWorker>('parent', (context) => {
    const create = (child: ActorContext<ToWorker>) =>
      new Fragile(children.length + 1, child, events)
    children.push(context.spawn('child', create, { restarts: { restartsMax: 0 } }))
    return { receive: () => {}, stopped: () => events.push('parent stopped') }
  })
  children[0]?.tell({ type: 'throw' })
  harness.run()
  expect(events).toEqual(['start 1', 'stopped 1', 'parent stopped'])
  harness.advance(100)
  expect(children).toHaveLength(2)
  expect(children[1]?.name).toBe('parent/child')
  expect(events.at(-1)).toBe('start 2')
})

it('a parent that crashes or stops takes its children and its timers with it', async () => {
  const harness = new ActorHarness()
  const { ref: witness, probe } = harness.probe<ToWorker>('witness')
  let child: ActorRef<ToWorker> | null = null
  const parent = harness.system.spawn<ToWorker>('parent', (context) => {
    child = context.spawn<ToWorker>('child', ({ after }) => {
      after(500, { type: 'life' })
      return { receive: (m) => witness.tell(m) }
    })
    context.after(500, { type: 'throw' })
    const cancelled = context.after(10, { type: 'throw' })
    cancelled.cancel()
    return {
      receive: (m) => {
        if (m.type === 'throw') throw new Error('planted')
        context.stop()
      },
    }
  })
  harness.advance(400)
  const orphan = child as ActorRef<ToWorker> | null
  parent.tell({ type: 'stop' })
  harness.advance(1000)
  expect(probe.messages).toEqual([])
  expect(harness.log.count('actor crashed')).toBe(0)
  await expect(orphan?.ask({ type: 'life' }, 10)).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
})

it('an actor that stops fails what waits in its mailbox as certainly not handled', async () => {
  const harness = new ActorHarness()
  const { ref } = spawnFragile(harness)
  const kept = ref.ask({ type: 'keep' }, 100)
  ref.tell({ type: 'stop' })
  const waiting = ref.ask({ type: 'life' }, 100)
  kept.catch(() => {})
  waiting.catch(() => {})
  harness.run()
  const gone = (taken: boolean) => ({ code: 'STORE_UNAVAILABLE', detail: { taken } })
  await expect(kept).rejects.toMatchObject(gone(true))
  await expect(waiting).rejects.toMatchObject(gone(false))
})

it('stopAll ends actors youngest first, and one that throws while it stops stops no other', () => {
  const harness = new ActorHarness()
  const order: string[] = []
  for (const name of ['first', 'second', 'third']) {
    harness.system.spawn<ToWorker>(name, () => ({
      receive: () => {},
      stopped: () => {
        order.push(name)
        if (name === 'second') throw new Error('planted')
      },
    }))
  }
  harness.system.stopAll()
  expect(order).toEqual(['third', 'second', 'first'])
  expect(harness.log.count('actor threw while it stopped')).toBe(1)
})

it('a seed replays an interleaving, and other seeds find others', () => {
  const trace = (seed: number): string => {
    const harness = new ActorHarness(seed)
    const seen: string[] = []
    const refs = ['a', 'b', 'c'].map((name) =>
      harness.system.spawn<ToWorker>(name, () => ({ receive: () => seen.push(name) })),
    )
    for (let i = 0; i < 4; i++) for (const ref of refs) ref.tell({ type: 'stop' })
    harness.run()
    expect(seen).toHaveLength(12)
    return seen.join('')
  }
  expect(trace(1)).toBe(trace(1))
  expect(new Set([1, 2, 3, 4, 5].map(trace)).size).toBeGreaterThan(2)
})

it('a timer of one life does not ring in the next', () => {
  const harness = new ActorHarness()
  const seen: string[] = []
  let lives = 0
  const ref = harness.system.spawn<ToWorker>('alarmed', ({ after }) => {
    lives += 1
    if (lives === 1) after(5000, { type: 'life' })
    return {
      receive: (m) => {
        seen.push(m.type)
        if (m.type === 'throw') throw new Error('planted')
      },
    }
  })
  ref.tell({ type: 'throw' })
  harness.advance(60_000)
  expect([lives, seen]).toEqual([2, ['throw']])
})

it('an actor stopped while it waits for its restart is not started again', () => {
  const harness = new ActorHarness()
  const { ref, events } = spawnFragile(harness)
  ref.tell({ type: 'throw' })
  harness.run()
  harness.system.stopAll()
  harness.advance(60_000)
  expect(events).toEqual(['start 1', 'stopped 1'])
})
