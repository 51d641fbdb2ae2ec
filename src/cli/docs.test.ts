import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { egctl } from './egctl.js'

const text = readFileSync(new URL('../../docs/egctl.md', import.meta.url), 'utf8')
const inTable = [...text.matchAll(/^\| `egctl ([^`]+)` \|/gm)].map(([, line]) => line as string)
const inFences = [...text.matchAll(/^(?:source <\()?egctl ([^<)\n]+)/gm)].map(
  ([, line]) => line as string,
)

it('docs/egctl.md shows commands', () => {
  expect(inTable.length).toBeGreaterThan(10)
  expect(inFences.length).toBeGreaterThan(4)
})

it.each([...inTable, ...inFences])('egctl %s, as documented, exists', async (line) => {
  const words = line.split(' ').filter((word) => /^[-a-z]/.test(word))
  let help = ''
  const code = await egctl([...words, '--help'], {
    env: {},
    stdinIsTty: false,
    hasColor: false,
    out: (out) => {
      help += out
    },
    err: (err) => expect.unreachable(err),
    readFile: () => Promise.reject(new Error('unexpected')),
    readStdin: () => Promise.reject(new Error('unexpected')),
    writeFile: () => Promise.reject(new Error('unexpected')),
    edit: () => Promise.reject(new Error('unexpected')),
  })
  expect(code).toBe(0)
  for (const flag of words.filter((word) => word.startsWith('-'))) expect(help).toContain(flag)
})
