import { expect, it } from 'vitest'
import { VirtualTime } from '../../lib/clock.js'
import { DiskError } from '../../lib/disk.js'
import { GatewayError } from '../../lib/errors.js'
import { Prng } from '../../lib/prng.js'
import { SimDisk } from '../sim-disk.js'
import {
  asBuffer,
  decodeRecord,
  ENTRY,
  encodeMeta,
  encodeRecord,
  type HardState,
  type LogEntry,
  RECORD,
  segmentName,
} from './format.js'
import { Log, type LogOptions, type RecoveredLog } from './log.js'
import { LogService } from './log-service.js'
import { type LogReply, packEntries, unpackEntries } from './messages.js'
import { snapshotName } from './snapshot-files.js'

const OPTIONS: LogOptions = { salt: 0xabcdef01, segmentBytes: 4096, reserveBytes: 8192 }
const HEAD_BYTES = 64
const HEAD = Buffer.from('head')
/** A hard state without a vote. */
const STATE_BYTES = 40
const text = (payload: Uint8Array): string => Buffer.from(payload).toString()
const entry = (index: number, payload = `entry ${index}`, term = 1) => ({
  index,
  term,
  type: ENTRY.command,
  payload: Buffer.from(payload),
})
/** `entry 1` and the like take 48 bytes. */
const ENTRY_BYTES = 48

function newDisk(): SimDisk {
  return new SimDisk(new Prng(1))
}

function open(disk: SimDisk): { log: Log; recovered: RecoveredLog } {
  return Log.open(disk, OPTIONS)
}

function segmentsOf(disk: SimDisk): string[] {
  const used = (name: string) => disk.contentForTest(name).some((byte) => byte !== 0)
  return disk.list().filter((name) => name.endsWith('.log') && used(name))
}

function append(log: Log, entries: LogEntry[], hardState: HardState | null = null): void {
  log.write({ hardState, install: null, entries, commit: null })
}

/** A log with entries 1..count, each of its own write. */
function written(count: number, disk = newDisk()): { disk: SimDisk; log: Log } {
  const { log } = open(disk)
  for (let index = 1; index <= count; index++) append(log, [entry(index)])
  return { disk, log }
}

function texts(recovered: RecoveredLog): string[] {
  return recovered.entries.map((each) => text(each.payload))
}

function refusalOf(disk: SimDisk): GatewayError {
  try {
    open(disk)
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown
    throw thrown
  }
  throw new Error('it opened')
}

function saveSnapshot(log: Log, index: number, chunks: string[]): void {
  log.snapshots.begin(index, 1, HEAD)
  for (const chunk of chunks) log.snapshots.add(Buffer.from(chunk))
  log.snapshots.end()
  log.compact()
}

it('a new log is empty, and a power failure right after making it leaves a log or nothing', () => {
  for (let at = 1; at < 40; at++) {
    const disk = newDisk()
    disk.crashAt = at
    try {
      open(disk)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(DiskError)
    }
    disk.crash()
    disk.restart('torn')
    const { recovered } = open(disk)
    expect(recovered).toMatchObject({ lastIndex: 0, lastTerm: 0, entries: [], notedCommit: 0 })
  }
})

it('gives back what was written, with term, vote and noted commit', () => {
  const { disk, log } = written(3)
  append(log, [entry(4, 'four', 7)], { term: 7, vote: 'eg-1/ä' })
  log.noteCommit(4)
  disk.killProcess()
  const { recovered } = open(disk)
  expect(texts(recovered)).toEqual(['entry 1', 'entry 2', 'entry 3', 'four'])
  expect(recovered).toMatchObject({
    hardState: { term: 7, vote: 'eg-1/ä' },
    lastIndex: 4,
    lastTerm: 7,
    notedCommit: 4,
    notes: [],
  })
})

