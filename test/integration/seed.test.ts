/**
 * The walk-through of the README, word for word: its commands in a shell, on its ports. What the
 * README fetches with wget, git and go is what the build makes here.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { commandsDir } from './support/commands.js'
import { httpServer, pipeline, proxy } from './support/documents.js'
import { type CommandResult, run } from './support/gateway.js'
import { ask, keptAlive } from './support/http.js'
import { MIRROR, ROOT } from './support/paths.js'
import { freePort, isFree } from './support/ports.js'
import { until } from './support/wait.js'
import { openWorld } from './support/world.js'

const world = openWorld()
const dir = world.dir()
const PATH = `${commandsDir(dir)}:${process.env['PATH']}`

const shell = (command: string): Promise<CommandResult> =>
  run('bash', ['-c', command], { cwd: dir, env: { PATH } })

const MIRRORS = [9095, 9096, 9097]

const CREATE_SERVER = `echo '
kind: HTTPServer
name: server-demo
port: 10080
keepAlive: true
https: false
rules:
  - paths:
    - pathPrefix: /pipeline
      backend: pipeline-demo' | egctl object create`

const CREATE_PIPELINE = `echo '
name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: proxy
filters:
  - name: proxy
    kind: Proxy
    mainPool:
      servers:
      - url: http://127.0.0.1:9095
      - url: http://127.0.0.1:9096
      - url: http://127.0.0.1:9097
      loadBalance:
        policy: roundRobin' | egctl object create`

const PIPELINE_DEMO_YAML = `name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: validator
    jumpIf: { invalid: END }
  - filter: requestAdaptor
  - filter: proxy
filters:
  - name: validator
    kind: Validator
    headers:
      Content-Type:
        values:
        - application/json
  - name: requestAdaptor
    kind: RequestAdaptor
    header:
      set:
        X-Adapt-Key: goodplan
  - name: proxy
    kind: Proxy
    mainPool:
      servers:
      - url: http://127.0.0.1:9095
      - url: http://127.0.0.1:9096
      - url: http://127.0.0.1:9097
      loadBalance:
        policy: roundRobin
`

const MEMBER_LIST = [
  /^- options:$/,
  /^ {4}name: eg-default-name$/,
  /^ {4}labels: \{\}$/,
  /^ {4}cluster-name: eg-cluster-default-name$/,
  /^ {4}cluster-role: writer$/,
  /^ {4}cluster-request-timeout: 10s$/,
  /^ {4}cluster-listen-client-urls:$/,
  /^ {4}- http:\/\/127.0.0.1:2379$/,
  /^ {4}cluster-listen-peer-urls:$/,
  /^ {4}- http:\/\/127.0.0.1:2380$/,
  /^ {4}cluster-advertise-client-urls:$/,
  /^ {4}- http:\/\/127.0.0.1:2379$/,
  /^ {4}cluster-initial-advertise-peer-urls:$/,
  /^ {4}- http:\/\/127.0.0.1:2380$/,
  /^ {4}cluster-join-urls: \[\]$/,
  /^ {4}api-addr: localhost:2381$/,
  /^ {4}debug: false$/,
  /^ {4}home-dir: .\/$/,
  /^ {4}data-dir: data$/,
  /^ {4}wal-dir: ""$/,
  /^ {4}log-dir: log$/,
  /^ {4}member-dir: member$/,
  /^ {4}cpu-profile-file: ""$/,
  /^ {4}memory-profile-file: ""$/,
  /^ {2}lastHeartbeatTime: "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"$/,
  /^ {2}etcd:$/,
  /^ {4}id: [0-9a-f]{1,16}$/,
  /^ {4}startTime: "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"$/,
  /^ {4}state: Leader$/,
]

/** The README's curl, which adds fields of its own, with the status on a line at the end. */
const curl = (args: string): Promise<CommandResult> => shell(`curl -s -w '\\n%{http_code}' ${args}`)

const statusOf = (result: CommandResult): string => result.stdout.split('\n').at(-1) ?? ''

/** `Your Request …` as the mirror prints it; curl's own version is not ours to know. */
function mirrorText(method: string, fields: string, body: string): RegExp {
  const literal = (text: string): string => text.replaceAll(/[[\]{}.*/]/g, '\\$&')
  return new RegExp(
    `^Your Request\\n===============\\nMethod: ${method}\\nURL   : /pipeline\\n` +
      `Header: map\\[${literal(fields).replace('<curl>', 'curl/[0-9.]+')}\\]\\n` +
      `Body  : ${literal(body)}\\n200$`,
  )
}

