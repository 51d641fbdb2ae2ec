import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { expect, it } from 'vitest'
import { buildNativeBench, installed, load, run } from './native.js'
import { patternBody } from './raw.js'

const missing = buildNativeBench() ?? (await missingTls())
const test = it.skipIf(missing !== undefined)

async function missingTls(): Promise<string | undefined> {
  const probe = await run('loadgen', ['-q', '-n', '1', '-c', '1', '-k', 'https://127.0.0.1:1/'])
  const reason = probe.stderr.includes('has no TLS')
    ? 'native-bench: built without OpenSSL; TLS is not tested'
    : installed('openssl')
      ? undefined
      : 'native-bench: openssl is not installed; TLS is not tested'
  if (reason !== undefined) process.stderr.write(`${reason}\n`)
  return reason
}

/** Of one connection, as the server saw it. */
type Handshake = { name: string | false | null | undefined; reused: boolean }
type Secure = { url: string; certificate: string; handshakes: Handshake[]; stop: () => void }

async function secureServer(): Promise<Secure> {
  const folder = mkdtempSync(join(tmpdir(), 'native-bench-'))
  const key = join(folder, 'key.pem')
  const certificate = join(folder, 'certificate.pem')
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', '/CN=bench.test', '-addext', 'subjectAltName=DNS:bench.test,IP:127.0.0.1'],
    ...['-days', '1', '-keyout', key, '-out', certificate],
  ])
  if (made.status !== 0) throw new Error(String(made.stderr))
  const handshakes: Handshake[] = []
  const options = { key: readFileSync(key), cert: readFileSync(certificate) }
  const server = createServer(options, (request, response) => {
    request.resume()
    request.on('end', () => response.end(patternBody(Number(request.url?.slice(1)))))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    handshakes.push({
      name: (socket as TLSSocket & { servername?: string | false }).servername,
      reused: socket.isSessionReused(),
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return {
    url: `https://127.0.0.1:${address.port}`,
    certificate,
    handshakes,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const OK = { ok: 200, errors: { total: 0 } }

test('requests and large bodies pass over TLS, the certificate is checked', async () => {
  const server = await secureServer()
  const small = ['-n', '200', '-c', '4', '-t', '2', '--ca', server.certificate]
  const report = await load(...small, '--expect-body', patternBody(64), `${server.url}/64`)
  expect(report).toMatchObject({ ...OK, connections: { opened: 4 } })
  expect(report.tls).toMatch(/^TLSv1\.3 /)
  const piped = await load(
    ...small,
    '-p',
    '8',
    '--expect-body',
    patternBody(64),
    `${server.url}/64`,
  )
  expect(piped).toMatchObject(OK)
  const large = await load(
    ...['-n', '4', '-c', '2', '-k', '--body-bytes', '3m', '--expect-bytes', '2m'],
    `${server.url}/${2 * 1024 * 1024}`,
  )
  expect(large).toMatchObject({ ok: 4, errors: { total: 0 } })
  server.stop()
})

test.each<[name: string, args: (server: Secure) => string[], why: RegExp]>([
  ['unknown', () => [], /TLS: .*(self.signed|unable to get local issuer)/i],
  [
    'of another name',
    (server) => ['--ca', server.certificate, '--server-name', 'other.test'],
    /TLS: .*hostname mismatch/i,
  ],
])('a certificate that is %s is a connect error', async (_name, args, why) => {
  const server = await secureServer()
  const report = await load('-n', '3', '-c', '1', ...args(server), `${server.url}/1`)
  server.stop()
  expect(report).toMatchObject({ ok: 0, errors: { connect: 3, total: 3 } })
  expect(report.errorSamples[0]?.detail).toMatch(why)
})

test('the server name is sent and checked', async () => {
  const server = await secureServer()
  const args = ['-n', '2', '-c', '1', '--ca', server.certificate, '--server-name', 'bench.test']
  expect(await load(...args, `${server.url}/1`)).toMatchObject({ ok: 2 })
  server.stop()
  expect(server.handshakes[0]?.name).toBe('bench.test')
})

test('sessions are resumed only when asked', async () => {
  const server = await secureServer()
  const args = ['-n', '6', '-c', '1', '--requests-per-connection', '1', '-k']
  await load(...args, `${server.url}/1`)
  const fresh = server.handshakes.map(({ reused }) => reused)
  expect(fresh.length).toBeGreaterThanOrEqual(6)
  expect(fresh).not.toContain(true)
  server.handshakes.length = 0
  await load(...args, '--tls-resume', `${server.url}/1`)
  server.stop()
  expect(server.handshakes.filter(({ reused }) => reused).length).toBeGreaterThanOrEqual(5)
})

test('a plain server is a connect error, a missing CA file is wrong usage', async () => {
  const server = await secureServer()
  server.stop()
  const refused = await load('-n', '2', '-c', '1', '-k', `${server.url}/1`)
  expect(refused.errors).toMatchObject({ connect: 2 })
  const { code, stderr } = await run('loadgen', ['--ca', '/nonexistent', 'https://127.0.0.1:1/'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/--ca: cannot read/)
})
