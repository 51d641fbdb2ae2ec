import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { decodeHistogram, percentileOf } from './hdr-decoder.js'
import { buildNativeBench, load, run, startOrigin } from './native.js'
import { patternBody } from './raw.js'

const missing = buildNativeBench()
const test = it.skipIf(missing !== undefined)

const NO_ERRORS = { total: 0, connect: 0, reset: 0, timeout: 0, malformed: 0, status: 0, body: 0 }

/** An HTTP server that keeps what it was asked. */
async function recordingServer(): Promise<{ url: string; seen: Seen[]; stop: () => void }> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      seen.push({ request, body: Buffer.concat(pieces).toString() })
      response.end('hello')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
type Seen = { request: IncomingMessage; body: string }

function mixFile(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'native-bench-')), 'mix.json')
  writeFileSync(path, content)
  return path
}

test.each<[name: string, args: string[], connections: number]>([
  ['one connection', ['-c', '1'], 1],
  ['many connections', ['-c', '50'], 50],
  ['two threads', ['-c', '7', '-t', '2'], 7],
  ['pipelining', ['-c', '3', '-p', '16'], 3],
  ['an open loop', ['-c', '10', '--rate', '20k'], 10],
  ['an open loop with random arrivals', ['-c', '10', '--rate', '20k', '--arrivals', 'poisson'], 10],
  [
    'an open loop with pipelining and threads',
    ['-c', '4', '-p', '4', '-t', '2', '--rate', '20k'],
    4,
  ],
  ['idle connections', ['-c', '100', '--idle-every', '20ms'], 100],
])('a count of requests is kept exactly with %s', async (_name, args, connections) => {
  const origin = await startOrigin('--threads', '2')
  const report = await load('-n', '2000', '--expect-bytes', '64', ...args, `${origin.url}/bytes/64`)
  expect(report).toMatchObject({
    requests: 2000,
    ok: 2000,
    errors: NO_ERRORS,
    statuses: { 200: 2000 },
  })
  expect(report.latency.count).toBe(2000)
  expect(report.connections.opened).toBe(connections)
  const stats = await (await fetch(`${origin.url}/stats`)).text()
  expect(stats).toContain(`"requests":2001,`)
  await origin.stop()
})

test('churn opens a connection for every N requests', async () => {
  const origin = await startOrigin()
  const report = await load('-n', '300', '-c', '1', '--requests-per-connection', '3', origin.url)
  expect(report.ok).toBe(300)
  expect(report.connections.opened).toBe(100)
  expect(report.connectTime.count).toBe(100)
  await origin.stop()
})

test('a server that closes after each answer costs no request', async () => {
  const origin = await startOrigin('--framing', 'close')
  const report = await load(
    '-n',
    '200',
    '-c',
    '2',
    '-p',
    '4',
    '--expect-body',
    patternBody(64),
    origin.url,
  )
  expect(report).toMatchObject({ ok: 200, errors: NO_ERRORS })
  expect(report.sentAgain).toBeGreaterThan(0)
  await origin.stop()
})

