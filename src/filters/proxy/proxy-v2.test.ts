import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { expect, it } from 'vitest'
import { FakeBody, type FakeClient } from '../../http/fake-client.fixture.js'
import { objectKinds } from '../../kinds/registry.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import {
  type Peer,
  TEST_CERT,
  TEST_KEY,
  turns,
  until,
} from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { HELD_BYTES_MAX } from '../upstream-call.js'
import { proxyV2Over, type Serve, withScripted, withServers } from './backends.fixture.js'

function boom(): never {
  throw new Error('boom')
}

const told = (client: FakeClient): unknown[] => [client.status, client.text, client.ending]

const scripted = (
  test: Parameters<typeof withScripted>[0],
  fields: Parameters<typeof proxyV2Over>[1] = {},
): Promise<void> => withScripted(test, (port) => proxyV2Over([port], fields), 'v2')

const served = (
  count: number,
  serve: Serve,
  fields: Parameters<typeof proxyV2Over>[1],
  test: (harness: Harness) => Promise<void>,
): Promise<void> => withServers(count, serve, (ports) => proxyV2Over(ports, fields), test, 'v2')

const retrying = (policy = '') => ({
  pool: 'retryPolicy: again',
  pipeline: `resilience:\n- {name: again, kind: Retry, waitDuration: 100ms${policy}}`,
})

// -- one attempt ---------------------------------------------------------------------------------

it.each<
  [name: string, server: (port: number) => string, pool: string, host: (port: number) => string]
>([
  ['of a server by address', (port) => `url: "http://127.0.0.1:${port}"`, '', () => 'gateway.test'],
  [
    'of a server by name',
    (port) => `url: "http://localhost:${port}"`,
    '',
    (port) => `localhost:${port}`,
  ],
  [
    'with keepHost',
    (port) => `url: "http://localhost:${port}", keepHost: true`,
    '',
    () => 'gateway.test',
  ],
  [
    'with setUpstreamHost',
    (port) => `url: "http://127.0.0.1:${port}"`,
    'setUpstreamHost: true',
    (port) => `127.0.0.1:${port}`,
  ],
  [
    'with both',
    (port) => `url: "http://127.0.0.1:${port}", keepHost: true`,
    'setUpstreamHost: true',
    () => 'gateway.test',
  ],
])('sends the Host %s', (_name, server, pool, host) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start({ path: '/a%2Fb', query: 'q' })
      const peer = await backend.peer(0)
      expect(await peer.head()).toBe(`GET /a%2Fb?q HTTP/1.1\r\nhost: ${host(backend.port)}\r\n\r\n`)
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      await until('the answer', () => client.ending === 'complete')
      expect(told(client)).toEqual([200, 'ok', 'complete'])
    },
    (port) => proxyV2Over([server(port)], { pool }),
    'v2',
  ),
)

it('sends no field of this hop, either way', () =>
  scripted(async (harness, backend) => {
    const client = harness.start({
      headers: [
        ['proxy-authorization', 'secret'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['te', 'trailers'],
        ['x-end', '1'],
      ],
    })
    const peer = await backend.peer(0)
    expect(await peer.head()).toBe('GET / HTTP/1.1\r\nhost: gateway.test\r\nx-end: 1\r\n\r\n')
    peer.send(
      'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nproxy-authenticate: Basic\r\nkeep-alive: timeout=5\r\n\r\n',
    )
    await until('the answer', () => client.ending === 'complete')
    expect(client.headers).toEqual(['content-length', '0'])
  }))

it.each<[name: string, answer: string, status: number, text: string]>([
  ['a success', '200 OK', 200, 'abc'],
  ['a client error', '404 No', 404, 'abc'],
  ['a failure of the back end', '502 Bad', 418, ''],
])('goes on with %s', (_name, answer, status, text) =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 ${answer}\r\ncontent-length: 3\r\n\r\nabc`)
      await until('the answer', () => client.ending === 'complete')
      expect([client.status, client.text]).toEqual([status, text])
    },
    {
      pipeline:
        'flow:\n- {filter: proxy, jumpIf: {"": END, failureCode: instead}}\n- {filter: instead}',
      after: '- {name: instead, kind: Mock, rules: [{code: 418}]}',
    },
  ),
)

it('counts what failureCodes says and nothing else', () =>
  scripted(
    async (harness, backend) => {
      for (const [status, want] of [
        [500, 500],
        [404, 404],
      ]) {
        const client = harness.start()
        const peer = await backend.peer(0)
        await peer.head()
        peer.received = ''
        peer.send(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`)
        await until('the answer', () => client.ending === 'complete')
        expect(client.status).toBe(want)
      }
      expect(harness.statuses('proxy/mainPool')).toEqual([500, 404])
    },
    { pool: 'failureCodes: [404]\ncircuitBreakerPolicy: cb', pipeline: BREAKER },
  ))

const BREAKER = `resilience:
- {name: cb, kind: CircuitBreaker, slidingWindowSize: 2, minimumNumberOfCalls: 2, permittedNumberOfCallsInHalfOpenState: 1, waitDurationInOpenState: 10s}`

it('answers 408 when the head does not come in time, and gives up the connection', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      harness.pass(1_100)
      await until('the answer', () => client.ending === 'complete')
      expect(told(client)).toEqual([408, '', 'complete'])
      expect(harness.statuses('proxy/mainPool')).toEqual([408])
    },
    { pool: 'timeout: 1s' },
  ))

