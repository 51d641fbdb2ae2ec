import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { formatScript, parseScript, ScriptCluster } from './testing/script.js'

const folder = new URL('testdata/', import.meta.url)
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'))

/**
 * The scripts in testdata/, each a story with its outcome. `UPDATE_SCENARIOS=1` rewrites what they
 * expect; the change is reviewed as a diff.
 */
it.each(files)('%s', (name) => {
  const file = new URL(name, folder)
  const text = readFileSync(file, 'utf8')
  const cluster = new ScriptCluster()
  const blocks = parseScript(text).map((block) => ({
    ...block,
    expected: block.commands.flatMap((command) => cluster.run(command)),
  }))
  const actual = formatScript(blocks)
  if (process.env['UPDATE_SCENARIOS'] !== undefined) writeFileSync(file, actual)
  else expect(actual).toBe(text)
})
