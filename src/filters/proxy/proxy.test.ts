import { expect, it } from 'vitest'
import { OK, SUSPENDED } from '../../http/exchange.js'
import { FakeBody, type FakeClient } from '../../http/fake-client.fixture.js'
import { objectKinds } from '../../kinds/registry.js'
import { flowOf, node, Step } from '../../pipeline/flow.fixture.js'
import type { Node } from '../../pipeline/pipeline.js'
import { decodeDocument, formatProblems } from '../../spec/document.js'
import { ScriptedServer, turns, until } from '../../upstream/scripted-server.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'
import { proxyOver, type Serve, withScripted, withServers } from './backends.fixture.js'

const told = (client: FakeClient): unknown[] => [client.status, client.text, client.ending]

// -- what is sent --------------------------------------------------------------------------------

it('sends method, target and fields; Host names the server, framing is its own', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start({
      method: 'DELETE',
      path: '/a%2Fb',
      query: 'q=%20',
      headers: [
        ['host', 'gateway.test'],
        ['x-a', 'gr\xc3\xbcn'],
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['te', 'trailers'],
        ['content-length', '99'],
      ],
    })
    const peer = await backend.peer(0)
    expect(await peer.head()).toBe(
      `DELETE /a%2Fb?q=%20 HTTP/1.1\r\nhost: 127.0.0.1:${backend.port}\r\nx-a: gr\xc3\xbcn\r\n\r\n`,
    )
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    await until('the answer', () => client.ending === 'complete')
    expect(told(client)).toEqual([200, 'ok', 'complete'])
  }))

it.each<[prefix: string, path: string, query: string, target: string]>([
  ['', '/a', '', '/a'],
  ['/', '/a', '', '/a'],
  ['/v1', '/a', 'q', '/v1/a?q'],
  ['/v1/', '/', '', '/v1/'],
  ['/v%201/x', '/%2F', '', '/v%201/x/%2F'],
])('a server with prefix %j gets %s as %s', (prefix, path, query, target) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start({ path, query })
      const peer = await backend.peer(0)
      expect((await peer.head()).split(' ')[1]).toBe(target)
      peer.send('HTTP/1.1 204 No Content\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
    },
    (port) => proxyOver([`url: http://127.0.0.1:${port}${prefix}`]),
  ),
)

it('sends a body that is whole, and the method and path that filters have set', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start({ method: 'GET', path: '/old' })
      const peer = await backend.peer(0)
      await peer.expects('new body')
      expect(peer.received).toContain('PUT /new HTTP/1.1\r\n')
      expect(peer.received).toContain('content-length: 8\r\n\r\nnew body')
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      await until('the answer', () => client.ending === 'complete')
    },
    (port) =>
      proxyOver([port]).replace(
        'filters:',
        'filters:\n- {name: a, kind: RequestAdaptor, method: PUT, path: {replace: /new}, body: new body}',
      ),
  ))

it.each<[name: string, length: number, wire: string]>([
  ['of known length', 9, 'content-length: 9\r\n\r\none two 3'],
  [
    'of unknown length',
    -1,
    'transfer-encoding: chunked\r\n\r\n4\r\none \r\n4\r\ntwo \r\n1\r\n3\r\n0\r\n\r\n',
  ],
])('streams a request body %s', (_name, length, wire) =>
  withScripted(async (harness, backend) => {
    const body = new FakeBody(length)
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    for (const chunk of ['one ', 'two ', '3']) {
      body.push(chunk)
      await turns(3)
    }
    body.end()
    await peer.expects(wire)
    peer.send('HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n')
    await until('the answer', () => client.ending === 'complete')
    const [recorded] = harness.stats.get('proxy/mainPool') ?? []
    expect(recorded).toMatchObject({ status: 201, bytesIn: 9 })
  }),
)

it('pauses the client while the back end takes nothing, and goes on', () =>
  withScripted(async (harness, backend) => {
    const chunk = Buffer.alloc(65_536, 'x')
    const body = new FakeBody(400 * chunk.byteLength)
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    await peer.head()
    peer.socket.pause()
    let sent = 0
    for (; !body.isPaused && sent < 400; sent++) {
      body.push(chunk)
      await turns(2)
    }
    expect(sent).toBeLessThan(400)
    peer.socket.resume()
    for (; sent < 400; sent++) {
      await until('room', () => !body.isPaused)
      body.push(chunk)
      peer.received = ''
      peer.reads.length = 0
    }
    body.end()
    await turns()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
    await until('the answer', () => client.ending === 'complete')
    expect(harness.stats.get('proxy/mainPool')?.[0]?.bytesIn).toBe(400 * chunk.byteLength)
  }))

