import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { FakeClient, type FakeRequest } from '../../http/fake-client.fixture.js'
import { MemoryLogger } from '../../telemetry/memory-log.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { BasicAuthCheck, type CredentialJudge } from './basic-auth.js'
import { escapeDn } from './ldap.js'
import { FakeDirectory } from './ldap-server.fixture.js'
import { SERVER_CERT, SERVER_KEY } from './ldap-tls.fixture.js'
import { ListedUsers, parseUsers, UserFile } from './user-list.js'

const basic = (credentials: string): [string, string] => [
  'authorization',
  `Basic ${Buffer.from(credentials).toString('base64')}`,
]

const pipeline = (fields: string): string => `
flow: [{filter: it, jumpIf: {invalid: END}}, {filter: ok}]
filters:
- name: it
  kind: Validator
${fields.replace(/^/gm, '  ')}
- {name: ok, kind: ResponseBuilder, template: 'body: {{.req.Header.Get "X-Auth-User" | quote}}'}
`

it.each<[name: string, fields: string, request: FakeRequest, status: number]>([
  ['a header', 'headers: {X-A: {values: [a]}}', {}, 400],
  ['a token', 'jwt: {algorithm: HS256, secret: "6d79"}', {}, 401],
  [
    'a token that is none',
    'jwt: {algorithm: HS256, secret: "6d79"}',
    { headers: [['authorization', 'Bearer a.b.c']] },
    401,
  ],
  ['a signature', 'signature: {accessKeys: {me: secret}}', {}, 401],
  [
    'a signature of v1',
    'signature: {accessKeys: {me: secret}}',
    { headers: [['authorization', 'ME-HMAC-SHA256 Credential=me/1/megaease_request']] },
    401,
  ],
  ['an OAuth 2 token', 'oauth2: {jwt: {algorithm: HS256, secret: "6d79"}}', {}, 401],
  [
    'an OAuth 2 token that is none',
    'oauth2: {jwt: {algorithm: HS256, secret: "6d79"}}',
    { headers: [['authorization', 'Bearer a.b.c']] },
    401,
  ],
  [
    'headers go first',
    'headers: {X-A: {values: [a]}}\njwt: {algorithm: HS256, secret: "6d79"}',
    {},
    400,
  ],
])('refused without %s', (_name, fields, request, status) =>
  withPipeline(
    pipeline(fields),
    (harness) => {
      const client = harness.start(request)
      expect([client.status, client.header('www-authenticate')]).toEqual([status, null])
    },
    'v2',
  ),
)

async function withUsers(
  text: string,
  test: (harness: Harness, path: string) => Promise<void> | void,
) {
  const folder = mkdtempSync(join(tmpdir(), 'users-'))
  const path = join(folder, 'htpasswd')
  writeFileSync(path, text)
  await withPipeline(
    pipeline(`basicAuth: {mode: FILE, userFile: ${path}}`),
    (harness) => test(harness, path),
    'v2',
  )
  rmSync(folder, { recursive: true })
}

const USERS = `# comment
ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=
bob:pl:ain
käthe:geheim

nobody
:empty
ann:second
`

it.each<[name: string, headers: readonly [string, string][], want: string]>([
  ['a hash', [basic('ann:password')], '200 ann'],
  ['plain text with a colon in it', [basic('bob:pl:ain')], '200 bob'],
  ['a name that is not ASCII', [basic('käthe:geheim')], '200 käthe'],
  [
    'the scheme in lower case',
    [['authorization', basic('bob:pl:ain')[1].replace('Basic', 'basic')]],
    '200 bob',
  ],
  ['a name of the client itself', [basic('bob:pl:ain'), ['x-auth-user', 'root']], '200 bob'],
  ['nothing', [], '401 '],
  ['nothing but a name of the client', [['x-auth-user', 'root']], '401 '],
  ['a wrong password', [basic('ann:Password')], '401 '],
  ['the second of one name', [basic('ann:second')], '401 '],
  ['an unknown name', [basic('eve:password')], '401 '],
  ['no password', [basic('bob:')], '401 '],
  ['no colon', [basic('bob')], '401 '],
  ['no name', [basic(':empty')], '401 '],
  ['a name with a line break', [basic('a\r\nb:c')], '401 '],
  ['a name with a blank in front', [basic(' bob:pl:ain')], '401 '],
  ['bytes that are no text', [['authorization', 'Basic /////w==']], '401 '],
  ['no base64', [['authorization', 'Basic bob:pl:ain']], '401 '],
  ['base64url', [['authorization', 'Basic -_-_']], '401 '],
  ['another scheme', [['authorization', 'Bearer Ym9iOnBsOmFpbg==']], '401 '],
  ['two of them', [basic('bob:pl:ain'), basic('bob:pl:ain')], '401 '],
  ['a gigantic one', [basic(`bob:${'x'.repeat(100_000)}`)], '401 '],
])('basicAuth by a file: %s', (_name, headers, want) =>
  withUsers(USERS, (harness) => {
    const client = harness.start({ headers })
    expect(`${client.status} ${Buffer.from(client.text, 'latin1')}`).toBe(want)
  }),
)

