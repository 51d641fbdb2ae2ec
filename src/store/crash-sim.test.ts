import { expect, it } from 'vitest'
import type { Disk } from '../lib/disk.js'
import { CrashSim, type Plant, Violation } from './crash-sim.js'
import { asBuffer, decodeRecord, encodeRecord, recordBytes } from './log/format.js'

/** More for a night: STORE_SEEDS=100000; one again: STORE_SEED_FROM=1234 STORE_SEEDS=1. */
const SEED_FROM = Number(process.env['STORE_SEED_FROM'] ?? 1)
const SEEDS = Number(process.env['STORE_SEEDS'] ?? 400)
/** A planted bug must show within so many seeds. */
const SEEDS_TO_CATCH = 1500

it('acknowledged writes survive any crash, whole, and no other comes back', () => {
  let acks = 0
  for (let seed = SEED_FROM; seed < SEED_FROM + SEEDS; seed++) {
    const sim = new CrashSim(seed)
    try {
      sim.run()
    } catch (thrown) {
      throw new Error(`STORE_SEED_FROM=${seed} STORE_SEEDS=1: ${String(thrown)}`, { cause: thrown })
    }
    acks += sim.ackCount
  }
  // A simulation in which nothing is acknowledged proves nothing.
  expect(acks).toBeGreaterThan(SEEDS * 20)
}, 600_000)

function wrap(disk: Disk, change: Partial<Disk>): Disk {
  const base: Disk = {
    root: disk.root,
    list: () => disk.list(),
    open: (name, mode) => disk.open(name, mode),
    size: (file) => disk.size(file),
    read: (file, offset, length) => disk.read(file, offset, length),
    write: (file, offset, bytes) => disk.write(file, offset, bytes),
    datasync: (file) => disk.datasync(file),
    close: (file) => disk.close(file),
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDir: () => disk.syncDir(),
    free: () => disk.free(),
  }
  return { ...base, ...change }
}

/** `from`: where to begin looking; the rare ones are known to show soon behind theirs. */
const PLANTS: [name: string, plant: Plant, from?: number][] = [
  ['the log never syncs', { disk: (disk) => wrap(disk, { datasync: () => {} }) }],
  ['folders are never synced', { disk: (disk) => wrap(disk, { syncDir: () => {} }) }],
  [
    'a write is acknowledged before it is synced',
    {
      spawn: (spawn, time) => (receive, exited) => {
        const link = spawn((reply) => {
          if (reply.type !== 'durable') receive(reply)
        }, exited)
        return {
          tell: (request) => {
            if (request.type === 'write') {
              time.after(0, () => receive({ type: 'durable', seq: request.seq }))
            }
            link.tell(request)
          },
        }
      },
    },
  ],
  [
    'recovery acts on bytes that only the page cache holds',
    {
      disk: (disk, phase) =>
        wrap(disk, {
          write: (file, offset, bytes) => {
            const there = disk.read(file, offset, bytes.length)
            const isRewrite = phase() === 'recovery' && Buffer.compare(there, bytes) === 0
            if (!isRewrite) disk.write(file, offset, bytes)
          },
        }),
    },
  ],
  [
    'recovery leaves the records behind the cut',
    {
      disk: (disk, phase) => {
        const made = new Set<number>()
        return wrap(disk, {
          open: (name, mode) => {
            const file = disk.open(name, mode)
            if (mode === 'create') made.add(file)
            return file
          },
          write: (file, offset, bytes) => {
            const isCut = phase() === 'recovery' && !made.has(file) && bytes.every((b) => b === 0)
            if (!isCut) disk.write(file, offset, bytes)
          },
        })
      },
    },
    400,
  ],
  [
    'records are not checked when they are read',
    {
      // As if the checksum of whatever has a plausible length were right.
      disk: (disk, _phase, { salt }) =>
        wrap(disk, {
          read: (file, offset, length) => {
            const bytes = disk.read(file, offset, length)
            if (length >= 4096) forgeChecksums(asBuffer(bytes), salt)
            return bytes
          },
        }),
    },
  ],
]

it.each(PLANTS)(
  'the simulation notices when %s',
  (_name, plant, from = 1) => {
    for (let seed = from; seed < from + SEEDS_TO_CATCH; seed++) {
      try {
        new CrashSim(seed, plant).run()
      } catch (thrown) {
        // A planted bug may also break an assertion of ours: caught is caught.
        expect(thrown).toBeInstanceOf(Error)
        if (!(thrown instanceof Violation)) expect((thrown as Error).name).toBe('AssertionError')
        return
      }
    }
    expect.fail(`not caught in ${SEEDS_TO_CATCH} seeds`)
  },
  120_000,
)

function forgeChecksums(buffer: Buffer, salt: number): void {
  const segment = buffer.readUInt32LE(12)
  for (let at = 64; at + 40 <= buffer.length; ) {
    const length = buffer.readUInt32LE(at + 4)
    const end = at + recordBytes(length)
    if (buffer.readUInt32LE(at + 8) !== segment || end > buffer.length) return
    if (decodeRecord(buffer, at, salt, segment) === null) {
      encodeRecord(buffer, at, salt, segment, {
        kind: buffer[at + 12] as number,
        entryType: buffer[at + 13] as number,
        index: buffer.readUInt32LE(at + 16),
        term: buffer.readUInt32LE(at + 24),
        syncedUpTo: { segment: 0, offset: 0 },
        payload: buffer.subarray(at + 40, at + 40 + length),
      })
    }
    at = end
  }
}
