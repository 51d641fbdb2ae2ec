import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MEMBER_FIXTURE } from '../admin/coordinator.fixture.js'
import { TEST_CERT, TEST_KEY } from '../admin/tls.fixture.js'
import { GatewayError } from '../lib/errors.js'
import { egctlWith, type Ran, withServer } from './egctl.fixture.js'
import { FAMILIES } from './program.js'

/** What the seed pipes into its commands. */
const SERVER_DEMO = `
kind: HTTPServer
name: server-demo
port: 10080
keepAlive: true
https: false
rules:
  - paths:
    - pathPrefix: /pipeline
      backend: pipeline-demo
`
const PIPELINE_DEMO = `name: pipeline-demo
kind: HTTPPipeline
flow:
  - filter: validator
    jumpIf: { invalid: END }
`

const QUIET: Ran = { code: 0, out: '', err: '' }

it('every command of the seed works word for word', () =>
  withServer(async ({ run, coordinator }) => {
    coordinator.members = [MEMBER_FIXTURE]
    const members = await run('member list')
    expect(members).toMatchObject({ code: 0, err: '' })
    expect(members.out).toMatch(/^- options:\n {4}name: eg-default-name\n {4}labels: \{\}\n/)
    expect(members.out).toMatch(/\n {2}etcd:\n {4}id: a30c34bf7ec77546\n/)
    expect(await run('object create', { stdin: SERVER_DEMO })).toEqual(QUIET)
    expect(await run('object create', { stdin: PIPELINE_DEMO })).toEqual(QUIET)
    const files = { 'pipeline-demo.yaml': PIPELINE_DEMO }
    expect(await run('object update -f pipeline-demo.yaml', { files })).toEqual(QUIET)
    expect(coordinator.objects.get('server-demo')?.text).toBe(SERVER_DEMO)
    expect(coordinator.objects.get('pipeline-demo')?.version).toBe(3)
  }))

it('shows and deletes what was created', () =>
  withServer(async ({ run }) => {
    await run('object create', { stdin: SERVER_DEMO })
    await run('object create', { stdin: PIPELINE_DEMO })
    expect((await run('object get pipeline-demo')).out).toBe(PIPELINE_DEMO)
    const list = await run('o list')
    expect(list.out).toMatch(/^- flow:\n {2}- filter: validator\n/)
    expect(await run('obj list -o table')).toEqual({
      code: 0,
      err: '',
      out: 'NAME            KIND\npipeline-demo   HTTPPipeline\nserver-demo     HTTPServer\n',
    })
    const json = await run('-o json object get server-demo')
    expect(JSON.parse(json.out)).toMatchObject({ name: 'server-demo', port: 10080 })
    expect(await run('object delete server-demo pipeline-demo')).toEqual(QUIET)
    expect((await run('object list')).out).toBe('[]\n')
    expect(await run('object delete a')).toEqual({
      code: 1,
      out: '',
      err: 'Error: 404: not found\n',
    })
  }))

