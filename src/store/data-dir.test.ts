import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DiskError } from '../lib/disk.js'
import { NodeDisk } from '../lib/node-disk.js'
import { Prng } from '../lib/prng.js'
import { lockDataDir } from './data-dir-lock.js'
import { createIdentity, openIdentity, readIdentity } from './identity.js'
import { SimDisk } from './sim-disk.js'

async function inFolder(run: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'store-'))
  try {
    await run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const HELD = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('is in use by another') }

it('a data directory has one owner at a time', () =>
  inFolder(async (folder) => {
    const first = await lockDataDir(folder)
    await expect(lockDataDir(folder)).rejects.toMatchObject(HELD)
    first.release()
    const second = await lockDataDir(folder)
    await expect(lockDataDir(folder)).rejects.toMatchObject(HELD)
    second.release()
  }))

it('of many that come at once, one gets it', () =>
  inFolder(async (folder) => {
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataDir(folder)))
      const locks = results.flatMap((result) =>
        result.status === 'fulfilled' ? [result.value] : [],
      )
      expect(locks).toHaveLength(1)
      for (const lock of locks) lock.release()
    }
  }))

/** A process that owns the lock until it dies. Its sockets are what `lockDataDir` makes. */
function owner(folder: string): Promise<ChildProcess> {
  const script = `
    const { createServer } = require('node:net')
    createServer().listen(process.argv[1] + '/lock.7', () => console.log('owned'))`
  const child = spawn(process.execPath, ['-e', script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve) => child.stdout?.once('data', () => resolve(child)))
}

it.each(['SIGCONT', 'SIGSTOP'] as const)(
  'an owner is recognised while it lives (%s), and forgotten after kill -9',
  (signal) =>
    inFolder(async (folder) => {
      const child = await owner(folder)
      child.kill(signal)
      await expect(lockDataDir(folder)).rejects.toMatchObject(HELD)
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      expect(readdirSync(folder)).toContain('lock.7')
      const lock = await lockDataDir(folder)
      expect(readdirSync(folder)).toEqual(['lock.8'])
      lock.release()
    }),
)

it('a path longer than the address of a socket is no obstacle', () =>
  inFolder(async (folder) => {
    const deep = join(folder, ...Array.from({ length: 4 }, () => 'x'.repeat(60)))
    const lock = await lockDataDir(deep)
    await expect(lockDataDir(deep)).rejects.toMatchObject(HELD)
    lock.release()
  }))

it('a path that cannot be a directory is refused with the reason', () =>
  inFolder(async (folder) => {
    writeFileSync(join(folder, 'file'), '')
    await expect(lockDataDir(join(folder, 'file'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('cannot be used'),
    })
  }))

it('an identity is made once and kept', () => {
  const disk = new SimDisk(new Prng(1))
  expect(readIdentity(disk)).toBeNull()
  expect(openIdentity(disk, 'eg-ä', 'i1')).toEqual({ name: 'eg-ä', incarnation: 'i1' })
  disk.restart('all-lost')
  expect(openIdentity(disk, 'eg-ä', 'i2')).toEqual({ name: 'eg-ä', incarnation: 'i1' })
  expect(() => openIdentity(disk, 'eg-2', 'i2')).toThrow('belongs to member "eg-ä", not to "eg-2"')
})

it('an identity is whole or not there, whenever the power goes', () => {
  for (let at = 1; at < 9; at++) {
    const disk = new SimDisk(new Prng(at))
    disk.crashAt = at
    try {
      createIdentity(disk, { name: 'a', incarnation: 'first' })
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(DiskError)
    }
    disk.crash()
    disk.restart('torn')
    expect([null, 'first']).toContain(readIdentity(disk)?.incarnation ?? null)
    expect(openIdentity(disk, 'a', 'second').incarnation).toMatch(/first|second/)
  }
})

it('a damaged identity is refused at every byte, one of another format too', () => {
  const disk = new SimDisk(new Prng(1))
  createIdentity(disk, { name: 'a', incarnation: 'b' })
  const length = disk.contentForTest('identity').length
  for (let offset = 0; offset < length - 1; offset++) {
    disk.flip('identity', offset)
    expect(() => readIdentity(disk), `offset ${offset}`).toThrow('identity is damaged')
    disk.flip('identity', offset)
  }
  expect(readIdentity(disk)).not.toBeNull()
})

it('the real disk does what the simulated one does', () =>
  inFolder((folder) => {
    const path = join(folder, 'made', 'on', 'demand')
    for (const disk of [new NodeDisk(path), new SimDisk(new Prng(1))]) {
      expect(disk.list()).toEqual([])
      const file = disk.open('a', 'create')
      disk.write(file, 4, Buffer.from('data'))
      disk.write(file, 0, Buffer.from('some'))
      disk.datasync(file)
      expect(disk.size(file)).toBe(8)
      expect(Buffer.from(disk.read(file, 2, 100)).toString()).toBe('medata')
      expect(disk.read(file, 100, 1)).toHaveLength(0)
      disk.close(file)
      expect(() => disk.open('a', 'create')).toThrow(DiskError)
      expect(() => disk.open('missing', 'read')).toThrow(
        expect.objectContaining({ code: 'ENOENT', call: 'open' }),
      )
      disk.rename('a', 'b')
      disk.syncDir()
      expect(disk.list()).toEqual(['b'])
      const again = disk.open('b', 'write')
      expect(disk.size(again)).toBe(8)
      disk.close(again)
      expect(() => disk.datasync(again)).toThrow(DiskError)
      disk.remove('b')
      expect(() => disk.remove('b')).toThrow(DiskError)
      expect(disk.list()).toEqual([])
      expect(disk.free()).toBeGreaterThan(0)
    }
  }))

it('a socket that stays behind in a crash is no owner', () =>
  inFolder(async (folder) => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(folder, 'other'), resolve))
    await new Promise((resolve) => server.close(resolve))
    writeFileSync(join(folder, 'lock.3'), '')
    const lock = await lockDataDir(folder)
    lock.release()
  }))