it('a file that changes is read again; one that is gone leaves its users', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'users-'))
  const path = join(folder, 'htpasswd')
  writeFileSync(path, 'ann:one')
  const log = new MemoryLogger()
  const file = new UserFile(path, log, 20)
  expect([file.passwordOf('ann'), file.passwordOf('bob')]).toEqual(['one', null])
  // At once: a change between reading and the first look counts too.
  writeFileSync(path, 'bob:two, and longer')
  await until('the change to be seen', () => file.passwordOf('bob') !== null)
  expect(file.passwordOf('ann')).toBeNull()
  rmSync(path)
  await until('its end to be seen', () => log.records.length > 0)
  expect(file.passwordOf('bob')).toBe('two, and longer')
  file.close()
  rmSync(folder, { recursive: true })
})

it('without a file nobody is let in, and it is said', () => {
  const log = new MemoryLogger()
  const file = new UserFile('/nowhere/htpasswd', log)
  const users = new ListedUsers(
    file,
    { check: () => Promise.resolve(true), close: () => {} },
    {
      wallMs: () => 0,
      monotonicMs: () => 0,
    },
  )
  expect(users.verify('ann', 'x')).toBe(false)
  expect(log.records[0]?.message).toBe('users cannot be read')
  users.retire()
})

it('an unknown user takes as long as a known one', async () => {
  const checked: string[] = []
  const users = new ListedUsers(
    {
      passwordOf: (user) => (user === 'ann' ? '$2b$04$x' : null),
      anyPassword: () => '$2b$04$x',
      close: () => {},
    },
    {
      check: (kept) => {
        checked.push(kept)
        return Promise.resolve(true)
      },
      close: () => {},
    },
    { wallMs: () => 0, monotonicMs: () => 0 },
  )
  expect(await users.verify('ann', 'a')).toBe(true)
  expect(await users.verify('eve', 'b')).toBe(false)
  expect(checked).toEqual(['$2b$04$x', '$2b$04$x'])
})

it('lines of a file', () => {
  expect([...parseUsers(USERS).keys()]).toEqual(['ann', 'bob', 'käthe'])
})

const STORED = pipeline('basicAuth: {mode: ETCD, etcdPrefix: /users/}')

it.each<[name: string, json: string, credentials: string, status: number]>([
  ['a password', '{"key":"ann","password":"one"}', 'ann:one', 200],
  ['a name beside the key', '{"key":"1","username":"ann","password":"one"}', 'ann:one', 200],
  ['no key', '{"password":"one"}', 'ann:one', 200],
  ['a wrong password', '{"key":"ann","password":"one"}', 'ann:two', 401],
  ['another name', '{"key":"ann","username":"bob","password":"one"}', 'ann:one', 401],
  ['the other name', '{"key":"ann","username":"bob","password":"one"}', 'bob:one', 200],
  ['a key that is not the id', '{"key":"bob","password":"one"}', 'bob:one', 200],
  ['an empty name beside the key', '{"key":"bob","username":"","password":"one"}', 'bob:one', 200],
  ['the id beside a key', '{"key":"bob","password":"one"}', 'ann:one', 401],
  ['a name that is no text', '{"username":7,"password":"one"}', '7:one', 401],
  ['an empty password', '{"key":"ann","password":""}', 'ann:x', 401],
  ['no password', '{"key":"ann"}', 'ann:undefined', 401],
  ['a password that is no text', '{"key":"ann","password":1}', 'ann:1', 401],
  ['no JSON', 'password: one', 'ann:one', 401],
])('basicAuth by custom data: %s', (_name, json, credentials, status) =>
  withPipeline(
    STORED,
    (harness) => {
      const ask = (): number => harness.start({ headers: [basic(credentials)] }).status
      expect(ask()).toBe(401)
      harness.setData('users/', 'ann', json)
      expect(ask()).toBe(status)
    },
    'v2',
  ),
)