it.each<[line: string, out: string | RegExp]>([
  ['object kinds', '- HTTPPipeline\n- HTTPServer\n'],
  ['object kinds -o table', 'KIND\nHTTPPipeline\nHTTPServer\n'],
  ['object kinds -o json', '[\n  "HTTPPipeline",\n  "HTTPServer"\n]\n'],
  [
    'mem li -o table',
    /^NAME +ROLE +STATE +API-ADDR +HEARTBEAT\neg-default-name +writer +Leader +local/,
  ],
  ['o stat get s', 'eg-1: |\n  health: ""\n  state: running\n'],
  ['object status list', 's:\n  eg-1:\n    health: ""\n    state: running\n'],
  ['object status list -o table', /^OBJECT +MEMBER +STATE +STATUS\ns +eg-1 +running +\{"health/],
  ['object status get s -o json', /"state": "running"/],
  ['api list', /^- path: \/apis\/v1\n {2}method: GET\n/],
  ['api list -o table', /^METHOD +PATH\nGET +\/apis\/v1\n/],
  ['health', ''],
  ['health --verbose', 'healthy\n'],
  ['he', ''],
  ['member purge eg-default-name', ''],
  ['member purge eg-default-name --verbose', 'member eg-default-name purged\n'],
])('egctl %s', async (line, out) => {
  await withServer(async ({ run, coordinator }) => {
    await run('object create', { stdin: 'kind: K\nname: s\n' })
    coordinator.members = [MEMBER_FIXTURE]
    coordinator.status = { s: { 'eg-1': { health: '', state: 'running' } } }
    const ran = await run(line)
    expect(ran).toMatchObject({ code: 0, err: '' })
    if (typeof out === 'string') expect(ran.out).toBe(out)
    else expect(ran.out).toMatch(out)
  })
})

it.each<[line: string, err: RegExp]>([
  ['frobnicate', /^Error: unknown command "frobnicate" for "egctl"; see egctl --help\n$/],
  ['objet list', /^Error: unknown command "objet" for "egctl", did you mean "object"\?\n$/],
  ['object lst', /did you mean "list"\?\n$/],
  ['object status', /^$/],
  ['object frob', /unknown command "frob" for "egctl object"/],
  ['object', /^$/],
  ['object get', /^Error: missing required argument 'name'\n.*"egctl object get --help"/],
  ['object get a b', /^Error: too many arguments/],
  ['object list --fil x', /^Error: unknown option '--fil'/],
  ['object create --fil x', /Did you mean --file\?/],
  ['object list -o xml', /^Error: unsupported output format: xml \(yaml, json, table, wide\)\n$/],
  ['member purge nobody', /^Error: 404: not found\n$/],
  ['object create -f gone.yaml', /^Error: gone\.yaml: no such file\n$/],
  ['object update', /^Error: invalid spec\nstdin:1:1: expected an object, but there is nothing\n$/],
  ['health --server a:b:c', /^Error: --server: expected host:port/],
  ['health --server ftp://a', /^Error: --server: expected host:port/],
  ['health --server http://a/path', /^Error: --server: expected host:port/],
])('egctl %s: fails in a line or two', async (line, err) => {
  await withServer(async ({ run }) => {
    const ran = await run(line)
    expect(ran.err).toMatch(err)
    expect(ran.err.split('\n').length).toBeLessThanOrEqual(4)
    expect(ran.err).not.toMatch(/\bat .*\.[jt]s:/)
    // A group of commands alone shows its help, and that is no failure.
    if (ran.err === '')
      expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('Usage:') })
    else expect(ran).toMatchObject({ code: 1, out: '' })
  })
})

it('says when nobody listens', async () => {
  const port = await freePort()
  for (const server of [`localhost:${port}`, `http://localhost:${port}/`]) {
    const ran = await egctlWith({}, `--server ${server} health`, {})
    const err = `Error: no server at localhost:${port}: is easegress-server running?\n`
    expect(ran).toEqual({ code: 1, out: '', err })
  }
})