it('a second Proxy finds the streamed body gone, and sends none', () =>
  withServers(
    2,
    (request, response, server) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.byteLength
      })
      request.on('end', () => response.end(`server ${server} got ${bytes}`))
    },
    ([a, b]) => `
flow: [{filter: a}, {filter: b}]
filters:
- {name: a, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${a}"}]}}
- {name: b, kind: Proxy, mainPool: {servers: [{url: "http://127.0.0.1:${b}"}]}}
`,
    async (harness) => {
      const body = new FakeBody()
      const client = harness.start({ method: 'POST', body })
      body.push('some bytes')
      body.end()
      await until('the answer', () => client.ending !== 'open')
      expect(client.text).toBe('server 1 got 0')
      expect([harness.statuses('a/mainPool'), harness.statuses('b/mainPool')]).toEqual([
        [200],
        [200],
      ])
    },
  ))

// -- what comes back -----------------------------------------------------------------------------

it.each<[name: string, wire: string, status: number, body: string, kept: boolean]>([
  ['with a length', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello', 200, 'hello', true],
  ['empty', 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n', 404, '', true],
  [
    'chunked',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
    200,
    'hello',
    true,
  ],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 204, '', true],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', 304, '', true],
  [
    'after 100 and 103',
    'HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nlink: a\r\n\r\nHTTP/1.1 500 Oops\r\ncontent-length: 1\r\n\r\n!',
    500,
    '!',
    true,
  ],
  ['until the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nhello', 200, 'hello', false],
  ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nhello', 200, 'hello', false],
])('an answer %s', (_name, wire, status, body, kept) =>
  withScripted(async (harness, backend) => {
    // In one piece, and byte by byte.
    for (const step of [wire.length, 1]) {
      const client = harness.start()
      const index = kept ? 0 : backend.peers.length
      const peer = await backend.peer(index)
      await peer.head()
      for (let at = 0; at < wire.length; at += step) {
        peer.send(wire.slice(at, at + step))
        if (step === 1) await turns(1)
      }
      if (!kept) peer.socket.end()
      await until('the answer', () => client.ending !== 'open')
      expect(told(client)).toEqual([status, body, 'complete'])
      expect(client.sends).toBe(1)
    }
    expect(harness.statuses('proxy/mainPool')).toEqual([status, status])
    await until('connections to settle', () => harness.upstream.stats.busy === 0)
    expect(harness.upstream.stats.idle).toBe(kept ? 1 : 0)
  }),
)

it('an answer to HEAD has fields and no body', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start({ method: 'HEAD' })
    const peer = await backend.peer(0)
    expect(await peer.head()).toContain('HEAD / HTTP/1.1')
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 5000\r\nx-a: b\r\n\r\n')
    await until('the answer', () => client.ending !== 'open')
    expect(client.headers).toEqual(['content-length', '5000', 'x-a', 'b'])
    expect(client.text).toBe('')
  }))

it('fields of the answer come after those that filters have set; status is the back end’s', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send(
        'HTTP/1.1 503 Busy\r\nX-A: 1\r\nX-A: 2\r\nConnection: x-hop\r\nX-Hop: 3\r\ncontent-length: 1\r\n\r\nb',
      )
      await until('the answer', () => client.ending !== 'open')
      expect(told(client)).toEqual([503, 'b', 'complete'])
      expect(client.headers).toEqual([
        'x-before',
        'yes',
        'x-a',
        '1',
        'x-a',
        '2',
        'content-length',
        '1',
        'x-after',
        'yes',
      ])
    },
    (port) => `
flow: [{filter: before}, {filter: proxy}, {filter: after}]
${proxyOver([port]).trim()}
- {name: before, kind: ResponseAdaptor, header: {set: {X-Before: "yes"}}}
- {name: after, kind: ResponseAdaptor, header: {set: {X-After: "yes"}}}
`,
  ))