it('goes on over many segments, repeating the hard state in each', () => {
  const { disk, log } = written(0)
  append(log, [], { term: 3, vote: 'me' })
  for (let index = 1; index <= 300; index++) append(log, [entry(index)])
  expect(disk.list().filter((name) => name.endsWith('.log')).length).toBeGreaterThan(3)
  disk.restart('all-lost')
  const { recovered } = open(disk)
  expect(recovered.entries).toHaveLength(300)
  expect(recovered.hardState).toEqual({ term: 3, vote: 'me' })
})

it('a segment that power left with its header alone says the hard state again', () => {
  const { disk, log } = written(3)
  append(log, [], { term: 7, vote: '3' })
  let last = 3
  while (segmentsOf(disk).length < 2) append(log, [entry(++last, undefined, 7)])
  disk.killProcess()
  disk.flip(segmentName(2), HEAD_BYTES)
  const again = open(disk)
  expect(again.recovered).toMatchObject({ hardState: { term: 7, vote: '3' }, lastIndex: last - 1 })
  append(again.log, [entry(last, undefined, 7)])
  // Two, as the log reaches back to the older one.
  for (const index of [last - 1, last]) saveSnapshot(again.log, index, ['all'])
  expect(segmentsOf(disk)).toEqual([segmentName(2)])
  disk.killProcess()
  expect(open(disk).recovered.hardState).toEqual({ term: 7, vote: '3' })
})

it('one write may span segments', () => {
  const { disk, log } = written(0)
  append(
    log,
    Array.from({ length: 300 }, (_, i) => entry(i + 1)),
  )
  disk.restart('all-lost')
  expect(open(disk).recovered.lastIndex).toBe(300)
})

it('an entry at or below the last index replaces it and all behind it', () => {
  const { disk, log } = written(5)
  append(log, [entry(3, 'other', 2), entry(4, 'branch', 2)])
  disk.restart('all-lost')
  const { recovered } = open(disk)
  expect(texts(recovered)).toEqual(['entry 1', 'entry 2', 'other', 'branch'])
  expect(recovered).toMatchObject({ lastIndex: 4, lastTerm: 2 })
})

it('replaced entries may stand before what replaced them when the segment before is dropped', () => {
  const { disk, log } = written(0)
  let index = 0
  while (segmentsOf(disk).length < 2) append(log, [entry(++index)])
  // The last one is in the second segment, and another leader replaces the one before it, too.
  append(log, [entry(index - 1, 'another', 2), entry(index, 'another', 2)])
  saveSnapshot(log, index, ['state'])
  append(log, [entry(index + 1, 'last', 2)])
  saveSnapshot(log, index + 1, ['state'])
  expect(segmentsOf(disk)).toHaveLength(1)
  disk.restart('all-lost')
  const { recovered } = open(disk)
  expect(recovered).toMatchObject({ lastIndex: index + 1, lastTerm: 2, entries: [] })
})

/** The bytes of a snapshot of entry `index`, as another member would send them. */
function snapshotBytes(index: number, term: number, contents: string[]): Uint8Array<ArrayBuffer> {
  const { log } = written(index)
  log.snapshots.begin(index, term, HEAD)
  for (const content of contents) log.snapshots.add(Buffer.from(content))
  const info = log.snapshots.end()
  log.snapshots.openToSend(1, index)
  return log.snapshots.send(1, 0, info?.bytes ?? 0) as Uint8Array<ArrayBuffer>
}

const contentsOf = (log: Log): string[] => [...log.snapshots.read()].map(text)

/** Entries 1 to 5, then the snapshot of entry 40 that a leader sent, then one entry behind it. */
function install(disk: SimDisk, bytes: Uint8Array<ArrayBuffer>): Log {
  const { log } = written(5, disk)
  log.snapshots.receive(true, 0, bytes.slice(0, 50))
  log.snapshots.receive(false, 50, bytes.slice(50))
  expect(log.snapshots.checkIncoming(40, 3)).toBe(true)
  const hardState = { term: 4, vote: '' }
  const entries = [entry(41, 'behind', 4)]
  log.write({ hardState, install: { index: 40, term: 3 }, entries, commit: 40 })
  return log
}

