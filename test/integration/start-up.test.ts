/** What stands in the way of a start, or of a port: a clear sentence, and exit code 1 or a retry. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { httpServer, mock, pipeline } from './support/documents.js'
import type { Gateway } from './support/gateway.js'
import { ask } from './support/http.js'
import { listenerCount } from './support/kernel.js'
import { freePort } from './support/ports.js'
import { sleep, until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const isRoot = process.getuid?.() === 0

/** A start that must fail: one sentence beside the log, no stack, exit code 1. */
async function refusal(gateway: Gateway): Promise<string> {
  expect(await gateway.program.end()).toEqual({ code: 1, signal: null })
  const { stdout, stderr } = gateway.program
  const isLogged = /^\d{4}-\d\d-\d\dT[\d:.]+Z\t/
  const said = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line !== '' && !isLogged.test(line))
  expect(said).toHaveLength(1)
  expect(said[0]).toMatch(/^easegress-server: /)
  return said[0] as string
}

async function listen(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  world.atEnd(() => void server.close())
  return server
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
  })

it('a second process on the same data directory is refused, the first serves on', async () => {
  const gateway = await world.gateway()
  await gateway.create(pipeline('p', mock(200, 'first')))
  const second = await world.startGateway({ home: gateway.home })
  expect(await refusal(second)).toContain(
    `the data directory ${gateway.home}/data is in use by another running process`,
  )
  await gateway.update(pipeline('p', mock(200, 'still')))
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
  await gateway.restart()
  expect(await gateway.configVersion()).toBe(2)
  await gateway.dispose()
})

it('a server that is stopped while it starts ends with exit code 0', async () => {
  for (const afterMs of [0, 100, 200, 300, 400, 500, 700]) {
    const gateway = await world.startGateway()
    await until('a child', 5_000, () => gateway.hasChild(), 1)
    await sleep(afterMs)
    gateway.program.kill('SIGTERM')
    expect(await gateway.program.end(5_000), `after ${afterMs} ms`).toEqual({
      code: 0,
      signal: null,
    })
  }
})

it('a taken port of the admin API ends the start', async () => {
  const apiPort = await freePort()
  await listen(apiPort)
  const text = await refusal(await world.startGateway({ apiPort }))
  expect(text).toContain(String(apiPort))
  expect(text).toContain('the port is taken')
})

it.each<[what: string, flag: string, path: (dir: string) => string]>([
  ['the data directory below a file', '--data-dir', (dir) => join(dir, 'file', 'data')],
  ['the log directory below a file', '--log-dir', (dir) => join(dir, 'file', 'log')],
  ['a file as data directory', '--data-dir', (dir) => join(dir, 'file')],
  ['a file as log directory', '--log-dir', (dir) => join(dir, 'file')],
  ['a data directory that cannot be written', '--data-dir', readOnlyDir],
  ['a log directory that cannot be written', '--log-dir', readOnlyDir],
  ['the home directory below a file', '--home-dir', (dir) => join(dir, 'file', 'home')],
])('unusable: %s', async (_what, flag, path) => {
  const dir = world.dir()
  writeFileSync(join(dir, 'file'), '')
  const unusable = path(dir)
  const text = await refusal(await world.startGateway({ flags: [flag, unusable] }))
  expect(text).toContain(unusable)
})

function readOnlyDir(dir: string): string {
  const path = join(dir, 'closed')
  mkdirSync(path)
  if (isRoot) {
    // Modes do not stop root, a file system that is read-only does.
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', path])
    // Without the tool for one of our own, the kernel's does as well.
    if (mounted.status !== 0) return '/proc/closed'
    world.atEnd(() => void spawnSync('umount', ['-l', path]))
  } else chmodSync(path, 0o500)
  return path
}

/** A file system of so many bytes, or why there is none. */
function smallDisk(megabytes: number): { readonly dir: string } | { readonly reason: string } {
  if (!isRoot) return { reason: 'only root can mount a small file system' }
  const dir = world.dir()
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir])
  if (mounted.status !== 0) return { reason: `cannot mount: ${String(mounted.stderr).trim()}` }
  world.atEnd(() => void spawnSync('umount', ['-l', dir]))
  return { dir }
}

it('a disk too full to start on ends the start', async ({ skip }) => {
  const disk = smallDisk(2)
  if ('reason' in disk) return skip(disk.reason)
  const gateway = await world.startGateway({ flags: ['--data-dir', join(disk.dir, 'data')] })
  expect(await refusal(gateway)).toContain('disk is full')
})

