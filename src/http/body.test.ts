import { expect, it } from 'vitest'
import { Prng } from '../lib/prng.js'
import { type BodySink, type BodySource, collect, RequestBody } from './body.js'

/** A source that a test drives by hand. */
class HandSource implements BodySource {
  readonly length: number
  sink: BodySink | null = null
  cancels = 0

  constructor(length = -1) {
    this.length = length
  }

  open(sink: BodySink): void {
    this.sink = sink
  }
  pause(): void {}
  resume(): void {}
  cancel(): void {
    this.cancels += 1
  }
}

class Log {
  readonly lines: string[] = []
  bytes: Uint8Array | null = null

  collected(bytes: Uint8Array): void {
    this.bytes = bytes
    this.lines.push(`collected ${Buffer.from(bytes).toString()}`)
  }
  tooLarge(): void {
    this.lines.push('too large')
  }
  failed(reason: string): void {
    this.lines.push(`failed ${reason}`)
  }
}

it.each<[name: string, length: number, chunks: string[], want: string]>([
  ['nothing', -1, [], 'collected '],
  ['one chunk', -1, ['abc'], 'collected abc'],
  ['an empty chunk', -1, ['', 'a', ''], 'collected a'],
  ['exactly the bound', -1, ['abcd', 'efgh'], 'collected abcdefgh'],
  ['the announced bound', 8, ['abcd', 'efgh'], 'collected abcdefgh'],
  ['less than announced', 8, ['abc'], 'collected abc'],
  ['more than announced', 2, ['abc', 'de'], 'collected abcde'],
  ['one byte above', -1, ['abcd', 'efgh', 'i'], 'too large'],
  ['one chunk above', -1, ['abcdefghi'], 'too large'],
])('collects at most 8 bytes: %s', (_name, length, chunks, want) => {
  const source = new HandSource(length)
  const log = new Log()
  collect(source, 8, log)
  for (const chunk of chunks) source.sink?.data(Buffer.from(chunk))
  source.sink?.end()
  expect(log.lines).toEqual([want])
  expect(source.cancels).toBe(want === 'too large' ? 1 : 0)
})

it('what announces too much is never opened', () => {
  const source = new HandSource(9)
  const log = new Log()
  collect(source, 8, log)
  expect(log.lines).toEqual(['too large'])
  expect(source.sink).toBeNull()
  expect(source.cancels).toBe(1)
})

it('reports once, whatever a source does afterwards', () => {
  const source = new HandSource()
  const log = new Log()
  const sink = collect(source, 2, log)
  sink.data(Buffer.from('abc'))
  sink.data(Buffer.from('abc'))
  sink.end()
  sink.fail('late')
  expect(log.lines).toEqual(['too large'])
})

it('says why the rest will not come', () => {
  const log = new Log()
  const sink = collect(new HandSource(), 8, log)
  sink.data(Buffer.from('a'))
  sink.fail('gone')
  sink.end()
  expect(log.lines).toEqual(['failed gone'])
})

it.each([Buffer.from, (bytes: number[]) => new Uint8Array(bytes)])(
  'copies what is only lent, a Buffer too (%s)',
  (make) => {
    for (const count of [1, 2]) {
      const log = new Log()
      const sink = collect(new HandSource(), 8, log)
      for (let i = 0; i < count; i++) {
        const lent = make([65, 66])
        sink.data(lent)
        lent.fill(0)
      }
      sink.end()
      expect(log.lines).toEqual([`collected ${'AB'.repeat(count)}`])
    }
  },
)

it('gathers any split of any body', () => {
  const prng = new Prng(0xb0d)
  for (let round = 0; round < 500; round++) {
    const body = Buffer.from(prng.ints(prng.below(200), 256))
    const source = new HandSource(prng.chance(50) ? body.length : -1)
    const log = new Log()
    const sink = collect(source, 200, log)
    for (let at = 0; at < body.length; ) {
      const end = Math.min(body.length, at + prng.below(40))
      sink.data(body.subarray(at, end))
      at = end
    }
    sink.end()
    expect(Buffer.from(log.bytes as Uint8Array)).toEqual(body)
  }
})

it('chunks of one byte take no more memory than the body', () => {
  const log = new Log()
  const sink = collect(new HandSource(), 1 << 20, log)
  const chunk = Buffer.from('x')
  for (let i = 0; i < 300_000; i++) sink.data(chunk)
  sink.end()
  const bytes = log.bytes as Uint8Array
  expect(bytes.byteLength).toBe(300_000)
  expect(bytes.buffer.byteLength).toBeLessThan(600_000)
})

it('a stream is given to one consumer, a whole body to all', () => {
  const source = new HandSource(3)
  const streamed = new RequestBody(source, null)
  expect(streamed.length).toBe(3)
  expect(streamed.take()).toBe(source)
  expect(streamed.take()).toBeNull()
  expect(streamed.length).toBe(-1)
  const whole = RequestBody.of(Buffer.from('ab'))
  expect(whole.length).toBe(2)
  expect(whole.take()).toBeNull()
  expect(whole.whole).toEqual(Buffer.from('ab'))
})
