import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  DATA,
  END,
  FIELDS_MAX,
  HEAD,
  HEAD_BYTES_MAX,
  MALFORMED,
  NEED_MORE,
  ResponseParser,
} from './response-parser.js'

/** All that an answer came to, however it was cut. */
interface Parsed {
  status: number
  headers: string[]
  length: number
  body: string
  /** 'end', 'bad', or 'more' when the bytes did not suffice. */
  outcome: string
  canReuse: boolean
  unread: number
  problem: string
}

interface How {
  isHead?: boolean
  closes?: boolean
}

/** Feeds `pieces` through one buffer that is overwritten each time, as a connection does. */
function parse(pieces: readonly Buffer[], how: How = {}): Parsed {
  const parser = new ResponseParser()
  parser.start(how.isHead === true)
  const parsed: Parsed = {
    status: 0,
    headers: [],
    length: 0,
    body: '',
    outcome: 'more',
    canReuse: false,
    unread: 0,
    problem: '',
  }
  const shared = Buffer.alloc(Math.max(1, ...pieces.map((piece) => piece.length)))
  let left = pieces.reduce((bytes, piece) => bytes + piece.length, 0)
  for (const piece of pieces) {
    shared.fill(0x2a)
    piece.copy(shared)
    left -= piece.length
    if (parsed.outcome !== 'more') continue
    parser.input(shared, piece.length)
    pull(parser, parsed)
    if ((parsed.outcome as string) === 'end') parsed.unread = parser.unread + left
  }
  if (how.closes === true && parsed.outcome === 'more') {
    parsed.outcome = parser.eof() === END ? 'end' : 'bad'
    parsed.problem = parser.problem
  }
  parsed.canReuse = parser.canReuse
  return parsed
}

function pull(parser: ResponseParser, parsed: Parsed): void {
  for (;;) {
    const event = parser.next()
    if (event === NEED_MORE) return
    if (event === HEAD) {
      parsed.status = parser.status
      parsed.headers = [...parser.headers]
      parsed.length = parser.bodyLength
    } else if (event === DATA) parsed.body += Buffer.from(parser.chunk()).toString('latin1')
    else {
      parsed.outcome = event === END ? 'end' : 'bad'
      if (event === MALFORMED) parsed.problem = parser.problem
      return
    }
  }
}

function cut(text: string, at: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const points = [...new Set(at)].filter((i) => i > 0 && i < bytes.length).sort((a, b) => a - b)
  return [0, ...points].map((from, i) => bytes.subarray(from, points[i] ?? bytes.length))
}

const whole = (text: string): Buffer[] => cut(text, [])
const bytewise = (text: string): Buffer[] =>
  cut(
    text,
    [...text].map((_, i) => i),
  )

/** Whole, byte by byte, and at random places: always the same. */
function parseAllWays(text: string, how: How = {}): Parsed {
  const expected = parse(whole(text), how)
  expect(parse(bytewise(text), how), 'byte by byte').toEqual(expected)
  const cuts = fc.array(fc.nat(Math.max(1, text.length)), { maxLength: 6 })
  fc.assert(
    fc.property(cuts, (at) => {
      expect(parse(cut(text, at), how)).toEqual(expected)
    }),
    { numRuns: 30 },
  )
  return expected
}

const OK11 = 'HTTP/1.1 200 OK\r\n'