it('does not cut a body that takes longer than the time to its head', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab')
      await until('half of it', () => client.text === 'ab')
      harness.pass(5_000)
      peer.send('cd')
      await until('the answer', () => client.ending === 'complete')
      expect(told(client)).toEqual([200, 'abcd', 'complete'])
    },
    { pool: 'timeout: 1s' },
  ))

it('answers 503 when nobody listens', () =>
  scripted(async (harness, backend) => {
    await backend.close()
    const client = await harness.ask()
    expect(told(client)).toEqual([503, '', 'complete'])
  }))

const chunks = (...texts: string[]): string =>
  texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')
const CHUNKED = 'transfer-encoding: chunked\r\n\r\n'

it.each<[name: string, head: string, told: unknown[]]>([
  ['announced', 'content-length: 5\r\n\r\n12345', [500, '', 'complete']],
  ['as large as allowed', 'content-length: 4\r\n\r\n1234', [200, '1234', 'complete']],
  ['not announced', `${CHUNKED}${chunks('12345')}0\r\n\r\n`, [500, '', 'complete']],
  ['too large in the end', `${CHUNKED}${chunks('123', '4', '5')}`, [500, '', 'complete']],
  [
    'not announced, as large as allowed',
    `${CHUNKED}${chunks('12', '34')}0\r\n\r\n`,
    [200, '1234', 'complete'],
  ],
  ['not announced, and empty', `${CHUNKED}0\r\n\r\n`, [200, '', 'complete']],
])('bounds a response body that is %s', (_name, head, want) =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\nx-a: 1\r\n${head}`)
      await until('the end', () => client.ending !== 'open')
      expect(told(client)).toEqual(want)
      expect(client.header('x-a')).toBe(want[0] === 200 ? '1' : null)
      expect(harness.statuses('proxy/mainPool')).toEqual([want[0]])
    },
    { proxy: 'serverMaxBodySize: 4' },
  ),
)

it('above a bound that is there to let bodies through, they stream and are cut off', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\n${CHUNKED}${chunks('12')}`)
      await until('the beginning', () => client.text === '12')
      peer.send(chunks('x'.repeat(HELD_BYTES_MAX)))
      await until('the end', () => client.ending !== 'open')
      expect([client.status, client.ending]).toEqual([200, 'broken'])
    },
    { proxy: `serverMaxBodySize: ${HELD_BYTES_MAX + 1}` },
  ))

