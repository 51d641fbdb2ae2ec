import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { AssertionError } from '../lib/assert.js'
import { compileThreadFixture } from '../lib/thread-fixture.js'
import { StatsBlocks, StatsReader } from './stats-blocks.js'

/** Carries news and freed rows between a worker and the reader at once. */
function exchange(reader: StatsReader, worker: number, blocks: StatsBlocks): void {
  const news = blocks.takeNews()
  if (news !== null) blocks.free(reader.apply(worker, news))
}

it('the reader sums the rows of a key over workers, also of those that have ended', () => {
  const reader = new StatsReader()
  const workers = [new StatsBlocks(), new StatsBlocks()]
  workers.forEach((blocks, worker) => {
    const row = blocks.open('pool')
    exchange(reader, worker, blocks)
    row.record(200 + worker, 1, 10, 20)
  })
  expect(reader.read('pool').codes()).toEqual(
    new Map([
      [200, 1],
      [201, 1],
    ]),
  )
  reader.workerGone(1)
  expect(reader.read('pool')).toMatchObject({ count: 2, bytesIn: 20, bytesOut: 40 })
  const again = new StatsBlocks()
  again.open('pool').record(500, 1, 0, 0)
  exchange(reader, 1, again)
  expect(reader.read('pool')).toMatchObject({ count: 3, errCount: 1 })
  expect(reader.read('never heard of').count).toBe(0)
})

it('a key opened twice has one row until it is closed twice', () => {
  const blocks = new StatsBlocks()
  const reader = new StatsReader()
  const row = blocks.open('a')
  expect(blocks.open('a')).toBe(row)
  row.record(200, 1, 0, 0)
  blocks.close('a')
  exchange(reader, 0, blocks)
  row.record(200, 1, 0, 0)
  expect(reader.read('a').count).toBe(2)
  blocks.close('a')
  exchange(reader, 0, blocks)
  expect(reader.read('a').count).toBe(2) // kept, though the row is free
  expect(reader.keys()).toEqual(new Set(['a']))
  reader.forget('a')
  expect(reader.read('a').count).toBe(0)
  expect(reader.keys()).toEqual(new Set())
})

it('a row opened and closed between two news is not live; its next key does not show in the first', () => {
  const blocks = new StatsBlocks()
  const reader = new StatsReader()
  blocks.open('short').record(200, 1, 0, 0)
  blocks.close('short')
  exchange(reader, 0, blocks)
  const row = blocks.open('next')
  exchange(reader, 0, blocks)
  row.record(200, 1, 0, 0)
  row.record(200, 1, 0, 0)
  expect([reader.read('short').count, reader.read('next').count]).toEqual([1, 2])
})

it('closing what is not open is a bug', () => {
  expect(() => new StatsBlocks().close('a')).toThrow(AssertionError)
})

it('there is nothing to tell when nothing changed', () => {
  const blocks = new StatsBlocks()
  expect(blocks.takeNews()).toBeNull()
  blocks.open('a')
  expect(blocks.takeNews()?.opened).toEqual([{ key: 'a', row: 0 }])
  expect(blocks.takeNews()).toBeNull()
})

it('no count is lost or doubled however rows come and go', () => {
  const key = fc.constantFrom('a', 'b', 'c')
  const step = fc.oneof(
    fc.record({ do: fc.constant('open' as const), key }),
    fc.record({ do: fc.constant('record' as const), key }),
    fc.record({ do: fc.constant('close' as const), key }),
    fc.record({ do: fc.constant('news' as const), key }),
    fc.record({ do: fc.constant('crash' as const), key }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
      const reader = new StatsReader()
      let blocks = new StatsBlocks()
      const rows = new Map<string, ReturnType<StatsBlocks['open']>>()
      const counts = new Map<string, number>()
      for (const { do: what, key } of steps) {
        const row = rows.get(key)
        if (what === 'open' && row === undefined) rows.set(key, blocks.open(key))
        else if (what === 'record' && row !== undefined) {
          row.record(200, 1, 0, 0)
          counts.set(key, (counts.get(key) ?? 0) + 1)
        } else if (what === 'close' && rows.delete(key)) blocks.close(key)
        else if (what === 'news') exchange(reader, 0, blocks)
        else if (what === 'crash') {
          exchange(reader, 0, blocks)
          reader.workerGone(0)
          blocks = new StatsBlocks()
          rows.clear()
        }
      }
      exchange(reader, 0, blocks)
      for (const each of ['a', 'b', 'c'])
        expect(reader.read(each).count).toBe(counts.get(each) ?? 0)
    }),
  )
})

it('10,000 rows that nobody touched cost next to nothing', async () => {
  const url = await compileThreadFixture(new URL('./stats-blocks.ts', import.meta.url))
  const script = `
    import { StatsBlocks } from ${JSON.stringify(url.href)}
    const before = process.memoryUsage.rss()
    const blocks = new StatsBlocks()
    for (let i = 0; i < 10_000; i++) blocks.open('key ' + i)
    console.log(process.memoryUsage.rss() - before)`
  // A process of its own, whose memory nothing else moves.
  const args = ['--input-type=module', '-e', script]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(Number(stdout) / 2 ** 20).toBeLessThan(30) // touched, they would be 156 MiB
})

it('what is recorded after the end of a key counts nowhere, least of all for who has its row now', () => {
  const blocks = new StatsBlocks()
  const reader = new StatsReader()
  const late = blocks.open('gone')
  late.record(200, 1, 0, 0)
  blocks.close('gone')
  late.record(200, 1, 0, 0)
  exchange(reader, 0, blocks)
  const row = blocks.open('new')
  exchange(reader, 0, blocks)
  late.record(500, 1, 0, 0)
  row.record(200, 1, 0, 0)
  expect(reader.read('new')).toMatchObject({ count: 1, errCount: 0 })
  expect(reader.read('gone').count).toBe(1)
})