it('the README works word for word', async () => {
  for (const port of [2381, 10080, ...MIRRORS]) {
    expect(await isFree(port), `the README needs port ${port}, which is taken here`).toBe(true)
  }

  // $ easegress-server
  const server = world.program('easegress-server', 'easegress-server', [], {
    cwd: dir,
    env: { PATH },
  })
  await until('the server', 15_000, async () => {
    if (server.isEnded) throw new Error(server.output())
    return (await shell('egctl health')).code === 0
  })

  // $ egctl member list
  const members = await shell('egctl member list')
  expect(members.code, members.stderr).toBe(0)
  const lines = members.stdout.trimEnd().split('\n')
  MEMBER_LIST.forEach((pattern, index) => {
    expect(lines[index], `line ${index + 1} of member list`).toMatch(pattern)
  })
  expect(lines).toHaveLength(MEMBER_LIST.length)

  const created = await shell(CREATE_SERVER)
  expect(created.code, created.stderr).toBe(0)

  // "If we curl it before created, it will return 503."
  expect(statusOf(await curl('-v http://127.0.0.1:10080/pipeline'))).toBe('503')
  expect(statusOf(await curl('-v http://127.0.0.1:10080/other'))).toBe('404')

  const piped = await shell(CREATE_PIPELINE)
  expect(piped.code, piped.stderr).toBe(0)

  // "If you are not set up some applications to handle the 9095, 9096, and 9097 in the localhost,
  // it will return 503 too."
  expect(statusOf(await curl('-v http://127.0.0.1:10080/pipeline'))).toBe('503')

  // $ go run test/backend-service/mirror.go & # Running in background
  const mirror = world.program('mirror', process.execPath, [MIRROR], { cwd: ROOT })
  await until('the mirror', 5_000, () =>
    MIRRORS.every((port) => mirror.stdout.includes(`listens on ${port}\n`)),
  )

  const mirrored = await curl(`http://127.0.0.1:10080/pipeline -d 'Hello, Easegress'`)
  expect(mirrored.stdout).toMatch(
    mirrorText(
      'POST',
      'Accept:[*/*] Content-Type:[application/x-www-form-urlencoded] User-Agent:[<curl>]',
      'Hello, Easegress',
    ),
  )

  writeFileSync(join(dir, 'pipeline-demo.yaml'), PIPELINE_DEMO_YAML)
  const updated = await shell('egctl object update -f pipeline-demo.yaml')
  expect(updated.code, updated.stderr).toBe(0)

  // "the original curl -v http://127.0.0.1:10080/pipeline will get 400 because of the validating"
  expect(statusOf(await curl('-v http://127.0.0.1:10080/pipeline'))).toBe('400')

  const adapted = await curl(
    `http://127.0.0.1:10080/pipeline -H 'Content-Type: application/json' ` +
      `-d '{"message": "Hello, Easegress"}'`,
  )
  expect(adapted.stdout).toMatch(
    mirrorText(
      'POST',
      'Accept:[*/*] Content-Type:[application/json] User-Agent:[<curl>] X-Adapt-Key:[goodplan]',
      '{"message": "Hello, Easegress"}',
    ),
  )

  server.kill('SIGINT')
  expect(await server.end()).toEqual({ code: 0, signal: null })
})

it.each([1, 2, 4])(
  'three servers answer in turn with %i workers, whatever the connection',
  async (workers) => {
    const gateway = await world.gateway({ workers })
    const ports = [await freePort(), await freePort(), await freePort()]
    const port = await freePort()
    await world.mirror(...ports)
    await gateway.create(pipeline('p', proxy(...ports.map((each) => `http://127.0.0.1:${each}`))))
    await gateway.create(httpServer('s', port, 'p'))
    const agents = Array.from({ length: 4 }, () => keptAlive())
    const seen: number[] = []
    for (let i = 0; i < 60; i++) {
      // New connections spread over the workers; kept ones stay with theirs.
      const agent = i % 2 === 0 ? undefined : agents[i % agents.length]
      const answer = await ask({ port, ...(agent === undefined ? {} : { agent }) })
      expect(answer.status).toBe(200)
      seen.push(Number(answer.headers['x-mirror-port']))
    }
    for (const agent of agents) agent.destroy()
    const first = ports.indexOf(seen[0] as number)
    expect(seen).toEqual(seen.map((_, i) => ports[(first + i) % 3]))
    await gateway.dispose()
  },
)