it.each<[name: string, ends: (peer: Peer, harness: Harness) => void, told: unknown[]]>([
  ['breaks off', (peer) => peer.socket.destroy(), [500, '', 'complete']],
  ['breaks its rules', (peer) => peer.send('x\r\n'), [500, '', 'complete']],
  ['takes too long', (_peer, harness) => harness.pass(2_000), [408, '', 'complete']],
])('while it is held, the body %s', (_name, ends, want) =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\n${CHUNKED}${chunks('12')}`)
      await until('the head', () => harness.upstream.stats.busy === 1)
      await turns(5)
      ends(peer, harness)
      await until('the end', () => client.ending !== 'open')
      expect(told(client)).toEqual(want)
      expect(harness.statuses('proxy/mainPool')).toEqual([want[0]])
    },
    { proxy: 'serverMaxBodySize: 4', pool: 'timeout: 1s' },
  ),
)

it('a client that goes while the body is held leaves nothing behind', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(`HTTP/1.1 200 OK\r\n${CHUNKED}${chunks('12')}`)
      await turns(5)
      client.abort()
      await peer.gone()
      expect(harness.statuses('proxy/mainPool')).toEqual([499])
    },
    { proxy: 'serverMaxBodySize: 4', pool: 'timeout: 1s' },
  ))

it('a body that is too large is tried again, and one that was held is cached whole', () => {
  let asked = 0
  return served(
    1,
    (_request, response) => {
      asked += 1
      response.write('12')
      setImmediate(() => response.end(asked === 1 ? '345' : '34'))
    },
    {
      proxy: 'serverMaxBodySize: 4',
      pool: 'retryPolicy: again\nmemoryCache: {expiration: 1m, maxEntryBytes: 100, codes: [200], methods: [GET]}',
      pipeline: retrying().pipeline,
    },
    async (harness) => {
      const { client } = await askOverTime(harness)
      expect(told(client)).toEqual([200, '1234', 'complete'])
      expect(told(await harness.ask())).toEqual([200, '1234', 'complete'])
      expect(asked).toBe(2)
    },
  )
})

it.each<[name: string, breakIt: (client: FakeClient) => void, told: unknown[]]>([
  [
    'the head',
    ({ ex }) => Object.assign(ex.response.headers, { addAll: boom }),
    [500, '', 'complete'],
  ],
  ['the body', (client) => Object.assign(client, { data: boom }), [200, '', 'cut']],
  ['the end', (client) => Object.assign(client, { end: boom }), [200, 'ab', 'cut']],
])('who takes %s and throws costs the request, not the worker', (_name, breakIt, want) =>
  scripted(async (harness, backend) => {
    const client = harness.start({}, breakIt)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n')
    await turns(5)
    peer.send('ab')
    await until('the end', () => client.ending !== 'open')
    expect(told(client)).toEqual(want)
    const [record] = harness.log.records.splice(0)
    expect(record).toMatchObject({ message: 'filter failed', fields: { filter: 'proxy' } })
  }),
)

it('what throws at the next attempt costs the request, not the worker', () =>
  served(
    1,
    (_request, response) => response.writeHead(500).end(),
    retrying(),
    async (harness) => {
      const client = harness.start()
      await until('the first attempt', () => harness.statuses('proxy/mainPool').length === 1)
      Object.assign(harness.upstream, { send: boom })
      harness.pass(1_000)
      expect(told(client)).toEqual([500, '', 'complete'])
      expect(harness.log.records.splice(0)).toMatchObject([{ fields: { filter: 'proxy' } }])
    },
  ))

it('lets any body through where the pool says so', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345')
      await until('the answer', () => client.ending === 'complete')
      expect(client.text).toBe('12345')
    },
    { proxy: 'serverMaxBodySize: 4', pool: 'serverMaxBodySize: -1' },
  ))

it('keeps fields of an answer that is there, and lets those of CORS be replaced', () =>
  scripted(async (harness, backend) => {
    const client = harness.start({}, ({ ex }) => {
      ex.response.headers.add('x-a', '1')
      ex.response.headers.add('access-control-allow-origin', 'https://a')
    })
    const peer = await backend.peer(0)
    await peer.head()
    peer.send(
      'HTTP/1.1 200 OK\r\nx-a: 2\r\naccess-control-allow-origin: *\r\ncontent-length: 0\r\n\r\n',
    )
    await until('the answer', () => client.ending === 'complete')
    expect(client.headers).toEqual([
      ...['x-a', '1', 'x-a', '2'],
      ...['access-control-allow-origin', '*', 'content-length', '0'],
    ])
  }))

it('gives back everything when the client goes', () =>
  scripted(
    async (harness, backend) => {
      const early = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      early.abort()
      await peer.gone()
      const late = harness.start()
      const second = await backend.peer(1)
      await second.head()
      second.send('HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\nab')
      await until('some of it', () => late.text === 'ab')
      late.abort()
      await second.gone()
      expect(harness.statuses('proxy/mainPool')).toEqual([499, 200])
    },
    { pool: 'timeout: 1h', proxy: 'serverMaxBodySize: -1' },
  ))

// -- retries -------------------------------------------------------------------------------------

const flaky = (failures: number, seen: string[] = []): Serve => {
  let count = 0
  return (request, response) => {
    count += 1
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push(`${request.method} ${Buffer.concat(chunks).toString()}`)
      const isBad = count <= failures
      response.setHeader('x-attempt', String(count))
      response.setHeader(`x-only-${count}`, '1')
      response.statusCode = isBad ? 500 : 200
      response.end(isBad ? 'failed' : 'done')
    })
  }
}

/** Asks, and lets time pass until there is an answer. */
async function askOverTime(
  harness: Harness,
  request: Parameters<Harness['start']>[0] = {},
  stepMs = 50,
): Promise<{ client: FakeClient; passedMs: number }> {
  const client = harness.start(request)
  let passedMs = 0
  while (client.ending === 'open') {
    await turns(20)
    if (harness.timers.runningCount > 0 && client.ending === 'open') {
      harness.pass(stepMs)
      passedMs += stepMs
    }
  }
  return { client, passedMs }
}

it('tries again until it goes well, and nothing of the failed attempts is left', async () => {
  const seen: string[] = []
  await served(1, flaky(2, seen), retrying(), async (harness) => {
    const { client, passedMs } = await askOverTime(harness, { method: 'POST', body: 'text' })
    expect(told(client)).toEqual([200, 'done', 'complete'])
    expect(client.header('x-attempt')).toBe('3')
    expect([client.header('x-only-1'), client.header('x-only-2')]).toEqual([null, null])
    expect(seen).toEqual(['POST text', 'POST text', 'POST text'])
    expect(harness.statuses('proxy/mainPool')).toEqual([500, 500, 200])
    expect(passedMs).toBeGreaterThanOrEqual(200)
  })
})

it('gives the last answer when all fail, at once', () =>
  served(1, flaky(99), retrying(', maxAttempts: 2'), async (harness) => {
    const { client } = await askOverTime(harness)
    expect(told(client)).toEqual([500, 'failed', 'complete'])
    expect(client.header('x-attempt')).toBe('2')
    expect(harness.statuses('proxy/mainPool')).toEqual([500, 500])
  }))

it('tries again when the connection fails, and answers 503 in the end', () =>
  scripted(async (harness, backend) => {
    await backend.close()
    const { client } = await askOverTime(harness)
    expect(client.status).toBe(503)
    expect(harness.statuses('proxy/mainPool')).toEqual([503, 503, 503])
  }, retrying()))

it('tries again when there is no answer in time', () =>
  scripted(
    async (harness, backend) => {
      const client = harness.start()
      await (await backend.peer(0)).head()
      harness.pass(1_100)
      harness.pass(200)
      const peer = await backend.peer(1)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
      expect(harness.statuses('proxy/mainPool')).toEqual([408, 200])
    },
    { ...retrying(), pool: 'retryPolicy: again\ntimeout: 1s' },
  ))

it('sends a body that streams once', () =>
  scripted(async (harness, backend) => {
    const body = new FakeBody(4)
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    body.push('text')
    body.end()
    await peer.expects('text')
    peer.send('HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n')
    await until('the answer', () => client.ending === 'complete')
    expect(harness.statuses('proxy/mainPool')).toEqual([503])
  }, retrying()))

it('holds a body whole where the server bounds it, to send it again', async () => {
  const seen: string[] = []
  await served(1, flaky(1, seen), retrying(), async (harness) => {
    const body = new FakeBody(4)
    const client = harness.start({ method: 'PUT', body }, ({ ex }) => {
      ex.requestBodyMax = 100
    })
    body.push('text')
    body.end()
    while (client.ending === 'open') {
      await turns(20)
      harness.pass(20)
    }
    expect([client.status, seen]).toEqual([200, ['PUT text', 'PUT text']])
  })
})

it('a client that goes ends the wait', () =>
  served(1, flaky(9), retrying(), async (harness) => {
    const client = harness.start()
    await until('the first attempt', () => harness.statuses('proxy/mainPool').length === 1)
    client.abort()
    harness.pass(1_000)
    await turns(20)
    expect(harness.statuses('proxy/mainPool')).toEqual([500])
  }))

// -- connections ---------------------------------------------------------------------------------

it.each<[proxy: string, idle: number]>([
  ['', 6],
  ['maxIdleConnsPerHost: 3', 6],
  ['maxIdleConnsPerHost: 2', 4],
  ['maxIdleConnsPerHost: 0', 4],
  ['maxIdleConnsPerHost: -1', 0],
  ['maxIdleConns: 0', 6],
  ['maxIdleConns: 5', 5],
  ['maxIdleConns: 1', 1],
  ['maxIdleConns: -1', 0],
  ['{maxIdleConns: 5, maxIdleConnsPerHost: 1}', 2],
])('connections that are kept with "%s"', async (proxy, idle) => {
  const answers: (() => void)[] = []
  const fields = proxy.replace(/^\{(.*)\}$/, (_all, both: string) => both.replace(', ', '\n'))
  const serve: Serve = (_request, response) => {
    answers.push(() => response.end('ok'))
  }
  await served(2, serve, { proxy: fields }, async (harness) => {
    const clients = Array.from({ length: 6 }, () => harness.start())
    await until('all requests', () => answers.length === 6)
    for (const answer of answers) answer()
    await until('all answers', () => clients.every(({ ending }) => ending === 'complete'))
    await until('what is not kept to close', () => harness.upstream.stats.busy === 0)
    const { open, idle: kept } = harness.upstream.stats
    expect([kept, open]).toEqual([idle, idle])
  })
})

// -- redirections --------------------------------------------------------------------------------

/** Answers with what it was asked; `/to/STATUS/N` redirects N times first. */
const redirecting: Serve = (request, response, server) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const [, , status = '', left = '0'] = (request.url ?? '').split('/')
    if (request.url?.startsWith('/to/') === true && Number(left) > 0) {
      response.statusCode = Number(status)
      response.setHeader('location', `/to/${status}/${Number(left) - 1}`)
      response.end('elsewhere')
      return
    }
    const { authorization = '-', 'content-type': type = '-' } = request.headers
    const body = Buffer.concat(chunks).toString()
    response.end([server, request.method, request.url, body, authorization, type].join(' '))
  })
}

it.each<[method: string, path: string, body: string, want: unknown[]]>([
  ['GET', '/a', '', [200, '0 GET /a  key text/plain']],
  ['GET', '/to/302/2', '', [200, '0 GET /to/302/0  key text/plain']],
  ['POST', '/to/302/1', 'text', [200, '0 GET /to/302/0  key -']],
  ['POST', '/to/303/1', 'text', [200, '0 GET /to/303/0  key -']],
  ['POST', '/to/307/1', 'text', [200, '0 POST /to/307/0 text key text/plain']],
  ['HEAD', '/to/301/1', '', [200, '']],
  ['GET', '/to/304/1', '', [304, '']],
  ['GET', '/to/308/3', '', [503, '']],
])('follows redirections of %s %s', (method, path, body, want) =>
  served(1, redirecting, { proxy: 'maxRedirection: 2' }, async (harness) => {
    const client = await harness.ask({
      method,
      path,
      headers: [
        ['authorization', 'key'],
        ['content-type', 'text/plain'],
      ],
      ...(body === '' ? {} : { body }),
    })
    expect([client.status, client.text]).toEqual(want)
  }),
)

it('hands redirections on, unless told otherwise', () =>
  served(1, redirecting, {}, async (harness) => {
    const client = await harness.ask({ path: '/to/302/1' })
    expect([client.status, client.header('location')]).toEqual([302, '/to/302/0'])
  }))

it('tells another site no secrets, and asks nobody by another protocol', async () => {
  let location = ''
  const serve: Serve = (request, response, server) => {
    if (server === 0) {
      response.writeHead(302, { location })
      response.end()
    } else response.end(`${request.headers.host} ${request.headers.authorization ?? '-'}`)
  }
  await withServers(
    2,
    serve,
    ([a, b]) => {
      location = `http://localhost:${b}/x`
      return proxyV2Over([a as number], { proxy: 'maxRedirection: 2' })
    },
    async (harness) => {
      const ask = () => harness.ask({ headers: [['authorization', 'key']] })
      expect((await ask()).text).toBe(`${new URL(location).host} -`)
      location = 'ftp://localhost/x'
      expect((await ask()).status).toBe(503)
    },
    'v2',
  )
})