it('a snapshot of a leader takes the place of the log', () => {
  const disk = newDisk()
  const log = install(disk, snapshotBytes(40, 3, ['one', 'two']))
  expect(contentsOf(log)).toEqual(['one', 'two'])
  disk.restart('all-lost')
  const again = open(disk)
  expect(again.recovered).toMatchObject({
    hardState: { term: 4, vote: '' },
    snapshot: { index: 40, term: 3, head: new Uint8Array(HEAD) },
    lastIndex: 41,
    lastTerm: 4,
    notedCommit: 40,
  })
  expect(texts(again.recovered)).toEqual(['behind'])
  expect(contentsOf(again.log)).toEqual(['one', 'two'])
  append(again.log, [entry(42, 'more', 4)])
  saveSnapshot(again.log, 42, ['own'])
  disk.restart('all-lost')
  expect(open(disk).recovered).toMatchObject({ lastIndex: 42, entries: [] })
})

it.each(['all-lost', 'all-kept', 'torn'] as const)(
  'power that goes during an install leaves the old log or the new one: %s',
  (mode) => {
    const bytes = snapshotBytes(40, 3, ['one', 'two'])
    let before = 0
    let after = 0
    const probe = newDisk()
    install(probe, bytes)
    for (let at = 1; at <= probe.changeCount; at++) {
      const disk = newDisk()
      disk.crashAt = at
      try {
        install(disk, bytes)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(DiskError)
      }
      disk.crash()
      disk.restart(mode)
      const { log, recovered } = open(disk)
      if (recovered.snapshot === null) {
        before += 1
        expect(recovered.lastIndex).toBeLessThanOrEqual(5)
      } else {
        after += 1
        expect(recovered.snapshot).toMatchObject({ index: 40, term: 3 })
        expect(recovered.hardState.term).toBe(4)
        expect([40, 41]).toContain(recovered.lastIndex)
        expect(contentsOf(log)).toEqual(['one', 'two'])
      }
      // Whatever it is, it goes on.
      append(log, [entry(recovered.lastIndex + 1, 'next', 9)])
      disk.restart('all-lost')
      expect(open(disk).recovered).toMatchObject({ lastIndex: recovered.lastIndex + 1 })
    }
    expect(before).toBeGreaterThan(5)
    expect(after).toBeGreaterThan(2)
  },
)

it('what came is not installed when a byte of it is wrong, or it is of another place', () => {
  const bytes = snapshotBytes(40, 3, ['one', 'two'])
  const { log } = written(5)
  for (const at of [0, 20, 40, 60, bytes.length - 1]) {
    const wrong = new Uint8Array(bytes)
    wrong[at] = (wrong[at] as number) ^ 1
    log.snapshots.receive(true, 0, wrong)
    expect(log.snapshots.checkIncoming(40, 3)).toBe(false)
  }
  log.snapshots.receive(true, 0, bytes.slice(0, -1))
  expect(log.snapshots.checkIncoming(40, 3)).toBe(false)
  log.snapshots.receive(true, 0, bytes)
  expect(log.snapshots.checkIncoming(39, 3)).toBe(false)
  expect(log.snapshots.checkIncoming(40, 2)).toBe(false)
  expect(log.snapshots.checkIncoming(40, 3)).toBe(true)
})

