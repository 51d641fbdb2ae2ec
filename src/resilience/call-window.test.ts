import { expect, it } from 'vitest'
import { Pairs } from '../shared/pairs.js'
import {
  type CallWindow,
  CountWindow,
  countWindowBytes,
  FAILURE,
  SLOW,
  SUCCESS,
  Tallies,
  TimeWindow,
  timeWindowBytes,
} from './call-window.js'

const OLD = 4
const NEW = 12

const KINDS: [name: string, bytes: number, make: typeof CountWindow | typeof TimeWindow][] = [
  ['count', countWindowBytes(3), CountWindow],
  ['time', timeWindowBytes(3), TimeWindow],
]

it.each(KINDS)(
  '%s window: a newer state begins empty, and what is late for the old one is nothing',
  (_name, bytes, make) => {
    const area = { words: new Int32Array(new SharedArrayBuffer(bytes)), base: 0 }
    const tallies = new Tallies(new Pairs(area))
    const window: CallWindow = new make(3, area, tallies)
    const seen = (id: number): number[] => {
      const total = tallies.total(id)
      return [total, tallies.failurePercent(id, 100), tallies.slowPercent(id, 100)]
    }
    window.push(OLD, 0, FAILURE)
    window.push(OLD, 0, SLOW)
    expect([seen(OLD), seen(NEW)]).toEqual([
      [2, 1, 1],
      [0, 0, 0],
    ])
    window.push(NEW, 0, SUCCESS)
    window.push(NEW, 0, FAILURE)
    window.push(NEW, 0, SUCCESS)
    for (let late = 0; late < 3; late++) window.push(OLD, 0, FAILURE)
    expect(seen(NEW)).toEqual([3, 1, 0])
    // What the window holds for the new state is still there to be replaced.
    for (let call = 0; call < 3; call++) window.push(NEW, 10_000, SLOW)
    expect(seen(NEW)).toEqual([3, 0, 3])
  },
)
