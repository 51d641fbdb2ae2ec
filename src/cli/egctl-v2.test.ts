import { expect, it } from 'vitest'
import { MEMBER_FIXTURE } from '../admin/coordinator.fixture.js'
import type { TrafficExplanation } from '../protocol/coordinator.js'
import { parseRule } from './create-http-proxy.js'
import { withServer } from './egctl.fixture.js'
import { ageOf } from './resources.js'

const SERVER = 'kind: HTTPServer # the first\nname: s1\nport: 10080\n'
const TWO = `${SERVER}---\nkind: HTTPPipeline\nname: p1\nlabels: {team: a}\n`
const FILES = { 'two.yaml': TWO, 's.yaml': SERVER }

it('create and apply tell what they did, in the words of v2', () =>
  withServer(async ({ run, coordinator }) => {
    const files = FILES
    expect(await run('create -f two.yaml', { files })).toEqual({
      code: 0,
      err: '',
      out: 'create HTTPServer s1 successfully\ncreate HTTPPipeline p1 successfully\n',
    })
    expect(coordinator.objects.get('s1')).toMatchObject({ dialect: 'v2', text: SERVER })
    expect(await run('create -f s.yaml', { files })).toMatchObject({
      code: 1,
      err: 'Error: 409: conflict name: s1\n',
    })
    expect(await run('apply -f -', { stdin: SERVER })).toMatchObject({
      code: 0,
      out: 'update HTTPServer s1 successfully\n',
    })
    expect((await run('apply -f s.yaml --dry-run -v', { files })).out).toBe(
      'HTTPServer/s1 is valid\n',
    )
  }))

it('nothing is created when one of several is refused, and all problems have their place', () =>
  withServer(async ({ run, coordinator }) => {
    const files = { 'x.yaml': `${SERVER.replace('10080', 'one')}---\nname: b\n` }
    expect(await run('create -f x.yaml', { files })).toEqual({
      code: 1,
      out: '',
      err: [
        'Error: 2 of 2 objects refused, nothing was changed',
        'x.yaml:3:7: port: expected a whole number in 1..65535',
        'x.yaml:5:1: kind: expected text, got nothing',
        '',
      ].join('\n'),
    })
    expect(coordinator.objects.size).toBe(0)
  }))

it('get shows tables, or what the server says', () =>
  withServer(async ({ run, coordinator }) => {
    await run('create -f two.yaml', { files: FILES })
    coordinator.members = [MEMBER_FIXTURE]
    coordinator.status = {
      s1: { m: { health: 'port taken', state: 'failed' } },
      p1: { m: { health: '' } },
    }
    for (const object of coordinator.objects.values()) {
      coordinator.objects.set(object.name, { ...object, createdMs: Date.now() - 3_700_000 })
    }
    expect((await run('get all')).out).toBe(
      'NAME   KIND           AGE\np1     HTTPPipeline   1h1m\ns1     HTTPServer     1h1m\n',
    )
    expect((await run('get hs')).out).toMatch(/^NAME +KIND +AGE\ns1 +HTTPServer +1h1m\n$/)
    expect((await run('get HTTPServer s1 -o wide')).out).toMatch(
      /AGE +DIALECT +STATE\ns1 +HTTPServer +1h1m +v2 +failed: port taken\n$/,
    )
    expect((await run('get all -o wide')).out).toMatch(/\np1 .* v2 +ready\n/)
    expect((await run('get all --all-namespaces')).out).toMatch(/NAMESPACE.*\np1 +default +/)
    expect((await run('get all --namespace other')).out).toBe('NAME   KIND   AGE\n')
    expect(JSON.parse((await run('get hs s1 -o json')).out)).toMatchObject({
      name: 's1',
      version: 'easegress.megaease.com/v2',
      port: 10080,
    })
    expect((await run('get all -o yaml')).out).toMatch(/^- name: p1\n {2}kind: HTTPPipeline\n/)
    expect((await run('get member')).out).toMatch(
      /^NAME +ROLE +AGE +STATE +API-ADDR +HEARTBEAT\neg-default-name +primary +\d+d +Leader +localhost:2381 +\d+d ago\n$/,
    )
    expect(JSON.parse((await run('get m eg-default-name -o json')).out)).toMatchObject({
      options: { Name: 'eg-default-name', APIAddr: 'localhost:2381', WALDir: '' },
    })
  }))