it('an install ends a snapshot of its own that is being written', () => {
  const disk = newDisk()
  const { replies, service: log, time } = service(disk)
  for (let index = 1; index <= 5; index++) log.handle(write(index))
  log.handle({ type: 'snapshot-begin', index: 5, term: 1, head: HEAD })
  log.handle({ type: 'snapshot-chunk', bytes: new Uint8Array(Buffer.from('old')) })
  const bytes = snapshotBytes(40, 3, ['one'])
  log.handle({ type: 'receive', key: 1, fresh: true, offset: 0, bytes })
  log.handle({ type: 'receive-check', key: 1, index: 40, term: 3 })
  replies.length = 0
  log.handle({ ...write(0), seq: 9, install: { index: 40, term: 3 }, entries: packEntries([]) })
  // What was on its way when that happened.
  log.handle({ type: 'snapshot-chunk', bytes: new Uint8Array(Buffer.from('old')) })
  log.handle({ type: 'snapshot-end' })
  expect(replies.map((reply) => reply.type)).toEqual([
    'snapshot-failed',
    'restore-begin',
    'restore-chunk',
    'durable',
  ])
  log.handle({ type: 'send-open', transfer: 1, index: 1 })
  expect(replies.at(-1)).toMatchObject({ type: 'sending', snapshot: { index: 40 } })
  time.advance(0)
  expect(disk.list().filter((name) => /snapshot|install|tmp/.test(name))).toEqual([
    snapshotName(40),
  ])
})

it('an installed snapshot that is damaged later is refused: there is no log before it', () => {
  const disk = newDisk()
  install(disk, snapshotBytes(40, 3, ['one', 'two']))
  disk.flip(snapshotName(40), 60)
  disk.killProcess()
  expect(refusalOf(disk).message).toContain('the log does not reach back to it')
})

it('a snapshot is sent as it was when that began, whatever is kept since', () => {
  const { log } = written(5)
  saveSnapshot(log, 2, ['two'])
  const info = log.snapshots.openToSend(7, 1)
  expect(info).toMatchObject({ index: 2 })
  for (const index of [3, 4, 5]) saveSnapshot(log, index, [`${index}`])
  expect(log.snapshots.send(7, 0, 4096)?.byteLength).toBe(info?.bytes)
  log.snapshots.closeSent(7)
  expect(log.snapshots.send(7, 0, 4096)).toBeNull()
  expect(log.snapshots.openToSend(8, 6)).toBeNull()
})

it('power that goes while a cluster is founded leaves an empty log or a founded one', () => {
  const found = (disk: SimDisk): void => open(disk).log.found({ index: 1, term: 1 }, HEAD)
  const probe = newDisk()
  found(probe)
  const seen = new Set<number>()
  for (let at = 1; at <= probe.changeCount; at++) {
    const disk = newDisk()
    disk.crashAt = at
    try {
      found(disk)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(DiskError)
    }
    disk.crash()
    disk.restart('torn')
    const { log, recovered } = open(disk)
    seen.add(recovered.lastIndex)
    if (recovered.lastIndex === 0) log.found({ index: 1, term: 1 }, HEAD)
    expect(log.lastIndex).toBe(1)
    expect(log.snapshots.newest).toMatchObject({ index: 1, term: 1 })
  }
  expect([...seen].sort()).toEqual([0, 1])
})

it('what is committed is as durable as what it came with, and never ahead of it', () => {
  const { disk, log } = written(2)
  const batch = { hardState: null, install: null, entries: [entry(3)] }
  log.write({ ...batch, commit: 2 })
  disk.restart('all-lost')
  expect(open(disk).recovered).toMatchObject({ lastIndex: 3, notedCommit: 2 })
  const { log: again } = open(disk)
  expect(() => again.write({ ...batch, entries: [], commit: 4 })).toThrow('not in the log')
})

it.each([
  ['the payload', 40],
  ['the length', 4],
  ['the segment', 8],
  ['the checksum', 0],
  ['the index', 16],
])('torn tail: a record torn in %s is cut, and writing goes on there', (_name, offset) => {
  const { disk, log } = written(3)
  disk.flip(segmentName(1), HEAD_BYTES + STATE_BYTES + 2 * ENTRY_BYTES + offset)
  disk.killProcess()
  void log
  const first = open(disk)
  expect(texts(first.recovered)).toEqual(['entry 1', 'entry 2'])
  expect(first.recovered.notes[0]).toContain('cut an unfinished write at 0000000001.log:200')
  append(first.log, [entry(3, 'again')])
  disk.restart('all-lost')
  expect(texts(open(disk).recovered)).toEqual(['entry 1', 'entry 2', 'again'])
})

