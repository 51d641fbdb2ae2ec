import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { FakeClient, FakeRequest } from '../../http/fake-client.fixture.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const MAKE_PIPE = 'mkfifo'
const MODIFIED = new Date('2026-01-02T03:04:05Z')
const MODIFIED_TEXT = 'Fri, 02 Jan 2026 03:04:05 GMT'

const folder = mkdtempSync(join(tmpdir(), 'files-'))
const root = join(folder, 'root')
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const each of ['sub', 'empty', '.git', 'deep/er'])
  mkdirSync(join(root, each), { recursive: true })
const FILES: Record<string, string | Buffer> = {
  'index.html': '<p>home',
  'a.txt': '0123456789',
  'a b.css': 'p {}',
  'größe.json': '{}',
  'sub/index.txt': 'sub index',
  'sub/page.html': 'page',
  'sub/page.html.gz': gzipSync('page, compressed'),
  'sub/page.html.br': 'brotli',
  '.git/config': 'secret',
  'deep/er/x.bak': 'old',
  'large.bin': Buffer.alloc(300_000, 'large'),
  noend: 'bytes',
}
for (const [name, content] of Object.entries(FILES)) {
  writeFileSync(join(root, name), content)
  utimesSync(join(root, name), MODIFIED, MODIFIED)
}
writeFileSync(join(folder, 'outside.txt'), 'outside')
mkdirSync(join(folder, 'root-sibling'))
writeFileSync(join(folder, 'root-sibling', 'x.txt'), 'sibling')
symlinkSync('loop', join(root, 'loop'))
symlinkSync('a.txt', join(root, 'link.txt'))
// Neither is a file whose bytes could be sent. A pipe would hold up whoever opens it.
const socket = createServer()
await once(socket.listen(join(root, 'socket')), 'listening')
socket.unref()
if (spawnSync(MAKE_PIPE, [join(root, 'pipe')]).error !== undefined) {
  console.info(`no ${MAKE_PIPE} on this machine: pipes are not tried`)
}

const server = (fields: string): string => `
flow:
- {filter: it, jumpIf: {notFound: missing}}
- {filter: END}
- {filter: missing}
filters:
- {name: it, kind: FileServer, root: ${root}${fields === '' ? '' : `, ${fields}`}}
- {name: missing, kind: Mock, rules: [{code: 299}]}
`

const withServer = (fields: string, test: (harness: Harness) => Promise<void>): Promise<void> =>
  withPipeline(server(fields), test, 'v2')

const bytesOf = (client: FakeClient): Buffer => Buffer.concat(client.chunks)