it('describe shows blocks, the rest and the status', () =>
  withServer(async ({ run, coordinator }) => {
    const long = 'x'.repeat(60)
    const text = `name: s1\nkind: HTTPServer\nnote: ${long}\nrules: [{paths: []}]\n`
    await run('create -f -', { stdin: text })
    coordinator.status = { s1: { 'eg-1': { state: 'running', status: { count: 7 } } } }
    const { out } = await run('describe httpserver s1')
    expect(out).toMatch(/^Name: s1\nKind: HTTPServer\nVersion: easegress\.megaease\.com\/v2\n/)
    expect(out).toMatch(/\nRules:\n- paths: \[\]\n/)
    expect(out).toContain(`note: ${'x'.repeat(50)}…\n`)
    expect(out).toMatch(/\nAllStatus:\n- node: eg-1\n(.*\n)* {2}count: 7\n/)
    expect((await run('describe hs s1 -v')).out).toContain(long)
    coordinator.members = [MEMBER_FIXTURE]
    expect((await run('describe member')).out).toMatch(/^Name: eg-default-name\n/)
    expect((await run('describe hpl')).out).toBe('nothing found\n')
  }))

it('delete takes names, a kind, a file or a member', () =>
  withServer(async ({ run, coordinator }) => {
    const files = FILES
    await run('create -f two.yaml', { files })
    expect(await run('delete hpl s1')).toMatchObject({
      code: 1,
      err: 'Error: s1 is no HTTPPipeline, but a HTTPServer\n',
    })
    expect(await run('delete hpl p1 gone')).toMatchObject({ code: 1, err: /./ })
    expect(coordinator.objects.size).toBe(2)
    expect((await run('delete hpl --all')).out).toBe('delete HTTPPipeline p1 successfully\n')
    expect((await run('delete -f s.yaml', { files })).out).toBe(
      'delete HTTPServer s1 successfully\n',
    )
    expect(coordinator.objects.size).toBe(0)
    coordinator.members = [MEMBER_FIXTURE]
    expect((await run('delete member eg-default-name')).out).toMatch(/successfully/)
  }))

it('edit sends back what was changed, in the dialect of the object', () =>
  withServer(async ({ run, coordinator }) => {
    await run('object create', { stdin: SERVER })
    const files: Record<string, string> = {}
    const edit = (text: string): string => text.replace('10080', '10081')
    const ran = await run('edit hs s1', { edit, files })
    expect(ran).toEqual({ code: 0, err: '', out: 'update HTTPServer s1 successfully\n' })
    expect(coordinator.objects.get('s1')).toMatchObject({
      dialect: 'v1',
      text: 'kind: HTTPServer # the first\nname: s1\nport: 10081\n',
    })
    expect(files).toEqual({})
    const idle = await run('edit hs s1', { files })
    expect(idle.out).toMatch(
      /^nothing changed; temp file in \/tmp\/HTTPServer-s1-\d{4}-\d\d-\d\d-\d{4}\.yaml\n$/,
    )
  }))

it.each<[name: string, edit: (text: string) => string, err: RegExp]>([
  ['a bad value', (text) => text.replace('10080', 'x'), /\/tmp\/HTTPServer-s1-.*:3:7: port: /],
  ['another name', (text) => text.replace('s1', 's2'), /^Error: name: cannot be changed, it is s1/],
  ['another kind', (text) => text.replace('Server', 'Thing'), /^Error: kind: cannot be changed/],
])('edit keeps the text after %s', async (_name, edit, err) => {
  await withServer(async ({ run, coordinator }) => {
    await run('create -f s.yaml', { files: FILES })
    const files: Record<string, string> = {}
    const ran = await run('edit httpserver s1', { edit, files })
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toMatch(err)
    expect(ran.err).toMatch(/\nthe text is in \/tmp\/.*\n$/)
    expect(Object.keys(files)).toHaveLength(1)
    expect(coordinator.objects.get('s1')?.text).toBe(SERVER)
  })
})

it('edit does not overwrite what others wrote meanwhile', () =>
  withServer(async ({ run, coordinator }) => {
    await run('create -f s.yaml', { files: FILES })
    const edit = (text: string): string => {
      const object = coordinator.objects.get('s1')
      if (object !== undefined) coordinator.objects.set('s1', { ...object, version: 9 })
      return `${text}# mine\n`
    }
    expect((await run('edit hs s1', { edit, files: {} })).err).toMatch(/^Error: 412: /)
  }))

