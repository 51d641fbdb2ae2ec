import { expect, it } from 'vitest'
import { DONE, type Exchange, OK, SUSPENDED, WAITING } from '../http/exchange.js'
import { FakeBody, FakeClient, FakeResponseBody } from '../http/fake-client.fixture.js'
import { flowOf, node, Step, Wrap } from './flow.fixture.js'
import { CAPTURED_BODY_BYTES, VariableTable } from './variables.js'

/** Answers with the request body, which has to be there. */
const echo = (ex: Exchange): number => {
  ex.response.body = ex.request.body?.whole ?? Buffer.from('none')
  return OK
}

const echoing = (trace: string[], bytes: number, more = {}): ReturnType<typeof node> =>
  node(new Step('echo', trace, echo), { requestBodyBytes: bytes, ...more })

it('a filter that needs the request body whole waits for it, those before it do not', () => {
  const trace: string[] = []
  const body = new FakeBody()
  const client = flowOf([node(new Step('a', trace)), echoing(trace, 100)]).start({ body })
  expect(trace).toEqual(['a'])
  body.push('one ')
  body.push('two')
  expect(trace).toEqual(['a'])
  expect(client.ex.state).toBe(WAITING)
  body.end()
  expect(client.text).toBe('one two')
  expect(client.sends).toBe(1)
})

it.each<[name: string, body: FakeBody | string | undefined, want: string]>([
  ['none', undefined, 'none'],
  ['whole already', 'all here', 'all here'],
  ['empty', '', ''],
])('a body that need not be waited for: %s', (_name, body, want) => {
  const client = flowOf([echoing([], 100)]).start(body === undefined ? {} : { body })
  expect(client.text).toBe(want)
})

it('a body that is there as soon as it is opened is not waited for', () => {
  const body = new FakeBody(3)
  const { open } = body
  body.open = (sink) => {
    open.call(body, sink)
    body.push('abc')
    body.end()
  }
  const client = flowOf([echoing([], 3), echoing([], 3)]).start({ body })
  expect([client.text, client.sends]).toEqual(['abc', 1])
})

it('a body is collected once; the next filter finds it', () => {
  const trace: string[] = []
  const body = new FakeBody()
  const client = flowOf([echoing(trace, 100), echoing(trace, 18)]).start({ body })
  body.push('more than one byte')
  body.end()
  expect(trace).toEqual(['echo', 'echo'])
  expect(client.text).toBe('more than one byte')
})

it.each([1, 17])('what was held for another filter has the bound of each: %d', (bytes) => {
  const trace: string[] = []
  const body = new FakeBody()
  const flow = flowOf([node(new Wrap('w', trace)), echoing(trace, 100), echoing(trace, bytes)])
  const client = flow.start({ body })
  body.push('more than one byte')
  body.end()
  expect(trace).toEqual(['w enter', 'echo', 'w cancelled'])
  expect([client.status, client.text, client.sends]).toEqual([413, 'request body too large\n', 1])
  expect([flow.pipeline.pinCount, flow.pipeline.failures]).toEqual([0, 0])
})

it('so has an answer that a filter made', () => {
  const trace: string[] = []
  const make = (bytes: number): FakeClient =>
    flowOf([
      node(new Wrap('w', trace)),
      echoing(trace, 100),
      node(new Step('b', trace), { responseBodyBytes: bytes }),
    ]).start({ body: 'abcd' })
  expect([make(4).status, make(4).text]).toEqual([200, 'abcd'])
  trace.length = 0
  const client = make(3)
  expect([client.status, client.text]).toEqual([502, 'response body too large to be held\n'])
  expect([client.sends, ...trace]).toEqual([1, 'w enter', 'echo', 'w cancelled'])
})

it.each<[name: string, length: number, sent: string[], want: number]>([
  ['as announced, at the bound', 4, ['abcd'], 200],
  ['announced as larger: refused at once', 5, [], 413],
  ['of unknown length, at the bound', -1, ['ab', 'cd'], 200],
  ['of unknown length, over the bound', -1, ['abc', 'de'], 413],
])('bound of a request body: %s', (_name, length, sent, want) => {
  const trace: string[] = []
  const body = new FakeBody(length)
  const flow = flowOf([node(new Wrap('w', trace)), echoing(trace, 4), node(new Step('b', trace))])
  const client = flow.start({ body })
  for (const chunk of sent) body.push(chunk)
  body.end()
  expect([client.status, client.sends]).toEqual([want, 1])
  if (want === 200) return
  expect(client.text).toBe('request body too large\n')
  expect(client.header('content-type')).toBe('text/plain; charset=utf-8')
  expect(body.isCancelled).toBe(true)
  expect(trace).toEqual(['w enter', 'w cancelled'])
  expect([flow.pipeline.pinCount, flow.pipeline.failures]).toEqual([0, 0])
})