it('tries again from the beginning', async () => {
  const seen: string[] = []
  const serve: Serve = (request, response) => {
    request.resume()
    seen.push(`${request.method} ${request.url}`)
    if (request.url === '/') response.writeHead(302, { location: '/next' })
    else response.statusCode = seen.length < 3 ? 500 : 200
    response.end()
  }
  const fields = { ...retrying(), proxy: 'maxRedirection: 1' }
  await served(1, serve, fields, async (harness) => {
    const { client } = await askOverTime(harness, { method: 'POST', body: 'text' })
    expect(client.status).toBe(200)
    expect(seen).toEqual(['POST /', 'GET /next', 'POST /', 'GET /next'])
  })
})

// -- the circuit ---------------------------------------------------------------------------------

it('opens the circuit on failures, counts a call with its retries as one, and closes again', () =>
  served(
    1,
    flaky(4),
    {
      pool: 'circuitBreakerPolicy: cb\nretryPolicy: again',
      pipeline: `${BREAKER}\n- {name: again, kind: Retry, maxAttempts: 2, waitDuration: 10ms}`,
    },
    async (harness) => {
      for (let i = 0; i < 2; i++) expect((await askOverTime(harness)).client.status).toBe(500)
      expect(harness.statuses('proxy/mainPool')).toHaveLength(4)
      const refused = await harness.ask()
      expect([refused.status, refused.text]).toEqual([503, ''])
      expect(harness.statuses('proxy/mainPool')).toHaveLength(4)
      harness.pass(10_100)
      expect((await harness.ask()).status).toBe(200)
      expect((await harness.ask()).status).toBe(200)
      expect(harness.log.records.map(({ message }) => message)).toContain('circuit opened')
    },
  ))

