import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { type Child, freePort, type Household, until } from './children.js'
import { answering, configureNginx, proxying } from './nginx.js'
import { bodyOf, PATH, type Scenario } from './scenarios.js'
import { findProgram, versionOf } from './tools.js'

/** Something that is measured: a running server. */
export interface Subject {
  readonly name: string
  readonly version: string
  readonly child: Child
  readonly port: number
}

export interface SubjectOptions {
  readonly household: Household
  readonly scenario: Scenario
  readonly backEndPort: number
  readonly connections: number
  readonly workers: number
  readonly accessLog: boolean
}

/** The back end: whatever costs least, so that it is not what is measured. */
export interface BackEnd {
  readonly kind: 'nginx' | 'origin' | 'node'
  readonly child: Child
  readonly port: number
}

const NODE_BACK_END = `
const body = process.argv[1]
const server = require('node:http').createServer((request, response) => {
  request.resume()
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length })
  response.end(body)
})
server.keepAliveTimeout = 300000
server.listen(Number(process.argv[2]), '127.0.0.1')
`

/** `root`: of the repository, where the native origin may have been built. */
export async function startBackEnd(
  household: Household,
  root: string,
  answerBytes: number,
): Promise<BackEnd> {
  const port = await freePort()
  const nginx = findProgram('nginx')
  const origin = join(root, 'native-bench', 'build', 'origin')
  let kind: BackEnd['kind']
  let child: Child
  if (nginx !== null) {
    kind = 'nginx'
    const server = answering(answerBytes)
    const folder = household.folder
    const name = 'back-end'
    const conf = { folder, name, port, workers: 1, accessLog: false, server }
    child = household.start(nginx, configureNginx(conf))
  } else if (existsSync(origin)) {
    kind = 'origin'
    child = household.start(origin, ['--port', String(port), '--bytes', String(answerBytes)])
  } else {
    kind = 'node'
    const args = ['-e', NODE_BACK_END, bodyOf(answerBytes), String(port)]
    child = household.start(process.execPath, args)
  }
  await until('the back end', child, async () => (await ask(port, PATH)).status === 200)
  return { kind, child, port }
}

/** Null when nginx is not installed. */
export async function startNginx(options: SubjectOptions): Promise<Subject | null> {
  const program = findProgram('nginx')
  if (program === null) return null
  const { household, scenario, backEndPort, connections, workers, accessLog } = options
  const port = await freePort()
  const server = proxying(backEndPort, connections, scenario)
  const conf = { folder: household.folder, name: 'peer', port, workers, accessLog, server }
  const child = household.start(program, configureNginx(conf))
  await until('nginx', child, async () => (await ask(port, PATH)).status === 200)
  return { name: 'nginx', version: versionOf(program, '-v'), child, port }
}

/** A build of this gateway; `dist`: the folder that holds `src/main.js`. */
export async function startGateway(
  name: string,
  dist: string,
  nodeFlags: readonly string[],
  options: SubjectOptions,
): Promise<Subject> {
  const { household, scenario, backEndPort, workers, accessLog } = options
  const port = await freePort()
  const adminPort = await freePort()
  const main = join(dist, 'src', 'main.js')
  const args = [...nodeFlags, main, '--traffic-host', '127.0.0.1']
  args.push('--api-addr', `127.0.0.1:${adminPort}`, '--workers', String(workers))
  args.push('--home-dir', join(household.folder, name))
  if (!accessLog) args.push('--disable-access-log')
  const child = household.start(process.execPath, args)
  const health = '/apis/v1/healthz'
  await until(name, child, async () => (await ask(adminPort, health)).status === 200)
  for (const object of [pipeline(scenario, backEndPort), server(port)]) {
    const answer = await ask(adminPort, '/apis/v1/objects', object)
    if (answer.status !== 201) throw new Error(`${name} refused an object:\n${answer.body}`)
  }
  await until(name, child, async () => (await ask(port, PATH)).status === 200)
  return { name, version: `node ${process.versions.node}`, child, port }
}

const server = (port: number): string => `kind: HTTPServer
name: server-demo
port: ${port}
keepAlive: true
https: false
rules:
  - paths:
    - pathPrefix: ${PATH}
      backend: pipeline-demo
`

function pipeline(scenario: Scenario, backEndPort: number): string {
  const filter = scenario.mocked
    ? `kind: Mock
    rules:
    - code: 200
      headers:
        Server: nginx
        Content-Type: text/plain
      body: "${bodyOf(scenario.answerBytes)}"`
    : `kind: Proxy
    mainPool:
      servers:
      - url: http://127.0.0.1:${backEndPort}
      loadBalance:
        policy: roundRobin`
  return `kind: HTTPPipeline
name: pipeline-demo
flow:
  - filter: the-filter
filters:
  - name: the-filter
    ${filter}
`
}

/** Fails unless `subject` answers the scenario's request as it must. */
export async function checkAnswer(subject: Subject, scenario: Scenario): Promise<void> {
  const body = scenario.requestBytes === 0 ? null : 'x'.repeat(scenario.requestBytes)
  const answer = await ask(subject.port, PATH, body)
  if (answer.status === 200 && answer.body === bodyOf(scenario.answerBytes)) return
  throw new Error(`${subject.name} answers ${answer.status}: ${answer.body.slice(0, 200)}`)
}

function ask(
  port: number,
  path: string,
  body: string | null = null,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const method = body === null ? 'GET' : 'POST'
    const asking = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    asking.setTimeout(5_000, () => asking.destroy(new Error('no answer within 5 s')))
    asking.on('error', reject)
    asking.end(body ?? undefined)
  })
}
