import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROOT } from './support/paths.js'

/** Shared objects of a process that has imported `modules` of the build. */
async function loadedBy(...modules: string[]): Promise<string[]> {
  const urls = modules.map((module) => pathToFileURL(`${ROOT}dist/src/${module}`).href)
  const program = `
    for (const url of ${JSON.stringify(urls)}) await import(url)
    console.log(JSON.stringify(process.report.getReport().sharedObjects))
    process.exit(0)`
  const args = ['--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as string[]
}

const isUws = (path: string): boolean => /uws[^/]*\.node$/i.test(path)

// An engine costs memory and, with an open socket, the process when its thread ends.
it.each([
  ['the coordinator thread', ['coordinator/coordinator-thread.js']],
  ['the jobs of the coordinator', ['coordinator/validate.js']],
  ['the log', ['store/log/log-service.js']],
  ['the main thread', ['root/root.js']],
])('%s does not load uWebSockets.js', async (_name, modules) => {
  const loaded = await loadedBy(...modules)
  expect(loaded.length).toBeGreaterThan(0)
  expect(loaded.filter(isUws)).toEqual([])
})

it('a worker does, so the tests above can fail', async () => {
  expect((await loadedBy('worker/worker-thread.js')).filter(isUws)).toHaveLength(1)
})