it('what clients give up does not open the circuit', () =>
  scripted(
    async (harness, backend) => {
      for (let i = 0; i < 4; i++) {
        const client = harness.start()
        await (await backend.peer(i)).head()
        client.abort()
      }
      const client = harness.start()
      const peer = await backend.peer(4)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
      expect(client.status).toBe(200)
    },
    { pool: 'circuitBreakerPolicy: cb', pipeline: BREAKER },
  ))

// -- pools ---------------------------------------------------------------------------------------

const byNumber: Serve = (_request, response, server) => response.end(String(server))

it('candidates are tried in order, then the main pool', () =>
  withServers(
    3,
    byNumber,
    ([a, b, c]) => `
filters:
- name: proxy
  kind: Proxy
  pools:
  - servers: [{url: "http://127.0.0.1:${a}"}]
    filter: {headers: {X-A: {exact: "1"}}}
  - servers: [{url: "http://127.0.0.1:${b}"}]
  - servers: [{url: "http://127.0.0.1:${c}"}]
    filter: {headers: {X-B: {empty: true}, X-C: {regex: ^c}}, matchAllHeaders: true, urls: [{methods: [PUT], url: {prefix: /c}}]}
`,
    async (harness) => {
      const ask = async (method: string, path: string, headers: [string, string][]) =>
        (await harness.ask({ method, path, headers })).text
      expect(await ask('GET', '/', [['x-a', '1']])).toBe('0')
      expect(await ask('GET', '/', [['x-a', '2']])).toBe('1')
      expect(await ask('PUT', '/c', [['x-c', 'cc']])).toBe('2')
      expect(await ask('GET', '/c', [['x-c', 'cc']])).toBe('1')
      expect(await ask('PUT', '/d', [['x-c', 'cc']])).toBe('1')
      expect(
        await ask('PUT', '/c', [
          ['x-c', 'cc'],
          ['x-b', '1'],
        ]),
      ).toBe('1')
      expect(harness.statuses('proxy/candidatePools/0')).toEqual([200])
      expect(harness.statuses('proxy/candidatePools/1')).toEqual([200])
    },
    'v2',
  ))

it.each<[policy: string, fields: string, headers: [string, string][][], want: string[]]>([
  ['roundRobin', '', [[], [], [], []], ['0', '1', '2', '0']],
  // Of FNV-1, where v1 has FNV-1a.
  [
    'headerHash',
    ', headerHashKey: X-U',
    [[['x-u', 'a']], [['x-u', 'a']], [['x-u', 'b']]],
    ['0', '0', '2'],
  ],
  ['unknown', '', [[], []], ['0', '1']],
])('spreads by %s', (policy, fields, headers, want) =>
  served(3, byNumber, { pool: `loadBalance: {policy: ${policy}${fields}}` }, async (harness) => {
    const got: string[] = []
    for (const each of headers) got.push((await harness.ask({ headers: each })).text)
    if (policy === 'headerHash') expect(new Set([got[0], got[1]]).size).toBe(1)
    else expect(got).toEqual(want)
  }),
)

it('copies requests to the mirror pool', () =>
  withServers(
    2,
    byNumber,
    ([a, b]) => `
filters:
- name: proxy
  kind: Proxy
  mirrorPool:
    servers: [{url: "http://127.0.0.1:${b}"}]
    filter: {headers: {X-Copy: {exact: "1"}}}
  pools:
  - servers: [{url: "http://127.0.0.1:${a}"}]
`,
    async (harness) => {
      expect((await harness.ask({ headers: [['x-copy', '1']] })).text).toBe('0')
      expect((await harness.ask()).text).toBe('0')
      await until('the copy', () => harness.statuses('proxy/mirrorPool').length === 1)
      expect(harness.statuses('proxy/mirrorPool')).toEqual([200])
    },
    'v2',
  ))