it.each<[fields: string, path: string, want: string]>([
  ['', '/', '200 <p>home'],
  ['', '/a.txt', '200 0123456789'],
  ['', '/a%20b.css', '200 p {}'],
  ['', '/gr%C3%B6%C3%9Fe.json', '200 {}'],
  ['', '/sub/', '200 sub index'],
  ['', '/sub', '404 Not Found'],
  ['', '/empty/', '404 Not Found'],
  ['', '/a.txt/', '404 Not Found'],
  ['', '/a.txt/b', '404 Not Found'],
  ['', '/none', '404 Not Found'],
  ['', '/link.txt', '200 0123456789'],
  ['', '/loop', '404 Not Found'],
  ['', '/pipe', '404 Not Found'],
  ['', '/socket', '404 Not Found'],
  ['', `/${'x'.repeat(5_000)}`, '404 Not Found'],
  ['', '//a.txt', '200 0123456789'],
  ['', '/./sub/../a.txt', '200 0123456789'],
  ['', '/../outside.txt', '404 Not Found'],
  ['', '/..%2Foutside.txt', '404 Not Found'],
  ['', '/%2e%2e/%2e%2e/etc/passwd', '404 Not Found'],
  ['', '/sub/..%2f..%2f..%2f..%2fetc%2fpasswd', '404 Not Found'],
  ['', '/..\\\\outside.txt', '404 Not Found'],
  ['', '/../root-sibling/x.txt', '404 Not Found'],
  ['', '/a.txt%00.html', '400 Bad Request'],
  ['index: [page.html]', '/sub/', '200 page'],
  ['index: [none, page.html]', '/sub/', '200 page'],
  ['index: [../../outside.txt]', '/sub/', '404 Not Found'],
  ['hidden: [.git]', '/.git/config', '403 Forbidden'],
  ['hidden: [".*"]', '/.git/config', '403 Forbidden'],
  ['hidden: ["*.bak"]', '/deep/er/x.bak', '403 Forbidden'],
  ['hidden: ["*.bak"]', '/a.txt', '200 0123456789'],
  ['hidden: ["[a-c].txt"]', '/a.txt', '403 Forbidden'],
  ['hidden: ["?.txt"]', '/a.txt', '403 Forbidden'],
  ['hidden: ["[^b].txt"]', '/a.txt', '403 Forbidden'],
  ["hidden: ['\\?.txt']", '/a.txt', '200 0123456789'],
  ["hidden: ['\\a.txt']", '/a.txt', '403 Forbidden'],
  [`hidden: [${root}/deep]`, '/deep/er/x.bak', '403 Forbidden'],
  [`hidden: ["${root}/*.txt"]`, '/a.txt', '403 Forbidden'],
  [`hidden: ["${root}/*.txt"]`, '/sub/', '200 sub index'],
  ['hidden: [.git]', '/.git/none', '404 Not Found'],
  ['tryFiles: ["{path}", /index.html]', '/app/route', '200 <p>home'],
  ['tryFiles: ["{path}", /index.html]', '/a.txt', '200 0123456789'],
  ['tryFiles: ["{path}", "{path}/index.txt"]', '/sub', '200 sub index'],
  ['tryFiles: ["{path}", "=410 gone away"]', '/none', '410 gone away'],
  ['tryFiles: ["{path}", "=404"]', '/none', '404 '],
  ['tryFiles: ["{path}.html"]', '/sub/page', '200 page'],
  ['tryFiles: ["/../..{path}"]', '/etc/passwd', '404 Not Found'],
  ['rewrite: "^/old/(.*) /sub/$1"', '/old/page.html', '200 page'],
  ['rewrite: "^/old/(.*) /../../$1"', '/old/etc/passwd', '404 Not Found'],
  ['rewrite: "^/x /sub/"', '/x', '200 sub index'],
])('{%s} %s: %s', (fields, path, want) =>
  withServer(fields, async (harness) => {
    const client = await harness.ask({ path })
    expect(`${client.status} ${client.text}`).toBe(want)
  }),
)

it('says what it sends', () =>
  withServer(
    'cache: {cacheFileExtensionFilters: [{extension: ["*.css"], etagMaxAge: 0}, {extension: ["*.txt"], etagMaxAge: 60}]}',
    async (harness) => {
      const client = await harness.ask({ path: '/a.txt' })
      expect(client.headers).toEqual([
        'etag',
        client.header('etag'),
        'last-modified',
        MODIFIED_TEXT,
        'cache-control',
        'public, max-age=60',
        'content-type',
        'text/plain; charset=utf-8',
        'accept-ranges',
        'bytes',
      ])
      expect(client.header('etag')).toMatch(/^"[0-9a-f]+-a"$/)
      const css = await harness.ask({ path: '/a b.css' })
      expect([css.header('cache-control'), css.header('content-type')]).toEqual([
        'public, max-age=3600',
        'text/css; charset=utf-8',
      ])
      const unknown = await harness.ask({ path: '/noend' })
      expect([unknown.header('cache-control'), unknown.header('content-type')]).toEqual([
        null,
        'application/octet-stream',
      ])
    },
  ))