it('users of custom data are found by name, whatever their items are called', () =>
  withPipeline(
    STORED,
    (harness) => {
      const ask = (credentials: string): number =>
        harness.start({ headers: [basic(credentials)] }).status
      const set = (item: string, username: string, password: string): void =>
        harness.setData('users/', item, JSON.stringify({ name: item, username, password }))
      set('1', 'ann', 'one')
      set('2', 'bob', 'two')
      expect([ask('ann:one'), ask('bob:two'), ask('1:one')]).toEqual([200, 200, 401])
      // Another name, another password, and a second item for one name: the lesser key counts.
      set('2', 'cid', 'two')
      expect([ask('bob:two'), ask('cid:two')]).toEqual([401, 200])
      set('1', 'ann', 'changed')
      expect([ask('ann:one'), ask('ann:changed')]).toEqual([401, 200])
      set('0', 'ann', 'zero')
      set('3', 'ann', 'three')
      expect(['changed', 'zero', 'three'].map((each) => ask(`ann:${each}`))).toEqual([
        401, 200, 401,
      ])
    },
    'v2',
  ))

it('an empty etcdPrefix is the default, and none is all of custom data', () =>
  withPipeline(
    pipeline('basicAuth: {mode: ETCD, etcdPrefix: ""}'),
    (harness) => {
      const ask = (): number => harness.start({ headers: [basic('ann:one')] }).status
      harness.setData('', 'other/ann', '{"key":"ann","password":"one"}')
      expect(ask()).toBe(401)
      harness.setData('credentials/', 'ann', '{"password":"one"}')
      expect(ask()).toBe(200)
    },
    'v2',
  ))

const judged = async (
  judge: CredentialJudge['verify'],
  before: (client: FakeClient) => void = () => {},
) => {
  const harness = new Harness()
  await harness.use('filters: [{name: it, kind: Mock, rules: [{code: 200}]}]', 'v2')
  const client = new FakeClient({ headers: [basic('ann:one')] })
  const check = new BasicAuthCheck({ verify: judge, retire: () => {} }, 401)
  const [node] = harness.pipeline.nodes
  Object.assign((node as { filter: object }).filter, { handle: () => check.check(client.ex) })
  harness.pipeline.start(client.ex)
  before(client)
  await until('an end', () => client.ending !== 'open')
  await harness.close()
  return client
}

it('what takes long is waited for', async () => {
  const yes = await judged(() => Promise.resolve(true))
  const no = await judged(() => Promise.resolve(false))
  expect([yes.ex.request.headers.get('x-auth-user'), no.status]).toEqual(['ann', 401])
})

it('whoever cannot be asked is 503', async () => {
  expect((await judged(() => Promise.reject(new Error('down')))).status).toBe(503)
})

it('a client that goes while it is waited for', async () => {
  expect(
    (
      await judged(
        () => new Promise(() => {}),
        (client) => client.abort(),
      )
    ).ending,
  ).toBe('gone')
})

async function withDirectory(
  more: string,
  test: (harness: Harness, directory: FakeDirectory) => Promise<void>,
): Promise<void> {
  const directory = await FakeDirectory.start({
    'uid=ann,ou=people,dc=test': 'one',
    'uid=x\\,ou\\=admins,ou=people,dc=test': 'two',
  })
  const ldap = `{host: 127.0.0.1, port: ${directory.port}, baseDN: "ou=people,dc=test", uid: uid${more}}`
  await withPipeline(
    pipeline(`basicAuth: {mode: LDAP, ldap: ${ldap}}`),
    (harness) => test(harness, directory),
    'v2',
  )
  await until('connections to close', () => directory.open === 0)
  await directory.stop()
}