it.each<[name: string, text: string, want: Partial<Parsed>, how?: How]>([
  [
    'a sized body',
    `${OK11}Content-Length: 5\r\nX-A: b\r\n\r\nhello`,
    { status: 200, length: 5, body: 'hello', canReuse: true, unread: 0, outcome: 'end' },
  ],
  [
    'names in lower case, values trimmed, order and repeats kept',
    `${OK11}Content-Length:0\r\nSet-Cookie: \t a=1 \t\r\nSET-COOKIE:b=2\r\nX-Empty:\r\n\r\n`,
    { headers: ['content-length', '0', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-empty', ''] },
  ],
  ['Latin-1 in a value', `${OK11}content-length: 0\r\nx: \xe4\xff\r\n\r\n`, { outcome: 'end' }],
  ['no reason, with its space', 'HTTP/1.1 204 \r\n\r\n', { status: 204, outcome: 'end' }],
  ['no reason, no space', 'HTTP/1.1 204\r\n\r\n', { status: 204, outcome: 'end' }],
  ['a strange reason', 'HTTP/1.1 200 \xfc ber\t!\r\ncontent-length: 0\r\n\r\n', { status: 200 }],
  [
    'chunks, with extensions and trailers, which are dropped',
    `${OK11}Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0A\r\n0123456789\r\n000;x\r\nT: 1\r\nU:\r\n\r\n`,
    { length: -1, body: 'abc0123456789', headers: [], canReuse: true, outcome: 'end' },
  ],
  [
    'a chunk that looks like framing',
    `${OK11}transfer-encoding: chunked\r\n\r\n7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n`,
    { body: '\r\n0\r\n\r\n', outcome: 'end', unread: 0 },
  ],
  ['an empty chunked body', `${OK11}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`, { body: '' }],
  [
    'a body that ends with the connection',
    `${OK11}\r\nall of it`,
    { length: -1, body: 'all of it', canReuse: false, outcome: 'end' },
    { closes: true },
  ],
  [
    'HTTP/1.0, which closes',
    'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi',
    { body: 'hi', canReuse: false, outcome: 'end' },
  ],
  [
    'HTTP/1.0 that keeps alive',
    'HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nhi',
    { body: 'hi', canReuse: true, headers: ['content-length', '2'] },
  ],
  [
    'HTTP/1.0 that says both',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 0\r\n\r\n',
    { canReuse: false },
  ],
  [
    'Connection: close',
    `${OK11}content-length: 0\r\nConnection: CLOSE\r\n\r\n`,
    { canReuse: false, headers: ['content-length', '0'] },
  ],
  [
    'hop-by-hop fields, and those that Connection names',
    `${OK11}X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\nTE: x\r\nTrailer: T\r\nUpgrade: h2c\r\nConnection: x-hop, upgrade\r\ncontent-length: 0\r\nx-end: 1\r\n\r\n`,
    { headers: ['content-length', '0', 'x-end', '1'], canReuse: true },
  ],
  [
    'HEAD keeps the length of what it does not send',
    `${OK11}content-length: 500\r\n\r\n`,
    { length: 0, headers: ['content-length', '500'], outcome: 'end', canReuse: true },
    { isHead: true },
  ],
  [
    'HEAD of a chunked resource',
    `${OK11}transfer-encoding: chunked\r\n\r\n`,
    { length: 0, outcome: 'end', canReuse: true },
    { isHead: true },
  ],
  [
    '304 with a length',
    'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
    { length: 0, headers: ['content-length', '9'], outcome: 'end', canReuse: true },
  ],
  [
    '204 loses its length',
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nx: y\r\n\r\n',
    { length: 0, headers: ['x', 'y'], outcome: 'end' },
  ],
  [
    'interim answers first',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK11}content-length: 1\r\n\r\nx`,
    { status: 200, headers: ['content-length', '1'], body: 'x' },
  ],
  [
    'more than declared is left unread',
    `${OK11}content-length: 2\r\n\r\nhixyz`,
    { body: 'hi', unread: 3, outcome: 'end' },
  ],
  ['a second answer is left unread', `${OK11}content-length: 0\r\n\r\n${OK11}`, { unread: 17 }],
  ['a body after 204 is left unread', 'HTTP/1.1 204 N\r\n\r\nx', { unread: 1, outcome: 'end' }],
  ['a head cut short', `${OK11}content-le`, { outcome: 'more', status: 0 }],
  ['a body cut short', `${OK11}content-length: 5\r\n\r\nhel`, { outcome: 'more', body: 'hel' }],
])('takes %s', (_name, text, want, how) => {
  expect(parseAllWays(text, how)).toMatchObject(want)
})

const head = (fields: string): string => `${OK11}${fields}\r\n\r\n`
const chunked = (body: string): string => head('transfer-encoding: chunked') + body

it.each<[name: string, text: string, problem: RegExp]>([
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', /status line/],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', /status line/],
  ['a two-digit version', 'HTTP/1.10 200 OK\r\n\r\n', /status line/],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', /status line/],
  ['HTTP/0.9', '<html>hello</html>', /status line/],
  ['lower case', 'http/1.1 200 OK\r\n\r\n', /status line/],
  ['a leading empty line', '\r\nHTTP/1.1 200 OK\r\n\r\n', /status line/],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n', /status line/],
  ['status 099', 'HTTP/1.1 099 X\r\n\r\n', /status line/],
  ['status 600', 'HTTP/1.1 600 X\r\n\r\n', /status line/],
  ['a short status', 'HTTP/1.1 20 OK\r\n\r\n', /status line/],
  ['a long status', 'HTTP/1.1 2000 OK\r\n\r\n', /status line/],
  ['NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n', /status line/],
  ['a status line that ends in LF', 'HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n', /status line/],
  ['CR in the reason', 'HTTP/1.1 200 O\rK\r\n\r\n', /bare CR/],
  ['101, which was not asked for', 'HTTP/1.1 101 Switching\r\n\r\n', /101/],
  ['LF as line end', head('a: b\nc: d'), /bare LF/],
  ['LF as last line end', `${OK11}a: b\n\r\n`, /bare LF/],
  ['CR in a value', head('a: b\rc'), /bare CR/],
  ['CR instead of the last line', `${OK11}a: b\r\n\rx`, /bare CR/],
  ['NUL in a value', head('a: b\0'), /bad byte/],
  ['DEL in a value', head('a: \x7f'), /bad byte/],
  ['a control character in a value', head('a: \x01'), /bad byte/],
  ['folding', head('a: b\r\n c'), /field name/],
  ['folding by tab', head('a: b\r\n\tc'), /field name/],
  ['folding of the first field', head(' a: b'), /field name/],
  ['a space before the colon', head('content-length : 0'), /field name/],
  ['a tab before the colon', head('a\t: 0'), /field name/],
  ['no colon', head('abc'), /field name/],
  ['no name', head(': b'), /field name/],
  ['NUL in a name', head('a\0: b'), /field name/],
  ['Latin-1 in a name', head('\xe4: b'), /field name/],
  ['differing lengths', head('content-length: 1\r\ncontent-length: 2'), /repeated content-length/],
  ['equal lengths', head('content-length: 1\r\nContent-Length: 1'), /repeated content-length/],
  ['a list of lengths', head('content-length: 1, 1'), /bad content-length/],
  ['an empty length', head('content-length:'), /bad content-length/],
  ['a signed length', head('content-length: +1'), /bad content-length/],
  ['a negative length', head('content-length: -1'), /bad content-length/],
  ['a hexadecimal length', head('content-length: 0x1'), /bad content-length/],
  ['a fraction', head('content-length: 1.0'), /bad content-length/],
  ['a length of 2^53', head('content-length: 9007199254740992'), /bad content-length/],
  ['a length of 17 digits', head('content-length: 00000000000000001'), /bad content-length/],
  ['length and chunks', head('content-length: 1\r\ntransfer-encoding: chunked'), /with transfer/],
  ['chunks and length', head('transfer-encoding: chunked\r\ncontent-length: 1'), /with transfer/],
  ['gzip, chunked', head('transfer-encoding: gzip, chunked'), /other than chunked/],
  ['identity', head('transfer-encoding: identity'), /other than chunked/],
  ['chunked twice in one', head('transfer-encoding: chunked, chunked'), /other than chunked/],
  ['chunked with a parameter', head('transfer-encoding: chunked;a=b'), /other than chunked/],
  ['an empty coding', head('transfer-encoding:'), /other than chunked/],
  ['xchunked', head('transfer-encoding: xchunked'), /other than chunked/],
  ['VT around chunked', head('transfer-encoding: \x0bchunked'), /bad byte/],
  ['chunked twice', head('transfer-encoding: chunked\r\ntransfer-encoding: chunked'), /repeated/],
  ['chunks in 1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', /HTTP\/1\.0/],
  ['no chunk size', chunked('\r\n'), /chunk size/],
  ['a bad digit', chunked('g\r\n'), /chunk size/],
  ['a signed chunk size', chunked('-1\r\n'), /chunk size/],
  ['0x', chunked('0x5\r\n'), /chunk size/],
  ['a space before a size', chunked(' 5\r\n'), /chunk size/],
  ['a space after a size', chunked('5 \r\n'), /chunk size/],
  ['LF after a size', chunked('5\n'), /chunk size/],
  ['CR alone after a size', chunked('5\rx'), /bare CR/],
  ['a size above 2^53', chunked('20000000000000\r\n'), /too large/],
  ['a size of 17 digits', chunked('00000000000000001\r\n'), /too large/],
  ['LF in an extension', chunked('5;a\n'), /extension/],
  ['NUL in an extension', chunked('5;\0\r\n'), /extension/],
  ['an endless extension', chunked(`5;${'a'.repeat(1100)}`), /extension too long/],
  ['a chunk longer than its size', chunked('3\r\nabcd\r\n'), /longer/],
  ['a chunk shorter than its size', chunked('3\r\nab\r\n0\r\n\r\n'), /longer|bare/],
  ['LF after a chunk', chunked('3\r\nabc\n'), /longer/],
  ['CR alone after a chunk', chunked('3\r\nabc\rx'), /bare CR/],
  ['CR alone at the end', chunked('0\r\n\rx'), /bare CR/],
  ['a folded trailer', chunked('0\r\na: b\r\n c\r\n\r\n'), /trailer/],
  ['a trailer without colon', chunked('0\r\nabc\r\n\r\n'), /trailer/],
  ['NUL in a trailer', chunked('0\r\na: \0\r\n\r\n'), /trailer/],
  ['a trailer that ends in LF', chunked('0\r\na: b\n\r\n'), /trailer/],
])('refuses %s', (_name, text, problem) => {
  const parsed = parseAllWaysToVerdict(text)
  expect(parsed.outcome).toBe('bad')
  expect(parsed.problem).toMatch(problem)
  expect(parsed.canReuse).toBe(false)
})

/**
 * A head in pieces is checked line by line, so the verdict may come later than with the whole at
 * hand; a line end after it makes both the same.
 */
function parseAllWaysToVerdict(text: string): Parsed {
  return parseAllWays(text.endsWith('\n') ? text : `${text}\r\n\r\n`)
}

it.each<[name: string, text: string]>([
  ['nothing', ''],
  ['half a head', `${OK11}a: `],
  ['half a body', `${OK11}content-length: 5\r\n\r\nhel`],
  ['half a chunk', chunked('5\r\nhel')],
  ['no last chunk', chunked('3\r\nabc\r\n')],
  ['half a last chunk', chunked('0\r\n')],
  ['only an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
])('a connection closed after %s is no end', (_name, text) => {
  expect(parseAllWays(text, { closes: true }).outcome).toBe('bad')
})

const field = (bytes: number): string => `a: ${'x'.repeat(bytes - 5)}\r\n`

it.each<[name: string, text: string, outcome: string]>([
  [
    'the most fields',
    `${OK11}${'a: b\r\n'.repeat(FIELDS_MAX - 1)}content-length: 0\r\n\r\n`,
    'end',
  ],
  ['a field more', `${OK11}${'a: b\r\n'.repeat(FIELDS_MAX + 1)}\r\n`, 'bad'],
  ['hop-by-hop fields count too', `${OK11}${'te: b\r\n'.repeat(FIELDS_MAX + 1)}\r\n`, 'bad'],
  ['the most trailers', chunked(`0\r\n${'a: b\r\n'.repeat(FIELDS_MAX)}\r\n`), 'end'],
  ['a trailer more', chunked(`0\r\n${'a: b\r\n'.repeat(FIELDS_MAX + 1)}\r\n`), 'bad'],
  [
    'the most interim answers',
    `${'HTTP/1.1 102 P\r\n\r\n'.repeat(32)}HTTP/1.1 204 N\r\n\r\n`,
    'end',
  ],
  ['an interim answer more', 'HTTP/1.1 102 P\r\n\r\n'.repeat(33), 'bad'],
])('bounds: %s', (_name, text, outcome) => {
  expect(parse(whole(text)).outcome).toBe(outcome)
  expect(parse(bytewise(text)).outcome).toBe(outcome)
})

it.each<[name: string, bytes: number, outcome: string]>([
  ['the largest head', HEAD_BYTES_MAX, 'end'],
  ['a byte more', HEAD_BYTES_MAX + 1, 'bad'],
  ['far more', 3 * HEAD_BYTES_MAX, 'bad'],
])('bounds: %s', (_name, bytes, outcome) => {
  const frame = `${OK11}content-length: 0\r\n\r\n`
  const text = `${OK11}content-length: 0\r\n${field(bytes - frame.length)}\r\n`
  expect(text).toHaveLength(bytes)
  expect(parse(whole(text)).outcome).toBe(outcome)
  expect(parse(cut(text, [100, 40_000, 65_000, 65_535, 65_536])).outcome).toBe(outcome)
})

it('trailers are bounded in bytes', () => {
  const text = chunked(`0\r\n${field(40_000)}${field(40_000)}\r\n`)
  expect(parse(whole(text))).toMatchObject({ outcome: 'bad', problem: 'trailers too large' })
})

it('a line that never ends is refused, and costs no more than its bytes', () => {
  const parser = new ResponseParser()
  parser.start(false)
  parser.input(Buffer.from(OK11), OK11.length)
  expect(parser.next()).toBe(NEED_MORE)
  const one = Buffer.from('x')
  let event: number = NEED_MORE
  let bytes = OK11.length
  for (; event === NEED_MORE && bytes < 2 * HEAD_BYTES_MAX; bytes++) {
    parser.input(one, 1)
    event = parser.next()
  }
  expect(event).toBe(MALFORMED)
  expect(bytes).toBe(HEAD_BYTES_MAX + 1)
})

it.each<[field: string, want: number]>([
  ['x: y', -1],
  ['Keep-Alive: timeout=5', 5_000],
  ['keep-alive: Timeout=5, max=100', 5_000],
  ['keep-alive: timeout=0', 0],
  ['keep-alive: timeout=', -1],
  ['keep-alive: timeout=x', -1],
  ['keep-alive: max=5, timeout=7', -1],
  ['keep-alive: 5', -1],
  ['keep-alive:', -1],
])('how long a connection stays, as %j says', (text, want) => {
  const parser = new ResponseParser()
  const bytes = Buffer.from(head(`content-length: 0\r\n${text}`))
  parser.start(false)
  parser.input(bytes, bytes.length)
  expect(parser.next()).toBe(HEAD)
  expect(parser.idleHintMs).toBe(want)
  expect(parser.headers).not.toContain('keep-alive')
})

it('what was not read survives the buffer being used again', () => {
  const parser = new ResponseParser()
  const shared = Buffer.alloc(100)
  parser.start(false)
  parser.input(shared, shared.write(`${OK11}content-length: 6\r\n\r\nabc`, 'latin1'))
  expect(parser.next()).toBe(HEAD)
  parser.keepUnread()
  parser.input(shared, shared.fill(0).write('def', 'latin1'))
  const parsed = { body: '', outcome: 'more' } as Parsed
  pull(parser, parsed)
  expect(parsed).toMatchObject({ body: 'abcdef', outcome: 'end' })
})

it('serves one answer after the other, forgetting the one before', () => {
  const parser = new ResponseParser()
  const first = Buffer.from(`${OK11}connection: close\r\ncontent-length: 9\r\n\r\nabc`)
  parser.start(false)
  parser.input(first, first.length)
  expect([parser.next(), parser.next(), parser.remaining]).toEqual([HEAD, DATA, 6])
  const second = Buffer.from(
    'HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  )
  parser.start(false)
  parser.input(second, second.length)
  expect([parser.next(), parser.status, parser.bodyLength]).toEqual([HEAD, 404, -1])
  expect([parser.next(), parser.canReuse, parser.unread]).toEqual([END, true, 0])
})

it('random answers come out as they were put together, however they are cut', () => {
  const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/).map((name) => `x-${name}`)
  const value = fc.stringMatching(/^[!-~\xa0-\xff]([ -~\xa0-\xff]{0,30}[!-~])?$/)
  const fields = fc.array(fc.tuple(token, value), { maxLength: 12 })
  const chunks = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }))
  const cuts = fc.array(fc.nat(600), { maxLength: 12 })
  fc.assert(
    fc.property(fields, chunks, fc.boolean(), cuts, (list, parts, isSized, at) => {
      const body = parts.join('')
      const framing = isSized ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked'
      const text = [
        `${OK11}${list.map(([name, text]) => `${name}: ${text}\r\n`).join('')}${framing}\r\n\r\n`,
        isSized ? body : parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join(''),
        isSized ? '' : '0\r\n\r\n',
      ].join('')
      const want = list.flatMap(([name, text]) => [name.toLowerCase(), text])
      if (isSized) want.push('content-length', String(body.length))
      expect(parse(cut(text, at))).toMatchObject({
        headers: want,
        body,
        outcome: 'end',
        unread: 0,
        canReuse: true,
      })
    }),
  )
})

it('no bytes whatever make it throw or loop', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 8 })
  const prefixes = fc.constantFrom('', OK11, head('content-length: 9'), chunked(''))
  fc.assert(
    fc.property(prefixes, pieces, (prefix, list) => {
      parse([Buffer.from(prefix, 'latin1'), ...list.map((piece) => Buffer.from(piece))])
    }),
    { numRuns: 500 },
  )
})