test.each<[fault: string, kind: string, expected: Partial<typeof NO_ERRORS>]>([
  ['fault=reset', 'reset', { reset: 10 }],
  ['fault=close', 'reset', { reset: 10 }],
  ['fault=close-mid', 'reset', { reset: 10 }],
  ['fault=half-head', 'reset', { reset: 10 }],
  ['fault=short', 'reset', { reset: 10 }],
  ['fault=garbage', 'malformed', { malformed: 10 }],
  ['fault=bad-chunk', 'malformed', { malformed: 10 }],
  ['fault=hang', 'timeout', { timeout: 10 }],
  ['fault=hang-mid', 'timeout', { timeout: 10 }],
  ['delay=10s', 'timeout', { timeout: 10 }],
  ['drip=1:1s', 'timeout', { timeout: 10 }],
  ['fault=wrong-body', 'body', { body: 10 }],
  ['status=503', 'status', { status: 10 }],
  // The answer is one byte too short, and that byte comes as an answer nobody asked for.
  ['fault=long', 'body', { body: 10, malformed: 10 }],
])('%s in one of a hundred is counted exactly', async (fault, kind, expected) => {
  const origin = await startOrigin()
  const url = `${origin.url}/bytes/64?${fault}&every=100`
  // Short where it is waited for, and otherwise long: this machine may be busy.
  const timeout = kind === 'timeout' ? '400ms' : '10s'
  const report = await load(
    ...['-n', '1000', '-c', '4', '--timeout', timeout, '--expect-body', patternBody(64), url],
  )
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0)
  expect(report.errors).toEqual({ ...NO_ERRORS, ...expected, total })
  expect(report.ok).toBe(990)
  expect(report.errorSamples[0]).toMatchObject({ kind })
  await origin.stop()
})

test('pipelined requests behind a reset are sent again, and only the one that failed counts', async () => {
  const origin = await startOrigin()
  const url = `${origin.url}/bytes/64?fault=reset&every=50`
  const report = await load('-n', '2000', '-c', '1', '-p', '8', '--expect-bytes', '64', url)
  expect(report.errors.reset).toBe(report.errors.total)
  expect(report.ok + report.errors.reset).toBe(2000)
  // An answer that was under way when the reset came may be lost and asked for again.
  expect(report.errors.reset).toBeGreaterThanOrEqual(40)
  expect(report.errors.reset).toBeLessThanOrEqual(48)
  await origin.stop()
})

test('a dead server is counted by attempt, and a run by count still ends', async () => {
  const origin = await startOrigin()
  await origin.stop()
  const report = await load('-n', '20', '-c', '10', origin.url)
  expect(report).toMatchObject({ ok: 0, requests: 20, errors: { connect: 20, total: 20 } })
  expect(report.errorSamples[0]).toMatchObject({ kind: 'connect', detail: 'Connection refused' })
})

test.each<[name: string, args: string[], good: boolean]>([
  ['the exact body', ['--expect-body', patternBody(10)], true],
  ['a longer body', ['--expect-body', patternBody(11)], false],
  ['a shorter body', ['--expect-body', patternBody(9)], false],
  ['another body', ['--expect-body', 'x'.repeat(10)], false],
  ['the prefix', ['--expect-prefix', '0123'], true],
  ['a wrong prefix', ['--expect-prefix', '0124'], false],
  ['a prefix longer than the body', ['--expect-prefix', patternBody(11)], false],
  ['the length', ['--expect-bytes', '10'], true],
  ['another length', ['--expect-bytes', '11'], false],
  ['the CRC-32', ['--expect-crc32', crc32(patternBody(10)).toString(16).padStart(8, '0')], true],
  ['another CRC-32', ['--expect-crc32', '00000000'], false],
])('a body is checked against %s, however it is framed', async (_name, args, good) => {
  const origin = await startOrigin()
  for (const framing of ['sized', 'chunked&chunk=3', 'close', 'sized&drip=1:1ms']) {
    const report = await load(
      '-n',
      '4',
      '-c',
      '2',
      ...args,
      `${origin.url}/bytes/10?framing=${framing}`,
    )
    expect(report.ok, framing).toBe(good ? 4 : 0)
    expect(report.errors.body, framing).toBe(good ? 0 : 4)
  }
  await origin.stop()
})

test.each<[list: string, ok: number]>([
  ['2xx', 0],
  ['404', 5],
  ['200,404', 5],
  ['4xx', 5],
  ['5xx,200', 0],
])('status 404 against --expect-status %s', async (list, ok) => {
  const origin = await startOrigin()
  const report = await load(
    '-n',
    '5',
    '-c',
    '1',
    '--expect-status',
    list,
    `${origin.url}/status/404`,
  )
  expect(report).toMatchObject({ ok, errors: { status: 5 - ok }, statuses: { 404: 5 } })
  await origin.stop()
})