it('basicAuth by LDAP', () =>
  withDirectory(', skipTLS: true', async (harness, directory) => {
    const ask = async (credentials: string): Promise<number> =>
      (await harness.ask({ headers: [basic(credentials)] })).status
    expect(await ask('ann:one')).toBe(200)
    expect(await ask('ann:two')).toBe(401)
    expect(await ask('eve:one')).toBe(401)
    // An empty password would be no bind at all, and succeed.
    expect(await ask('ann:')).toBe(401)
    // A name stays a name.
    expect(await ask('x,ou=admins:two')).toBe(200)
    expect(directory.tried).toEqual([
      'uid=ann,ou=people,dc=test',
      'uid=ann,ou=people,dc=test',
      'uid=eve,ou=people,dc=test',
      'uid=x\\,ou\\=admins,ou=people,dc=test',
    ])
  }))

it('a password never goes where TLS was asked for and refused', () =>
  withDirectory('', async (harness, directory) => {
    expect((await harness.ask({ headers: [basic('ann:one')] })).status).toBe(503)
    expect([directory.tlsAsked, directory.tried]).toEqual([1, []])
  }))

it('a directory whose certificate nobody knows is 503', async () => {
  const directory = await FakeDirectory.start(
    {},
    { cert: SERVER_CERT, key: SERVER_KEY, fromStart: true },
  )
  const ldap = `{host: 127.0.0.1, port: ${directory.port}, baseDN: dc=test, uid: cn, useSSL: true}`
  await withPipeline(
    pipeline(`basicAuth: {mode: LDAP, ldap: ${ldap}}`),
    async (harness) => {
      expect((await harness.ask({ headers: [basic('ann:one')] })).status).toBe(503)
    },
    'v2',
  )
  await directory.stop()
})

it('a directory that is not there is 503', async () => {
  const gone = await FakeDirectory.start({})
  const { port } = gone
  await gone.stop()
  await withPipeline(
    pipeline(
      `basicAuth: {mode: LDAP, ldap: {host: 127.0.0.1, port: ${port}, baseDN: dc=test, uid: cn, skipTLS: true}}`,
    ),
    async (harness) => {
      expect((await harness.ask({ headers: [basic('ann:one')] })).status).toBe(503)
    },
    'v2',
  )
})

it.each([
  ['ann', 'ann'],
  ['a,b+c"d\\e<f>g;h=i', 'a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i'],
  [' a b ', '\\ a b\\ '],
  ['#a#', '\\#a#'],
  ['a\0b', 'a\\00b'],
])('%j in a distinguished name', (user, want) => {
  expect(escapeDn(user)).toBe(want)
})

it.each<[fields: string, problem: string]>([
  ['headers: {}', 'expected one of headers, jwt, signature, oauth2 and basicAuth'],
  ['basicAuth: {userFile: /x}', 'basicAuth/mode: is required'],
  ['basicAuth: {mode: file}', 'did you mean "FILE"?'],
  ['basicAuth: {mode: LDAP}', 'basicAuth/ldap: is required for LDAP'],
  ['basicAuth: {mode: LDAP, ldap: {host: a, port: 389, uid: cn}}', 'baseDN: is required'],
  ['basicAuth: {mode: LDAP, ldap: {host: a, port: 0, uid: cn, baseDN: a}}', 'port'],
  [
    'basicAuth: {mode: LDAP, ldap: {host: a, port: 1, uid: "c=n", baseDN: a}}',
    'expected the name of an attribute',
  ],
  [
    'basicAuth: {mode: LDAP, ldap: {host: a, port: 1, uid: cn, baseDN: a, useSSL: true, skipTLS: true}}',
    'contradicts useSSL',
  ],
  [
    'basicAuth: {mode: LDAP, ldap: {host: a, port: 1, uid: cn, baseDN: a, certBase64: aGk=}}',
    'expected both certBase64 and keyBase64',
  ],
  [
    'basicAuth: {mode: FILE, ldap: {host: a, port: 1, uid: cn, baseDN: a}}',
    'is for LDAP, but mode is FILE',
  ],
  [
    'basicAuth: {mode: FILE}\noauth2: {jwt: {algorithm: HS256, secret: "6d"}}',
    'no request can have this and oauth2',
  ],
  ['jwt: {algorithm: none, secret: "6d"}', 'algorithm: expected one of HS256'],
  ['jwt: {algorithm: HS256, publicKey: "2d2d"}', 'HS256 has a secret, and no public key'],
  ['signature: {accessKeys: {}}', 'signature/accessKeys: expected a mapping of at least 1 entry'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Validator', fields, 'v2')).toContain(problem)
})