it('a 413 that is out in the very call leaves an exchange fit for reuse', () => {
  const body = new FakeBody(5)
  const flow = flowOf([echoing([], 4)])
  const client = new FakeClient({ body })
  const { send } = client
  client.send = (ex) => {
    send.call(client, ex)
    ex.reset()
  }
  flow.pipeline.start(client.ex)
  expect(client.status).toBe(413)
  expect([client.ex.state, client.ex.waiting]).toEqual([0, null])
})

it('a client that goes while its body is collected ends all of it', () => {
  const trace: string[] = []
  const body = new FakeBody()
  const flow = flowOf([node(new Wrap('w', trace)), echoing(trace, 100)])
  const client = flow.start({ body })
  body.push('half')
  client.abort()
  body.push('late')
  body.end()
  expect(trace).toEqual(['w enter', 'w cancelled'])
  expect([client.sends, client.ending, flow.pipeline.pinCount]).toEqual([0, 'gone', 0])
})

it('only exchanges that need their body whole have it collected', () => {
  const trace: string[] = []
  const needsRequestBody = (ex: Exchange): boolean => ex.request.method === 'POST'
  const flow = flowOf([echoing(trace, 4, { needsRequestBody })])
  const streaming = flow.start({ method: 'PUT', body: new FakeBody(1_000_000) })
  expect([streaming.status, streaming.text]).toEqual([200, 'none'])
  expect(flow.start({ method: 'POST', body: new FakeBody(1_000_000) }).status).toBe(413)
})

it('a body that went on its way before is not waited for', () => {
  const body = new FakeBody()
  const taking = new Step('a', [], (ex) => {
    ex.request.body?.take()
    return OK
  })
  expect(flowOf([node(taking), echoing([], 4)]).start({ body }).text).toBe('none')
})

// -- response ------------------------------------------------------------------------------------

/** A filter that answers with `source`, as Proxy does. */
const answering = (source: FakeResponseBody, trace: string[] = []): ReturnType<typeof node> =>
  node(
    new Step('proxy', trace, (ex) => {
      ex.response.source = source
      return OK
    }),
  )

/** Turns the response body, which has to be there, into upper case. */
const shouting = (bytes: number, trace: string[] = []): ReturnType<typeof node> =>
  node(
    new Step('shout', trace, (ex) => {
      const text = Buffer.from(ex.response.body ?? []).toString()
      ex.response.body = Buffer.from(text.toUpperCase())
      return OK
    }),
    { responseBodyBytes: bytes },
  )

it('without a filter that needs it a response body streams', () => {
  const source = new FakeResponseBody(null)
  const client = flowOf([answering(source), node(new Step('b', []))]).start()
  source.push('one')
  expect([client.text, client.ending]).toEqual(['one', 'open'])
  source.end()
  expect(client.ending).toBe('complete')
})

it.each<[name: string, atOnce: boolean]>([
  ['at once', true],
  ['later', false],
])('a filter that needs the response body whole gets it: %s', (_name, atOnce) => {
  const source = new FakeResponseBody(atOnce ? 'quiet' : null)
  const client = flowOf([answering(source), shouting(100), shouting(100)]).start()
  if (!atOnce) {
    source.push('qui')
    source.push('et')
    expect(client.sends).toBe(0)
    source.end()
  }
  expect([client.text, client.sends]).toEqual(['QUIET', 1])
})

it.each<[name: string, source: FakeResponseBody, reason: string]>([
  ['announced', new FakeResponseBody(null, 11), 'response body too large to be held\n'],
  ['counted', new FakeResponseBody('12345678901', -1), 'response body too large to be held\n'],
])('a response body over the bound is a 502: %s', (_name, source, reason) => {
  const flow = flowOf([answering(source), shouting(10)])
  const client = flow.start()
  expect([client.status, client.text, client.sends]).toEqual([502, reason, 1])
  expect(source.cancels).toBe(1)
  expect(flow.pipeline.pinCount).toBe(0)
})

it('a response body that breaks off while it is collected is a 502', () => {
  const source = new FakeResponseBody(null)
  const client = flowOf([answering(source), shouting(10)]).start()
  source.push('half')
  source.fail('reset')
  expect([client.status, client.text]).toEqual([502, 'response body cut short: reset\n'])
})

it('a client that goes while the response body is collected stops it', () => {
  const trace: string[] = []
  const source = new FakeResponseBody(null)
  const client = flowOf([answering(source), shouting(10, trace)]).start()
  client.abort()
  source.push('late')
  source.end()
  expect([source.cancels, trace, client.sends]).toEqual([1, [], 0])
})

it('request and response body are collected one after the other', () => {
  const trace: string[] = []
  const [body, source] = [new FakeBody(), new FakeResponseBody(null)]
  const both = new Step('both', trace, (ex) => {
    ex.response.body = Buffer.concat([
      ex.request.body?.whole ?? Buffer.from('?'),
      ex.response.body ?? Buffer.from('?'),
    ])
    return OK
  })
  const client = flowOf([
    answering(source),
    node(both, { requestBodyBytes: 10, responseBodyBytes: 10 }),
  ]).start({ body })
  body.push('in')
  body.end()
  expect(trace).toEqual([])
  source.push('out')
  source.end()
  expect([client.text, trace]).toEqual(['inout', ['both']])
})

