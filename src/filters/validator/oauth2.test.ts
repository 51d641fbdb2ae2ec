import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { hmacToken, SECRET } from '../../lib/jwt.fixture.js'
import { ScriptedServer, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { VerdictCache } from './verdict-cache.js'

const nowS = Math.floor(Date.now() / 1_000)

/** After the check the flow goes to a back end's stand-in, whatever the verdict. */
const flow = (oauth2: string): string => `
flow:
- {filter: validator, jumpIf: {invalid: END}}
- {filter: ok}
filters:
- name: validator
  kind: Validator
  oauth2: ${oauth2}
- {name: ok, kind: Mock, rules: [{code: 299}]}
`
const asking = (port: number, fields = '', scheme = 'http'): string =>
  flow(`{tokenIntrospect: {endPoint: "${scheme}://127.0.0.1:${port}/introspect?a=b"${fields}}}`)

const bearer = (token: string): [string, string] => ['authorization', `Bearer ${token}`]
const FORGED: [string, string][] = [
  ['x-authenticated-userid', 'admin'],
  ['x-authenticated-scope', 'everything'],
  ['x-authenticated-userid', 'root'],
]

const identityOf = (headers: readonly string[]): string[] =>
  headers.filter((_each, i) => headers[i - (i % 2)]?.startsWith('x-authenticated-'))

// -- a server that does as it should ----------------------------------------------------------------

interface Asked {
  readonly head: IncomingMessage
  readonly form: string
}

/** An authorization server: a real one as far as HTTP goes. */
async function withServer(
  answerTo: (form: URLSearchParams) => object | string,
  test: (port: number, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = []
  const server = createServer(async (head, response) => {
    let form = ''
    for await (const chunk of head) form += String(chunk)
    asked.push({ head, form })
    const answer = answerTo(new URLSearchParams(form))
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  await test((server.address() as AddressInfo).port, asked)
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

it('asks with a form that is encoded, and over one connection', () =>
  withServer(
    (form) => ({ active: form.get('token') === 'a+b/c==&x=1%20', sub: 'me', scope: 'read write' }),
    (port, asked) =>
      withPipeline(asking(port, ', clientId: "id&1", clientSecret: "s=ü+"'), async (harness) => {
        for (let i = 0; i < 3; i++) {
          const client = await harness.ask({ headers: [bearer('a+b/c==&x=1%20'), ...FORGED] })
          expect(client.status).toBe(299)
          expect(identityOf(client.ex.request.headers.flat)).toEqual([
            'x-authenticated-userid',
            'me',
            'x-authenticated-scope',
            'read write',
          ])
        }
        expect((await harness.ask({ headers: [bearer('other')] })).status).toBe(403)
        expect(harness.upstream.stats.connectionsOpened).toBe(1)
        const [{ head, form } = {}] = asked
        expect([head?.method, head?.url]).toEqual(['POST', '/introspect?a=b'])
        expect(head?.headers).toMatchObject({
          host: `127.0.0.1:${port}`,
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': String(form?.length),
        })
        expect(head?.headers.authorization).toBeUndefined()
        expect(Object.fromEntries(new URLSearchParams(form))).toEqual({
          token: 'a+b/c==&x=1%20',
          client_id: 'id&1',
          client_secret: 's=ü+',
        })
      }),
  ))

it('asks with basic authentication, and sends nothing of the client but its token', () =>
  withServer(
    () => ({ active: true }),
    (port, asked) =>
      withPipeline(asking(port, ', basicAuth: aWQ6c2VjcmV0'), async (harness) => {
        const headers: [string, string][] = [bearer('abc'), ['cookie', 'a=b'], ...FORGED]
        const client = await harness.ask({ method: 'PUT', headers })
        expect(client.status).toBe(299)
        expect(identityOf(client.ex.request.headers.flat)).toEqual([])
        const [{ head, form } = {}] = asked
        expect([head?.headers.authorization, form]).toEqual(['Basic aWQ6c2VjcmV0', 'token=abc'])
        expect(head?.headers.cookie).toBeUndefined()
      }),
  ))

it.each<[name: string, answer: object | string, want: string[] | null]>([
  ['active', { active: true }, []],
  ['a user', { active: true, sub: 'me' }, ['x-authenticated-userid', 'me']],
  ['a scope', { active: true, scope: 'a' }, ['x-authenticated-scope', 'a']],
  ['empty ones', { active: true, sub: '', scope: '', error: '' }, []],
  ['null ones', { active: true, sub: null, scope: null, error: null, exp: null }, []],
  ['beyond ASCII', { active: true, sub: 'jürgen' }, ['x-authenticated-userid', 'j\xc3\xbcrgen']],
  ['not expired', { active: true, exp: nowS + 600 }, []],
  ['inactive', { active: false, sub: 'me' }, null],
  ['nothing', {}, null],
  ['active as text', { active: 'true' }, null],
  ['active as a number', { active: 1 }, null],
  ['an error', { active: true, error: 'invalid_client' }, null],
  ['an error that is no text', { active: true, error: { a: 1 } }, null],
  ['expired', { active: true, exp: nowS - 60 }, null],
  ['exp as text', { active: true, exp: `${nowS + 60}` }, null],
  ['a user that is no text', { active: true, sub: 1 }, null],
  ['a scope that is no text', { active: true, scope: ['a'] }, null],
  ['a line break in a user', { active: true, sub: 'me\r\nx-admin: yes' }, null],
  ['a line break in a scope', { active: true, scope: 'a\nb' }, null],
  ['a NUL', { active: true, sub: 'me\0' }, null],
  ['a blank before a user', { active: true, sub: ' admin' }, null],
  ['a list', [{ active: true }], null],
  ['no JSON', 'active=true', null],
  ['half of it', '{"active":true', null],
  ['more than it', '{"active":true}x', null],
  ['empty', '', null],
  ['too long', { active: true, pad: 'x'.repeat(70_000) }, null],
  ['nested beyond reason', '['.repeat(60_000), null],
])('an answer: %s', (_name, answer, want) =>
  withServer(
    () => answer,
    (port) =>
      withPipeline(asking(port), async (harness) => {
        const client = await harness.ask({ headers: [bearer('abc'), ...FORGED] })
        expect([client.status, client.text]).toEqual([want === null ? 403 : 299, ''])
        expect(identityOf(client.ex.request.headers.flat)).toEqual(want ?? [])
      }),
  ),
)

it.each<[name: string, headers: [string, string][]]>([
  ['none', []],
  ['none, and an identity', FORGED],
  ['another scheme', [['authorization', 'Basic abc']]],
  ['scheme in another case', [['authorization', 'bearer abc']]],
  ['an empty one', [['authorization', 'Bearer ']]],
  ['two', [bearer('a'), bearer('a')]],
  ['one with a blank', [bearer('a b')]],
  ['one beyond ASCII', [bearer('\xff')]],
  ['a gigantic one', [bearer('a'.repeat(20_000))]],
])('no server is asked about a token that is none: %s', (_name, headers) =>
  withServer(
    () => ({ active: true }),
    (port, asked) =>
      withPipeline(asking(port), (harness) => {
        const client = harness.start({ headers })
        expect([client.status, asked.length]).toEqual([403, 0])
        expect(identityOf(client.ex.request.headers.flat)).toEqual([])
        expect(harness.upstream.stats.connectionsOpened).toBe(0)
      }),
  ),
)

it('an identity is removed even where a failed check leads on to a back end', () =>
  withServer(
    () => ({ active: false }),
    (port) =>
      withPipeline(
        asking(port)
          .replace('invalid: END', 'invalid: ok')
          .replace('oauth2:', 'headers: {A: {values: [b]}}\n  oauth2:'),
        async (harness) => {
          for (const more of [[], [['a', 'b']]] as [string, string][][]) {
            const client = await harness.ask({ headers: [bearer('a'), ...FORGED, ...more] })
            expect(client.status).toBe(299)
            expect(identityOf(client.ex.request.headers.flat)).toEqual([])
          }
        },
      ),
  ))

// -- servers that do not ----------------------------------------------------------------------------

async function withScript(
  fields: string,
  test: (harness: Harness, server: ScriptedServer) => Promise<void>,
): Promise<void> {
  const server = await ScriptedServer.listen()
  await withPipeline(asking(server.port, fields), (harness) => test(harness, server))
  await server.close()
}

const ACTIVE = '{"active":true}'
const OK_HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n'

it.each<[name: string, answer: string]>([
  ['401', `HTTP/1.1 401 No\r\nContent-Length: 15\r\n\r\n${ACTIVE}`],
  ['500', `HTTP/1.1 500 No\r\nContent-Length: 15\r\n\r\n${ACTIVE}`],
  ['204', 'HTTP/1.1 204 No\r\n\r\n'],
  ['a redirection', `HTTP/1.1 302 No\r\nLocation: /\r\nContent-Length: 15\r\n\r\n${ACTIVE}`],
  ['no HTTP', 'active: true\r\n\r\n'],
  ['two lengths', `HTTP/1.1 200 OK\r\nContent-Length: 15\r\nContent-Length: 2\r\n\r\n${ACTIVE}`],
  ['megabytes, announced', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n'],
  [
    'megabytes, in pieces',
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`4000\r\n${'x'.repeat(16_384)}\r\n`.repeat(8)}`,
  ],
  ['a chunk that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  [
    'packed',
    `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00`,
  ],
])('a server that answers %s', (_name, answer) =>
  withScript('', async (harness, server) => {
    const client = harness.start({ headers: [bearer('abc')] })
    const peer = await server.peer(0)
    await peer.expects('token=abc')
    peer.send(answer)
    await until('an answer', () => client.ending !== 'open')
    expect([client.status, client.text]).toEqual([403, ''])
  }),
)

it.each<[name: string, answer: string]>([
  ['nothing', ''],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-'],
  ['half a body', `${OK_HEAD}{"active"`],
])('a server that sends %s and then no more: 403 after the time-out', (_name, answer) =>
  withScript(', timeout: 2s', async (harness, server) => {
    const client = harness.start({ headers: [bearer('abc')] })
    const peer = await server.peer(0)
    await peer.expects('token=abc')
    peer.send(answer)
    harness.pass(1_900)
    expect(client.ending).toBe('open')
    harness.pass(200)
    expect([client.ending, client.status]).toEqual(['complete', 403])
    await peer.gone()
  }),
)

it('a server that closes in the middle', () =>
  withScript('', async (harness, server) => {
    const client = harness.start({ headers: [bearer('abc')] })
    const peer = await server.peer(0)
    await peer.expects('token=abc')
    peer.send(`${OK_HEAD}{"active"`)
    peer.socket.end()
    await until('an answer', () => client.ending !== 'open')
    expect(client.status).toBe(403)
  }))

it('a connection that is closed before the answer is tried once more, not for ever', () =>
  withScript('', async (harness, server) => {
    for (const [round, status] of [
      [0, 299],
      [1, 403],
    ] as const) {
      const client = harness.start({ headers: [bearer('abc')] })
      const first = await server.peer(round * 2)
      await first.expects('token=abc')
      first.socket.destroy()
      const second = await server.peer(round * 2 + 1)
      await second.expects('token=abc')
      if (status === 299) {
        second.send(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\n${ACTIVE}`)
      } else second.socket.destroy()
      await until('an answer', () => client.ending !== 'open')
      expect(client.status).toBe(status)
    }
    expect(server.peers.length).toBe(4)
  }))

it('a server that is down', async () => {
  const server = await ScriptedServer.listen()
  const { port } = server
  await server.close()
  await withPipeline(asking(port), async (harness) => {
    expect((await harness.ask({ headers: [bearer('abc')] })).status).toBe(403)
  })
})

it('a client that goes away takes the question along', () =>
  withScript('', async (harness, server) => {
    const client = harness.start({ headers: [bearer('abc')] })
    const peer = await server.peer(0)
    await peer.expects('token=abc')
    client.abort()
    expect(client.ending).toBe('gone')
    await peer.gone()
    expect(harness.timers.runningCount).toBe(0)
  }))

it('a certificate that nobody knows is refused, unless any is taken', async () => {
  const server = await ScriptedServer.listenTls()
  await withPipeline(asking(server.port, '', 'https'), async (harness) => {
    expect((await harness.ask({ headers: [bearer('abc')] })).status).toBe(403)
  })
  expect(server.peers.every(({ received }) => received === '')).toBe(true)
  const before = server.peers.length
  await withPipeline(asking(server.port, ', insecureTls: true', 'https'), async (harness) => {
    const client = harness.start({ headers: [bearer('abc')] })
    const peer = await server.peer(before)
    await peer.expects('token=abc')
    peer.send(OK_HEAD + ACTIVE)
    await until('an answer', () => client.ending !== 'open')
    expect(client.status).toBe(299)
  })
  await server.close()
})

// -- tokens that say all themselves --------------------------------------------------------------

it.each<[name: string, token: string, want: string[] | null]>([
  [
    'all there',
    hmacToken({ sub: 'me', scope: 'a b', exp: nowS + 600 }),
    ['x-authenticated-userid', 'me', 'x-authenticated-scope', 'a b'],
  ],
  ['no claims', hmacToken({}), []],
  ['claims that are no text', hmacToken({ sub: 7, scope: ['a'] }), []],
  ['expired', hmacToken({ sub: 'me', exp: nowS - 1 }), null],
  ['not yet valid', hmacToken({ sub: 'me', nbf: nowS + 600 }), null],
  ['alg none', `${hmacToken({ sub: 'me' }, { alg: 'none' }).split('.', 2).join('.')}.`, null],
  ['another key', hmacToken({ sub: 'me' }, undefined, { secret: 'x' }), null],
  ['a line break in a user', hmacToken({ sub: 'me\r\nx: y' }), null],
  ['no token at all', 'abc', null],
])('self-encoded: %s', (_name, token, want) =>
  withPipeline(flow(`{jwt: {algorithm: HS256, secret: ${SECRET}}}`), (harness) => {
    const client = harness.start({ headers: [bearer(token), ...FORGED] })
    expect(client.status).toBe(want === null ? 403 : 299)
    expect(identityOf(client.ex.request.headers.flat)).toEqual(want ?? [])
  }),
)

it('the server goes before the key when both are given', () =>
  withServer(
    () => ({ active: true }),
    (port, asked) =>
      withPipeline(
        asking(port).replace('a=b"}}', `a=b"}, jwt: {algorithm: HS256, secret: ${SECRET}}}`),
        async (harness) => {
          expect((await harness.ask({ headers: [bearer('abc')] })).status).toBe(299)
          expect(asked.length).toBe(1)
        },
      ),
  ))

it.each<[name: string, fields: string, problem: string]>([
  ['nothing', '{}', 'filters/0/oauth2: expected tokenIntrospect or jwt'],
  ['no end point', '{tokenIntrospect: {}}', 'oauth2/tokenIntrospect/endPoint'],
  ['no URL', '{tokenIntrospect: {endPoint: a.test}}', 'begin with the scheme'],
  ['another scheme', '{tokenIntrospect: {endPoint: "ftp://a"}}', 'endPoint: expected a URL'],
  ['a user', '{tokenIntrospect: {endPoint: "http://u:p@a"}}', 'endPoint: expected no user'],
  ['a fragment', '{tokenIntrospect: {endPoint: "http://a/#b"}}', 'endPoint: expected no user'],
  ['port 0', '{tokenIntrospect: {endPoint: "http://a:0/"}}', 'no port 0'],
  ['a line break', '{tokenIntrospect: {endPoint: "http://a", basicAuth: "a\\nb"}}', 'basicAuth'],
  [
    'insecureTls as text',
    '{tokenIntrospect: {endPoint: "http://a", insecureTls: "true"}}',
    'quotes',
  ],
  ['no time', '{tokenIntrospect: {endPoint: "http://a", timeout: 0s}}', 'timeout: expected'],
  ['too much time', '{tokenIntrospect: {endPoint: "http://a", timeout: 1h}}', 'timeout: expected'],
  ['a number as id', '{tokenIntrospect: {endPoint: "http://a", clientId: 1}}', 'clientId'],
  ['no secret', '{jwt: {algorithm: HS256}}', 'filters/0/oauth2/jwt/secret: expected'],
  ['a cookie', '{jwt: {algorithm: HS256, secret: "00", cookieName: a}}', 'cookieName'],
  ['text', 'on', 'filters/0/oauth2: expected a mapping'],
])('an oauth2 spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Validator', `oauth2: ${fields}`)).toContain(problem)
})

// -- answers that are used again --------------------------------------------------------------------

it('with cacheTime an active token is asked about once, until its time is over', () =>
  withServer(
    (form) => ({ active: form.get('token') !== 'bad', sub: form.get('token'), scope: 's' }),
    (port, asked) =>
      withPipeline(asking(port, ', cacheTime: 1h'), async (harness) => {
        for (let i = 0; i < 3; i++) {
          const client = await harness.ask({ headers: [bearer('good'), ...FORGED] })
          expect([client.status, identityOf(client.ex.request.headers.flat)]).toEqual([
            299,
            ['x-authenticated-userid', 'good', 'x-authenticated-scope', 's'],
          ])
        }
        expect(asked.length).toBe(1)
        // Another token is another question, and a refusal is asked about again.
        expect((await harness.ask({ headers: [bearer('other')] })).status).toBe(299)
        for (let i = 0; i < 2; i++) {
          expect((await harness.ask({ headers: [bearer('bad')] })).status).toBe(403)
        }
        expect(asked.map(({ form }) => form)).toEqual([
          'token=good',
          'token=other',
          'token=bad',
          'token=bad',
        ])
      }),
  ))

it('a token that ends is not let in because it was once asked about', () => {
  const cache = new VerdictCache(60_000)
  const identity = { sub: 'a', scope: '', expiresMs: 10_000 }
  cache.set('t', identity, 1_000)
  expect(cache.get('t', 9_999)).toMatchObject({ sub: 'a' })
  expect(cache.get('t', 10_000)).toBeNull()
  cache.set('u', { ...identity, expiresMs: Number.POSITIVE_INFINITY }, 1_000)
  expect([cache.get('u', 60_999) === null, cache.get('u', 61_000)]).toEqual([false, null])
})

it('remembers a bounded number of tokens, the newest, and no gigantic ones', () => {
  const cache = new VerdictCache(60_000)
  const identity = { sub: 'a', scope: '', expiresMs: Number.POSITIVE_INFINITY }
  for (let i = 0; i < 5_000; i++) cache.set(`t${i}`, identity, 0)
  const kept = Array.from({ length: 5_000 }, (_, i) => i).filter(
    (i) => cache.get(`t${i}`, 1) !== null,
  )
  expect(kept.length).toBeLessThanOrEqual(2_048)
  expect(kept.at(0)).toBe(5_000 - kept.length)
  expect(kept.length).toBeGreaterThan(1_000)
  cache.set('x'.repeat(4_097), identity, 0)
  expect(cache.get('x'.repeat(4_097), 1)).toBeNull()
})

it.each([
  ['-1s', 'cacheTime: expected a duration of 0s..1h'],
  ['2h', 'cacheTime: expected a duration of 0s..1h'],
  ['5', 'add a unit: "5ms", "5s"'],
])('cacheTime %s is refused', (cacheTime, problem) => {
  const fields = `oauth2: {tokenIntrospect: {endPoint: "http://a/", cacheTime: ${cacheTime}}}`
  expect(problemsOf('Validator', fields)).toContain(problem)
})
