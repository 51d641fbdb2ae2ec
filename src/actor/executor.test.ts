import { expect, it } from 'vitest'
import { systemTime } from '../lib/clock.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import { LoopExecutor, ManualExecutor } from './executor.js'
import { ActorSystem } from './system.js'

type Ping = { readonly type: 'ping'; readonly left: number }

it('on the event loop, actors that chatter leave turns to timers and sockets', async () => {
  const system = new ActorSystem({
    time: systemTime,
    log: new MemoryLogger(),
    escalated: () => {},
  })
  let handled = 0
  let stop = false
  const done = new Promise<void>((resolve) => {
    const ref = system.spawn<Ping>('chatter', ({ self }) => ({
      receive(m) {
        handled += 1
        if (stop) resolve()
        else self.tell(m)
      },
    }))
    ref.tell({ type: 'ping', left: 0 })
  })
  await new Promise((resolve) => setTimeout(resolve, 1)) // fires at all: the loop was not starved
  stop = true
  await done
  expect(handled).toBeGreaterThan(10)
})

it('runs in turn, one message of each', async () => {
  const executor = new LoopExecutor()
  const seen: string[] = []
  for (const [name, count] of [
    ['a', 3],
    ['b', 1],
    ['c', 2],
  ] as const) {
    let left = count as number
    executor.execute({
      runOne() {
        seen.push(name)
        left -= 1
        return left > 0
      },
    })
  }
  await Promise.resolve()
  expect(seen.join('')).toBe('abcaca')
})

it('the manual one stops at a chatter without end', () => {
  const executor = new ManualExecutor()
  executor.execute({ runOne: () => true })
  expect(() => executor.runUntilIdle()).toThrow('still busy')
})