it('a filter behind may replace the body; the rest is read away and the connection kept', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345')
      await until('the answer', () => client.ending !== 'open')
      expect(told(client)).toEqual([200, 'instead', 'complete'])
      expect(client.header('content-length')).toBeNull()
      peer.send('67890')
      await until('the connection', () => harness.upstream.stats.idle === 1)
      expect(harness.statuses('proxy/mainPool')).toEqual([200])
    },
    (port) => `${proxyOver([port])}\n- {name: after, kind: ResponseAdaptor, body: instead}`,
  ))

/** The Proxy of `harness` and a filter behind it that waits until the test resumes it. */
function waitingBehind(harness: Harness): { client: FakeClient; resume: () => void } {
  let ticket = 0
  const waiting = new Step('waits', [], (ex) => {
    ticket = ex.suspend()
    return SUSPENDED
  })
  const flow = flowOf([harness.pipeline.nodes[0] as Node, node(waiting)])
  const client = flow.start()
  return { client, resume: () => client.ex.resume(ticket, OK) }
}

it('a filter behind may wait; the body waits too', () =>
  withScripted(async (harness, backend) => {
    const { client, resume } = waitingBehind(harness)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345')
    await until('the filter to wait', () => client.ex.pc === 1)
    peer.send('67890')
    await turns()
    expect([client.sends, client.text]).toEqual([0, ''])
    resume()
    await until('the answer', () => client.ending !== 'open')
    expect(told(client)).toEqual([200, '1234567890', 'complete'])
  }))

it('a client that goes while a filter behind waits closes the connection', () =>
  withScripted(async (harness, backend) => {
    const { client } = waitingBehind(harness)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n12345')
    await until('the filter to wait', () => client.ex.pc === 1)
    client.abort()
    await peer.gone()
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }))

it('a body that is given back twice is counted once', () =>
  withScripted(async (harness, backend) => {
    const { client, resume } = waitingBehind(harness)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345')
    await until('the filter to wait', () => client.ex.pc === 1)
    const { source } = client.ex.response
    client.ex.response.body = null
    source?.cancel()
    resume()
    expect(told(client)).toEqual([200, '', 'complete'])
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
    peer.send('67890')
    await until('the connection', () => harness.upstream.stats.idle === 1)
  }))

it('a body that breaks off while a filter behind waits breaks the answer', () =>
  withScripted(async (harness, backend) => {
    const { client, resume } = waitingBehind(harness)
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n')
    await until('the filter to wait', () => client.ex.pc === 1)
    peer.socket.resetAndDestroy()
    await turns()
    resume()
    await until('the end', () => client.ending !== 'open')
    expect([client.status, client.text, client.ending]).toEqual([200, '', 'broken'])
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }))

