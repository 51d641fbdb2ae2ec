import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { FakeBody, type FakeClient } from '../../http/fake-client.fixture.js'
import { ScriptedServer, turns, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const first = generateKeyPairSync('rsa', { modulusLength: 2048 })
const second = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const nowS = Math.floor(Date.now() / 1_000)

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function token(header: object, key: KeyObject | string, claims: object = { sub: 'ann' }): string {
  const input = `${encode(header)}.${encode(claims)}`
  const signature =
    typeof key === 'string'
      ? createHmac('sha256', key).update(input).digest()
      : sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

const jwk = (key: KeyObject, more: object): object => ({
  ...key.export({ format: 'jwk' }),
  ...more,
})
const FIRST = jwk(first.publicKey, { kid: 'first', use: 'sig', alg: 'RS256' })
const SECOND = jwk(second.publicKey, { kid: 'second', use: 'sig', alg: 'RS256' })

const ofFirst = token({ alg: 'RS256', kid: 'first' }, first.privateKey)
const ofSecond = token({ alg: 'RS256', kid: 'second' }, second.privateKey)

const flow = (check: string): string => `
flow:
- {filter: validator, jumpIf: {invalid: END}}
- {filter: ok}
filters:
- {name: validator, kind: Validator, ${check}}
- {name: ok, kind: Mock, rules: [{code: 299}]}
`
const jwt = (port: number, more = ''): string =>
  flow(`jwt: {algorithm: RS256, jwksUrl: "http://127.0.0.1:${port}/keys"${more}}`)
const oauth2 = (port: number, more = ''): string =>
  flow(`oauth2: {jwt: {algorithm: RS256, jwksUrl: "http://127.0.0.1:${port}/keys"${more}}}`)

const ask = (harness: Harness, text: string): Promise<FakeClient> =>
  harness.ask({ headers: [['authorization', `Bearer ${text}`]] })

/** Publishes what the test says; counts how often it was asked. */
class Publisher {
  keys: unknown = { keys: [FIRST] }
  answer: ((response: ServerResponse) => void) | null = null
  count = 0
}

async function withPublisher(
  yaml: (port: number) => string,
  test: (harness: Harness, publisher: Publisher) => Promise<void>,
): Promise<void> {
  const publisher = new Publisher()
  const server = createServer((_request, response) => {
    publisher.count += 1
    if (publisher.answer !== null) publisher.answer(response)
    else response.end(JSON.stringify(publisher.keys))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    await withPipeline(yaml((server.address() as AddressInfo).port), (harness) =>
      test(harness, publisher),
    )
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

it.each([
  ['jwt', jwt],
  ['oauth2', oauth2],
])('%s: keys are fetched when the first token comes, and once for many', (_name, yaml) =>
  withPublisher(yaml, async (harness, publisher) => {
    expect(publisher.count).toBe(0)
    const clients = await Promise.all([1, 2, 3].map(() => ask(harness, ofFirst)))
    expect(clients.map(({ status }) => status)).toEqual([299, 299, 299])
    expect((await ask(harness, ofFirst)).status).toBe(299)
    expect(publisher.count).toBe(1)
  }),
)

it('the back end is told whose token it was', () =>
  withPublisher(oauth2, async (harness) => {
    const client = await ask(harness, ofFirst)
    expect(client.ex.request.headers.get('x-authenticated-userid')).toBe('ann')
  }))

const expired = token({ alg: 'RS256', kid: 'first' }, first.privateKey, { exp: nowS - 60 })
const pem = first.publicKey.export({ type: 'spki', format: 'pem' }) as string
const raw = JSON.stringify(FIRST)

it.each<[what: string, text: string, asked: number]>([
  ['another key under a known name', token({ alg: 'RS256', kid: 'first' }, second.privateKey), 1],
  ['expired', expired, 1],
  ['not valid yet', token({ alg: 'RS256', kid: 'first' }, first.privateKey, { nbf: nowS + 60 }), 1],
  ['a name that nobody knows', token({ alg: 'RS256', kid: 'x' }, first.privateKey), 1],
  ['no name and another key', token({ alg: 'RS256' }, second.privateKey), 1],
  // Whoever decides what a token is signed with is the configuration.
  ['none', `${encode({ alg: 'none', kid: 'first' })}.${encode({})}.`, 0],
  ['HS256 with the public key as PEM', token({ alg: 'HS256', kid: 'first' }, pem), 0],
  ['HS256 with the public key as published', token({ alg: 'HS256', kid: 'first' }, raw), 0],
  [
    'an algorithm other than the configured',
    token({ alg: 'RS512', kid: 'first' }, first.privateKey),
    0,
  ],
  ['ES256', token({ alg: 'ES256', kid: 'curve' }, curve.privateKey), 0],
  ['nothing', '', 0],
  ['no token', 'a.b.c', 0],
  ['a gigantic one', `${encode({ alg: 'RS256', kid: 'first' })}.${'a'.repeat(20_000)}.b`, 0],
])('a token that is refused: %s', (_what, text, asked) =>
  withPublisher(jwt, async (harness, publisher) => {
    publisher.keys = { keys: [FIRST, jwk(curve.publicKey, { kid: 'curve' })] }
    expect((await ask(harness, text)).status).toBe(403)
    expect(publisher.count).toBe(asked)
  }),
)

it('a token twice is refused', () =>
  withPublisher(jwt, async (harness) => {
    const field = ['authorization', `Bearer ${ofFirst}`] as const
    expect((await harness.ask({ headers: [field, field] })).status).toBe(403)
  }))

it.each<[leeway: string, status: number]>([
  ['59s', 403],
  ['120s', 299],
])('clocks may differ by %s: %s', (leeway, status) =>
  withPublisher(
    (port) => jwt(port, `, leeway: ${leeway}`),
    async (harness) => {
      expect((await ask(harness, expired)).status).toBe(status)
    },
  ),
)

// -- rotation ----------------------------------------------------------------------------------------

it('a token of a new key makes for a new fetch, in which the old key may be gone', () =>
  withPublisher(jwt, async (harness, publisher) => {
    expect((await ask(harness, ofFirst)).status).toBe(299)
    publisher.keys = { keys: [SECOND] }
    harness.pass(10_000)
    expect((await ask(harness, ofSecond)).status).toBe(299)
    expect((await ask(harness, ofFirst)).status).toBe(403)
    expect(publisher.count).toBe(2)
  }))

it('unknown names make for one fetch in ten seconds at most', () =>
  withPublisher(jwt, async (harness, publisher) => {
    for (let i = 0; i < 5; i++) {
      const forged = token({ alg: 'RS256', kid: `forged ${i}` }, second.privateKey)
      expect((await ask(harness, forged)).status).toBe(403)
    }
    expect(publisher.count).toBe(1)
    harness.pass(10_000)
    await ask(harness, token({ alg: 'RS256', kid: 'forged' }, second.privateKey))
    expect(publisher.count).toBe(2)
    expect((await ask(harness, ofFirst)).status).toBe(299)
  }))

it('a token without a name finds a new key too', () =>
  withPublisher(jwt, async (harness, publisher) => {
    expect((await ask(harness, token({ alg: 'RS256' }, first.privateKey))).status).toBe(299)
    publisher.keys = { keys: [SECOND] }
    harness.pass(10_000)
    expect((await ask(harness, token({ alg: 'RS256' }, second.privateKey))).status).toBe(299)
  }))

it('old keys are renewed in the background, and very old ones before they are used', () =>
  withPublisher(
    (port) => jwt(port, ', jwksRefresh: 1m'),
    async (harness, publisher) => {
      expect((await ask(harness, ofFirst)).status).toBe(299)
      publisher.keys = { keys: [SECOND] }
      harness.pass(61_000)
      // Served by what is known, which is what makes it be renewed.
      expect((await ask(harness, ofFirst)).status).toBe(299)
      await until('the fetch', () => publisher.count === 2)
      await turns()
      expect((await ask(harness, ofFirst)).status).toBe(403)
      publisher.keys = { keys: [FIRST] }
      harness.pass(121_000)
      expect((await ask(harness, ofSecond)).status).toBe(403)
      expect((await ask(harness, ofFirst)).status).toBe(299)
      expect(publisher.count).toBe(3)
    },
  ))

it('when they cannot be renewed the old ones go on', () =>
  withPublisher(
    (port) => jwt(port, ', jwksRefresh: 1m'),
    async (harness, publisher) => {
      expect((await ask(harness, ofFirst)).status).toBe(299)
      publisher.answer = (response) => response.writeHead(500).end()
      harness.pass(600_000)
      expect((await ask(harness, ofFirst)).status).toBe(299)
      expect(harness.log.records.map(({ message }) => message)).toEqual([
        'keys could not be fetched',
      ])
    },
  ))

// -- a publisher that fails --------------------------------------------------------------------------

it.each<[what: string, answer: (response: ServerResponse) => void]>([
  ['404', (response) => response.writeHead(404).end('{}')],
  ['no JSON', (response) => response.end('no JSON')],
  ['no keys', (response) => response.end('{"keys":[]}')],
  ['a key that is none', (response) => response.end('{"keys":[{"kty":"RSA"}]}')],
  ['only a secret', (response) => response.end('{"keys":[{"kty":"oct","k":"AAAA"}]}')],
  ['megabytes', (response) => response.end(`{"keys":[],"pad":"${'x'.repeat(1_000_000)}"}`)],
  ['an end in the middle', (response) => response.destroy()],
])('%s in place of keys: 503, and asked again later', (_what, answer) =>
  withPublisher(jwt, async (harness, publisher) => {
    publisher.answer = answer
    expect((await ask(harness, ofFirst)).status).toBe(503)
    const { count } = publisher
    expect((await ask(harness, ofFirst)).status).toBe(503)
    expect(publisher.count).toBe(count)
    publisher.answer = null
    harness.pass(10_000)
    expect((await ask(harness, ofFirst)).status).toBe(299)
  }),
)

it('a publisher that never answers: 503 after a while; a client that goes waits no more', async () => {
  const silent = await ScriptedServer.listen()
  await withPipeline(jwt(silent.port), async (harness) => {
    const headers = [['authorization', `Bearer ${ofFirst}`]] as const
    const [waiting, gone] = [harness.start({ headers }), harness.start({ headers })]
    await (await silent.peer(0)).head()
    gone.abort()
    harness.pass(10_100)
    expect([waiting.status, gone.ending]).toEqual([503, 'gone'])
  })
  await silent.close()
})

it('a pipeline that goes while keys are fetched leaves nothing behind', async () => {
  const silent = await ScriptedServer.listen()
  await withPipeline(jwt(silent.port), async (harness) => {
    const client = harness.start({ headers: [['authorization', `Bearer ${ofFirst}`]] })
    const peer = await silent.peer(0)
    await peer.head()
    client.abort()
    await harness.use('filters: [{name: m, kind: Mock, rules: [{code: 200}]}]')
    await peer.gone()
  })
  await silent.close()
})

it('checks that follow wait in their turn: keys, then a server that is asked', () =>
  withPublisher(
    (port) =>
      flow(
        `jwt: {algorithm: RS256, jwksUrl: "http://127.0.0.1:${port}/keys"}, oauth2: {tokenIntrospect: {endPoint: "http://127.0.0.1:${port}/introspect"}}`,
      ),
    async (harness, publisher) => {
      publisher.answer = (response) =>
        response.end(
          response.req.url === '/keys'
            ? JSON.stringify({ keys: [FIRST] })
            : JSON.stringify({ active: true, sub: 'ann' }),
        )
      expect((await ask(harness, ofFirst)).status).toBe(299)
      const client = harness.start({ headers: [['authorization', `Bearer ${ofFirst}`]] })
      client.abort()
      expect(publisher.count).toBe(2)
    },
  ))

it('a body that is signed is held while keys are fetched, and refused after all', () =>
  withPublisher(
    (port) =>
      flow(
        `jwt: {algorithm: RS256, jwksUrl: "http://127.0.0.1:${port}/keys"}, signature: {accessKeys: {a: b}}`,
      ),
    async (harness) => {
      const body = new FakeBody(4)
      const client = harness.start({
        method: 'POST',
        headers: [['authorization', `Bearer ${ofFirst}`]],
        body,
      })
      await until('the answer', () => client.ending === 'complete')
      expect([client.status, body.isOpen]).toEqual([403, false])
    },
  ))

it.each<[fields: string, problem: string]>([
  [
    '{algorithm: HS256, jwksUrl: "http://a/"}',
    'jwksUrl: HS256 has a secret, which nobody publishes',
  ],
  [
    '{algorithm: RS256, jwksUrl: "http://a/", secret: "00"}',
    'jwksUrl: expected one of publicKey and jwksUrl, and no secret',
  ],
  [
    '{algorithm: RS256, jwksUrl: "http://a/", publicKey: x}',
    'jwksUrl: expected one of publicKey and jwksUrl, and no secret',
  ],
  ['{algorithm: RS256, jwksUrl: "ftp://a/"}', 'jwksUrl: expected a URL'],
  ['{algorithm: RS256, jwksUrl: a}', 'jwksUrl: expected a URL'],
  ['{algorithm: RS256, jwksUrl: "http://u:p@a/"}', 'jwksUrl: expected no user and no fragment'],
  ['{algorithm: RS256, jwksUrl: "http://a:0/"}', 'jwksUrl: expected no user and no fragment'],
  [
    '{algorithm: RS256, jwksUrl: "http://a/", jwksRefresh: 1s}',
    'jwksRefresh: expected a duration of',
  ],
  [
    '{algorithm: RS256, jwksUrl: "http://a/", jwksRefresh: 25h}',
    'jwksRefresh: expected a duration',
  ],
  ['{jwksUrl: "http://a/"}', 'algorithm: is required'],
  ['{algorithm: RS256}', 'publicKey: expected the public key of RS256'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('Validator', `jwt: ${fields}`)).toContain(problem)
  expect(problemsOf('Validator', `oauth2: {jwt: ${fields}}`)).toContain(problem)
})