it('answers from its cache, and compresses', async () => {
  let asked = 0
  await served(
    1,
    (_request, response) => {
      asked += 1
      response.end('x'.repeat(1_000))
    },
    {
      proxy: 'compression: {minLength: 100}',
      pool: 'memoryCache: {expiration: 10s, maxEntryBytes: 4096, codes: [200], methods: [GET]}',
    },
    async (harness) => {
      for (let i = 0; i < 2; i++) {
        const client = await harness.ask({ headers: [['accept-encoding', 'gzip']] })
        expect([client.status, client.header('content-encoding')]).toEqual([200, 'gzip'])
      }
      const plain = await harness.ask({ headers: [['accept-encoding', 'identity']] })
      expect(plain.text).toBe('x'.repeat(1_000))
      expect(asked).toBe(1)
    },
  )
})

it('a request that nobody made in its namespace is answered with 500', () =>
  scripted(
    async (harness) => {
      const client = await harness.ask()
      expect(client.status).toBe(503) // DEFAULT has no answer
    },
    { pipeline: 'flow: [{filter: proxy, namespace: other}]' },
  ))

it('one flow asks two back ends, each in a namespace of its own, and answers with both', () =>
  withServers(
    2,
    (request, response, server) => {
      response.statusCode = request.url === '/orders/eve' ? 500 : 200
      response.end(`"${server} ${request.url}"`)
    },
    ([users, orders]) => `
flow:
- {filter: ask-user, namespace: user}
- {filter: users, namespace: user}
- {filter: ask-orders, namespace: orders}
- {filter: orders, namespace: orders, jumpIf: {failureCode: failed}}
- {filter: answer}
- {filter: END}
- {filter: failed}
filters:
- name: ask-user
  kind: RequestBuilder
  template: |
    method: GET
    url: /users/{{ index .requests.DEFAULT.Header "X-User" 0 }}
- {name: users, kind: Proxy, pools: [{servers: [{url: "http://127.0.0.1:${users}"}]}]}
- name: ask-orders
  kind: RequestBuilder
  template: |
    method: GET
    url: /orders/{{ index .requests.DEFAULT.Header "X-User" 0 }}
- {name: orders, kind: Proxy, pools: [{servers: [{url: "http://127.0.0.1:${orders}"}]}]}
- name: answer
  kind: ResponseBuilder
  template: |
    statusCode: 200
    body: |
      {"user": {{ .responses.user.Body }}, "orders": {{ .responses.orders.Body }}}
- {name: failed, kind: ResponseBuilder, template: "statusCode: 502"}
`,
    async (harness) => {
      const ask = (user: string) => harness.ask({ headers: [['x-user', user]] })
      expect(JSON.parse((await ask('bob')).text)).toEqual({
        user: '0 /users/bob',
        orders: '1 /orders/bob',
      })
      expect((await ask('eve')).status).toBe(502)
      // Nothing of answers in other namespaces is left, read or not: the harness sees to that.
    },
    'v2',
  ))

// -- health --------------------------------------------------------------------------------------

it('leaves out a server that fails its checks, until it passes again', async () => {
  const well = [true, true]
  const checks: string[] = []
  const serve: Serve = (request, response, server) => {
    if (request.url === '/health?x=1') {
      checks.push(`${request.method} ${request.headers.host} ${request.headers['x-h']}`)
      response.statusCode = well[server] === true ? 200 : 500
      response.end()
    } else response.end(String(server))
  }
  const health =
    'healthCheck: {interval: 1s, fails: 2, passes: 1, uri: "/health?x=1", method: POST, headers: {Host: check.test, X-H: h}}'
  await served(2, serve, { pool: health }, async (harness) => {
    const texts = async (): Promise<string> => {
      let all = ''
      for (let i = 0; i < 4; i++) all += (await harness.ask()).text
      return [...new Set(all)].sort().join('')
    }
    /** Lets checks come due until `count` more of them were made and heard. */
    const rounds = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const before = checks.length
        harness.pass(1_100)
        await until('checks', () => checks.length === before + 2)
        await until('their ends', () => harness.upstream.stats.busy === 0)
        await turns(5)
      }
    }
    await until('the first checks', () => checks.length === 2)
    await until('their ends', () => harness.upstream.stats.busy === 0)
    await turns(5)
    expect(checks[0]).toBe('POST check.test h')
    expect(await texts()).toBe('01')
    well[0] = false
    await rounds(1)
    expect(await texts()).toBe('01')
    await rounds(1)
    expect(await texts()).toBe('1')
    well[1] = false
    await rounds(2)
    expect((await harness.ask()).status).toBe(503)
    well[0] = true
    well[1] = true
    await rounds(1)
    expect(await texts()).toBe('01')
  })
})

/** Back ends whose `/health` sends checks elsewhere: N in a row, or to no end. */
const checkedElsewhere = (location: (n: number) => string, seen: string[]): Serve => {
  return (request, response, server) => {
    const [path, n = ''] = (request.url ?? '').split('-')
    if (path !== '/health') {
      response.end('traffic')
      return
    }
    const { host, authorization = '' } = request.headers
    seen.push(`${server} ${request.method} ${host === 'check.test'} ${authorization !== ''}`)
    if (Number(n) === 0) response.writeHead(204).end()
    else response.writeHead(302, { location: location(Number(n) - 1) }).end('not here')
  }
}

it.each<
  [name: string, first: string, location: (n: number) => string, passes: boolean, seen: number]