it('a body waits for a slow client, all of it arrives', () => {
  const size = 20_000_000
  let written = 0
  return withServers(
    1,
    (_request, response) => {
      const chunk = Buffer.alloc(100_000, 'y')
      response.setHeader('content-length', size)
      const more = (): void => {
        while (written < size) {
          written += chunk.byteLength
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    },
    (ports) => proxyOver(ports),
    async (harness) => {
      const client = harness.start({}, (made) => {
        made.chunksAtOnce = 1
      })
      await until('the first chunk', () => client.chunks.length > 0)
      for (let before = -1; before !== written; ) {
        before = written
        await turns(200)
      }
      expect(written).toBeLessThan(size)
      expect(client.chunks.length).toBeLessThan(5)
      while (client.ending === 'open') {
        client.resume()
        await turns(1)
      }
      expect([client.ending, client.bodyBytes]).toEqual(['complete', size])
      expect(harness.stats.get('proxy/mainPool')?.[0]).toMatchObject({
        status: 200,
        bytesOut: size,
      })
    },
  )
})

it('an early answer ends the upload', () =>
  withScripted(async (harness, backend) => {
    const body = new FakeBody(1_000_000)
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    body.push('begin')
    await peer.expects('begin')
    peer.send('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno')
    await until('the answer', () => client.ending !== 'open')
    expect(told(client)).toEqual([403, 'no', 'complete'])
    expect(body.isCancelled).toBe(true)
    await peer.gone()
  }))

// -- what goes wrong -----------------------------------------------------------------------------

const JUMPS = `
flow:
- {filter: proxy, jumpIf: {serverError: onServerError}}
- {filter: onServerError}
`

/** Adds a filter that shows by a field that the result was serverError. */
const showing = (pipeline: string): string =>
  `${JUMPS}${pipeline.trim()}\n- {name: onServerError, kind: ResponseAdaptor, header: {set: {X-Result: serverError}}}`

it.each<[name: string, wire: string | null, after: 'end' | 'reset' | 'wait', reason: string]>([
  ['closes at once', '', 'end', 'the back end closed the connection'],
  ['resets at once', '', 'reset', 'the back end closed the connection'],
  ['closes within the head', 'HTTP/1.1 200 OK\r\nx-a', 'end', 'the back end closed the connection'],
  [
    'resets within the head',
    'HTTP/1.1 200 OK\r\nx-a',
    'reset',
    'the back end closed the connection',
  ],
  ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'wait', 'the back end gave no valid answer'],
  [
    'sends two lengths',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    'wait',
    'the back end gave no valid answer',
  ],
  [
    'sends a bad field',
    'HTTP/1.1 200 OK\r\nbad field: 1\r\n\r\n',
    'wait',
    'the back end gave no valid answer',
  ],
])('a back end that %s: 503, serverError, the pool by name', (_name, wire, after, reason) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      if (wire !== null && wire !== '') peer.send(wire)
      await turns(5)
      if (after === 'end') peer.socket.end()
      else if (after === 'reset') peer.socket.resetAndDestroy()
      await until('the answer', () => client.ending !== 'open')
      expect(told(client)).toEqual([503, `${reason}: pool demo/proxy/mainPool\n`, 'complete'])
      expect(client.headers).toEqual([
        'content-type',
        'text/plain; charset=utf-8',
        'x-result',
        'serverError',
      ])
      expect(harness.statuses('proxy/mainPool')).toEqual([503])
    },
    (port) => showing(proxyOver([port])),
  ),
)

it('a back end that is not there: 503, serverError, the pool by name', async () => {
  const gone = await ScriptedServer.listen()
  const { port } = gone
  await gone.close()
  await withPipeline(showing(proxyOver([port])), async (harness) => {
    const client = await harness.ask()
    expect(told(client)).toEqual([
      503,
      'the back end cannot be reached: pool demo/proxy/mainPool\n',
      'complete',
    ])
    expect(client.header('x-result')).toBe('serverError')
    expect(harness.statuses('proxy/mainPool')).toEqual([503])
  })
})

it('without an entry for serverError the flow stops', async () => {
  const gone = await ScriptedServer.listen()
  const { port } = gone
  await gone.close()
  const after = '- {name: after, kind: Fallback, mockCode: 200}'
  await withPipeline(`${proxyOver([port])}${after}`, async (harness) => {
    expect((await harness.ask()).status).toBe(503)
  })
})

it.each<[more: string, waitMs: number]>([
  ['', 60_000],
  ['responseTimeout: 1500ms', 1_500],
])('a back end that is silent is given up in time: 504, serverError (%s)', (more, waitMs) =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      peer.send('HTTP/1.1 200 OK\r\nx-half')
      harness.pass(waitMs - 100)
      await turns(5)
      expect(client.ending).toBe('open')
      harness.pass(200)
      await until('the answer', () => client.ending !== 'open')
      const text = 'the back end did not answer in time: pool demo/proxy/mainPool\n'
      expect(told(client)).toEqual([504, text, 'complete'])
      expect(client.header('x-result')).toBe('serverError')
      expect(harness.statuses('proxy/mainPool')).toEqual([504])
      await peer.gone()
    },
    (port) => showing(proxyOver([port], more)),
  ),
)

it('with a responseTimeout of 0 it is waited for as long as the client does', () =>
  withScripted(
    async (harness, backend) => {
      const client = harness.start()
      const peer = await backend.peer(0)
      await peer.head()
      harness.pass(3_600_000)
      await turns(5)
      peer.send('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
      await until('the answer', () => client.ending !== 'open')
      expect(client.text).toBe('late')
    },
    (port) => proxyOver([port], 'responseTimeout: 0s'),
  ))

it('a back end that is silent in the middle of a body breaks the answer off', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345')
    await until('the half', () => client.text === '12345')
    harness.pass(61_000)
    await until('the end', () => client.ending !== 'open')
    expect([client.status, client.ending]).toEqual([200, 'broken'])
    expect(client.reason).toContain(`127.0.0.1:${backend.port}`)
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }))