it('says when it is no admin server', async () => {
  const server = createServer((socket) => socket.end('220 mail.example ESMTP\r\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const ran = await egctlWith({ EGCTL_SERVER: `127.0.0.1:${port}` }, 'object list', {})
  server.close()
  expect(ran.code).toBe(1)
  expect(ran.err).toMatch(/^Error: cannot talk to the server at 127\.0\.0\.1:\d+: .*\n$/)
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const THREE = `# all of it
kind: K
name: a
---
kind: K
name: b
port: 1
--- # with a remark
kind: K
name: c
`

it.each([
  ['object create', 'created'],
  ['object apply', 'created'],
])('%s takes files of several documents, each sent on its own', async (command) => {
  await withServer(async ({ run, coordinator }) => {
    const files = { 'x.yaml': THREE, 'y.yaml': 'kind: K\nname: d\n' }
    const ran = await run(`${command} -f x.yaml -f y.yaml -f - --verbose`, {
      files,
      stdin: 'kind: K\nname: e',
    })
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toMatch(/^K\/a created at version 1\nK\/b created at version 2\n/)
    expect([...coordinator.objects.keys()]).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(coordinator.objects.get('b')?.text).toBe('kind: K\nname: b\nport: 1\n')
    expect(coordinator.objects.get('a')?.text).toMatch(/^# all of it\n/)
  })
})

it('nothing is written when one of several documents is bad, and all problems are shown', () =>
  withServer(async ({ run, coordinator }) => {
    await run('object create', { stdin: 'kind: K\nname: c' })
    const files = { 'x.yaml': THREE.replace('port: 1', 'port: one') }
    const ran = await run('object create -f x.yaml', { files })
    expect(ran).toEqual({
      code: 1,
      out: '',
      err: [
        'Error: 2 of 3 objects refused, nothing was changed',
        'x.yaml:7:7: port: expected a whole number in 1..65535',
        'x.yaml:8:1: c: conflict name: c',
        '',
      ].join('\n'),
    })
    expect([...coordinator.objects.keys()]).toEqual(['c'])
  }))

it('problems are shown as file:line:column', () =>
  withServer(async ({ run }) => {
    const ran = await run('object create -f s.yaml', {
      files: { 's.yaml': '# x\nkind: K\nport: x' },
    })
    expect(ran).toEqual({
      code: 1,
      out: '',
      err: [
        'Error: 400: s.yaml refused, nothing was changed',
        's.yaml:2:1: name: expected text, got nothing',
        's.yaml:3:7: port: expected a whole number in 1..65535',
        '',
      ].join('\n'),
    })
  }))

it.each<[name: string, text: string, err: RegExp]>([
  ['broken YAML', 'kind: K\nname: [', /^Error: invalid spec\nf\.yaml:2:\d+: not valid YAML/],
  ['broken YAML in a later document', `${THREE}---\n{`, /\nf\.yaml:1[23]:\d+: not valid YAML/],
  ['a name twice', 'name: a\n---\nname: a\n', /\nf\.yaml:3:1: name: a is already at f\.yaml:1\n/],
  ['no name to update', 'kind: K\n', /\nf\.yaml:1:1: name: expected the name of the object\n/],
  ['comments alone', '# nothing\n', /expected an object/],
])('%s is found before anything is sent', async (_name, text, err) => {
  await withServer(async ({ run, coordinator }) => {
    const before = coordinator.received.length
    const ran = await run('object update -f f.yaml', { files: { 'f.yaml': text } })
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toMatch(err)
    expect(coordinator.received.length).toBe(before)
  })
})

it('--dry-run changes nothing', () =>
  withServer(async ({ run, coordinator }) => {
    const ran = await run('object create --dry-run --verbose', { stdin: THREE })
    expect(ran).toEqual({ code: 0, err: '', out: 'K/a is valid\nK/b is valid\nK/c is valid\n' })
    expect(coordinator.objects.size).toBe(0)
  }))

it('tells what had been written when a later one fails', () =>
  withServer(async ({ run, coordinator }) => {
    const receive = coordinator.receive.bind(coordinator)
    coordinator.receive = (message, reply) => {
      const isLast =
        message.type === 'put-object' && !message.dryRun && /name: c/.test(message.text)
      if (isLast) coordinator.failure = new GatewayError('STORE_UNAVAILABLE', 'disk full')
      receive(message, reply)
    }
    const ran = await run('object create', { stdin: THREE })
    expect(ran.code).toBe(1)
    expect(ran.err).toBe(
      'Error: 503: disk full; it is unknown whether the change was made\n2 of 3 objects had been written before c\n',
    )
  }))

it('passes warnings on, one a line, once', () =>
  withServer(async ({ run, coordinator }) => {
    coordinator.warnings = ['pipeline é, of a kind, is not there', 'port taken\u001b[2J']
    coordinator.lagging = ['worker-1']
    const ran = await run('object create', { stdin: 'kind: K\nname: a\n' })
    expect(ran).toEqual({
      code: 0,
      out: '',
      err: [
        'Warning: pipeline é, of a kind, is not there',
        'Warning: port taken [2J',
        'Warning: saved, but not in effect yet on worker-1',
        '',
      ].join('\n'),
    })
    coordinator.staleSeconds = 7
    expect((await run('object list')).err).toMatch(/this is 7 s old\n$/)
  }))

it('has colour only where it is wanted, and nothing of the server paints the terminal', () =>
  withServer(async ({ run, coordinator }) => {
    coordinator.failure = new GatewayError('OBJECT_NOT_FOUND', 'no \u001b[31msuch\u0007 thing')
    const plain = await run('object get a')
    expect(plain.err).toBe('Error: 404: no ?[31msuch? thing\n')
    const coloured = await run('object get a', { hasColor: true })
    expect(coloured.err).toContain('\u001b[31mError: \u001b[39m404')
  }))

it('authenticates', () =>
  withServer(
    async ({ run, port }) => {
      expect((await run('health')).err).toBe('Error: 401: basic auth failed\n')
      const env = { EGCTL_USER: 'admin', EGCTL_PASSWORD: 'p@ss' }
      expect(await run('health', { env })).toEqual(QUIET)
      expect(await run(`health --server admin:p%40ss@127.0.0.1:${port}`)).toEqual(QUIET)
    },
    { basicAuth: { admin: 'p@ss' } },
  ))

it('speaks TLS to a server it trusts', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'egctl-tls-'))
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  writeFileSync(certFile, TEST_CERT)
  writeFileSync(keyFile, TEST_KEY)
  try {
    await withServer(
      async ({ run, port }) => {
        const to = `health --server https://127.0.0.1:${port}`
        expect(await run(`${to} --ca-file ${certFile}`)).toEqual(QUIET)
        expect(await run(`${to} --insecure-skip-verify`)).toEqual(QUIET)
        expect((await run(to)).err).toMatch(/certificate is not trusted \(see --ca-file\)\n$/)
        expect((await run(`${to} --ca-file /gone`)).err).toBe(
          'Error: --ca-file: cannot read /gone\n',
        )
        expect((await run(`health --server 127.0.0.1:${port}`)).err).toMatch(/use https:/)
      },
      { tls: true, certFile, keyFile },
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('--help has examples, and every command its own', async () => {
  const help = await egctlWith({}, '--help', {})
  expect(help).toMatchObject({ code: 0, err: '' })
  for (const word of [
    'object|o',
    'member',
    'health',
    'api',
    'completion',
    'Examples:',
    '--server',
  ]) {
    expect(help.out).toContain(word)
  }
  expect((await egctlWith({}, '', {})).out).toBe(help.out)
  const create = await egctlWith({}, 'object create --help', {})
  expect(create.out).toContain('egctl object create -f pipeline.yaml')
  expect(create.out).toContain('--server')
  expect((await egctlWith({}, '--version', {})).out).toMatch(/^\d+\.\d+\.\d+/)
})

it.each<[line: string, want: string[]]>([
  ['__complete -- ', FAMILIES.map(({ name }) => name)],
  ['__complete -- get h', ['httppipeline', 'httpserver']],
  ['__complete -- get all s', ['s1']],
  ['__complete -- describe all --namespace default s', ['s1']],
  ['__complete -- delete mem e', ['eg-default-name']],
  ['__complete -- get -o w', ['wide']],
  ['__complete -- create h', ['httpproxy']],
  ['__complete -- create -f x', []],
  ['__complete -- o', ['object']],
  ['__complete -- object g', ['get']],
  ['__complete -- object get s', ['s1']],
  ['__complete -- o del x', []],
  ['__complete -- member purge e', ['eg-default-name']],
  ['__complete -- object -o j', ['json']],
  ['__complete -- object create -f x', []],
  ['__complete -- object create --dr', ['--dry-run']],
  ['__complete -- nonsense x', []],
])('egctl %s', async (line, want) => {
  await withServer(async ({ run, coordinator }) => {
    coordinator.members = [MEMBER_FIXTURE]
    await run('object create', { stdin: 'kind: K\nname: s1\n' })
    const ran = await run(line.split(' '))
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out.split('\n').filter((word) => word !== '')).toEqual(want)
  })
})

it('completion bash prints what bash can use', async () => {
  const { out } = await egctlWith({}, 'completion bash', {})
  const script = `${out}
egctl() { [ "$1 $2 $3 $4" = "__complete -- object g" ] && printf '%s\\n' get gone list; }
COMP_WORDS=(egctl object g); COMP_CWORD=2; _egctl; echo "\${COMPREPLY[*]}"`
  expect(execFileSync('bash', ['-c', script], { encoding: 'utf8' })).toBe('get gone\n')
})

it('completion zsh prints a script', async () => {
  expect((await egctlWith({}, 'completion zsh', {})).out).toMatch(/^#compdef egctl\n/)
})
