import type { Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { BodySink, BodySource } from '../http/body.js'
import { type Exchange, RESPONDING } from '../http/exchange.js'
import type { Logger } from '../telemetry/log.js'
import { MemoryLogger } from '../telemetry/memory-log.js'
import type { ConnectionGate, TrafficHandler, TrafficListener } from './contract.js'

/** A kind of listener, and clients of it. */
export interface Transport {
  readonly isTls: boolean
  /** Null when it cannot be bound. */
  open(gate: ConnectionGate, log: Logger): TrafficListener | null
  connect(port: number): Socket
}

/** What every listener does: registers the tests. */
export function listenerContract(transport: Transport): void {
  const open = new Set<{ close(): void }>()
  afterEach(() => {
    for (const each of open) each.close()
    open.clear()
  })

  interface Served {
    readonly listener: TrafficListener
    readonly log: MemoryLogger
    readonly finished: { readonly status: number; readonly aborted: boolean }[]
  }

  const freeGate: ConnectionGate = { opened: () => true, closed: () => {} }

  function serve(handle: (ex: Exchange) => void, gate = freeGate, keepAlive = true): Served {
    const log = new MemoryLogger('test')
    const listener = transport.open(gate, log)
    if (listener === null) throw new Error('cannot listen')
    open.add(listener)
    const finished: { status: number; aborted: boolean }[] = []
    const handler: TrafficHandler = {
      keepAlive,
      handle,
      finished: (ex) => finished.push({ status: ex.response.status, aborted: ex.isAborted }),
    }
    listener.setHandler(handler)
    return { listener, log, finished }
  }

  /** Sends the answer as it stands. */
  function send(ex: Exchange): void {
    ex.state = RESPONDING
    ex.responder?.send(ex)
  }

  function answer(ex: Exchange, status: number, body: string | null): void {
    ex.respond(status, body === null ? null : Buffer.from(body))
    send(ex)
  }

  /** A client that collects what it gets. */
  class Client {
    text = ''
    ended = false
    readonly #socket: Socket
    #wake: () => void = () => {}

    constructor(port: number) {
      this.#socket = transport.connect(port)
      open.add({ close: () => this.#socket.destroy() })
      this.#socket.on('data', (chunk) => {
        this.text += chunk.toString('latin1')
        this.#wake()
      })
      this.#socket.on('close', () => {
        this.ended = true
        this.#wake()
      })
      this.#socket.on('error', () => {})
    }

    write(text: string): void {
      this.#socket.write(text, 'latin1')
    }

    destroy(): void {
      this.#socket.destroy()
    }

    pause(): void {
      this.#socket.pause()
    }

    resume(): void {
      this.#socket.resume()
    }

    async until(holds: () => boolean, what = 'the answer'): Promise<void> {
      const deadline = Date.now() + 5_000
      while (!holds()) {
        if (Date.now() > deadline) throw new Error(`${what}: not in time; got ${this.text}`)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
          setTimeout(resolve, 50)
        })
      }
    }

    /** One request after the other on the one connection. */
    async ask(request: string, end: string): Promise<string> {
      this.text = ''
      this.write(request)
      await this.until(() => this.text.includes(end))
      return this.text
    }
  }

  const get = (path: string, fields = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

  it('copies the request: method, path, query, fields as they came', async () => {
    let seen: unknown
    const { listener } = serve((ex) => {
      const { method, path, rawPath, query, host, headers, body } = ex.request
      seen = { method, path, rawPath, query, host, flat: [...headers.flat], body }
      answer(ex, 200, 'ok')
    })
    const client = new Client(listener.port)
    await client.ask(
      'PATCH /a%20b/%2F?x=1&y HTTP/1.1\r\nHost: A.b:80\r\nX-One: 1\r\nx-one: 2\r\n\r\n',
      'ok',
    )
    expect(seen).toEqual({
      method: 'PATCH',
      path: '/a b//',
      rawPath: '/a%20b/%2F',
      query: 'x=1&y',
      host: 'A.b:80',
      flat: ['host', 'A.b:80', 'x-one', '1', 'x-one', '2'],
      body: null,
    })
  })

  it.each(['GET', 'get', 'Get', 'HEAD', 'get-away', 'ANY', '*'])(
    'the method %s arrives as it came',
    async (method) => {
      const { listener } = serve((ex) => {
        ex.respond(200)
        ex.response.headers.add('x-method', ex.request.method)
        send(ex)
      })
      const client = new Client(listener.port)
      const text = await client.ask(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, '\r\n\r\n')
      expect(/x-method: (.*)\r/.exec(text)?.[1]).toBe(method)
    },
  )

  it.each(['at once', 'by a failure', 'later'])(
    'a connection cut %s is told once, and costs no other anything',
    async (when) => {
      const { listener, finished } = serve((ex) => {
        if (ex.request.path === '/other') answer(ex, 200, 'fine')
        else if (when === 'at once') ex.responder?.cut(ex)
        else if (when === 'later') setImmediate(() => ex.responder?.cut(ex))
        else {
          const source = new Script(10)
          stream(ex, source)
          source.sink?.data(Buffer.from('half'))
          source.sink?.fail('planted')
        }
      })
      for (let i = 0; i < 3; i++) {
        const client = new Client(listener.port)
        client.write(get('/'))
        await client.until(() => client.ended, 'the end')
      }
      expect(finished.map((each) => each.aborted)).toEqual([true, true, true])
      expect(listener.activeCount).toBe(0)
      const other = new Client(listener.port)
      expect(await other.ask(get('/other'), 'fine')).toContain('200 OK')
    },
  )

  it('answers with status, fields and body, once each', async () => {
    const { listener, finished } = serve((ex) => {
      ex.respond(404, Buffer.from('gone'))
      ex.response.headers.add('x-a', 'caf\xe9')
      ex.response.headers.add('content-length', '999')
      ex.response.headers.add('date', 'never')
      send(ex)
    })
    const client = new Client(listener.port)
    const text = await client.ask(get('/'), 'gone')
    expect(text).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
    expect(text).toContain('\r\nx-a: caf\xe9\r\n')
    expect(text.match(/content-length: \d+/gi)).toEqual(['Content-Length: 4'])
    expect(text).not.toContain('never')
    expect(finished).toEqual([{ status: 404, aborted: false }])
  })

  it.each<[name: string, status: number, method: string]>([
    ['204', 204, 'GET'],
    ['304', 304, 'GET'],
    ['HEAD', 200, 'HEAD'],
    ['empty 200', 200, 'GET'],
  ])('%s leaves the connection usable', async (_name, status, method) => {
    const { listener } = serve((ex) => {
      if (ex.request.path === '/second') answer(ex, 200, 'second')
      else answer(ex, status, null)
    })
    const client = new Client(listener.port)
    await client.ask(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, '\r\n\r\n')
    expect(await client.ask(get('/second'), 'second')).toContain('200 OK')
  })

  it.each<[name: string, received: string, changed: string, body: boolean]>([
    ['HEAD that a filter made a GET', 'HEAD', 'GET', false],
    ['GET that a filter made a HEAD', 'GET', 'HEAD', true],
  ])('answers a %s by the method received', async (_name, received, changed, body) => {
    const { listener } = serve((ex) => {
      ex.request.method = changed
      answer(ex, 200, 'text')
    })
    const client = new Client(listener.port)
    const text = await client.ask(`${received} / HTTP/1.1\r\nHost: a\r\n\r\n`, '\r\n\r\n')
    await client.until(() => !body || client.text.endsWith('text'))
    expect(text.toLowerCase()).toContain('content-length: 4')
    if (!body) expect(client.text.endsWith('\r\n\r\n')).toBe(true)
    expect(await client.ask(`${received} / HTTP/1.1\r\nHost: a\r\n\r\n`, '\r\n\r\n')).toContain(
      '200',
    )
  })

  it.each<[name: string, request: string]>([
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    ],
    [
      'length and coding',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['odd coding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
    [
      'bytes that truncate to CR LF',
      'GET / HTTP/1.1\r\nHost: a\r\nX: a\xc4\x8d\xc4\x8aEvil: 1\r\nX: 2\r\n\r\n',
    ],
    ['raw bytes in the path', 'GET /\xc4\x8d HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('refuses %s and hands nothing on', async (_name, request) => {
    let handled = 0
    const { listener } = serve((ex) => {
      handled += 1
      answer(ex, 200, 'ok')
    })
    const client = new Client(listener.port)
    client.write(request)
    await client.until(() => client.text.includes('\r\n') || client.ended)
    expect(client.text === '' || /^HTTP\/1\.1 (400|501|505) /.test(client.text)).toBe(true)
    expect(handled).toBe(0)
  })

  // uWebSockets.js takes bytes above 0x7F at either end of a value for white space and cuts them
  // off (docs/client-input.md), so the ends are ASCII here.
  it('hands on one Latin-1 or UTF-8 value byte by byte', async () => {
    let seen: string | null = null
    const { listener } = serve((ex) => {
      seen = ex.request.headers.get('x')
      answer(ex, 200, 'ok')
    })
    const client = new Client(listener.port)
    await client.ask(get('/', 'X: caf\xc3\xa9 \xc4\x8d.\r\n'), 'ok')
    expect(seen).toBe('caf\xc3\xa9 \xc4\x8d.')
  })

  it('a handler that throws costs its own request a 500 and nobody else anything', async () => {
    const { listener, log } = serve((ex) => {
      if (ex.request.path === '/throw') throw new Error('planted')
      answer(ex, 200, 'fine')
    })
    const other = new Client(listener.port)
    const client = new Client(listener.port)
    await other.ask(get('/'), 'fine')
    expect(await client.ask(get('/throw'), '\r\n\r\n')).toMatch(/^HTTP\/1\.1 500 /)
    expect(await other.ask(get('/'), 'fine')).toContain('200 OK')
    expect(JSON.stringify(log.records)).toContain('planted')
  })

  class Script implements BodySource {
    readonly length: number
    sink: BodySink | null = null
    log: string[] = []
    throwOn = ''

    constructor(length: number) {
      this.length = length
    }

    open(sink: BodySink): void {
      this.sink = sink
    }

    pause(): void {
      this.log.push('pause')
    }

    resume(): void {
      this.log.push('resume')
      if (this.throwOn === 'resume') throw new Error('planted')
    }

    cancel(): void {
      this.log.push('cancel')
    }
  }

  function stream(ex: Exchange, source: Script): void {
    ex.response.status = 200
    ex.response.source = source
    send(ex)
  }

  it('streams a body of known length, and of unknown length in chunks', async () => {
    const sources: Script[] = []
    const { listener } = serve((ex) => {
      const source = new Script(ex.request.path === '/known' ? 6 : -1)
      sources.push(source)
      stream(ex, source)
    })
    const client = new Client(listener.port)
    for (const path of ['/known', '/unknown']) {
      client.text = ''
      client.write(get(path))
      const at = sources.length
      await client.until(() => sources.length > at)
      const sink = sources[at]?.sink as BodySink
      sink.data(Buffer.from('abc'))
      await client.until(() => client.text.includes('abc'))
      sink.data(Buffer.from('def'))
      sink.end()
      await client.until(() => client.text.includes('def'))
    }
    expect(client.text).toContain('Transfer-Encoding: chunked')
    await client.until(() => client.text.endsWith('0\r\n\r\n'))
  })

  it('many whole answers in one turn, of a memory that is used again, are each their own', async () => {
    const waiting: Exchange[] = []
    const { listener, finished } = serve((ex) => waiting.push(ex))
    const clients = Array.from({ length: 150 }, () => new Client(listener.port))
    for (let round = 0; round < 3; round++) {
      clients.forEach((client, i) => {
        client.text = ''
        client.write(get(`/${round}/${i}`))
      })
      await clients[0]?.until(() => waiting.length === clients.length, 'all requests')
      const memory = Buffer.alloc(5_000)
      for (const ex of waiting.splice(0)) {
        const [, , number] = ex.request.path.split('/')
        const text = `${ex.request.path}:${'x'.repeat(Number(number) * 33)}.`
        if (Number(number) % 3 === 0) {
          answer(ex, 200, text)
          continue
        }
        const source = new Script(text.length)
        stream(ex, source)
        memory.fill('?').write(text)
        source.sink?.data(memory.subarray(0, text.length))
        source.sink?.end()
      }
      for (const [i, client] of clients.entries()) {
        await client.until(() => client.text.endsWith('.'))
        const [, body] = client.text.split('\r\n\r\n')
        expect(body).toBe(`/${round}/${i}:${'x'.repeat(i * 33)}.`)
      }
    }
    expect(finished).toHaveLength(3 * clients.length)
    expect(finished.every(({ aborted }) => !aborted)).toBe(true)
    expect(listener.activeCount).toBe(0)
  })

  it.each(['a stream', 'itself'])(
    'a whole answer (%s) that is cut in the turn in which it came is told as cut',
    async (from) => {
      let waiting: Exchange | null = null
      const { listener, finished } = serve((ex) => {
        if (ex.request.path === '/other') answer(ex, 200, 'fine')
        else waiting = ex
      })
      const client = new Client(listener.port)
      client.write(get('/'))
      await client.until(() => waiting !== null, 'the request')
      const ex = waiting as unknown as Exchange
      const source = new Script(4)
      if (from === 'a stream') {
        stream(ex, source)
        source.sink?.data(Buffer.from('text'))
        source.sink?.end()
      } else answer(ex, 200, 'text')
      ex.responder?.cut(ex)
      await client.until(() => client.ended, 'the end')
      expect(client.text).toBe('')
      expect(source.log).toEqual([])
      expect(finished.map((each) => each.aborted)).toEqual([true])
      expect(listener.activeCount).toBe(0)
      const other = new Client(listener.port)
      expect(await other.ask(get('/other'), 'fine')).toContain('200 OK')
    },
  )

  it('pauses the source for a client that does not read, and loses nothing', async () => {
    const source = new Script(40 * 1024 * 1024)
    const { listener } = serve((ex) => stream(ex, source))
    const client = new Client(listener.port)
    client.pause()
    client.write(get('/'))
    await client.until(() => source.sink !== null)
    const chunk = Buffer.alloc(64 * 1024, 'x')
    let sent = 0
    const pump = (): void => {
      while (
        sent < source.length &&
        source.log.filter((each) => each === 'pause').length ===
          source.log.filter((each) => each === 'resume').length
      ) {
        sent += chunk.byteLength
        source.sink?.data(chunk)
      }
    }
    source.resume = () => {
      source.log.push('resume')
      setImmediate(pump)
    }
    pump()
    expect(source.log).toContain('pause')
    expect(sent).toBeLessThan(source.length)
    client.resume()
    await client.until(() => client.text.length > source.length, 'the whole body')
    expect(client.text.length - client.text.indexOf('\r\n\r\n') - 4).toBe(source.length)
  })

  it('a source that breaks off cuts the connection, so that the client can tell', async () => {
    const source = new Script(100)
    const { listener, finished } = serve((ex) => stream(ex, source))
    const client = new Client(listener.port)
    client.write(get('/'))
    await client.until(() => source.sink !== null)
    source.sink?.data(Buffer.from('half'))
    await client.until(() => client.text.includes('half'))
    source.sink?.fail('planted')
    await client.until(() => client.ended, 'the end')
    expect(finished).toEqual([{ status: 200, aborted: true }])
  })

  it('a source that fails before its first byte becomes a 502', async () => {
    const source = new Script(100)
    const { listener } = serve((ex) => stream(ex, source))
    const client = new Client(listener.port)
    client.write(get('/'))
    await client.until(() => source.sink !== null)
    source.sink?.fail('planted')
    await client.until(() => client.text.includes('\r\n\r\n'))
    expect(client.text).toMatch(/^HTTP\/1\.1 502 /)
  })

  it('cancels the source when the client goes away', async () => {
    const source = new Script(-1)
    const { listener, finished } = serve((ex) => stream(ex, source))
    const client = new Client(listener.port)
    client.write(get('/'))
    await client.until(() => source.sink !== null)
    source.sink?.data(Buffer.from('abc'))
    await client.until(() => client.text.includes('abc'))
    client.destroy()
    const waiter = new Client(listener.port)
    await waiter.until(() => source.log.includes('cancel'), 'the cancel')
    expect(finished).toEqual([{ status: 200, aborted: true }])
  })

  it('a throw in a callback of uWebSockets.js costs that connection alone', async () => {
    const source = new Script(40 * 1024 * 1024)
    source.throwOn = 'resume'
    const { listener, log } = serve((ex) => {
      if (ex.request.path === '/stream') stream(ex, source)
      else answer(ex, 200, 'fine')
    })
    const client = new Client(listener.port)
    client.pause()
    client.write(get('/stream'))
    await client.until(() => source.sink !== null)
    const chunk = Buffer.alloc(64 * 1024, 'x')
    while (!source.log.includes('pause')) source.sink?.data(chunk)
    client.resume()
    await client.until(() => client.ended, 'the cut')
    expect(JSON.stringify(log.records)).toContain('planted')
    expect(await new Client(listener.port).ask(get('/'), 'fine')).toContain('200 OK')
  })

  class Sink implements BodySink {
    bytes = 0
    ended = false
    failed = false
    readonly #source: BodySource
    throwOnData = false

    constructor(source: BodySource) {
      this.#source = source
    }

    data(chunk: Uint8Array): void {
      if (this.throwOnData) throw new Error('planted')
      this.bytes += chunk.byteLength
    }

    end(): void {
      this.ended = true
    }

    fail(): void {
      this.failed = true
    }

    pause(): void {
      this.#source.pause()
    }
  }

  it.each<[name: string, head: string, body: string]>([
    ['sized', 'Content-Length: 5', 'hello'],
    ['chunked', 'Transfer-Encoding: chunked', '3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'],
  ])('streams a %s request body, also when it is opened late', async (_name, head, body) => {
    const sinks: Sink[] = []
    const { listener } = serve((ex) => {
      const source = ex.request.body?.take() as BodySource
      const sink = new Sink(source)
      sinks.push(sink)
      const begin = (): void => {
        source.open(sink)
        setTimeout(() => answer(ex, 200, `got ${sink.bytes}`), 20)
      }
      if (ex.request.path === '/late') setTimeout(begin, 20)
      else begin()
    })
    const client = new Client(listener.port)
    for (const path of ['/now', '/late', '/now']) {
      const request = `POST ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}`
      expect(await client.ask(request, 'got 5')).toContain('200 OK')
    }
    expect(sinks.map((sink) => sink.ended)).toEqual([true, true, true])
  })

  it('an early answer to an upload does not keep the rest in memory, and ends the connection', async () => {
    const { listener } = serve((ex) => answer(ex, 403, 'no'))
    const client = new Client(listener.port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
    await client.until(() => client.text.includes('\r\n\r\nno'))
    expect(client.text.toLowerCase()).toContain('connection: close')
  })

  it('an early answer to a small upload leaves the connection usable', async () => {
    const { listener } = serve((ex) => answer(ex, 403, 'no'))
    const client = new Client(listener.port)
    await client.ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n', '\r\n\r\nno')
    expect(await client.ask(`hello${get('/')}`, '\r\n\r\nno')).toContain('403 Forbidden')
  })

  it('refuses connections when the gate does', async () => {
    let held = 0
    const gate: ConnectionGate = {
      opened: () => {
        if (held >= 2) return false
        held += 1
        return true
      },
      closed: () => {
        held -= 1
      },
    }
    const { listener } = serve((ex) => answer(ex, 200, 'fine'), gate)
    const first = new Client(listener.port)
    const second = new Client(listener.port)
    await first.ask(get('/'), 'fine')
    await second.ask(get('/'), 'fine')
    const third = new Client(listener.port)
    third.write(get('/'))
    await third.until(() => third.ended, 'the refusal')
    expect(third.text).toBe('')
    await second.ask(get('/'), 'fine')
    expect(held).toBe(2)
    first.destroy()
    const waiter = new Client(listener.port)
    waiter.write(get('/'))
    await second.until(() => held < 2 || waiter.text.includes('fine'), 'a free place')
  })

  it('keepAlive: false and a draining listener end every connection', async () => {
    const { listener } = serve((ex) => answer(ex, 200, 'fine'), freeGate, false)
    const client = new Client(listener.port)
    client.write(get('/'))
    await client.until(() => client.ended, 'the end')
    expect(client.text.toLowerCase()).toContain('connection: close')
    const draining = serve((ex) => answer(ex, 200, 'fine'))
    const kept = new Client(draining.listener.port)
    await kept.ask(get('/'), 'fine')
    draining.listener.drain()
    kept.write(get('/'))
    await kept.until(() => kept.ended, 'the end')
  })

  it('a listener without a server answers 503 and closes', async () => {
    const { listener } = serve((ex) => answer(ex, 200, 'fine'))
    listener.setHandler(null)
    const client = new Client(listener.port)
    client.write(get('/'))
    await client.until(() => client.ended, 'the end')
    expect(client.text).toMatch(/^HTTP\/1\.1 503 /)
  })

  it('knows the scheme', async () => {
    const { listener } = serve((ex) => answer(ex, 200, ex.scheme))
    const scheme = transport.isTls ? 'https' : 'http'
    const client = new Client(listener.port)
    for (let i = 0; i < 2; i++) {
      expect(await client.ask(get('/'), `\r\n\r\n${scheme}`)).toContain('200 OK')
    }
    const told = await client.ask(get('/', 'X-Forwarded-Proto: gopher\r\n'), 'gopher')
    expect(told).toContain('200 OK')
  })

  it('counts its connections', async () => {
    const { listener } = serve((ex) => answer(ex, 200, 'fine'))
    const clients = [new Client(listener.port), new Client(listener.port)]
    for (const client of clients) await client.ask(get('/'), 'fine')
    expect(listener.connectionCount).toBe(2)
    clients[0]?.destroy()
    await clients[1]?.until(() => listener.connectionCount === 1, 'one connection')
  })
}
