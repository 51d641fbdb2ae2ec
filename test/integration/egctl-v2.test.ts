/** The grammar of v2 and its API, black box: what people type, on a built node. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { CommandResult } from './support/gateway.js'
import { ask } from './support/http.js'
import { freePort } from './support/ports.js'
import { openWorld } from './support/world.js'

const world = openWorld()
/** One for all tests: each deletes what it made. */
const gateway = await world.gateway()

/** Runs egctl, which has to say yes. */
async function yes(...args: string[]): Promise<string> {
  const ran = await gateway.egctl(args)
  expect(ran, args.join(' ')).toMatchObject({ code: 0 })
  return ran.stdout
}

async function no(...args: string[]): Promise<CommandResult> {
  const ran = await gateway.egctl(args)
  expect(ran.code, args.join(' ')).toBe(1)
  return ran
}

it('a proxy from a line, looked at, explained, edited and deleted', async () => {
  const [port, one, two] = [await freePort(), await freePort(), await freePort()]
  await world.mirror(one, two)
  const urls = [one, two].map((each) => `http://127.0.0.1:${each}`)
  const rules = [`--rule=/api/*=${urls.join(',')}`, `--rule=b.example/exact=${urls[0]}`]
  expect(await yes('create', 'httpproxy', 'demo', '--port', String(port), ...rules)).toBe(
    [
      'create Pipeline demo-0 successfully',
      'create Pipeline demo-1 successfully',
      'create HTTPServer demo successfully',
      '',
    ].join('\n'),
  )
  expect((await ask({ port, path: '/api/x' })).status).toBe(200)
  expect((await ask({ port, path: '/exact' })).status).toBe(404)

  expect(await yes('get', 'all')).toMatch(
    /^NAME +KIND +AGE\ndemo +HTTPServer +\d+s\ndemo-0 +Pipeline +\d+s\ndemo-1 +Pipeline +\d+s\n$/,
  )
  expect(await yes('get', 'hs', 'demo', '-o', 'wide')).toMatch(/ v2 +running\n$/)
  expect(JSON.parse(await yes('get', 'httpserver', 'demo', '-o', 'json'))).toMatchObject({
    version: 'easegress.megaease.com/v2',
    port,
    keepAlive: true,
    maxConnections: 10_240,
  })
  expect(await yes('describe', 'hs', 'demo')).toMatch(/\nAllStatus:\n- node: eg-default/)

  const url = `http://localhost:${port}/api/x?y=1`
  const explained = JSON.parse(await yes('explain', url, '-o', 'json'))
  expect(explained).toMatchObject({
    server: 'demo',
    refusal: 0,
    pipeline: 'demo-0',
    target: '/api/x?y=1',
    steps: [{ filter: 'proxy', kind: 'Proxy', detail: { servers: urls } }],
  })
  // It takes no turn: the next request goes where the explanation says.
  const { server } = explained.steps[0].detail
  const again = JSON.parse(await yes('explain', url, '-o', 'json'))
  expect(again.steps[0].detail.server).toBe(server)
  const refused = await yes('explain', `http://localhost:${port}/exact`, '-v')
  expect(refused).toMatch(/Answer +404, from the server/)
  expect(refused).toContain('the host is not b.example')
  expect(await yes('explain', 'http://localhost:1/')).toMatch(/^No server listens on port 1/)

  const env = { EGCTL_EDITOR: 'sed -i s#/api/#/v9/#' }
  expect(await gateway.egctl(['edit', 'hs', 'demo'], '', env)).toMatchObject({
    code: 0,
    stdout: 'update HTTPServer demo successfully\n',
  })
  expect((await ask({ port, path: '/v9/x' })).status).toBe(200)

  expect((await no('delete', 'pipeline', 'demo')).stderr).toMatch(/demo is no Pipeline/)
  await yes('delete', 'hs', 'demo')
  await yes('delete', 'pipeline', '--all')
  expect(await yes('get', 'all')).toBe('NAME   KIND   AGE\n')
})

const SERVER_V1 = (port: number): string => `
name: old
kind: HTTPServer
port: ${port}
keepAlive: true
https: false
rules:
- paths:
  - {path: /, backend: both, headers: [{key: X-A, values: ['1'], backend: both}]}
`
const PIPELINE_V2 = `
name: both
kind: Pipeline
filters:
- {name: mock, kind: Mock, rules: [{code: 218}]}
`

it('both dialects side by side; what is read over v2 comes back as what it was', async () => {
  const port = await freePort()
  const dir = world.dir()
  const file = join(dir, 'all.yaml')
  writeFileSync(file, `${PIPELINE_V2}---${SERVER_V1(port)}`)
  expect(await gateway.egctl(['object', 'lint', '-f', file])).toMatchObject({ code: 0, stdout: '' })
  await yes('object', 'create', '-f', file)
  // A path whose headers do not match is passed over in v1, and a 400 in v2.
  expect((await ask({ port })).status).toBe(404)
  expect((await ask({ port, headers: { 'x-a': '1' } })).status).toBe(218)
  const shown = await yes('get', 'hs', 'old', '-o', 'yaml')
  expect(shown).toContain('version: easegress.megaease.com/v1\n')
  writeFileSync(file, shown)
  expect(await yes('apply', '-f', file)).toBe('update HTTPServer old successfully\n')
  expect((await ask({ port })).status).toBe(404)
  // The dialect lasts over a restart.
  gateway.program.kill('SIGTERM')
  await gateway.program.end()
  await gateway.restart()
  expect((await ask({ port })).status).toBe(404)
  expect(await yes('get', 'hs', '-o', 'wide')).toMatch(/old +HTTPServer +\S+ +v1 +running/)
  await yes('delete', 'all', '--all')
})

it('what is wrong is said with its place, and nothing is changed', async () => {
  const file = join(world.dir(), 'bad.yaml')
  writeFileSync(file, `${PIPELINE_V2}---\nname: s\nkind: HTTPServer\nport: 70000\nrulez: []\n`)
  const problems = [
    `${file}:9:7: port: expected a whole number in 1..65535, got 70000`,
    `${file}:10:1: rulez: there is no such field; did you mean "rules"?`,
  ]
  const applied = await no('apply', '-f', file)
  expect(applied.stderr.split('\n')).toEqual(expect.arrayContaining(problems))
  const linted = await no('object', 'lint', '-f', file)
  expect(linted.stderr.split('\n')).toEqual(expect.arrayContaining(problems))
  expect(await yes('get', 'all')).toBe('NAME   KIND   AGE\n')
  expect((await no('get', 'httpsever')).stderr).toContain('did you mean "httpserver"?')
})

it('log, metrics and profiles of a node that runs', async () => {
  const port = await freePort()
  await yes('create', 'httpproxy', 'p', '--port', String(port), '--rule=/=http://127.0.0.1:1')
  expect((await ask({ port })).status).toBe(503)
  expect(await yes('metrics')).toMatch(/\nhttpserver_total_requests\{.*httpServerName="p".*\} 1\n/)
  expect(await yes('logs', '--tail', '-1')).toContain('"message":"ready"')
  expect(await yes('logs', 'set-level', 'debug')).toBe('Set log level to debug\n')
  expect(await yes('logs', 'get-level')).toBe('debug\n')
  const path = join(world.dir(), 'cpu')
  await yes('profile', 'start', 'cpu', path)
  expect(await yes('profile', 'info')).toContain(path)
  await ask({ port })
  await yes('profile', 'stop')
  expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveProperty('nodes')
})