it('an unsynced batch with a hole is cut whole, good records behind the hole too', () => {
  const { disk, log } = written(1)
  append(log, [entry(2), entry(3), entry(4)])
  const at = HEAD_BYTES + STATE_BYTES + ENTRY_BYTES
  disk.flip(segmentName(1), at + 41)
  disk.killProcess()
  const { recovered } = open(disk)
  expect(texts(recovered)).toEqual(['entry 1'])
  // Nothing of the batch may come back later.
  const after = disk.contentForTest(segmentName(1)).subarray(at)
  expect(after.every((byte) => byte === 0)).toBe(true)
})

it('damage before a place proven synced: refuses, naming file and offset, every time', () => {
  const { disk } = written(3)
  const offset = HEAD_BYTES + STATE_BYTES + ENTRY_BYTES
  disk.flip(segmentName(1), offset + 3)
  disk.killProcess()
  for (let attempt = 0; attempt < 2; attempt++) {
    const refusal = refusalOf(disk)
    expect(refusal.code).toBe('STORE_UNAVAILABLE')
    expect(refusal.detail).toMatchObject({ file: '/sim/0000000001.log', offset })
    expect(refusal.message).toContain(`/sim/0000000001.log is damaged at offset ${offset}`)
  }
})

it('any flipped byte before the last write is noticed or harmless', () => {
  const { disk: pristine, log } = written(170)
  void log
  const segments = pristine
    .list()
    .filter((name) => name.endsWith('.log'))
    .sort()
  let refusals = 0
  for (const name of segments) {
    for (let offset = 0; offset < 4096; offset += 7) {
      const { disk } = written(170)
      disk.flip(name, offset)
      disk.killProcess()
      try {
        const { recovered } = open(disk)
        expect(recovered.lastIndex, `${name}:${offset}`).toBeGreaterThanOrEqual(169)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(GatewayError)
        refusals += 1
      }
    }
  }
  expect(refusals).toBeGreaterThan(1000)
}, 60_000)

it('with `syncedUpTo` stripped the same damage goes unnoticed: the test above can fail', () => {
  const { disk } = written(3)
  const content = asBuffer(disk.contentForTest(segmentName(1)))
  const at = HEAD_BYTES + STATE_BYTES + 2 * ENTRY_BYTES
  const last = decodeRecord(content, at, OPTIONS.salt, 1)
  if (last === null) throw new Error('no record there')
  encodeRecord(content, at, OPTIONS.salt, 1, { ...last, syncedUpTo: { segment: 0, offset: 0 } })
  disk.flip(segmentName(1), HEAD_BYTES + STATE_BYTES + ENTRY_BYTES + 3)
  disk.killProcess()
  expect(texts(open(disk).recovered)).toEqual(['entry 1'])
})

it('damage of the last record is noticed up to the place noted as durable', () => {
  const { disk, log } = written(3)
  log.noteDurable()
  disk.flip(segmentName(1), HEAD_BYTES + STATE_BYTES + 2 * ENTRY_BYTES + 3)
  disk.killProcess()
  expect(refusalOf(disk).detail).toMatchObject({
    offset: HEAD_BYTES + STATE_BYTES + 2 * ENTRY_BYTES,
  })
})

it('a clean stop notes the durable place', () => {
  const { disk, log } = written(2)
  log.close()
  disk.flip(segmentName(1), HEAD_BYTES + STATE_BYTES + ENTRY_BYTES + 44)
  expect(refusalOf(disk).message).toContain('bytes up to 0000000001.log:200 were on disk')
})

it('a lost header of a later segment is blamed on that segment', () => {
  const { disk } = written(100)
  const second = segmentName(2)
  expect(disk.list()).toContain(second)
  disk.flip(second, 5)
  disk.killProcess()
  expect(refusalOf(disk).detail).toMatchObject({ file: `/sim/${second}`, offset: 0 })
})

