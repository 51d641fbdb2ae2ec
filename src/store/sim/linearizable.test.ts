import { expect, it } from 'vitest'
import { type RegisterOp, registerProblem } from './linearizable.js'

const NEVER = Number.POSITIVE_INFINITY
const write = (startedAt: number, endedAt: number, value: string): RegisterOp => ({
  startedAt,
  endedAt,
  write: { value },
  held: endedAt === NEVER ? null : true,
})
const read = (startedAt: number, endedAt: number, saw: string | null): RegisterOp => ({
  startedAt,
  endedAt,
  write: null,
  saw,
})
const compare = (
  startedAt: number,
  endedAt: number,
  [expected, value]: [string | null, string],
  held: boolean | null,
  saw?: string | null,
): RegisterOp => ({
  startedAt,
  endedAt,
  write: { value, expected },
  held,
  ...(saw === undefined ? {} : { saw }),
})

it.each<[name: string, ops: RegisterOp[]]>([
  ['nothing', []],
  ['a read of what was never written', [read(1, 2, null)]],
  ['one after the other', [write(1, 2, 'a'), read(3, 4, 'a')]],
  ['a read beside a write sees it or not', [write(1, 4, 'a'), read(2, 3, null)]],
  ['two readers beside a write, in order', [write(1, 9, 'a'), read(2, 3, null), read(4, 5, 'a')]],
  ['a write without an answer happened', [write(1, NEVER, 'a'), read(2, 3, 'a')]],
  ['a write without an answer did not', [write(1, NEVER, 'a'), read(2, 3, null)]],
  ['a compare that held', [write(1, 2, 'a'), compare(3, 4, ['a', 'b'], true), read(5, 6, 'b')]],
  ['a compare that did not', [write(1, 2, 'a'), compare(3, 4, ['x', 'b'], false, 'a')]],
  ['a compare nobody knows of', [compare(1, NEVER, [null, 'b'], null), read(2, 3, 'b')]],
])('linearizable: %s', (_name, ops) => {
  expect(registerProblem(ops)).toBeNull()
})

it.each<[name: string, ops: RegisterOp[]]>([
  ['a lost write', [write(1, 2, 'a'), read(3, 4, null)]],
  ['a read of what was overwritten', [write(1, 2, 'a'), write(3, 4, 'b'), read(5, 6, 'a')]],
  ['a read before its write', [read(1, 2, 'a'), write(3, 4, 'a')]],
  ['two readers that disagree', [write(1, 9, 'a'), read(2, 3, 'a'), read(4, 5, null)]],
  ['a value from nowhere', [read(1, 2, 'x')]],
  [
    'one compare too many',
    [compare(1, 4, [null, 'a'], true), compare(2, 3, [null, 'b'], true), read(5, 6, 'a')],
  ],
  ['a compare that should have held', [write(1, 2, 'a'), compare(3, 4, ['a', 'b'], false, 'a')]],
])('not linearizable: %s', (_name, ops) => {
  expect(registerProblem(ops)).toContain('no order')
})