it.each<[name: string, headers: (etag: string) => [string, string][], status: number]>([
  ['the same name', (etag) => [['if-none-match', etag]], 304],
  ['the same name, weak', (etag) => [['if-none-match', `W/${etag}`]], 304],
  ['one of several', (etag) => [['if-none-match', `"x", ${etag}`]], 304],
  ['any', () => [['if-none-match', '*']], 304],
  ['another name', () => [['if-none-match', '"x"']], 200],
  [
    'another name, whatever the date',
    () => [
      ['if-none-match', '"x"'],
      ['if-modified-since', MODIFIED_TEXT],
    ],
    200,
  ],
  ['the same date', () => [['if-modified-since', MODIFIED_TEXT]], 304],
  ['a later date', () => [['if-modified-since', 'Sat, 03 Jan 2026 00:00:00 GMT']], 304],
  ['an earlier date', () => [['if-modified-since', 'Thu, 01 Jan 2026 00:00:00 GMT']], 200],
  [
    'a later date, as of RFC 850',
    () => [['if-modified-since', 'Saturday, 03-Jan-26 00:00:00 GMT']],
    304,
  ],
  ['a later date, as of C', () => [['if-modified-since', 'Sat Jan  3 00:00:00 2026']], 304],
  ['an earlier date, as of C', () => [['if-modified-since', 'Thu Jan  1 00:00:00 2026']], 200],
  ['no date', () => [['if-modified-since', '2026-01-03']], 200],
  ['If-Match', (etag) => [['if-match', etag]], 200],
  ['If-Match, weak', (etag) => [['if-match', `W/${etag}`]], 412],
  ['If-Match of another', () => [['if-match', '"x"']], 412],
  ['If-Unmodified-Since', () => [['if-unmodified-since', MODIFIED_TEXT]], 200],
  [
    'If-Unmodified-Since, before',
    () => [['if-unmodified-since', 'Thu, 01 Jan 2026 00:00:00 GMT']],
    412,
  ],
])('condition: %s', (_name, headers, status) =>
  withServer('', async (harness) => {
    const etag = (await harness.ask({ path: '/a.txt' })).header('etag') ?? ''
    const client = await harness.ask({ path: '/a.txt', headers: headers(etag) })
    expect([client.status, client.header('etag')]).toEqual([status, etag])
    expect(client.text).toBe(status === 200 ? '0123456789' : '')
  }),
)

it.each<[range: string, status: number, text: string, contentRange: string | null]>([
  ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
  ['bytes=3-', 206, '3456789', 'bytes 3-9/10'],
  ['bytes=-2', 206, '89', 'bytes 8-9/10'],
  ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
  ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
  ['bytes=9-9', 206, '9', 'bytes 9-9/10'],
  ['bytes=10-', 416, '', 'bytes */10'],
  ['bytes=-0', 416, '', 'bytes */10'],
  ['bytes=5-3', 200, '0123456789', null],
  ['bytes=0-1,3-4', 200, '0123456789', null],
  ['bytes=', 200, '0123456789', null],
  ['bytes=-', 200, '0123456789', null],
  ['bytes=a-b', 200, '0123456789', null],
  ['lines=1-2', 200, '0123456789', null],
  ['bytes=99999999999999999999-', 416, '', 'bytes */10'],
  ['bytes=8-99999999999999999999', 206, '89', 'bytes 8-9/10'],
  ['Bytes=0-0', 206, '0', 'bytes 0-0/10'],
])('range %s', async (range, status, text, contentRange) => {
  for (const cache of ['', 'cache: {bufferPoolMaxFileSize: 1}']) {
    await withServer(cache, async (harness) => {
      const client = await harness.ask({ path: '/a.txt', headers: [['range', range]] })
      expect([client.status, client.text, client.header('content-range')]).toEqual([
        status,
        text,
        contentRange,
      ])
    })
  }
})

it('a HEAD has no ranges', () =>
  withServer('compress: gzip', async (harness) => {
    const headers: [string, string][] = [['range', 'bytes=0-3']]
    const client = await harness.ask({ path: '/a.txt', method: 'HEAD', headers })
    expect([client.status, client.header('content-length')]).toEqual([200, '10'])
    expect(client.header('content-range')).toBeNull()
  }))