it.each<[name: string, more: string]>([
  ['a close', 'end'],
  ['a bad chunk', 'zz\r\n'],
  ['a chunk longer than it says', '2\r\nabc\r\n'],
])('a chunked answer cut by %s is not passed off as complete', (_name, more) =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await until('the half', () => client.text === 'abc')
    if (more === 'end') peer.socket.end()
    else peer.send(more)
    await until('the end', () => client.ending !== 'open')
    expect(client.ending).toBe('broken')
    await peer.gone()
  }),
)

it('a Retryer tries other servers, and every attempt is in the statistics', () =>
  withServers(
    3,
    (request, response, server) => {
      request.resume()
      response.statusCode = server < 2 ? 500 : 200
      response.setHeader('x-server', server)
      response.end(`server ${server}`)
    },
    (ports) => `
flow: [{filter: retryer}, {filter: proxy}]
${proxyOver(ports).trim()}
- name: retryer
  kind: Retryer
  policies: [{name: p, waitDuration: 0s, failureStatusCodes: [500]}]
  urls: [{url: {prefix: /}, policyRef: p}]
`,
    async (harness) => {
      const client = await harness.ask({ method: 'POST', body: 'again' })
      expect(told(client)).toEqual([200, 'server 2', 'complete'])
      expect(client.headers.filter((_, i) => i % 2 === 0).filter((n) => n === 'x-server')).toEqual([
        'x-server',
      ])
      expect(harness.statuses('proxy/mainPool')).toEqual([500, 500, 200])
    },
  ))

// -- clients that go -----------------------------------------------------------------------------

it('a client that goes before the connection is up leaves none', () =>
  withScripted(async (harness) => {
    harness.start().abort()
    expect(harness.statuses('proxy/mainPool')).toEqual([499])
  }))

it('a client that goes before the head closes the connection', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    client.abort()
    await peer.gone()
    expect([client.sends, harness.upstream.stats.open]).toEqual([0, 0])
    expect(harness.statuses('proxy/mainPool')).toEqual([499])
  }))

it('a client that goes within its upload closes the connection', () =>
  withScripted(async (harness, backend) => {
    const body = new FakeBody(100)
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    body.push('half')
    await peer.expects('half')
    client.abort()
    await peer.gone()
    expect(harness.statuses('proxy/mainPool')).toEqual([499])
  }))

it('a client that goes within the answer closes the connection', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n12345')
    await until('the half', () => client.text === '12345')
    client.abort()
    await peer.gone()
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }))

it('a client that goes while both bodies stream closes the connection', () =>
  withScripted(async (harness, backend) => {
    const body = new FakeBody()
    const client = harness.start({ method: 'POST', body })
    const peer = await backend.peer(0)
    body.push('up')
    await peer.expects('up')
    peer.send('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndown\r\n')
    await until('the half', () => client.text === 'down')
    client.abort()
    await peer.gone()
    expect(harness.statuses('proxy/mainPool')).toEqual([200])
  }))

it('a client that goes when all was answered changes nothing', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    await until('the answer', () => client.ending === 'complete')
    client.abort()
    expect([client.ending, harness.upstream.stats.idle]).toEqual(['complete', 1])
  }))

// -- balance -------------------------------------------------------------------------------------

const nameServer: Serve = (request, response, server) => {
  request.resume()
  response.end(String(server))
}

async function answersOf(harness: Harness, count: number, each = (_i: number) => ({})) {
  const answers: number[] = []
  for (let i = 0; i < count; i++) answers.push(Number((await harness.ask(each(i))).text))
  return answers
}

it('roundRobin takes turns, unless told otherwise', () =>
  withServers(3, nameServer, proxyOver, async (harness) => {
    expect(await answersOf(harness, 7)).toEqual([0, 1, 2, 0, 1, 2, 0])
  }))