test('large bodies pass in both directions, sized and chunked', async () => {
  const origin = await startOrigin()
  const bytes = 5 * 1024 * 1024 + 1
  const crc = crc32(patternBody(bytes)).toString(16).padStart(8, '0')
  const url = `${origin.url}/bytes/${bytes}`
  for (const target of [url, `${url}?framing=chunked`]) {
    const report = await load(
      '-n',
      '4',
      '-c',
      '2',
      '--expect-crc32',
      crc,
      '--body-bytes',
      '3m',
      target,
    )
    expect(report).toMatchObject({ ok: 4, errors: NO_ERRORS })
    expect(report.bytesIn).toBeGreaterThan(4 * bytes)
    expect(report.bytesOut).toBeGreaterThan(4 * 3 * 1024 * 1024)
  }
  const echo = await load(
    ...['-n', '2', '-c', '1', '--body-bytes', String(bytes), '--expect-prefix', '{"method":"POST"'],
    `${origin.url}/echo`,
  )
  expect(echo.ok).toBe(2)
  const stats = (await (await fetch(`${origin.url}/stats`)).json()) as {
    ports: { bodyBytes: number }[]
  }
  expect(stats.ports[0]?.bodyBytes).toBe(8 * 3 * 1024 * 1024 + 2 * bytes)
  await origin.stop()
})

test('requests arrive as the options say', async () => {
  const server = await recordingServer()
  const report = await load(
    ...['-n', '1', '-c', '1', '-m', 'PATCH', '-H', 'X-One: 1', '-H', 'Host: example.org'],
    ...['--body', 'text', '--expect-body', 'hello', `${server.url}/a/b?c=d`],
  )
  server.stop()
  expect(report.ok).toBe(1)
  const [first] = server.seen
  expect(first?.request.method).toBe('PATCH')
  expect(first?.request.url).toBe('/a/b?c=d')
  expect(first?.request.headers).toMatchObject({
    host: 'example.org',
    'x-one': '1',
    'content-length': '4',
  })
  expect(first?.body).toBe('text')
})

test('a mix is picked by weight, and each entry has its own expectation', async () => {
  const origin = await startOrigin()
  const file = mixFile(`
    {"path": "/bytes/10", "weight": 6, "expect": {"bytes": 10}}
    {"path": "/bytes/2k", "weight": 3, "expect": {"bytes": "2k", "status": "2xx"}}
    {"method": "POST", "path": "/status/404", "body": "\\u00e4", "expect": {"status": 404}}`)
  const report = await load('-n', '10000', '-c', '8', '--mix', file, '--seed', '3', origin.url)
  expect(report).toMatchObject({ ok: 10_000, errors: NO_ERRORS })
  // One in ten, standard deviation 30: five of them.
  expect(Math.abs((report.statuses[404] ?? 0) - 1000)).toBeLessThan(150)
  await origin.stop()
})

test('a mix in turn asks for its entries one after the other', async () => {
  const server = await recordingServer()
  const paths = ['/a', '/b', '/c']
  const file = mixFile(JSON.stringify(paths.map((path) => ({ path }))))
  await load('-n', '6', '-c', '1', '--mix', file, '--in-turn', server.url)
  server.stop()
  expect(server.seen.map(({ request }) => request.url)).toEqual([...paths, ...paths])
})

test('the mix of the README runs as it stands', async () => {
  const readme = readFileSync(new URL('../../native-bench/README.md', import.meta.url), 'utf8')
  const example = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const origin = await startOrigin()
  const report = await load('-n', '200', '-c', '4', '--mix', mixFile(example), origin.url)
  expect(report).toMatchObject({ ok: 200, errors: NO_ERRORS })
  expect(report.bytesIn).toBeGreaterThan(1024 * 1024)
  await origin.stop()
})

