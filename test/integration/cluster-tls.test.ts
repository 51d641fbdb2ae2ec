/** The example of three nodes with mutual TLS, as it stands in `cluster-configs/`. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ask } from './support/http.js'
import { CERTIFICATES, EGCTL, PARENT, ROOT } from './support/paths.js'
import { Program } from './support/program.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const LONG_MS = 180_000
const NODES = [1, 2, 3]
const apiPort = (i: number): number => (12 + i) * 1000 + 381
const peerPort = (i: number): number => (12 + i) * 1000 + 380

const world = openWorld()

function certificates(dir: string, ...names: string[]): void {
  const done = spawnSync(process.execPath, [CERTIFICATES, dir, ...names], { encoding: 'utf8' })
  expect(done).toMatchObject({ status: 0, stderr: '' })
}

it(
  'three nodes with certificates are one cluster, and nobody else gets in',
  async () => {
    const dir = world.dir()
    const peers = join(dir, '.easegress', 'peers')
    mkdirSync(peers, { recursive: true })
    certificates(peers, ...NODES.map((i) => `eg-${i}`))
    const start = (i: number): Program => {
      const file = join(ROOT, 'cluster-configs', 'three-nodes-tls', `eg-${i}.yaml`)
      return world.program(`eg-${i}`, process.execPath, [PARENT, '-f', file, '--workers', '1'], {
        cwd: dir,
      })
    }
    const healthy = (i: number): Promise<true> =>
      until(`eg-${i}`, 60_000, async () => {
        return (await ask({ port: apiPort(i), path: '/apis/v1/healthz' })).status === 200
      })
    const programs = NODES.map(start)
    await Promise.all(NODES.map(healthy))
    const egctl = new Program('egctl', process.execPath, [EGCTL, 'member', 'list', '-o', 'table'], {
      env: { EGCTL_SERVER: `127.0.0.1:${apiPort(2)}`, HOME: dir },
    })
    expect(await egctl.end()).toMatchObject({ code: 0 })
    expect(egctl.stdout.match(/Leader|Follower/g)).toHaveLength(3)

    // In clear text, and with HTTP.
    const stranger = connect(peerPort(1), '127.0.0.1')
    const ended = new Promise<void>((resolve) => {
      stranger.on('close', () => resolve())
      stranger.on('error', () => resolve())
    })
    stranger.write('hello, may I come in?')
    await ended
    const { status, text } = await ask({ port: peerPort(1) })
    expect({ status, text }).toMatchObject({ status: 400, text: expect.stringContaining('egctl') })

    // A member whose certificate is of another authority is refused by all, and waits.
    const [, , third] = programs as [Program, Program, Program]
    third.kill('SIGTERM')
    await third.end()
    for (const file of ['ca.pem', 'ca.key'])
      renameSync(join(peers, file), join(peers, `old-${file}`))
    certificates(peers, 'eg-3')
    // A key of another pair.
    renameSync(join(peers, 'eg-3.key'), join(peers, 'kept.key'))
    copyFileSync(join(peers, 'eg-1.key'), join(peers, 'eg-3.key'))
    const mixed = start(3)
    expect(await mixed.end()).toEqual({ code: 1, signal: null })
    expect(mixed.stderr).toMatch(
      /easegress-server: peer-key-file: .*eg-3.key is no key for the cert/,
    )
    renameSync(join(peers, 'kept.key'), join(peers, 'eg-3.key'))
    const again = start(3)
    await until('a refusal', 30_000, () => /TLS: |certificate/.test(again.output()))
    const members = await ask({ port: apiPort(1), path: '/apis/v1/status/members' })
    expect(members.status).toBe(200)
    for (const program of [...programs, again]) program.kill('SIGTERM')
  },
  LONG_MS,
)