it.each<[name: string, ifRange: (etag: string) => string, status: number]>([
  ['the same name', (etag) => etag, 206],
  ['a weak name', (etag) => `W/${etag}`, 200],
  ['another name', () => '"x"', 200],
  ['the same date', () => MODIFIED_TEXT, 206],
  ['another date', () => 'Thu, 01 Jan 2026 00:00:00 GMT', 200],
])('If-Range: %s', (_name, ifRange, status) =>
  withServer('', async (harness) => {
    const etag = (await harness.ask({ path: '/a.txt' })).header('etag') ?? ''
    const headers: [string, string][] = [
      ['range', 'bytes=0-1'],
      ['if-range', ifRange(etag)],
    ]
    expect((await harness.ask({ path: '/a.txt', headers })).status).toBe(status)
  }),
)

it.each<[accept: string, coding: string | null, text: string]>([
  ['gzip', 'gzip', 'page, compressed'],
  ['br', 'br', 'brotli'],
  ['gzip, br', 'br', 'brotli'],
  ['gzip, br;q=0', 'gzip', 'page, compressed'],
  ['*', 'br', 'brotli'],
  ['deflate', null, 'page'],
  ['', null, 'page'],
])('precompressed for Accept-Encoding: %s', (accept, coding, text) =>
  withServer('precompressed: "br gz"', async (harness) => {
    const client = await harness.ask({
      path: '/sub/page.html',
      headers: accept === '' ? [] : [['accept-encoding', accept]],
    })
    const bytes = bytesOf(client)
    expect([
      client.header('content-encoding'),
      client.header('content-type'),
      client.header('vary'),
    ]).toEqual([coding, 'text/html; charset=utf-8', 'Accept-Encoding'])
    expect((coding === 'gzip' ? gunzipSync(bytes) : bytes).toString()).toBe(text)
    expect((await harness.ask({ path: '/a.txt', headers: [['accept-encoding', 'br']] })).text).toBe(
      '0123456789',
    )
  }),
)

it('the name of a coding stands for the usual ending', () =>
  withServer('precompressed: gzip', async (harness) => {
    const headers: [string, string][] = [['accept-encoding', 'gzip']]
    const client = await harness.ask({ path: '/sub/page.html', headers })
    expect(client.header('content-encoding')).toBe('gzip')
    expect(gunzipSync(bytesOf(client)).toString()).toBe('page, compressed')
  }))

it.each<[path: string, headers: [string, string][], isGzipped: boolean]>([
  ['/a.txt', [['accept-encoding', 'gzip;q=0.5']], true],
  ['/a.txt', [['accept-encoding', 'gzip;q=0']], false],
  ['/a.txt', [], false],
  [
    '/a.txt',
    [
      ['accept-encoding', 'gzip'],
      ['range', 'bytes=0-1'],
    ],
    false,
  ],
  ['/large.bin', [['accept-encoding', 'gzip']], false],
])('compresses text: %s %j', async (path, headers, isGzipped) => {
  for (const cache of ['', ', cache: {bufferPoolMaxFileSize: 1}']) {
    await withServer(`compress: gzip${cache}`, async (harness) => {
      const client = await harness.ask({ path, headers })
      expect(client.header('content-encoding')).toBe(isGzipped ? 'gzip' : null)
      if (!isGzipped) return
      expect(gunzipSync(bytesOf(client)).toString()).toBe('0123456789')
      const etag = client.header('etag') ?? ''
      const again = await harness.ask({ path, headers: [...headers, ['if-none-match', etag]] })
      expect(again.status).toBe(304)
      expect((await harness.ask({ path })).header('etag')).not.toBe(etag)
    })
  }
})

it.each(['', 'cache: {bufferPoolMaxFileSize: 1}'])(
  'HEAD has the length, and no body {%s}',
  (fields) =>
    withServer(fields, async (harness) => {
      const client = await harness.ask({ method: 'HEAD', path: '/a.txt' })
      expect([client.status, client.header('content-length'), client.text]).toEqual([200, '10', ''])
    }),
)

it.each(['POST', 'DELETE', 'OPTIONS'])('%s is 405', (method) =>
  withServer('', async (harness) => {
    const client = await harness.ask({ method, path: '/a.txt' })
    expect([client.status, client.header('allow')]).toEqual([405, 'GET, HEAD'])
  }),
)

/** Files of the root that this process holds open. */
const openFiles = (): string[] =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(root)
    } catch {
      return false
    }
  })

