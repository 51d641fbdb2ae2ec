import { expect, it } from 'vitest'
import { benchWith } from './bench.js'

it.each<[name: string, words: readonly string[], want: readonly string[]]>([
  ['nothing', [], []],
  ['a mode', ['compare'], ['compare']],
  ['options that egctl does not know', ['--quick', '--rounds', '3'], ['--quick', '--rounds', '3']],
  [
    'a mode with options',
    ['guard', '--base', 'HEAD~1', '--scenario', 'mock'],
    ['guard', '--base', 'HEAD~1', '--scenario', 'mock'],
  ],
  ['its own help behind two dashes', ['--', '--help'], ['--help']],
])('hands on %s', async (_name, words, want) => {
  let seen: readonly string[] = ['not called']
  const command = benchWith((given) => {
    seen = given
    return Promise.resolve(0)
  })
  await command.parseAsync([...words], { from: 'user' })
  expect(seen).toEqual(want)
})

it.each([1, 2, 130])('ends with the exit code %i of the bench', async (code) => {
  const command = benchWith(() => Promise.resolve(code))
  await expect(command.parseAsync([], { from: 'user' })).rejects.toMatchObject({ exitCode: code })
})