it.each([
  ['the first segment', 1, '/sim/'],
  ['a segment in the middle', 2, '/sim/0000000002.log is missing'],
])('%s gone: refuses', (_name, number, message) => {
  const { disk } = written(300)
  disk.remove(segmentName(number))
  disk.killProcess()
  expect(refusalOf(disk).message).toContain(message)
})

it('all segments gone: refuses', () => {
  const { disk } = written(3)
  disk.remove(segmentName(1))
  disk.killProcess()
  expect(refusalOf(disk).message).toContain('0000000001.log is missing')
})

it('the meta file gone or damaged, or of another format: refuses and touches nothing', () => {
  const gone = written(3).disk
  gone.remove('meta')
  gone.killProcess()
  expect(refusalOf(gone).message).toContain('/sim/meta is missing, but 0000000001.log holds data')

  const damaged = written(3).disk
  damaged.flip('meta', 9)
  damaged.killProcess()
  expect(refusalOf(damaged).message).toContain('/sim/meta is damaged at offset 0')

  const newer = written(3).disk
  newer
    .contentForTest('meta')
    .set(encodeMeta({ format: 2, salt: OPTIONS.salt, segmentBytes: 4096 }))
  newer.killProcess()
  expect(refusalOf(newer).message).toContain('says format 2, this version reads 1')
})

it('a record of an unknown kind is never skipped', () => {
  const { disk } = written(2)
  const content = asBuffer(disk.contentForTest(segmentName(1)))
  const at = HEAD_BYTES + STATE_BYTES + ENTRY_BYTES
  const record = decodeRecord(content, at, OPTIONS.salt, 1)
  if (record === null) throw new Error('no record there')
  encodeRecord(content, at, OPTIONS.salt, 1, { ...record, kind: 9 })
  disk.killProcess()
  expect(refusalOf(disk).message).toContain('a record of kind 9 at offset 152')
})

it('bytes of another log are not records of this one', () => {
  const { disk } = written(1)
  const imitation = Buffer.alloc(48)
  encodeRecord(imitation, 0, (OPTIONS.salt ^ 1) >>> 0, 1, {
    kind: RECORD.entry,
    entryType: ENTRY.command,
    index: 2,
    term: 1,
    syncedUpTo: { segment: 1, offset: 4000 },
    payload: Buffer.from('forged'),
  })
  disk.contentForTest(segmentName(1)).set(imitation, HEAD_BYTES + STATE_BYTES + ENTRY_BYTES)
  disk.killProcess()
  expect(open(disk).recovered.lastIndex).toBe(1)
})

it('a snapshot is read back with the entries behind it, and two drop old segments', () => {
  const { disk, log } = written(100)
  saveSnapshot(log, 100, ['state ', 'at 100'])
  expect(disk.list()).toContain(segmentName(1))
  for (let index = 101; index <= 200; index++) append(log, [entry(index)])
  saveSnapshot(log, 199, ['state at 199'])
  expect(disk.list()).not.toContain(segmentName(1))
  disk.restart('all-lost')
  const again = open(disk)
  expect(again.recovered.snapshot).toMatchObject({ index: 199, term: 1 })
  expect(texts(again.recovered)).toEqual(['entry 200'])
  expect([...again.log.snapshots.read()].map(text)).toEqual(['state at 199'])
})