test('the sources compile without OpenSSL', () => {
  const folder = fileURLToPath(new URL('../../native-bench/', import.meta.url))
  const args = [
    '-std=c++17',
    '-fsyntax-only',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-DNATIVE_BENCH_TLS=0',
  ]
  const made = spawnSync('g++', [...args, '-Isrc', 'src/loadgen/transport.cpp'], { cwd: folder })
  expect(String(made.stderr)).toBe('')
  expect(made.status).toBe(0)
})

test('what happens in the warm-up is not counted', async () => {
  const origin = await startOrigin()
  const url = `${origin.url}/bytes/8?status=503&at=1`
  const report = await load('-d', '300ms', '--warmup', '200ms', '-c', '2', url)
  expect(report.errors).toEqual(NO_ERRORS)
  expect(report.errorsInWarmup).toBe(1)
  expect(report.elapsedSeconds).toBeGreaterThan(0.29)
  expect(report.elapsedSeconds).toBeLessThan(0.5)
  await origin.stop()
})

test('the seconds add up to the whole, and a printed line tells each', async () => {
  const origin = await startOrigin()
  const { stdout, stderr, code } = await run('loadgen', [
    ...['--json', '-d', '2200ms', '--rate', '500', '-c', '4', origin.url],
  ])
  const report = JSON.parse(stdout) as Awaited<ReturnType<typeof load>>
  expect(code).toBe(0)
  expect(report.ok).toBe(1100)
  expect(report.seconds.length).toBe(3)
  expect(report.seconds.reduce((sum, second) => sum + second.ok, 0)).toBe(1100)
  expect(stderr).toMatch(/^ {3}1 s +\d+ ok +0 errors {2}p50 /m)
  await origin.stop()
})

test('the histogram decodes, and its percentiles are those of the summary', async () => {
  const origin = await startOrigin()
  const report = await load('-n', '3000', '-c', '16', '-t', '2', `${origin.url}/?delay=exp:2ms`)
  expect(report.latency.histogram).toMatch(/^HISTFAA/)
  const histogram = decodeHistogram(report.latency.histogram)
  expect(histogram).toMatchObject({ digits: 3, total: 3000 })
  for (const [percentile, name] of [
    [50, 'p50'],
    [90, 'p90'],
    [99, 'p99'],
    [99.9, 'p999'],
    [99.99, 'p9999'],
    [100, 'max'],
  ] as const) {
    expect(percentileOf(histogram, percentile), name).toBe(report.latency[name])
  }
  // The delay has the shape that was asked for: median = mean * ln 2, p90 = mean * ln 10.
  expect(report.latency.p50).toBeGreaterThan(1.3e6)
  expect(report.latency.p90 / report.latency.p50).toBeGreaterThan(2)
  await origin.stop()
})

test('an empty histogram decodes too', async () => {
  const origin = await startOrigin()
  const report = await load('-n', '3', '-c', '1', `${origin.url}/status/500`)
  expect(decodeHistogram(report.latency.histogram)).toMatchObject({ total: 0, counts: [] })
  expect(report.latency).toMatchObject({ p50: 0, p99: 0, max: 0 })
  await origin.stop()
})

test('the client tells its own CPU time, and that of a process it watches', async () => {
  const origin = await startOrigin()
  const report = await load(
    '-d',
    '400ms',
    '-c',
    '16',
    '--watch-pid',
    String(origin.pid),
    origin.url,
  )
  expect(report.client.userSeconds + report.client.systemSeconds).toBeGreaterThan(0.01)
  expect(report.watched).toMatchObject({ processes: 1 })
  expect(report.watched?.cpuSeconds).toBeGreaterThan(0.01)
  expect(report.watched?.cpuSeconds).toBeLessThan(1)
  expect(report.watched?.residentBytesAfter).toBeGreaterThan(1_000_000)
  await origin.stop()
})

