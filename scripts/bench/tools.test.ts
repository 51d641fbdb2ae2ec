import { expect, it } from 'vitest'
import { ANY_CORES, findProgram, onCores, openFilesMax, splitCores } from './tools.js'

const limits = (hard: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 ${hard.padEnd(20)} files
`

it.each([
  ['20000', 20_000],
  ['unlimited', Number.POSITIVE_INFINITY],
])('the hard limit of open files, %s, is what counts', (hard, want) => {
  expect(openFilesMax(limits(hard))).toBe(want)
})

it('knows no limit in a text without one', () => {
  expect(openFilesMax('')).toBe(0)
})

it('finds programs by name and by path', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/)
  expect(findProgram('/bin/sh')).toBe('/bin/sh')
  expect(findProgram('no-such-program-here')).toBeNull()
  expect(findProgram('/bin/no-such-program-here')).toBeNull()
})

it('one core cannot be split', () => {
  expect(splitCores(1)).toBe(ANY_CORES)
})

it('binds a command to cores only when there are any', () => {
  expect(onCores(null, 'a', ['b'])).toEqual(['a', ['b']])
  const [program, args] = onCores('0', 'a', ['b'])
  expect(program).toMatch(/taskset$/)
  expect(args).toEqual(['-c', '0', 'a', 'b'])
})
