import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { VirtualTime } from '../lib/clock.js'
import { AccessLog } from './access-log.js'
import { type AppendCalls, AppendFile } from './append-file.js'
import { MemoryLogger } from './memory-log.js'

/** A disk in memory that takes only so much, and counts the system calls. */
class Disk implements AppendCalls {
  text = ''
  opened = 0
  writes = 0
  /** Bytes that still fit, and the most that one call takes. */
  room = Number.POSITIVE_INFINITY
  atOnce = Number.POSITIVE_INFINITY

  open(): number {
    this.opened += 1
    return this.opened
  }

  write(_fd: number, bytes: Uint8Array): number {
    this.writes += 1
    const count = Math.min(bytes.length, this.room, this.atOnce)
    if (count === 0) throw new Error('ENOSPC: no space left on device, write')
    this.room -= count
    this.text += Buffer.from(bytes.subarray(0, count)).toString()
    return count
  }

  close(): void {}
}

class Bench {
  readonly disk = new Disk()
  readonly time = new VirtualTime()
  readonly log = new MemoryLogger()
  readonly access: AccessLog

  constructor() {
    const file = new AppendFile('access.log', this.disk)
    this.access = new AccessLog({ file, time: this.time, log: this.log })
  }
}

it('lines are written 2 s after the first of them, in one call', () => {
  const { disk, time, access } = new Bench()
  access.write('a')
  time.advance(1500)
  access.write('b')
  time.advance(499)
  expect(disk.text).toBe('')
  time.advance(1)
  expect([disk.text, disk.writes]).toEqual(['a\nb\n', 1])
  time.advance(60_000)
  expect(disk.writes).toBe(1)
  access.write('c')
  time.advance(2000)
  expect(disk.text).toBe('a\nb\nc\n')
})

it.each<[string, line: string, atOnce: number]>([
  ['1,024 lines', 'x', 1024],
  ['64 KiB', 'x'.repeat(8191), 8],
  ['one line of 64 KiB', 'x'.repeat(65_535), 1],
])('lines are written at once when there are %s', (_name, line, atOnce) => {
  const { disk, time, access } = new Bench()
  for (let i = 1; i < atOnce; i++) access.write(line)
  expect(disk.writes).toBe(0)
  access.write(line)
  expect(disk.text).toBe(`${line}\n`.repeat(atOnce))
  // The timer of the first line is gone: the next line has its own.
  time.advance(1999)
  access.write('next')
  time.advance(1999)
  expect(disk.writes).toBe(1)
  time.advance(1)
  expect(disk.writes).toBe(2)
})

it('a request cannot forge a line', () => {
  const { disk, access } = new Bench()
  access.write('GET /\r\n127.0.0.1 GET /admin\u0000')
  access.flush()
  expect(disk.text).toBe('GET /\\u000d\\u000a127.0.0.1 GET /admin\\u0000\n')
})

it('a full disk drops lines, counts them, and says so once in 10 s', () => {
  const { disk, time, log, access } = new Bench()
  disk.room = 0
  for (let batch = 0; batch < 4; batch++) {
    access.write('a')
    access.write('b')
    time.advance(2000)
  }
  expect(access.dropped).toBe(8)
  expect(log.records).toMatchObject([
    {
      level: 'warn',
      message: 'access log write failed',
      fields: { dropped: 2, path: 'access.log' },
    },
  ])
  time.advance(2000)
  access.write('c')
  time.advance(2000)
  expect(log.records.at(-1)?.fields).toMatchObject({ dropped: 7 })
  disk.room = 100
  access.write('d')
  time.advance(2000)
  expect(disk.text).toBe('d\n')
  expect(access.dropped).toBe(9)
})

it('half a line on a disk that filled up does not swallow the next one', () => {
  const { disk, access } = new Bench()
  disk.room = 3
  access.write('half a line')
  access.flush()
  disk.room = 100
  access.write('whole')
  access.flush()
  expect(disk.text).toBe('hal\nwhole\n')
  expect(access.dropped).toBe(1)
})

it('a short write is continued', () => {
  const { disk, access } = new Bench()
  disk.atOnce = 2
  access.write('äöü')
  access.flush()
  expect([Buffer.from(disk.text).length > 0, access.dropped]).toEqual([true, 0])
  expect(disk.writes).toBe(4)
})

it('close writes what was collected; nothing to write is no call', () => {
  const { disk, access } = new Bench()
  access.flush()
  expect(disk.writes).toBe(0)
  access.write('last')
  access.close()
  expect(disk.text).toBe('last\n')
})

it('a rotation: what was collected goes to the old file, the rest to the new one', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'telemetry-')), 'access.log')
  const access = new AccessLog({
    file: new AppendFile(file),
    time: new VirtualTime(),
    log: new MemoryLogger(),
  })
  access.write('old')
  fs.renameSync(file, `${file}.1`)
  access.reopen()
  access.write('new')
  access.close()
  expect(fs.readFileSync(`${file}.1`, 'utf8')).toBe('old\n')
  expect(fs.readFileSync(file, 'utf8')).toBe('new\n')
})

it('a real full disk', () => {
  const log = new MemoryLogger()
  const access = new AccessLog({ file: new AppendFile('/dev/full'), time: new VirtualTime(), log })
  access.write('a')
  access.close()
  expect(access.dropped).toBe(1)
  expect(log.records[0]?.fields['error']).toContain('ENOSPC')
})