test('--fail-on-error turns errors into exit status 1', async () => {
  const origin = await startOrigin()
  const args = ['-q', '-n', '2', '-c', '1', `${origin.url}/status/500`]
  expect((await run('loadgen', args)).code).toBe(0)
  const strict = await run('loadgen', ['--fail-on-error', ...args])
  expect(strict.code).toBe(1)
  expect(strict.stdout).toMatch(/errors: 2 {2}status 2/)
  expect(
    (await run('loadgen', ['--fail-on-error', '-q', '-n', '2', '-c', '1', origin.url])).code,
  ).toBe(0)
  await origin.stop()
})

test('help has examples', async () => {
  const { code, stdout } = await run('loadgen', ['--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('--rate 5000')
})

test.each<[message: RegExp, args: string[]]>([
  [/expected one URL, got 0/, []],
  [/URL: expected http/, ['127.0.0.1:80']],
  [/URL: expected a port/, ['http://127.0.0.1:99999/']],
  [/is not this machine; add --allow-non-loopback/, ['http://192.0.2.1/']],
  [/is not this machine/, ['http://[2001:db8::1]/']],
  [/--requests and --duration/, ['-n', '1', '-d', '1s', 'http://127.0.0.1/']],
  [/--rate and --idle-every/, ['-r', '1', '--idle-every', '1s', 'http://127.0.0.1/']],
  [/--tick: needs --rate/, ['--tick', '1ms', 'http://127.0.0.1/']],
  [/--arrivals: needs --rate/, ['--arrivals', 'poisson', 'http://127.0.0.1/']],
  [/--threads 9: expected no more/, ['-t', '9', '-c', '8', 'http://127.0.0.1/']],
  [/--duration: expected a duration .* got "10"/, ['-d', '10', 'http://127.0.0.1/']],
  [/--expect-crc32: expected eight/, ['--expect-crc32', '1', 'http://127.0.0.1/']],
  [/--expect-status: expected statuses/, ['--expect-status', '99', 'http://127.0.0.1/']],
  [/--header: expected 'Name: value'/, ['-H', 'nothing', 'http://127.0.0.1/']],
  [/header "X": expected/, ['-H', 'X: a\r\nY: b', 'http://127.0.0.1/']],
  [/--mix: cannot read/, ['--mix', '/nonexistent', 'http://127.0.0.1/']],
  [/--connections needs a value/, ['http://127.0.0.1/', '-c']],
  [/--json takes no value/, ['--json=1', 'http://127.0.0.1/']],
  [/unknown option --fast/, ['--fast', 'http://127.0.0.1/']],
  [/open files.*ulimit -n/, ['-c', '1000000', 'http://127.0.0.1/']],
])('wrong usage says %s', async (message, args) => {
  const { code, stderr, stdout } = await run('loadgen', args)
  expect(stderr).toMatch(message)
  expect(stdout).toBe('')
  expect(code).toBe(2)
})

test.each<[message: RegExp, content: string]>([
  [/at least one request/, ''],
  [/:1: expected a value, got "x"/, 'x'],
  [/:3: expected a comma or }, got the end/, '{"path": "/a"}\n\n{"path": "/b"'],
  [/:2: expected an object for each request/, '[\n"/a"]'],
  [/: speed: expected method, path,/, '{"speed": 1}'],
  [/: weight: expected a number above 0/, '{"path": "/", "weight": 0}'],
  [/: expect\.size: expected status, body,/, '{"expect": {"size": 1}}'],
  [/expected it to begin with \//, '{"path": "a"}'],
  [/expected no blanks or line ends/, '{"path": "/a\\nb"}'],
  [/less nesting/, '['.repeat(100)],
])('a wrong mix file says %s', async (message, content) => {
  const { code, stderr } = await run('loadgen', ['--mix', mixFile(content), 'http://127.0.0.1/'])
  expect(stderr).toMatch(message)
  expect(code).toBe(2)
})
