import fc from 'fast-check'
import { expect, it } from 'vitest'
import { KnownLines } from './known-lines.js'
import { HEAD, MALFORMED, NEED_MORE, ResponseParser } from './response-parser.js'

/** Reads a head that arrives in two pieces, cut at `cut`. */
function read(parser: ResponseParser, head: string, cut: number) {
  parser.start(false)
  const bytes = Buffer.from(head, 'latin1')
  const shared = Buffer.alloc(bytes.length + 1)
  let event = NEED_MORE as number
  for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    if (event !== NEED_MORE) break
    shared.fill(0x2a)
    piece.copy(shared)
    parser.input(shared, piece.length)
    event = parser.next()
  }
  if (event === MALFORMED) return { event, problem: parser.problem }
  const { status, headers, bodyLength, canReuse, idleHintMs } = parser
  return { event, status, headers, bodyLength, canReuse, idleHintMs }
}

const LINES = [
  'Server: one',
  'server: one',
  'Server: other',
  'Date: Sun, 22 Nov 2026 22:14:38 GMT',
  'Date: Sun, 22 Nov 2026 22:14:39 GMT',
  'Content-Type:  text/plain ',
  'X-Empty:',
  'X-Text: \xe9\xff',
  'Content-Length: 0',
  'Content-Length: 64',
  'Content-Length: x',
  'Transfer-Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive, X-Empty',
  'Keep-Alive: timeout=5',
  'X-Bad: a\x00b',
  'X Bad: a',
  ' folded: a',
]

it('reads every head as a parser does that knows none', () => {
  const head = fc.record({
    minor: fc.constantFrom('0', '1'),
    lines: fc.array(fc.constantFrom(...LINES), { maxLength: 5 }),
    cut: fc.nat(60),
  })
  fc.assert(
    fc.property(fc.array(head, { maxLength: 30 }), (heads) => {
      const known = new KnownLines()
      const parsers = [new ResponseParser(known), new ResponseParser(known)]
      heads.forEach(({ minor, lines, cut }, i) => {
        // Each twice and more, so that it is learned.
        for (let again = 0; again < 5; again++) {
          const text = `HTTP/1.${minor} 200 OK\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`
          const parser = parsers[(i + again) % 2] as ResponseParser
          const at = Math.min(cut, text.length)
          expect(read(parser, text, at)).toEqual(read(new ResponseParser(), text, at))
        }
      })
    }),
    { numRuns: 300 },
  )
})

it('gives the same texts again', () => {
  const known = new KnownLines()
  const head = 'HTTP/1.1 200 OK\r\nX-Long-Enough-To-Be-A-Slice: 0123456789abcdef\r\n\r\n'
  const learn = read(new ResponseParser(known), head, head.length)
  const line = 'X-Long-Enough-To-Be-A-Slice: 0123456789abcdef\r\n'
  const bytes = Buffer.from(`..${line}`, 'latin1')
  expect(known.lengthAt(0, bytes, 2, bytes.length)).toBe(line.length)
  expect(known.value(0)).toBe(learn.headers?.[1])
  expect(read(new ResponseParser(known), head, head.length)).toEqual(learn)
})

it.each<[name: string, text: string, want: number]>([
  ['the line itself', 'A: b\r\n', 6],
  ['a longer value', 'A: bb\r\n', 0],
  ['a shorter one', 'A: \r\n', 0],
  ['another case', 'a: b\r\n', 0],
  ['a line that is cut', 'A: b\r', 0],
  ['a bare LF', 'A: b\n\n', 0],
  ['nothing', '', 0],
])('compares to the byte: %s', (_name, text, want) => {
  const known = new KnownLines()
  read(new ResponseParser(known), 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n', 24)
  const bytes = Buffer.from(text, 'latin1')
  expect(known.lengthAt(0, bytes, 0, bytes.length)).toBe(want)
  expect(known.lengthAt(1, bytes, 0, bytes.length)).toBe(0)
})

it.each<[name: string, line: string, times: number]>([
  ['more lines', 'X-A: b\r\n', 33],
  ['more bytes', `X-A: ${'b'.repeat(100)}\r\n`, 20],
])('a head with %s than are kept is read, and not learned', (_name, line, times) => {
  const known = new KnownLines()
  const head = `HTTP/1.1 200 OK\r\n${line.repeat(times)}\r\n`
  const parser = new ResponseParser(known)
  expect(read(parser, head, head.length).headers).toHaveLength(2 * times)
  const bytes = Buffer.from(line)
  expect(known.lengthAt(0, bytes, 0, bytes.length)).toBe(0)
})

it('a whole head that comes again gives the same fields, unless some are dropped', () => {
  const known = new KnownLines()
  const head = 'HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n'
  const parser = new ResponseParser(known)
  read(parser, head, head.length)
  const bytes = Buffer.from(`${head}body`, 'latin1')
  expect(known.headLengthAt(bytes, 0, bytes.length)).toBe(head.length)
  expect(known.headLengthAt(bytes, 0, head.length - 1)).toBe(0)
  expect(known.headLengthAt(bytes, 1, bytes.length)).toBe(0)
  const seen = new Set<readonly string[]>()
  for (let again = 0; again < 3; again++) {
    read(parser, head, head.length)
    expect(parser.headers).toEqual(['x-a', '1'])
    seen.add(parser.headers)
  }
  expect(seen.size).toBe(1)
})

it.each([
  [
    'fields that Connection names',
    'HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\n\r\n',
  ],
  ['the length of a 204', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n'],
])('%s are dropped from each head that is known', (_what, head) => {
  const known = new KnownLines()
  const parser = new ResponseParser(known)
  for (let again = 0; again < 4; again++) {
    read(parser, head, head.length)
    expect(parser.headers).toEqual(['x-a', '1'])
  }
  expect(known.facts?.headers).toHaveLength(4)
})

it('heads that always differ are learned now and then, and never confused', () => {
  const known = new KnownLines()
  const parser = new ResponseParser(known)
  for (let i = 0; i < 50; i++) {
    const head = `HTTP/1.1 200 OK\r\nServer: s\r\nX-Id: ${i}\r\nContent-Length: ${i}\r\n\r\n`
    expect(read(parser, head, 40)).toMatchObject({
      event: HEAD,
      headers: ['server', 's', 'x-id', String(i), 'content-length', String(i)],
      bodyLength: i,
    })
  }
})

it('a known line means again what it meant: two lengths are refused', () => {
  const known = new KnownLines()
  const parser = new ResponseParser(known)
  const once = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: y\r\n\r\n'
  const twice = 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'
  for (let i = 0; i < 5; i++) expect(read(parser, once, once.length).event).toBe(HEAD)
  for (let i = 0; i < 10; i++) expect(read(parser, twice, twice.length).event).toBe(MALFORMED)
  expect(read(parser, once, once.length).event).toBe(HEAD)
})