>([
  ['one redirection', '/health-1', (n) => `/health-${n}`, true, 2],
  ['ten redirections', '/health-10', (n) => `/health-${n}`, true, 11],
  ['eleven redirections', '/health-11', (n) => `/health-${n}`, false, 11],
  ['a circle', '/health-5', () => '/health-5', false, 11],
  ['another protocol', '/health-1', () => 'ftp://127.0.0.1/', false, 1],
  ['no place at all', '/health-1', () => 'http://[', false, 1],
])('checks follow %s', async (_name, uri, location, passes, times) => {
  const seen: string[] = []
  const pool = `healthCheck: {uri: "${uri}", method: POST, body: x, username: u, password: p, headers: {Host: check.test}, match: {statusCodes: [[200, 299]]}}`
  await served(1, checkedElsewhere(location, seen), { pool }, async (harness) => {
    await until('the check', () => seen.length === times)
    await until('its end', () => harness.upstream.stats.busy === 0)
    await turns(5)
    expect((await harness.ask()).status).toBe(passes ? 200 : 503)
    expect(seen[0]).toBe('0 POST true true')
    expect(seen.slice(1)).toEqual(Array.from({ length: times - 1 }, () => '0 GET true true'))
  })
})

it('a check that is sent to another place tells it neither name nor password', async () => {
  const seen: string[] = []
  const ports: number[] = []
  const elsewhere = checkedElsewhere((n) => `http://localhost:${ports[1]}/health-${n}`, seen)
  const pool =
    'healthCheck: {uri: /health-1, username: u, password: p, headers: {Host: check.test}, match: {statusCodes: [[204, 204]]}}'
  await withServers(
    2,
    elsewhere,
    (all) => {
      ports.push(...all)
      return proxyV2Over([all[0] as number], { pool })
    },
    async (harness) => {
      await until('the check', () => seen.length === 2)
      await until('its end', () => harness.upstream.stats.busy === 0)
      await turns(5)
      expect(seen).toEqual(['0 GET true true', '1 GET false false'])
      expect((await harness.ask()).status).toBe(200)
    },
    'v2',
  )
})

it('a redirection without a place is an answer', async () => {
  let checks = 0
  const serve: Serve = (request, response) => {
    if (request.url !== '/health') response.end()
    else {
      checks += 1
      response.writeHead(302).end()
    }
  }
  await served(1, serve, { pool: 'healthCheck: {uri: /health}' }, async (harness) => {
    await until('the check', () => checks === 1)
    await until('its end', () => harness.upstream.stats.busy === 0)
    await turns(5)
    expect((await harness.ask()).status).toBe(200)
  })
})

// -- sessions ------------------------------------------------------------------------------------

it.each<[mode: string]>([['DurationBased'], ['ApplicationBased']])(
  'keeps a session on its server: %s',
  (mode) =>
    served(
      4,
      (_request, response, server) => {
        response.setHeader('set-cookie', 'app=1; Path=/')
        response.end(String(server))
      },
      {
        pool: `loadBalance: {stickySession: {mode: ${mode}, appCookieName: app, lbCookieName: lb}}`,
      },
      async (harness) => {
        const first = await harness.ask()
        const cookies = first.headers.filter((_, i) => first.headers[i - 1] === 'set-cookie')
        expect(cookies).toHaveLength(2)
        const [pair = '', expires] = (cookies[1] as string).split('; ')
        expect(pair).toMatch(/^lb=[0-9a-f]{80}$/)
        expect(expires).toMatch(/^Expires=\w{3}, \d\d \w{3} \d{4} .* GMT$/)
        for (let i = 0; i < 5; i++) {
          const next = await harness.ask({ headers: [['cookie', `a=b; ${pair}`]] })
          expect(next.text).toBe(first.text)
        }
        const forged = await harness.ask({ headers: [['cookie', `lb=${'0'.repeat(80)}`]] })
        expect(forged.status).toBe(200)
      },
    ),
)

it('sets no cookie while the application sets none', () =>
  served(
    1,
    byNumber,
    { pool: 'loadBalance: {stickySession: {mode: ApplicationBased, appCookieName: app}}' },
    async (harness) => {
      expect((await harness.ask()).header('set-cookie')).toBeNull()
    },
  ))

it('keeps a session on its server by the cookie of the application', () =>
  served(
    4,
    byNumber,
    { pool: 'loadBalance: {stickySession: {mode: CookieConsistentHash, appCookieName: app}}' },
    async (harness) => {
      const seen = new Set<string>()
      for (const user of ['a', 'b', 'c', 'd', 'e', 'f']) {
        const ask = async () => (await harness.ask({ headers: [['cookie', `app=${user}`]] })).text
        const server = await ask()
        for (let i = 0; i < 3; i++) expect(await ask()).toBe(server)
        seen.add(server)
      }
      expect(seen.size).toBeGreaterThan(1)
    },
  ))

// -- specs ---------------------------------------------------------------------------------------

const POOL = 'servers: [{url: "http://a"}]'