it('a disk that fills up: writes are refused with the reason, traffic and reads go on', async ({
  skip,
}) => {
  const disk = smallDisk(80)
  if ('reason' in disk) return skip(disk.reason)
  const gateway = await world.gateway({ flags: ['--data-dir', join(disk.dir, 'data')] })
  const port = await freePort()
  await gateway.create(pipeline('p', mock(200, 'here')))
  await gateway.create(httpServer('s', port, 'p'))

  const filler = join(disk.dir, 'filler')
  const { bavail, bsize } = statfsSync(disk.dir)
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 65_536), 1))

  // Room was kept ahead, so some writes still pass; each that passes counts.
  let last = 0
  let refused = null
  for (let i = 1; i <= 80 && refused === null; i++) {
    const body = `${i} ${'x'.repeat(1_000_000)}`
    const text = JSON.stringify(pipeline('large', mock(200, body)))
    const answer = await gateway.admin(
      last === 0 ? 'POST' : 'PUT',
      last === 0 ? '/objects' : '/objects/large',
      text,
    )
    if (answer.status < 300) last = i
    else refused = answer
  }
  expect(refused?.status).toBe(503)
  expect(refused?.text).toMatch(/disk/)
  expect((await gateway.egctl(['object', 'delete', 'p'])).stderr).toMatch(/^Error: 503: .*disk/)
  expect((await ask({ port })).text).toBe('here')
  expect((await gateway.admin('GET', '/objects/large')).text).toContain(`"${last} x`)
  expect((await gateway.admin('GET', '/objects/p')).status).toBe(200)

  // With room again it takes writes, at the latest after a restart; nothing acknowledged is lost.
  rmSync(filler)
  expect(await gateway.stop()).toEqual({ code: 0, signal: null })
  await gateway.restart()
  expect((await gateway.admin('GET', '/objects/large')).text).toContain(`"${last} x`)
  expect((await ask({ port })).text).toBe('here')
  await gateway.update(pipeline('p', mock(200, 'changed')))
  expect((await ask({ port })).text).toBe('changed')
  await gateway.dispose()
}, 120_000)

it('a traffic port taken by another process: accepted, told, served as soon as it is free', async () => {
  const gateway = await world.gateway()
  const port = await freePort()
  const other = await listen(port)
  await gateway.create(pipeline('p', mock(200, 'here')))
  const { code, stderr, stdout } = await gateway.egctl(
    ['object', 'create'],
    JSON.stringify(httpServer('s', port, 'p')),
  )
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  expect(stderr).toMatch(new RegExp(`^Warning: .*port ${port} is in use by another process`))
  expect(await gateway.status('s')).toMatchObject({
    state: 'failed',
    error: `port ${port} is in use by another process`,
  })
  expect(listenerCount(port)).toBe(1)

  await closed(other)
  await until('traffic', 4_000, async () => (await ask({ port })).text === 'here')
  await until('its status', 4_000, async () => (await gateway.status('s'))['state'] === 'running')
  expect(await gateway.status('s')).not.toHaveProperty('error')
  await gateway.dispose()
})

it('a port that another gateway shares with its own workers is not taken from it', async () => {
  const first = await world.gateway()
  const second = await world.gateway()
  const port = await freePort()
  await first.create(pipeline('p', mock(200, 'first')))
  await first.create(httpServer('s', port, 'p'))
  await second.create(pipeline('p', mock(200, 'second')))
  const { headers } = await second.create(httpServer('s', port, 'p'))
  expect(headers['x-easegress-warning']).toContain('in use by another process')
  for (let i = 0; i < 20; i++) expect((await ask({ port })).text).toBe('first')
  await first.remove('s')
  await until('traffic of the second', 4_000, async () => (await ask({ port })).text === 'second')
  await first.dispose()
  await second.dispose()
})

it('two HTTPServers on one port: the older has it, the other takes over at once', async () => {
  const gateway = await world.gateway()
  const port = await freePort()
  const elsewhere = await freePort()
  for (const name of ['a', 'b', 'c']) await gateway.create(pipeline(`p${name}`, mock(200, name)))
  await gateway.create(httpServer('a', port, 'pa'))
  const { headers } = await gateway.create(httpServer('b', port, 'pb'))
  expect(headers['x-easegress-warning']).toContain(`port ${port} is held by HTTPServer a`)
  await gateway.create(httpServer('c', port, 'pc'))
  expect((await ask({ port })).text).toBe('a')
  expect(await gateway.status('a')).toMatchObject({ state: 'running' })
  expect(await gateway.status('b')).toMatchObject({
    state: 'failed',
    error: `port ${port} is held by HTTPServer a`,
  })
  // An update does not make it younger.
  await gateway.update(httpServer('a', port, 'pa', { cacheSize: 8 }))
  expect((await ask({ port })).text).toBe('a')

  await gateway.update(httpServer('a', elsewhere, 'pa'))
  expect((await ask({ port })).text).toBe('b')
  expect((await ask({ port: elsewhere })).text).toBe('a')
  expect(await gateway.status('b')).toMatchObject({ state: 'running' })
  await gateway.remove('b')
  expect((await ask({ port })).text).toBe('c')
  await gateway.remove('c')
  await expect(ask({ port })).rejects.toThrow('ECONNREFUSED')
  await gateway.dispose()
})