it('turns go on when the pipeline is replaced', () => {
  let yaml = ''
  return withServers(
    3,
    nameServer,
    (ports) => {
      yaml = proxyOver(ports)
      return yaml
    },
    async (harness) => {
      expect(await answersOf(harness, 2)).toEqual([0, 1])
      await harness.use(yaml)
      expect(await answersOf(harness, 2)).toEqual([2, 0])
    },
  )
})

it('only servers with one of the tags are used', () =>
  withServers(
    3,
    nameServer,
    ([a, b, c]) =>
      proxyOver(
        [
          `{url: "http://127.0.0.1:${a}", tags: [blue]}`,
          `{url: "http://127.0.0.1:${b}", tags: [green, new]}`,
          `{url: "http://127.0.0.1:${c}", tags: [new]}`,
        ],
        'serversTags: [green, new]',
      ),
    async (harness) => {
      expect(await answersOf(harness, 4)).toEqual([1, 2, 1, 2])
    },
  ))

it('random uses all servers', () =>
  withServers(
    3,
    nameServer,
    (ports) => proxyOver(ports, 'loadBalance: {policy: random}'),
    async (harness) => {
      const answers = new Set(await answersOf(harness, 60))
      expect([...answers].sort()).toEqual([0, 1, 2])
    },
  ))

it('weightedRandom follows the weights', () =>
  withServers(
    2,
    nameServer,
    ([a, b]) =>
      proxyOver(
        [`{url: "http://127.0.0.1:${a}", weight: 1}`, `{url: "http://127.0.0.1:${b}", weight: 99}`],
        'loadBalance: {policy: weightedRandom}',
      ),
    async (harness) => {
      const answers = await answersOf(harness, 60)
      expect(answers.filter((each) => each === 1).length).toBeGreaterThan(45)
    },
  ))

it('ipHash keeps a client on its server, by its real address', () =>
  withServers(
    3,
    nameServer,
    (ports) => proxyOver(ports, 'loadBalance: {policy: ipHash}'),
    async (harness) => {
      const ip = (i: number): string => `203.0.113.${i % 20}`
      const byPeer = await answersOf(harness, 40, (i) => ({ address: ip(i) }))
      expect(byPeer.slice(0, 20)).toEqual(byPeer.slice(20))
      expect(new Set(byPeer).size).toBe(3)
      const byField = await answersOf(harness, 20, (i) => ({
        headers: [['x-forwarded-for', ip(i)]],
      }))
      expect(byField).toEqual(byPeer.slice(0, 20))
    },
  ))

it('headerHash keeps a value on its server, its absence too', () =>
  withServers(
    3,
    nameServer,
    (ports) => proxyOver(ports, 'loadBalance: {policy: headerHash, headerHashKey: X-User}'),
    async (harness) => {
      const users = await answersOf(harness, 40, (i) => ({ headers: [['x-user', `u${i % 20}`]] }))
      expect(users.slice(0, 20)).toEqual(users.slice(20))
      expect(new Set(users).size).toBe(3)
      expect(new Set(await answersOf(harness, 5)).size).toBe(1)
    },
  ))

// -- generations ---------------------------------------------------------------------------------

it('a replaced pipeline finishes what it began; the new one has other servers', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start()
    const peer = await backend.peer(0)
    await peer.head()
    const other = await ScriptedServer.listen()
    await harness.use(proxyOver([other.port]))
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nold')
    await until('the answer', () => client.ending !== 'open')
    expect(client.text).toBe('old')
    await peer.gone()
    const second = harness.start()
    const otherPeer = await other.peer(0)
    await otherPeer.head()
    otherPeer.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nnew')
    await until('the answer', () => second.ending !== 'open')
    expect(second.text).toBe('new')
    await other.close()
    await until('the close', () => harness.upstream.stats.open === 0)
  }))

it('a new pipeline of the same servers keeps their connections', () => {
  let yaml = ''
  return withServers(
    1,
    nameServer,
    (ports) => {
      yaml = proxyOver(ports)
      return yaml
    },
    async (harness) => {
      await harness.ask()
      await harness.use(`${yaml}- {name: after, kind: ResponseAdaptor, header: {}}`)
      await harness.ask()
      expect(harness.upstream.stats).toMatchObject({ connectionsOpened: 1, reused: 1, idle: 1 })
    },
  )
})