it.each([
  ['its header', 5],
  ['a chunk', 50],
  ['the length of a chunk', 36],
])('a snapshot damaged in %s: the one before it and the log serve', (_name, offset) => {
  const { disk, log } = written(100)
  saveSnapshot(log, 100, ['state at 100'])
  for (let index = 101; index <= 200; index++) append(log, [entry(index)])
  saveSnapshot(log, 200, ['state at 200'])
  disk.flip(snapshotName(200), offset)
  disk.killProcess()
  const again = open(disk)
  expect(again.recovered.snapshot).toMatchObject({ index: 100 })
  expect(again.recovered.entries.map((each) => each.index)).toEqual(
    Array.from({ length: 100 }, (_, i) => 101 + i),
  )
  expect(again.recovered.notes).toEqual([
    `/sim/${snapshotName(200)} is damaged and was passed over`,
  ])
  // The next good one clears it away.
  saveSnapshot(again.log, 200, ['state at 200'])
  disk.killProcess()
  expect(open(disk).recovered).toMatchObject({ notes: [], snapshot: { index: 200 } })
})

it('both snapshots damaged: refuses, naming one', () => {
  const { disk, log } = written(100)
  saveSnapshot(log, 100, ['a'])
  for (let index = 101; index <= 200; index++) append(log, [entry(index)])
  saveSnapshot(log, 200, ['b'])
  disk.flip(snapshotName(100), 40)
  disk.flip(snapshotName(200), 40)
  disk.killProcess()
  expect(refusalOf(disk).message).toContain(`${snapshotName(200)} is damaged, and the log`)
})

it('a log that ends before its snapshot: refuses', () => {
  const { disk, log } = written(3)
  saveSnapshot(log, 3, ['abc'])
  disk.contentForTest(segmentName(1)).fill(0, HEAD_BYTES + STATE_BYTES + ENTRY_BYTES)
  disk.killProcess()
  expect(refusalOf(disk).message).toContain('the log ends at entry 1, a snapshot covers 3')
})

it('a snapshot cut off by a crash is as if it had not been begun', () => {
  for (let at = 1; at < 14; at++) {
    const { disk, log } = written(100)
    saveSnapshot(log, 50, ['old'])
    disk.crashAt = disk.changeCount + at
    try {
      saveSnapshot(log, 100, ['new', 'state'])
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(DiskError)
    }
    disk.crash()
    disk.restart('torn')
    const { log: again, recovered } = open(disk)
    const chunks = [...again.snapshots.read()].map(text)
    if (recovered.snapshot?.index === 50) expect(chunks).toEqual(['old'])
    else expect(chunks).toEqual(['new', 'state'])
    expect(recovered.lastIndex).toBe(100)
  }
})

function service(disk: SimDisk): {
  replies: LogReply[]
  service: LogService
  time: VirtualTime
} {
  const replies: LogReply[] = []
  const time = new VirtualTime()
  const log = new LogService({
    ...OPTIONS,
    disk,
    timers: time,
    reply: (reply) => replies.push(reply),
  })
  log.open()
  time.advance(0)
  return { replies, service: log, time }
}

const write = (index: number) =>
  ({
    type: 'write',
    seq: index,
    hardState: null,
    install: null,
    entries: packEntries([entry(index)]),
    commit: null,
  }) as const

it.each([
  ['a failing sync', 'fdatasync'],
  ['a failing write', 'write'],
])(
  '%s fences the log for good: nothing is acknowledged, no second sync is tried',
  (_name, call) => {
    const disk = newDisk()
    const { replies, service: log, time } = service(disk)
    log.handle(write(1))
    disk.failWhen = (asked, name) => asked === call && name.endsWith('.log')
    replies.length = 0
    log.handle(write(2))
    expect(replies).toMatchObject([{ type: 'fenced', reason: expect.stringContaining('EIO') }])
    disk.failWhen = () => false
    const changes = disk.changeCount
    log.handle(write(3))
    log.handle({ type: 'note-commit', index: 2 })
    log.handle({ type: 'snapshot-begin', index: 1, term: 1, head: HEAD })
    time.advance(10_000)
    expect(disk.changeCount).toBe(changes)
    expect(replies).toHaveLength(1)
    log.handle({ type: 'stop' })
    expect(replies.at(-1)).toEqual({ type: 'stopped' })
  },
)

