import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { TimerWheel } from '../lib/timer-wheel.js'
import { type Engine, Exchange, WAITING } from './exchange.js'
import { Sleeper } from './sleeper.js'

function rig() {
  const time = new VirtualTime()
  const timers = new TimerWheel(time)
  const codes: number[] = []
  const engine = { advance: (_ex: Exchange, code: number) => codes.push(code) } as unknown as Engine
  const exchange = (): Exchange => {
    const ex = new Exchange()
    ex.engine = engine
    ex.state = WAITING
    return ex
  }
  const pass = (ms: number): void => {
    time.advance(ms)
    timers.advance()
  }
  return { timers, codes, exchange, pass, sleeper: new Sleeper(timers) }
}

it('resumes once, with the code, not too early', () => {
  const { timers, codes, exchange, pass, sleeper } = rig()
  sleeper.sleep(exchange(), 100, 7)
  pass(96)
  expect(codes).toEqual([])
  pass(12)
  pass(1_000)
  expect(codes).toEqual([7])
  expect(timers.runningCount).toBe(0)
})

it('a sleep that is cancelled never ends; others go on', () => {
  const { timers, codes, exchange, pass, sleeper } = rig()
  const [one, two] = [exchange(), exchange()]
  sleeper.sleep(one, 100, 1)
  sleeper.sleep(two, 100, 2)
  sleeper.cancel(one)
  sleeper.cancel(one)
  sleeper.cancel(exchange())
  expect(timers.runningCount).toBe(1)
  pass(200)
  expect(codes).toEqual([2])
})

it('one that was resumed by another way is left alone', () => {
  const { codes, exchange, pass, sleeper } = rig()
  const ex = exchange()
  sleeper.sleep(ex, 100, 1)
  ex.revoke()
  pass(200)
  expect(codes).toEqual([])
})
