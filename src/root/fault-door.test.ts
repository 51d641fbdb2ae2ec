import { expect, it } from 'vitest'
import { type Fault, parseFault } from './fault-door.js'

it.each<[line: string, fault: Fault | null]>([
  ['worker 0 throw', { thread: 'worker', worker: 0, how: 'throw' }],
  ['worker 12 loop', { thread: 'worker', worker: 12, how: 'loop' }],
  ['coordinator throw', { thread: 'coordinator', how: 'throw' }],
  ['coordinator loop', { thread: 'coordinator', how: 'loop' }],
  ['', null],
  ['worker throw', null],
  ['worker 0 throw ', null],
  ['worker -1 throw', null],
  ['worker 0 exit', null],
  ['coordinator 0 loop', null],
  ['main loop', null],
  ['Coordinator throw', null],
])('parseFault: %j', (line, fault) => {
  expect(parseFault(line)).toEqual(fault)
})