// -- captures ------------------------------------------------------------------------------------

it('values before and after a filter are stored, and read by later ones', () => {
  const variables = new VariableTable()
  const text = variables.compile(
    '[[filter.a.req.path]] [[filter.a.rsp.statuscode]] [[filter.a.rsp.body]]',
  )
  const seen: string[] = []
  const a = new Step('a', [], (ex) => {
    ex.request.path = '/changed'
    ex.respond(201, Buffer.from('made'))
    return OK
  })
  const b = new Step('b', [], (ex) => {
    seen.push(text.render(ex))
    return OK
  })
  const at = { before: variables.captures('a', 'req'), after: variables.captures('a', 'rsp') }
  const flow = flowOf([node(a, at), node(b)])
  flow.start({ path: '/first' })
  flow.start({ path: '/second' })
  expect(seen).toEqual(['/first 201 made', '/second 201 made'])
})

it('values after a filter that waits are stored when it resumes', () => {
  const variables = new VariableTable()
  const text = variables.compile('[[filter.a.rsp.statuscode]]')
  let ticket = 0
  let seen = ''
  const a = new Step('a', [], (ex) => {
    ticket = ex.suspend()
    return SUSPENDED
  })
  const b = new Step('b', [], (ex) => {
    seen = text.render(ex)
    return OK
  })
  const { ex } = flowOf([node(a, { after: variables.captures('a', 'rsp') }), node(b)]).start()
  ex.response.status = 404
  ex.resume(ticket, OK)
  expect(seen).toBe('404')
})

it.each<[name: string, atOnce: boolean]>([
  ['at once', true],
  ['later', false],
])('a response body that a variable reads is collected: %s', (_name, atOnce) => {
  const variables = new VariableTable()
  const text = variables.compile('[[filter.proxy.rsp.body.id]]')
  const after = variables.captures('proxy', 'rsp')
  const source = new FakeResponseBody(atOnce ? '{"id":7}' : null)
  let seen = ''
  const b = new Step('b', [], (ex) => {
    seen = text.render(ex)
    return OK
  })
  const client = flowOf([{ ...answering(source), after }, node(b)]).start()
  if (!atOnce) {
    expect(seen).toBe('')
    source.push('{"id":7}')
    source.end()
  }
  expect([seen, client.text, client.ex.state]).toEqual(['7', '{"id":7}', DONE])
})

it('a response body that a variable reads is bounded', () => {
  const variables = new VariableTable()
  variables.compile('[[filter.proxy.rsp.body]]')
  const source = new FakeResponseBody(null, CAPTURED_BODY_BYTES + 1)
  const after = variables.captures('proxy', 'rsp')
  expect(flowOf([{ ...answering(source), after }]).start().status).toBe(502)
})

it.each<[name: string, leave: number, atOnce: boolean]>([
  ['with a result of its own, body at once', 1, true],
  ['with a result of its own, body later', 1, false],
])('values after a wrapping filter are stored as it ends: %s', (_name, leave, atOnce) => {
  const variables = new VariableTable()
  const text = variables.compile('[[filter.w.rsp.statuscode]] [[filter.w.rsp.body]]')
  const after = variables.captures('w', 'rsp')
  const source = new FakeResponseBody(atOnce ? 'late' : null)
  const wrap = new Wrap('w', [], {
    leave: (ex) => {
      ex.response.status = 504
      return leave
    },
  })
  let seen = ''
  const last = new Step('c', [], (ex) => {
    seen = text.render(ex)
    return OK
  })
  const stopping = new Step('a', [], (ex) => {
    ex.response.source = source
    return 1
  })
  const { ex } = flowOf([node(wrap, { after, to: [2] }), node(stopping), node(last)]).start()
  if (!atOnce) {
    source.push('late')
    source.end()
  }
  expect([seen, ex.state, ex.scopes.length]).toEqual(['504 late', DONE, 0])
})

it('values after a wrapping filter that did not begin are stored', () => {
  const variables = new VariableTable()
  const text = variables.compile('[[filter.w.rsp.statuscode]]')
  const wrap = new Wrap('w', [], {
    enter: (ex) => {
      ex.respond(503)
      return 1
    },
  })
  let seen = ''
  const last = new Step('c', [], (ex) => {
    seen = text.render(ex)
    return OK
  })
  flowOf([node(wrap, { after: variables.captures('w', 'rsp'), to: [1] }), node(last)]).start()
  expect(seen).toBe('503')
})

it.each([100, 101, 103, 199])('an answer that only announces another is none: %d', (status) => {
  const source = new FakeResponseBody('text')
  const made = new Step('a', [], (ex) => {
    ex.response.status = status
    ex.response.source = source
    ex.response.headers.add('content-length', '4')
    return OK
  })
  const client = flowOf([node(made)]).start()
  expect([client.status, client.text, client.headers]).toEqual([500, '', []])
  expect(source.cancels).toBe(1)
})