// -- specs ---------------------------------------------------------------------------------------

const pool = (fields: string): string => `mainPool: {${fields}}`
const servers = (more = ''): string => `servers: [{url: "http://a"${more}}]`

it.each<[name: string, fields: string, problem: string]>([
  ['no pool', 'failureCodes: [500]', 'filters/0/mainPool: is required'],
  ['no servers', pool(''), 'filters/0/mainPool/servers: expected at least one server'],
  ['no scheme', pool('servers: [{url: "a:80"}]'), 'begin with the scheme: "http://a:80"'],
  ['another scheme', pool('servers: [{url: "ftp://a"}]'), 'servers/0/url: expected a URL'],
  ['a query', pool('servers: [{url: "http://a/?b"}]'), 'expected no user, query or fragment'],
  ['a user', pool('servers: [{url: "http://u:p@a/"}]'), 'expected no user, query or fragment'],
  ['port 0', pool('servers: [{url: "http://a:0/"}]'), 'and no port 0'],
  [
    'a weight',
    pool(servers(', weight: 101')),
    'servers/0/weight: expected a whole number in 0..100',
  ],
  [
    'weights for some',
    pool('servers: [{url: "http://a", weight: 1}, {url: "http://b"}]'),
    'mainPool/servers: expected a weight above 0 for all servers or for none',
  ],
  [
    'no server with the tag',
    pool(`${servers()}, serversTags: [x]`),
    'serversTags: no server has one',
  ],
  ['tags under another name', pool(`${servers()}, serverTag: [x]`), 'did you mean "serversTags"?'],
  [
    'a policy',
    pool(`${servers()}, loadBalance: {policy: roundrobin}`),
    'did you mean "roundRobin"?',
  ],
  [
    'headerHash without a header',
    pool(`${servers()}, loadBalance: {policy: headerHash}`),
    'loadBalance/headerHashKey: expected the name of a header for headerHash',
  ],
  [
    'a filter of the main pool',
    pool(`${servers()}, filter: {headers: {a: {exact: b}}}`),
    'mainPool/filter: the main pool takes every request; it has no filter',
  ],
  [
    'a service without servers',
    pool('serviceRegistry: eureka, serviceName: orders'),
    'mainPool/servers: expected at least one server; services are not looked up by this release',
  ],
])('a spec is refused: %s', (_name, fields, problem) => {
  expect(problemsOf('Proxy', fields)).toContain(problem)
})

it('a service beside servers is taken with a warning: the servers are used', () => {
  const decoded = decodeDocument(
    'name: a\nkind: HTTPPipeline\nfilters:\n- name: p\n  kind: Proxy\n  mainPool:\n    serviceName: s\n    servers: [{url: "http://a"}]\n',
    objectKinds,
  )
  expect(decoded.ok && formatProblems(decoded.warnings)).toBe(
    'line 7, column 18: filters/0/mainPool/serviceName: services are not looked up by this release: the servers that are listed are used',
  )
})

// -- what is broken here -------------------------------------------------------------------------

function boom(): never {
  throw new Error('boom')
}

it.each<[name: string, breakIt: (client: FakeClient) => void, told: unknown[]]>([
  [
    'the head',
    ({ ex }) => Object.assign(ex.response.headers, { addAll: boom }),
    [500, '', 'complete'],
  ],
  ['the body', (client) => Object.assign(client, { data: boom }), [200, '', 'cut']],
  ['the end', (client) => Object.assign(client, { end: boom }), [200, 'ab', 'cut']],
])('who takes %s and throws costs the request, not the worker', (_name, breakIt, want) =>
  withScripted(async (harness, backend) => {
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

it('who is told of a body that breaks off and throws costs the request alone', () =>
  withScripted(async (harness, backend) => {
    const client = harness.start({}, (made) => Object.assign(made, { fail: boom }))
    const peer = await backend.peer(0)
    await peer.head()
    peer.send('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na')
    await until('the beginning', () => client.text === 'a')
    peer.socket.destroy()
    await until('the end', () => client.ending !== 'open')
    expect(told(client)).toEqual([200, 'a', 'cut'])
    expect(harness.log.records.splice(0)).toMatchObject([{ fields: { filter: 'proxy' } }])
  }))