it.each<[name: string, fields: string, problem: string]>([
  ['no pools', 'compression: {}', 'pools: is required'],
  [
    'no main pool',
    `pools: [{${POOL}, filter: {headers: {a: {exact: b}}}}]`,
    'one pool without filter',
  ],
  ['two main pools', `pools: [{${POOL}}, {${POOL}}]`, 'pools/1/filter: is required'],
  ['no servers', 'pools: [{serviceName: a}]', 'pools/0/servers: expected at least one'],
  ['a URL with a query', 'pools: [{servers: [{url: "http://a?b"}]}]', 'no user, query'],
  [
    'weights for some',
    'pools: [{servers: [{url: "http://a", weight: 1}, {url: "http://b"}]}]',
    'for all servers or for none',
  ],
  ['a filter of nothing', `pools: [{${POOL}}, {${POOL}, filter: {}}]`, 'filter/headers: expected'],
  [
    'no share',
    `pools: [{${POOL}}, {${POOL}, filter: {policy: random}}]`,
    'permil: expected 1..1000',
  ],
  [
    'a hash of no header',
    `pools: [{${POOL}}, {${POOL}, filter: {policy: headerHash, permil: 1}}]`,
    'headerHashKey: expected',
  ],
  [
    'empty and exact',
    `pools: [{${POOL}}, {${POOL}, filter: {headers: {a: {exact: b, empty: true}}}}]`,
    'excludes exact',
  ],
  [
    'a mirror for all',
    `pools: [{${POOL}}]\nmirrorPool: {${POOL}}`,
    'mirrorPool/filter: is required',
  ],
  [
    'a policy that is not there',
    `pools: [{${POOL}, retryPolicy: again}]`,
    'filters/0/pools/0/retryPolicy: no Retry "again" in resilience (there are none)',
  ],
  ['a mode of sessions', `pools: [{${POOL}, loadBalance: {stickySession: {mode: x}}}]`, 'one of'],
  [
    'a pattern that is none',
    `pools: [{${POOL}, healthCheck: {match: {body: {value: "(", type: regexp}}}}]`,
    'match/body/value',
  ],
  [
    'a range from high to low',
    `pools: [{${POOL}, healthCheck: {match: {statusCodes: [[200, 299], [404, 400]]}}}]`,
    'match/statusCodes/1: expected the lower status first, got 404, 400',
  ],
  ['a user without password', `pools: [{${POOL}, healthCheck: {username: a}}]`, 'both username'],
])('refuses %s', (_name, fields, problem) => {
  expect(problemsOf('Proxy', fields, 'v2')).toContain(problem)
})

it.each<[fields: string, warning: string]>([
  ['serverTags: [a]', 'serverTags: has no effect: servers that are listed are all used'],
  ['loadBalance: {forwardKey: a}', 'loadBalance/forwardKey: has no effect outside GRPCProxy'],
  ['serviceName: a', 'serviceName: services are not looked up'],
  ['loadBalance: {policy: best}', 'loadBalance/policy: "best" is none of'],
])('warns of %s', (fields, warning) => {
  const text = `name: demo\nkind: Pipeline\n${proxyV2Over([1], { pool: fields })}`
  const decoded = decodeDocument(text, objectKinds)
  expect(decoded.ok && formatProblems(decoded.warnings)).toContain(`pools/0/${warning}`)
})

it('refuses a policy of another kind', () => {
  const text = `name: demo\nkind: Pipeline\n${proxyV2Over([1], {
    pool: 'retryPolicy: cb',
    pipeline: BREAKER,
  })}`
  const decoded = decodeDocument(text, objectKinds)
  expect(decoded.ok ? '' : formatProblems(decoded.problems)).toContain(
    '"cb" in resilience is a CircuitBreaker, expected a Retry',
  )
})

// -- TLS -----------------------------------------------------------------------------------------

const pem = (text: string): string => Buffer.from(text).toString('base64')
const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string
const OURS = `certBase64: ${pem(TEST_CERT)}, keyBase64: ${pem(TEST_KEY)}`

it.each<[name: string, mtls: string, status: number, text: string]>([
  ['without mtls nobody is verified, and we are not known', '', 503, ''],
  ['our certificate', `mtls: {${OURS}, rootCertBase64: ${pem(TEST_CERT)}}`, 200, 'localhost'],
  ['an authority that we do not trust', `mtls: {${OURS}}`, 503, ''],
  ['one that we do not ask for', `mtls: {${OURS}, insecureSkipVerify: true}`, 200, 'localhost'],
])('TLS with back ends: %s', async (_name, mtls, status, text) => {
  const server = createServer(
    { cert: TEST_CERT, key: TEST_KEY, ca: TEST_CERT, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate()
      response.end(subject.CN)
    },
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  try {
    await withPipeline(
      proxyV2Over([`url: "https://localhost:${port}"`], { proxy: mtls }),
      async (harness) => {
        const client = await harness.ask()
        expect([client.status, client.text]).toEqual([status, text])
      },
      'v2',
    )
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

it.each<[name: string, mtls: string, problem: string]>([
  ['no base64', 'certBase64: "%"', 'mtls/certBase64'],
  ['no certificate', `certBase64: ${pem(TEST_KEY)}`, 'certBase64: expected base64 of PEM'],
  ['no key', `keyBase64: ${pem(TEST_CERT)}`, 'keyBase64: expected base64 of PEM'],
  ['no authority', `rootCertBase64: ${pem('x')}`, 'rootCertBase64: expected base64 of PEM'],
  ['a certificate alone', `certBase64: ${pem(TEST_CERT)}`, 'keyBase64: expected both'],
  [
    'the key of another',
    `certBase64: ${pem(TEST_CERT)}, keyBase64: ${pem(OTHER_KEY)}`,
    'not the key of the certificate',
  ],
])('refuses %s', (_name, mtls, problem) => {
  expect(problemsOf('Proxy', `pools: [{${POOL}}]\nmtls: {${mtls}}`, 'v2')).toContain(problem)
})