it('create httpproxy makes a server and a pipeline for each rule', () =>
  withServer(async ({ run, coordinator }) => {
    const ran = await run([
      ...['create', 'httpproxy', 'demo', '--port', '10080'],
      ...['--rule', '/api/*=http://127.0.0.1:9095,http://127.0.0.1:9096'],
      ...['--rule', '/exact=http://127.0.0.1:9097'],
      ...['--rule', 'a.com/=http://a'],
    ])
    expect(ran).toMatchObject({ code: 0, err: '' })
    expect(ran.out).toBe(
      [0, 1, 2].map((i) => `create Pipeline demo-${i} successfully\n`).join('') +
        'create HTTPServer demo successfully\n',
    )
    expect(coordinator.objects.get('demo')?.text).toBe(
      [
        'name: demo',
        'kind: HTTPServer',
        'version: easegress.megaease.com/v2',
        'port: 10080',
        'rules:',
        '- paths:',
        '  - pathPrefix: /api/',
        '    backend: demo-0',
        '  - path: /exact',
        '    backend: demo-1',
        '- host: a.com',
        '  paths:',
        '  - path: /',
        '    backend: demo-2',
        '',
      ].join('\n'),
    )
    expect(coordinator.objects.get('demo-0')?.text).toContain('- url: http://127.0.0.1:9096\n')
  }))

it.each<[rule: string, want: object | null]>([
  ['/=http://a', { host: '', path: '/', isPrefix: false, urls: ['http://a'] }],
  ['a.com/x*=http://a,https://b:1/c', { host: 'a.com', path: '/x', isPrefix: true }],
  ['/a=http://a?b=c', { path: '/a', urls: ['http://a?b=c'] }],
  ['x=http://a', null],
  ['/a', null],
  ['/a=', null],
  ['/a=http://a,', null],
  ['/a=ftp://a', null],
  ['/a=a:80', null],
  ['', null],
])('--rule %s', (rule, want) => {
  if (want === null) expect(() => parseRule(rule)).toThrow(/^--rule: expected/)
  else expect(parseRule(rule)).toMatchObject(want)
})

it.each<[line: string, err: RegExp]>([
  ['create', /^$/],
  ['create --dry-run', /^Error: -f: expected a file/],
  ['create nonsense', /unknown command "nonsense" for "egctl create"/],
  ['create httpproxy x', /^Error: --port: expected 1\.\.65535, got nothing\n$/],
  ['create httpproxy x --port 0 --rule /=http://a', /got 0/],
  ['create httpproxy x --port 1', /^Error: --rule: expected at least one\n$/],
  ['create httpproxy x --port 1 --rule /=http://a --cert-file c', /as many of one/],
  ['apply -f gone.yaml', /^Error: gone\.yaml: no such file\n$/],
  ['get', /missing required argument 'resource'/],
  ['get nonsense', /^Error: unknown resource "nonsense"; egctl api-resources lists all\n$/],
  ['get httpsever', /did you mean "httpserver"\?\n$/],
  ['get hs gone', /^Error: 404: not found\n$/],
  ['get hs gone lost', /^Error: 404: gone: not found\n$/],
  ['delete hs gone lost', /^Error: 404: gone: not found\n$/],
  ['get hs --namespace a --all-namespaces', /exclude each other/],
  ['get member nobody', /there is no member "nobody"/],
  ['delete', /expected a resource, or -f/],
  ['delete hs', /expected names, or --all/],
  ['delete hs a --all', /expected names, or --all/],
  ['delete member --all', /purged by name/],
  ['edit member x', /member cannot be edited/],
  ['config current-context', /no context is in use/],
])('egctl %s fails in a line or two', async (line, err) => {
  await withServer(async ({ run }) => {
    const ran = await run(line)
    expect(ran.err).toMatch(err)
    expect(ran.err.split('\n').length).toBeLessThanOrEqual(4)
    if (ran.err === '') expect(ran.out).toContain('Usage:')
    else expect(ran).toMatchObject({ code: 1, out: '' })
  })
})

it('api-resources and apis are tables', () =>
  withServer(async ({ run }) => {
    const { out } = await run('api-resources')
    expect(out).toMatch(/^NAME +ALIASES +CATEGORY +KIND +ACTION\n/)
    expect(out).toMatch(/\nhttpserver +httpservers,hs +TrafficGate +HTTPServer +create,/)
    expect(out).toMatch(/\nmember +members,m,mem +- +Member +delete,get,describe\n$/)
    const apis = (await run('apis')).out
    expect(apis).toMatch(/^PATH +METHOD +VERSION +GROUP\n\/apis\/v1 +GET +v1 +admin\n/)
    expect(apis).toMatch(/\n\/apis\/v2\/objects\/\{name\} +PUT +v2 +admin\n/)
  }))

