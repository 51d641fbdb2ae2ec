/** `scripts/cluster.sh`, as a person uses it. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import { type CommandResult, run } from './support/gateway.js'
import { PARENT, ROOT } from './support/paths.js'
import { freePort } from './support/ports.js'
import { openWorld } from './support/world.js'

const LONG_MS = 180_000

const world = openWorld()

it(
  'starts nodes, shows, kills, restarts and cleans them up',
  async () => {
    const dir = join(world.dir(), 'cluster')
    const env = {
      EASEGRESS_CLUSTER_DIR: dir,
      EASEGRESS_CLUSTER_PORT: String(await freePort()),
      EASEGRESS_DIST: dirname(dirname(PARENT)),
    }
    const script = (...args: string[]): Promise<CommandResult> =>
      run('bash', [join(ROOT, 'scripts', 'cluster.sh'), ...args], { env })
    world.atEnd(async () => void (await script('clean')))

    expect(await script('start', '9')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/1 to 7 nodes/),
    })
    expect(await script('status')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no cluster/),
    })
    const started = await script('start', '3')
    expect(started, started.stderr).toMatchObject({ code: 0 })
    expect(started.stdout.match(/^eg-\d {2}traffic http:\/\/127\.0\.0\.\d:PORT/gm)).toHaveLength(3)
    expect(await script('start', '2')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/3 nodes already/),
    })
    expect(await script('kill', '2')).toMatchObject({ code: 0, stdout: 'eg-2 killed\n' })
    expect(await script('kill', '7')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no node 7/),
    })
    const { stdout } = await script('status')
    expect(stdout).toMatch(/^eg-1: healthy.*\neg-2: does not run\neg-3: healthy/)
    expect(await script('start-node', '2')).toMatchObject({ code: 0 })
    expect((await script('status')).stdout).toMatch(/^eg-2: healthy/m)
    expect(await script('stop')).toMatchObject({ code: 0 })
    expect(await script('clean')).toMatchObject({ code: 0 })
    expect(existsSync(dir)).toBe(false)
  },
  LONG_MS,
)
