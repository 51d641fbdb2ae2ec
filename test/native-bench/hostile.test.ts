import fc from 'fast-check'
import { expect, it } from 'vitest'
import { buildNativeBench, load, run } from './native.js'
import { RawServer } from './raw.js'

const missing = buildNativeBench()
const test = it.skipIf(missing !== undefined)

/** What loadgen makes of one answer, given in one piece and byte by byte, then FIN. */
async function verdicts(answer: string | Uint8Array): Promise<string[]> {
  const bytes = Buffer.from(answer as string, 'latin1')
  const found: string[] = []
  for (const slowly of [false, true]) {
    const server = await RawServer.start((socket) => {
      socket.setNoDelay(true)
      if (slowly) for (const byte of bytes) socket.write(Buffer.of(byte))
      else socket.write(bytes)
      socket.end()
    })
    const report = await load('-n', '1', '-c', '1', '--timeout', '2s', server.url)
    await server.stop()
    const kind = report.errorSamples[0]
    found.push(kind === undefined ? 'ok' : `${kind.kind}: ${kind.detail}`)
    expect(report.ok + report.errors.total).toBeGreaterThanOrEqual(1)
  }
  return found
}

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

test.each<[answer: string, verdict: RegExp]>([
  [`${OK}Content-Length: 2\r\n\r\nok`, /^ok/],
  [`${OK}\r\nuntil the end`, /^ok/],
  [`${CHUNKED}2;x="y"\r\nok\r\n0\r\nT: 1\r\n\r\n`, /^ok/],
  [`HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100\r\n\r\n${OK}Content-Length: 0\r\n\r\n`, /^ok/],
  [`${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`, /^ok/],
  ['', /^reset: closed before/],
  ['HTTP/1.1 200 OK\r\nContent', /^reset/],
  [`${OK}Content-Length: 3\r\n\r\nok`, /^reset/],
  [`${CHUNKED}2\r\nok\r\n0\r\n`, /^reset/],
  ['nonsense\r\n\r\n', /^malformed: status line/],
  ['HTTP/2 200\r\n\r\n', /^malformed: status line/],
  ['HTTP/1.1 999 No\r\n\r\n', /^malformed: status line/],
  ['HTTP/1.1 2000\r\n\r\n', /^malformed: status line/],
  ['HTTP/1.1 101 Switching Protocols\r\n\r\n', /^malformed: status 101/],
  [`${OK}Content-Length: -2\r\n\r\nok`, /^malformed: Content-Length/],
  [`${OK}Content-Length: 99999999999999999999\r\n\r\nok`, /^malformed: Content-Length/],
  [`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`, /^malformed: Content-Length/],
  [`${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^malformed: head/],
  [`${OK}Transfer-Encoding: gzip\r\n\r\n`, /^malformed: Transfer-Encoding/],
  [`${OK}No colon\r\n\r\n`, /^malformed: header/],
  [`${OK}Blank : x\r\n\r\n`, /^malformed: header/],
  [`${OK}Folded: a\r\n b\r\n\r\n`, /^malformed: header/],
  [`${OK}Bare: a\nB: c\r\n\r\n`, /^malformed: header/],
  [`${OK}Zero: \0\r\n\r\n`, /^malformed: header/],
  [`${CHUNKED}-2\r\nok\r\n`, /^malformed: chunk/],
  [`${CHUNKED}ffffffffffffffffff\r\nok\r\n`, /^malformed: chunk/],
  [`${CHUNKED}2\nok\r\n0\r\n\r\n`, /^malformed: chunk/],
  [`${CHUNKED}2\r\nokay\r\n0\r\n\r\n`, /^malformed: chunk/],
  [`${CHUNKED}0\r\nno trailer\r\n\r\n`, /^malformed: trailer/],
  [`${OK}X: ${'x'.repeat(70_000)}`, /^malformed: head: longer/],
  [`${CHUNKED}1;${'x'.repeat(5000)}\r\n`, /^malformed: chunk: line/],
])('%j is judged the same in every split', async (answer, verdict) => {
  for (const found of await verdicts(answer)) expect(found).toMatch(verdict)
})

test('an answer to nobody is an error', async () => {
  const server = await RawServer.start((socket) => {
    socket.write(`${OK}Content-Length: 0\r\n\r\n${OK}Content-Length: 0\r\n\r\n`)
  })
  const report = await load('-n', '1', '-c', '1', server.url)
  await server.stop()
  expect(report.errors).toMatchObject({ malformed: 1, total: 1 })
})

test('random bytes never stop or break it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
      const found = await verdicts(
        Buffer.concat([Buffer.from((noise[0] ?? 0) % 2 === 0 ? OK : ''), noise]),
      )
      for (const verdict of found) expect(verdict).toMatch(/^(ok|reset|malformed)/)
    }),
    { seed: 20_000, numRuns: 25 },
  )
})

test('damaged answers come to one verdict however they are split', async () => {
  const { code, stdout, stderr } = await run('parser-check', ['20000', '1'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const counts = JSON.parse(stdout) as { rounds: number; complete: number; malformed: number }
  // Neither all whole nor all broken, or nothing was tried.
  expect(counts.complete).toBeGreaterThan(5000)
  expect(counts.malformed).toBeGreaterThan(5000)
})
