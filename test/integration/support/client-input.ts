/** What becomes of a request: a status, an end of the connection without a word, or the back end. */
export type Outcome = '400' | '413' | '431' | '505' | 'closed' | 'forwarded'

export interface Input {
  readonly what: string
  /** Latin-1. */
  readonly bytes: string
  readonly outcome: Outcome
}

const get = (fields: string, target = '/', host = 'Host: a\r\n'): string =>
  `GET ${target} HTTP/1.1\r\n${host}${fields}\r\n`
const post = (fields: string, body: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body)
const row = (outcome: Outcome, what: string, bytes: string): Input => ({ what, bytes, outcome })

/** Sorted as docs/client-input.md shows them. */
export const CLIENT_INPUT: Readonly<Record<string, readonly Input[]>> = {
  'Request line': [
    row('505', 'HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'),
    row('505', 'HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'),
    row('505', 'HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'),
    row('505', 'no version', 'GET /\r\nHost: a\r\n\r\n'),
    row('505', 'version in lower case', 'GET / http/1.1\r\nHost: a\r\n\r\n'),
    row('505', 'preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    row('505', 'absolute form', get('', 'http://a/')),
    row('505', 'asterisk form', get('', '*').replace('GET', 'OPTIONS')),
    row('505', 'CONNECT with an authority', get('', 'a:80').replace('GET', 'CONNECT')),
    row('505', 'target without a slash', get('', 'index.html')),
    row('505', 'two spaces between the parts', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'),
    row('505', 'a space in the target', get('', '/a b')),
    row('505', 'a tab between the parts', 'GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n'),
    row('400', 'bytes beyond ASCII in the path', get('', '/\xc3\xa9')),
    row(
      '400',
      'UTF-8 in the path that ends in CR LF when cut (c4 8d c4 8a)',
      get('', '/\xc4\x8d\xc4\x8aX:y'),
    ),
    row('400', 'bytes beyond ASCII in the query', get('', '/?\xc3\xa9')),
    row('505', 'a control character in the path', get('', '/\x01')),
    row('400', 'DEL in the path', get('', '/\x7f')),
    row('505', 'NUL in the path', get('', '/\x00')),
    row('400', 'a method that is no token', get('').replace('GET', 'G@T')),
    row('400', 'no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n'),
    row('505', 'a space at the beginning', ` ${get('')}`),
    row('505', 'an empty line before it', `\r\n${get('')}`),
    row('505', 'line ends of LF alone', get('').replaceAll('\r\n', '\n')),
    row('505', 'a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
    row('431', 'a target of 40 KB', get('', `/${'a'.repeat(40_000)}`)),
  ],
  Host: [
    row('closed', 'none', get('', '/', '')),
    row('400', 'two', get('Host: b\r\n')),
    row('400', 'two alike', get('Host: a\r\n')),
    row('400', 'with a space', get('', '/', 'Host: a b\r\n')),
    row('400', 'with bytes beyond ASCII', get('', '/', 'Host: a\xc3\xa9b\r\n')),
    row('400', 'with a slash', get('', '/', 'Host: a/b\r\n')),
    row('400', 'with a user', get('', '/', 'Host: u@a\r\n')),
    row('400', 'a list', get('', '/', 'Host: a, b\r\n')),
    row('400', 'a port that is no number', get('', '/', 'Host: a:b\r\n')),
  ],
  Fields: [
    row('closed', 'a folded line', get('X: a\r\n b\r\n')),
    row('closed', 'a folded line at the beginning', get('', '/', ' X: a\r\nHost: a\r\n')),
    row('closed', 'a space before the colon', get('X : a\r\n')),
    row('closed', 'a space in the name', get('X Y: a\r\n')),
    row('closed', 'no colon', get('X\r\n')),
    row('closed', 'a name that is no token', get('X(: a\r\n')),
    row('closed', 'a name beyond ASCII', get('X\xc3\xa9: a\r\n')),
    row('closed', 'NUL in a value', get('X: a\x00b\r\n')),
    row('closed', 'CR alone in a value', get('X: a\rb\r\n')),
    row('closed', 'LF alone after a value', get('X: a\nY: b\r\n')),
    row('closed', 'a control character in a value', get('X: a\x01b\r\n')),
    row('400', 'DEL in a value', get('X: a\x7fb\r\n')),
    row('closed', 'vertical tab in a value', get('X: a\x0bb\r\n')),
    row('400', 'a field twice, of which one is beyond ASCII', get('X: a\xc3\xa9b\r\nX: a\r\n')),
    row('431', 'one of 40 KB', get(`X: ${'a'.repeat(40_000)}\r\n`)),
    row(
      '431',
      '40 KB in all',
      get(Array.from({ length: 80 }, (_, i) => `X${i}: ${'a'.repeat(500)}\r\n`).join('')),
    ),
    row(
      'closed',
      '150 fields',
      get(Array.from({ length: 150 }, (_, i) => `X${i}: a\r\n`).join('')),
    ),
  ],
  'Length of the body': [
    row('400', 'two equal lengths', post('Content-Length: 1\r\nContent-Length: 1\r\n', 'a')),
    row('400', 'two lengths', post('Content-Length: 1\r\nContent-Length: 2\r\n', 'ab')),
    row('400', 'a list of lengths', post('Content-Length: 1, 1\r\n', 'a')),
    row('400', 'a sign before it', post('Content-Length: +1\r\n', 'a')),
    row('400', 'a negative one', post('Content-Length: -1\r\n', 'a')),
    row('400', 'hexadecimal', post('Content-Length: 0x1\r\n', 'a')),
    row('400', 'letters', post('Content-Length: 1a\r\n', 'a')),
    row('400', 'an empty one', post('Content-Length: \r\n', 'a')),
    row('400', 'one beyond all numbers', post('Content-Length: 99999999999999999999\r\n', 'a')),
    row(
      '400',
      'length and chunks',
      post('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', '1\r\na\r\n0\r\n\r\n'),
    ),
    row(
      '400',
      'chunks and length',
      post('Transfer-Encoding: chunked\r\nContent-Length: 1\r\n', '1\r\na\r\n0\r\n\r\n'),
    ),
  ],
  'Transfer-Encoding': [
    row('400', 'gzip, chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')),
    row('400', 'identity', post('Transfer-Encoding: identity\r\n', '')),
    row(
      '400',
      'chunked twice',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    ),
    row('400', 'chunked, chunked', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n')),
    row('400', 'chunked, identity', post('Transfer-Encoding: chunked, identity\r\n', '0\r\n\r\n')),
    row('400', 'xchunked', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')),
    row('400', 'chunked in quotes', post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n')),
    row(
      'closed',
      'chunked with a vertical tab',
      post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'),
    ),
    row('400', 'an empty one', post('Transfer-Encoding: \r\n', '')),
  ],
}

export interface Passed {
  readonly what: string
  readonly bytes: string
  /** What the back end gets, but for its own Host field. */
  readonly forwarded: string
}

const pass = (what: string, bytes: string, forwarded: string): Passed => ({
  what,
  bytes,
  forwarded,
})
const head = (line: string, fields = ''): string =>
  `${line} HTTP/1.1\r\nhost: <own>\r\n${fields}\r\n`

/** What is odd and yet fine, and how it goes on. */
export const PASSED: readonly Passed[] = [
  pass(
    'a method in lower case, which is another method',
    get('').replace('GET', 'get'),
    head('get /'),
  ),
  pass('an unknown method', get('').replace('GET', 'PURGE'), head('PURGE /')),
  pass('an empty Host', get('', '/', 'Host:\r\n'), head('GET /')),
  pass('a Host with an address in brackets', get('', '/', 'Host: [::1]:80\r\n'), head('GET /')),
  pass('two slashes', get('', '//a//b'), head('GET //a//b')),
  pass(
    'dots and percent signs',
    get('', '/a/../%2e%2E/%2f%00?%0d%0a'),
    head('GET /a/../%2e%2E/%2f%00?%0d%0a'),
  ),
  pass('a fragment', get('', '/a#b'), head('GET /a#b')),
  pass('an empty query', get('', '/a?'), head('GET /a')),
  pass('a long query', get('', `/?${'q'.repeat(5_000)}`), head(`GET /?${'q'.repeat(5_000)}`)),
  pass('spaces and tabs around a value', get('X: \t a\tb \t\r\n'), head('GET /', 'x: a\tb\r\n')),
  pass('an empty value', get('X:\r\n'), head('GET /', 'x: \r\n')),
  pass('a field twice', get('X: a\r\nY: c\r\nX: b\r\n'), head('GET /', 'x: a\r\ny: c\r\nx: b\r\n')),
  pass(
    'UTF-8 in a value, also such that is CR LF when cut (c4 8d c4 8a)',
    get('X: a\xc4\x8d\xc4\x8aY: b\r\n'),
    head('GET /', 'x: a\xc4\x8d\xc4\x8aY: b\r\n'),
  ),
  pass(
    'bytes in a value that are no UTF-8',
    get('X: a\xff\xfe\x80b\r\n'),
    head('GET /', 'x: a\xff\xfe\x80b\r\n'),
  ),
  pass(
    'bytes beyond ASCII at the ends of a value, which are lost',
    get('X: \xc3\xa9a\xc3\xa9\r\n'),
    head('GET /', 'x: a\r\n'),
  ),
  pass('a field without a name, which ends the fields', get(': a\r\nX: a\r\n'), head('GET /')),
  pass(
    'fields of this hop, and those that Connection names',
    get(
      'Connection: x, keep-alive\r\nKeep-Alive: 1\r\nX: a\r\nUpgrade: h2c\r\nProxy-Connection: b\r\nTE: trailers\r\nY: b\r\n',
    ),
    head('GET /', 'y: b\r\n'),
  ),
  pass(
    'a Connection that names Host and Content-Length',
    post('Connection: host, content-length\r\nContent-Length: 1\r\n', 'a'),
    `${head('POST /', 'content-length: 1\r\n')}a`,
  ),
  pass(
    'a length with zeros before it',
    post('Content-Length: 0001\r\n', 'a'),
    `${head('POST /', 'content-length: 1\r\n')}a`,
  ),
  pass(
    'a length of a GET',
    `${get('Content-Length: 1\r\n')}a`,
    `${head('GET /', 'content-length: 1\r\n')}a`,
  ),
  pass('a length of 0', post('Content-Length: 0\r\n', ''), head('POST /', 'content-length: 0\r\n')),
  pass(
    'CHUNKED',
    post('Transfer-Encoding: CHUNKED\r\n', '1\r\na\r\n0\r\n\r\n'),
    `${head('POST /', 'transfer-encoding: chunked\r\n')}1\r\na\r\n0\r\n\r\n`,
  ),
  pass(
    'sizes of chunks with zeros before them',
    chunked('0001\r\na\r\n000\r\n\r\n'),
    `${head('POST /', 'transfer-encoding: chunked\r\n')}1\r\na\r\n0\r\n\r\n`,
  ),
  pass(
    'Expect, which is answered here',
    post('Expect: 100-continue\r\nContent-Length: 1\r\n', 'a'),
    `${head('POST /', 'content-length: 1\r\n')}a`,
  ),
]

/** Bodies that break off: a back end may see the head, but never the end of the body. */
export const BROKEN_BODIES: readonly { readonly what: string; readonly body: string }[] = [
  { what: 'a size that is no number', body: 'xyz\r\na\r\n0\r\n\r\n' },
  { what: 'a negative size', body: '-1\r\na\r\n0\r\n\r\n' },
  { what: 'a size beyond all numbers', body: 'fffffffffffffffff\r\na\r\n0\r\n\r\n' },
]