const RC = (port: number): string => `# mine
kind: Config
current-context: here
contexts:
- name: here
  context: { cluster: local, user: me }
- name: gone
  context: { cluster: nowhere, user: me }
clusters:
- name: local
  cluster: { server: "127.0.0.1:${port}" }
- name: nowhere
  cluster: { server: "127.0.0.1:1" }
users:
- name: me
  user: { username: admin, password: secret }
`

it('~/.egctlrc says where the server is and who asks', () =>
  withServer(
    async ({ run, port }) => {
      const files: Record<string, string> = { '/home/a/.egctlrc': RC(port) }
      const given = { env: { HOME: '/home/a', EGCTL_SERVER: '' }, files }
      expect(await run('health', given)).toEqual({ code: 0, out: '', err: '' })
      expect((await run('config current-context', given)).out).toBe('here\n')
      expect((await run('config get-contexts', given)).out).toMatch(
        /^CURRENT +NAME +CLUSTER +USER\n\* +here +local +me\n {2,}gone +nowhere +me\n$/,
      )
      const view = (await run('config view', given)).out
      expect(view).toContain('password: REDACTED')
      expect(view).not.toContain('secret')
      expect((await run('config use-context gone', given)).out).toBe('Switched to context gone\n')
      expect(files['/home/a/.egctlrc']).toBe(
        RC(port).replace('current-context: here', 'current-context: "gone"'),
      )
      expect((await run('health', given)).err).toMatch(/^Error: no server at 127\.0\.0\.1:1:/)
      expect((await run('config use-context nope', given)).err).toMatch(/there is no context/)
    },
    { basicAuth: { admin: 'secret' } },
  ))

it.each<[name: string, text: string, err: RegExp]>([
  ['no YAML', '{', /^Error: \/h\/\.egctlrc:\d+:\d+: /],
  [
    'a wrong type',
    'kind: Config\ncontexts: 7',
    /^Error: \/h\/\.egctlrc: line 2, column 11: contexts/,
  ],
  ['a context that is not there', 'current-context: x', /there is no context "x"/],
])('an .egctlrc with %s', async (_name, text, err) => {
  await withServer(async ({ run }) => {
    const given = { env: { HOME: '/h', EGCTL_SERVER: '' }, files: { '/h/.egctlrc': text } }
    expect((await run('health', given)).err).toMatch(err)
  })
})

