import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { type LogOptions, openFileLog, openLog } from './open-log.js'
import { profilesOf, startProfiles } from './profile.js'

const dir = mkdtempSync(join(tmpdir(), 'easegress-log-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const options = (file: string): LogOptions => ({
  node: 'eg-1',
  level: 'info',
  format: 'json',
  file: join(dir, file),
})
const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(join(dir, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

it.each([
  ['of a thread', (o: LogOptions) => openLog(o, 'worker-0', 'worker'), 'worker-0', 'worker'],
  ['of admin calls', openFileLog, 'main', 'admin'],
])('the log %s is lines of JSON, appended', (name, open, thread, component) => {
  const file = `${name}.log`
  open(options(file)).log.warn('first', { port: 80 })
  open(options(file)).log.info('second')
  expect(linesOf(file)).toMatchObject([
    { node: 'eg-1', thread, component, message: 'first', fields: { port: 80 } },
    { node: 'eg-1', thread, component, message: 'second' },
  ])
})

it('leaves out what is below its level', () => {
  const { log } = openLog(options('level.log'), 'main', 'root')
  log.debug('left out')
  log.info('kept')
  expect(linesOf('level.log').map(({ message }) => message)).toEqual(['kept'])
})

it('goes on in a new file after a rotation', () => {
  const opened = openLog(options('turn.log'), 'main', 'root')
  opened.log.info('before')
  renameSync(join(dir, 'turn.log'), join(dir, 'turn.log.1'))
  opened.log.info('meanwhile')
  opened.reopen()
  opened.log.info('after')
  expect(linesOf('turn.log.1').map(({ message }) => message)).toEqual(['before', 'meanwhile'])
  expect(linesOf('turn.log').map(({ message }) => message)).toEqual(['after'])
})

it('throws when its file cannot be opened', () => {
  expect(() => openLog(options('no/such/dir.log'), 'main', 'root')).toThrow(/ENOENT/)
  expect(() => openFileLog(options('no/such/dir.log'))).toThrow(/ENOENT/)
})

it('each thread has profiles of its own', () => {
  expect(profilesOf({ cpuFile: '/a', heapFile: null }, 'worker-1')).toEqual({
    cpuFile: '/a.worker-1',
    heapFile: null,
  })
})

it('writes profiles at the end, once, in the form of Chrome', () => {
  const cpuFile = join(dir, 'cpu')
  const heapFile = join(dir, 'heap')
  const end = startProfiles({ cpuFile, heapFile })
  end()
  expect(JSON.parse(readFileSync(cpuFile, 'utf8'))).toHaveProperty('nodes')
  expect(JSON.parse(readFileSync(heapFile, 'utf8'))).toHaveProperty('head')
  rmSync(cpuFile)
  end()
  expect(existsSync(cpuFile)).toBe(false)
})

it.each([
  ['none', { cpuFile: null, heapFile: null }],
  ['a file that cannot be written', { cpuFile: join(dir, 'no/dir'), heapFile: null }],
])('ending the profiles with %s never throws', (_name, profiles) => {
  const end = startProfiles(profiles)
  expect(end).not.toThrow()
  expect(end).not.toThrow()
})
