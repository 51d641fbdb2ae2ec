import { expect, it } from 'vitest'
import { commandNamed, nextWord } from './words.js'

const COMMANDS = [
  { name: 'status', aliases: ['stat'] },
  { name: 'start', aliases: [] },
  { name: 'list', aliases: ['ls'] },
  { name: 'listen', aliases: [] },
]

it.each([
  ['status', 'status'],
  ['stat', 'status'],
  ['statu', 'status'],
  ['star', 'start'],
  ['ls', 'list'],
  ['list', 'list'],
  ['liste', 'listen'],
])('%s means %s', (word, want) => {
  expect(commandNamed(word, COMMANDS, 'egctl').name).toBe(want)
})

it.each([
  ['s', 'ambiguous command "s" for "egctl": status, start'],
  ['l', 'ambiguous command "l" for "egctl": list, listen'],
  ['strat', 'unknown command "strat" for "egctl", did you mean "start"?'],
  ['xyz', 'unknown command "xyz" for "egctl"; see egctl --help'],
  ['STATUS', 'unknown command "STATUS" for "egctl", did you mean "status"?'],
])('%s is refused', (word, want) => {
  expect(() => commandNamed(word, COMMANDS, 'egctl')).toThrow(want)
})

it.each<[argv: string[], from: number, want: number]>([
  [['a'], 0, 0],
  [['--server', 'x', 'a'], 0, 2],
  [['--server=x', 'a'], 0, 1],
  [['-o', 'json', '--verbose', 'a'], 0, 3],
  [['a', 'b'], 1, 1],
  [['-'], 0, 0],
  [['--', 'a'], 0, -1],
  [['--server'], 0, -1],
  [[], 0, -1],
])('the next word of %j from %i is at %i', (argv, from, want) => {
  expect(nextWord(argv, from, new Set(['--server', '-o']))).toBe(want)
})