const UNCACHED = 'cache: {bufferPoolMaxFileSize: 1}'

it('a large file comes in pieces, as fast as the client takes them', () =>
  withServer(UNCACHED, async (harness) => {
    const client = harness.start({ path: '/large.bin' }, (each) => {
      each.chunksAtOnce = 1
    })
    await until('the first piece', () => client.chunks.length === 1)
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(client.chunks.length).toBe(1)
    while (client.ending === 'open') {
      client.resume()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(bytesOf(client).equals(FILES['large.bin'] as Buffer)).toBe(true)
    await until('the file to be closed', () => openFiles().length === 0)
  }))

it('a client that goes closes the file, before and while it is sent', () =>
  withServer(UNCACHED, async (harness) => {
    harness.start({ path: '/large.bin' }).abort()
    const client = harness.start({ path: '/large.bin' }, (each) => {
      each.chunksAtOnce = 1
    })
    await until('the first piece', () => client.chunks.length === 1)
    client.abort()
    await until('the file to be closed', () => openFiles().length === 0)
    expect(client.ending).toBe('gone')
  }))

it('a file that becomes shorter breaks off', () =>
  withServer(UNCACHED, async (harness) => {
    const name = join(root, 'shrinks.bin')
    writeFileSync(name, Buffer.alloc(300_000))
    const client = harness.start({ path: '/shrinks.bin' }, (each) => {
      each.chunksAtOnce = 1
    })
    await until('the first piece', () => client.chunks.length === 1)
    truncateSync(name, 10)
    while (client.ending === 'open') {
      client.resume()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([client.ending, client.reason]).toEqual([
      'broken',
      'the file became shorter while it was read',
    ])
    rmSync(name)
  }))

it('what has changed is seen at once, kept or not', () =>
  withServer('', async (harness) => {
    const name = join(root, 'changes.txt')
    writeFileSync(name, 'one')
    const ask = async (request: FakeRequest = {}) =>
      (await harness.ask({ path: '/changes.txt', ...request })).text
    expect([await ask(), await ask()]).toEqual(['one', 'one'])
    writeFileSync(name, 'three')
    expect(await ask()).toBe('three')
    rmSync(name)
    expect(await ask()).toBe('Not Found')
  }))

it('an empty file', () =>
  withServer('', async (harness) => {
    writeFileSync(join(root, 'zero.txt'), '')
    const client = await harness.ask({ path: '/zero.txt' })
    expect([client.status, client.text]).toEqual([200, ''])
    expect(
      (await harness.ask({ path: '/zero.txt', headers: [['range', 'bytes=0-']] })).status,
    ).toBe(416)
    rmSync(join(root, 'zero.txt'))
  }))

it.each<[fields: string, problem: string]>([
  ['rewrite: "nothing"', 'rewrite: expected a pattern, a blank and a replacement'],
  ['rewrite: "( x"', 'rewrite: '],
  ['tryFiles: ["=404", a]', 'tryFiles/0: ends the search: expected it last'],
  ['tryFiles: ["=200 fine"]', 'tryFiles/0: expected "=CODE TEXT"'],
  ['precompressed: "a/b"', 'precompressed: expected endings separated by blanks'],
  ['compress: br', 'compress: expected one of'],
  ['hidden: [a, "[z-a]"]', 'hidden/1: expected a pattern, got "[z-a]"'],
  [
    'cache: {cacheFileExtensionFilters: [{extension: ["[z-a]"]}]}',
    'cache/cacheFileExtensionFilters/0/extension/0: expected a pattern, got "[z-a]"',
  ],
  ['cache: {bufferPoolSize: -1}', 'bufferPoolSize'],
  ['cache: {cacheFileExtensionFilters: [{etagMaxAge: 1}]}', 'extension: is required'],
  ['cache: {cacheFileExtensionFilters: [{pattern: [a]}]}', 'cacheFileExtensionFilters/0/pattern'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('FileServer', fields, 'v2')).toContain(problem)
})

it('nothing has to be given', () => {
  expect(problemsOf('FileServer', '', 'v2')).toBe('')
})
