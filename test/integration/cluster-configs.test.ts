/** Every file of `cluster-configs/` starts a server, as it stands. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ask } from './support/http.js'
import { PARENT, ROOT } from './support/paths.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const FOLDER = join(ROOT, 'cluster-configs')
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))

it('there are files to start', () => {
  expect(files.length).toBeGreaterThan(0)
})

it.each(files)('%s', async (file) => {
  const home = world.dir()
  // The folders of the file are relative to where the server is started; the ports are its own.
  const args = [PARENT, '-f', join(FOLDER, file), '--home-dir', home]
  const program = world.program(file, process.execPath, args, { cwd: home })
  let port = 0
  await until('the admin API', 15_000, async () => {
    if (program.isEnded) throw new Error(program.output())
    port = Number(/admin API is listening host=\S+ port=(\d+)/.exec(program.output())?.[1] ?? 0)
    return port !== 0
  })
  const answer = await ask({ port, path: '/apis/v1/healthz' })
  expect(answer.status).toBe(200)
  program.kill('SIGTERM')
  expect(await program.end()).toEqual({ code: 0, signal: null })
})