it.each<[agoMs: number, want: string]>([
  [0, '0s'],
  [-5_000, '0s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [3_600_000, '1h'],
  [3_660_000, '1h1m'],
  [86_400_000, '1d'],
  [90_000_000, '1d1h'],
  [864_000_000, '10d'],
])('an age of %i ms is %s', (agoMs, want) => {
  const nowMs = Date.UTC(2026, 0, 1)
  expect(ageOf(new Date(nowMs - agoMs).toISOString(), nowMs)).toBe(want)
  expect(ageOf('nonsense', nowMs)).toBe('')
})

it('logs, metrics and profile speak of the node', () =>
  withServer(async ({ run }) => {
    expect((await run('logs get-level')).out).toBe('info\n')
    expect((await run('logs set-level debug')).out).toBe('Set log level to debug\n')
    expect((await run('logs set-level loud')).err).toBe(
      'Error: 400: level: expected info or debug, got loud\n',
    )
    expect(await run('logs --tail 0')).toEqual({ code: 0, out: '', err: '' })
    expect((await run('logs --tail x')).err).toMatch(/^Error: --tail: expected a number/)
    expect(await run('metrics')).toEqual({ code: 0, out: '', err: '' })
    expect((await run('profile start cpu /tmp/x')).code).toBe(0)
    expect((await run('profile info -o json')).out).toContain('"cpuPath": "/tmp/x"')
    expect((await run('profile start memory /gone/away/x')).err).toMatch(/no file can be made/)
    expect((await run('profile stop')).code).toBe(0)
    expect((await run('profile info')).out).toBe('cpuPath: ""\nmemoryPath: ""\n')
  }))

const EXPLAINED: TrafficExplanation = {
  servers: [{ name: 's1', port: 10080, state: 'running' }],
  server: 's1',
  explanation: {
    refusal: 0,
    isServerDenied: false,
    paths: [
      { rule: 0, path: 0, verdict: 'host' },
      { rule: 0, path: 1, verdict: 'taken' },
      { rule: 0, path: 2, verdict: 'method' },
    ],
    pipeline: 'p',
    method: 'GET',
    target: '/x?y=1',
    steps: [
      step('check', 'Validator', { result: 'invalid' }),
      step('limit', 'RateLimiter', { isAssumed: true, namespace: 'other' }),
      step('proxy', 'Proxy', { detail: { pool: 'main', server: null, servers: ['a', 'b'] } }),
    ],
    status: 0,
  },
}

function step(filter: string, kind: string, more: object) {
  const usual = { namespace: 'DEFAULT', result: '', isAssumed: false, detail: {} }
  return { filter, kind, ...usual, ...more }
}

it('explain says where a request would go, and what else came close', () =>
  withServer(async ({ run, coordinator }) => {
    await run('create -f s.yaml', { files: FILES })
    const paths = [{}, { path: '/x', backend: 'p' }, { pathPrefix: '/', methods: ['PUT'] }]
    const object = coordinator.objects.get('s1')
    if (object !== undefined) {
      coordinator.objects.set('s1', { ...object, spec: { rules: [{ host: 'a.com', paths }] } })
    }
    coordinator.explanation = EXPLAINED
    const words = ['explain', '-X', 'POST', '-H', 'X-User: 7', 'localhost:10080/x?y=1']
    expect((await run(words)).out).toBe(
      [
        'Server    s1',
        'Rule      rules[0].paths[1] for a.com: path /x',
        'Pipeline  p',
        'Filter    check (Validator): result invalid',
        'Filter    limit (RateLimiter) in other: assumed to pass',
        'Filter    proxy (Proxy): pool main, server by chance, servers [a, b]',
        'Request   GET /x?y=1',
        'Answer    from the back end',
        '',
        'Not taken:',
        '  rules[0].paths[2] for a.com, pathPrefix /: the method is none of PUT',
        '',
        '1 more for other hosts or paths: -v shows them.',
        '',
      ].join('\n'),
    )
    expect((await run([...words, '-v'])).out).toContain('the host is not a.com')
    expect(JSON.parse((await run([...words, '-o', 'json'])).out)).toMatchObject({ server: 's1' })
    expect(coordinator.received).toContainEqual(
      expect.objectContaining({
        type: 'explain-traffic',
        request: expect.objectContaining({ method: 'POST', headers: [['x-user', '7']] }),
      }),
    )
    coordinator.explanation = { ...EXPLAINED, server: null, explanation: null }
    expect((await run('explain http://a/')).out).toBe(
      'No server listens on port 80.\n  s1 on 10080 (running)\n',
    )
  }))

it.each<[line: string[], err: RegExp]>([
  [['explain'], /missing required argument 'url'/],
  [['explain', '-H', 'x', 'http://a/'], /^Error: -H: expected "Name: value", got "x"/],
  [['explain', '--port', '0', 'http://a/'], /^Error: --port: expected 1\.\.65535/],
  [['explain', 'http://'], /^Error: 400: url: expected http/],
  [['explain', '-X', 'A B', 'http://a/'], /^Error: 400: method: /],
])('egctl %s fails in a line or two', async (line, err) => {
  await withServer(async ({ run }) => {
    const ran = await run(line)
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toMatch(err)
  })
})

it('custom data goes by the same verbs', () =>
  withServer(async ({ run, coordinator }) => {
    const ops = (): string[] =>
      coordinator.received.flatMap((m) => (m.type === 'custom-data' ? [m.what.op] : []))
    const files = {
      'data.yaml':
        'kind: CustomDataKind\nname: users\nidField: id\n---\nkind: CustomData\nname: users\nlist: [{id: a}]\n',
    }
    expect(await run('create -f data.yaml', { files })).toEqual({
      code: 0,
      err: '',
      out: 'create CustomDataKind users successfully\nupdate CustomData users successfully\n',
    })
    expect(ops()).toEqual(['put-kind', 'change-items'])
    expect((await run('create -f data.yaml --dry-run', { files })).err).toMatch(/cannot be tried/)
    await run('delete cd users a b')
    await run('delete customdata users --all')
    await run('delete cdk users')
    expect(ops().slice(2)).toEqual([
      ...['delete-item', 'delete-item', 'delete-item'],
      'delete-kind',
    ])
    expect((await run('delete cd')).err).toMatch(/expected the kind of the custom data/)
    expect((await run('delete cd users')).err).toMatch(/expected ids, or --all/)
    expect((await run('get cd')).err).toMatch(/expected the kind of the custom data/)
    expect((await run('edit cdk users')).err).toMatch(/cdk cannot be edited/)
  }))