it('a disk that fills up is reported early, and the log is fenced only when it must grow', () => {
  const disk = newDisk()
  const { replies, service: log, time } = service(disk)
  disk.capacityBytes = 0
  let index = 0
  const types = () => replies.map((reply) => reply.type)
  while (!types().includes('fenced') && index < 500) {
    log.handle(write(++index))
    time.advance(0)
  }
  const low = types().indexOf('disk-low')
  const durableAfter = types()
    .slice(low)
    .filter((type) => type === 'durable').length
  expect(low).toBeGreaterThan(0)
  // A whole segment of room was left when it was said.
  expect(durableAfter).toBeGreaterThan(4096 / ENTRY_BYTES - 20)
  const acknowledged = types().filter((type) => type === 'durable').length
  disk.capacityBytes = Number.POSITIVE_INFINITY
  disk.restart('all-lost')
  expect(open(disk).recovered.lastIndex).toBeGreaterThanOrEqual(acknowledged)
})

it('room that comes back ends the warning', () => {
  const disk = newDisk()
  const { replies, service: log, time } = service(disk)
  disk.capacityBytes = 0
  for (let index = 1; index < 90; index++) {
    log.handle(write(index))
    time.advance(0)
  }
  expect(replies.map((reply) => reply.type)).toContain('disk-low')
  disk.capacityBytes = Number.POSITIVE_INFINITY
  time.advance(5_000)
  expect(replies.at(-1)).toEqual({ type: 'disk-ok' })
})

it('a full disk costs a snapshot, then the reserve makes room for the next one', () => {
  const disk = newDisk()
  const { replies, service: log, time } = service(disk)
  for (let index = 1; index <= 5; index++) log.handle(write(index))
  time.advance(0)
  expect(disk.list()).toContain('reserve')
  const attempt = () => {
    replies.length = 0
    log.handle({ type: 'snapshot-begin', index: 5, term: 1, head: HEAD })
    log.handle({ type: 'snapshot-chunk', bytes: new Uint8Array(5000).fill(7) })
    log.handle({ type: 'snapshot-end' })
    return replies.map((reply) => reply.type)
  }
  disk.capacityBytes = usedBytes(disk)
  expect(attempt()).toEqual(['snapshot-failed'])
  expect(disk.list()).not.toContain('reserve')
  time.advance(60_000)
  expect(attempt()).toEqual(['snapshot-more', 'snapshot-done'])
  log.handle(write(6))
  expect(replies.at(-1)).toEqual({ type: 'durable', seq: 6 })
  disk.capacityBytes = Number.POSITIVE_INFINITY
  time.advance(60_000)
  expect(disk.list()).toContain('reserve')
})

function usedBytes(disk: SimDisk): number {
  let used = 0
  for (const name of disk.list()) used += disk.contentForTest(name).length
  return used
}

it('notes the durable place about once a second while written to, and never when idle', () => {
  const disk = newDisk()
  const { service: log, time } = service(disk)
  log.handle(write(1))
  time.advance(0)
  const before = disk.changeCount
  time.advance(999)
  expect(disk.changeCount).toBe(before)
  time.advance(1)
  expect(disk.changeCount).toBe(before + 2)
  time.advance(100_000)
  expect(disk.changeCount).toBe(before + 2)
})

it('a folder that cannot be read is refused with the reason', () => {
  const disk = newDisk()
  disk.failWhen = (call) => call === 'fdatasync'
  const { replies } = service(disk)
  expect(replies).toMatchObject([
    { type: 'refused', error: { code: 'STORE_UNAVAILABLE', detail: { errno: 'EIO' } } },
  ])
})

it('entries survive packing', () => {
  const entries = [entry(1, ''), entry(2 ** 40, 'x'.repeat(1000), 2 ** 41), entry(3, 'ü')]
  expect(
    unpackEntries(packEntries(entries)).map((each) => ({ ...each, payload: text(each.payload) })),
  ).toEqual(entries.map((each) => ({ ...each, payload: text(each.payload) })))
  expect(unpackEntries(packEntries([]))).toEqual([])
})
