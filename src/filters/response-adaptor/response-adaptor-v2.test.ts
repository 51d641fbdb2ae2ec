import { gunzipSync, gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { type FakeClient, FakeResponseBody } from '../../http/fake-client.fixture.js'
import type { HttpResponse } from '../../http/message.js'
import { namespaceIndex } from '../../http/namespaces.js'
import { until } from '../../upstream/scripted-server.fixture.js'
import { problemsOf, withPipeline } from '../harness.fixture.js'

/** Adapts the answer of namespace a, which a test makes; then shows it. */
const adaptor = (fields: string): string => `
flow:
- filter: it
  namespace: a
  jumpIf: {responseNotFound: r1, compressFailed: r2, decompressFailed: r3, buildErr: r4}
- {filter: show}
- {filter: END}
- {filter: r1, jumpIf: {mocked: END}}
- {filter: r2, jumpIf: {mocked: END}}
- {filter: r3, jumpIf: {mocked: END}}
- {filter: r4}
filters:
- name: it
  kind: ResponseAdaptor
${fields.replace(/^/gm, '  ')}
- {name: show, kind: ResponseBuilder, sourceNamespace: a}
- {name: r1, kind: Mock, rules: [{code: 291}]}
- {name: r2, kind: Mock, rules: [{code: 292}]}
- {name: r3, kind: Mock, rules: [{code: 293}]}
- {name: r4, kind: Mock, rules: [{code: 294}]}
`

async function adapted(
  fields: string,
  prepare: (response: HttpResponse) => void,
  check: (client: FakeClient) => void,
): Promise<void> {
  await withPipeline(
    adaptor(fields),
    async (harness) => {
      const client = harness.start({ path: '/p' }, ({ ex }) => {
        ex.useNamespace(namespaceIndex('a'))
        prepare(ex.response)
        ex.useNamespace(0)
      })
      await until('an end', () => client.ending !== 'open')
      check(client)
    },
    'v2',
  )
}

const bytesOf = (client: FakeClient): Buffer => Buffer.concat(client.chunks)

const answer =
  (body: string | Uint8Array | FakeResponseBody, headers: readonly string[] = []) =>
  (response: HttpResponse): void => {
    response.status = 203
    if (body instanceof FakeResponseBody) response.source = body
    else response.body = Buffer.from(body as string)
    for (let i = 0; i < headers.length; i += 2) {
      response.headers.add(headers[i] as string, headers[i + 1] as string)
    }
  }

it.each<[fields: string, headers: string[], body: string]>([
  ['header: {del: [X-A], set: {X-B: "2"}, add: {X-B: "3"}}', ['x-b', '2', 'x-b', '3'], 'old'],
  ['body: new', ['x-a', '1'], 'new'],
  ['template: "body: {{.responses.a.Body | upper}}"\nbody: no', ['x-a', '1'], 'OLD'],
  [
    'template: "header: {set: {X-S: {{.responses.a.StatusCode}}}}"\nheader: {del: [x-a]}',
    ['x-a', '1', 'x-s', '203'],
    'old',
  ],
  ['template: "header: {del: [X-A]}\\nbody: {{.req.URL.Path}}"', [], '/p'],
  ['{}', ['x-a', '1'], 'old'],
])('%s', (fields, headers, body) =>
  adapted(fields === '{}' ? '' : fields, answer('old', ['x-a', '1']), (client) => {
    expect([client.status, client.headers, client.text]).toEqual([203, headers, body])
  }),
)

it.each<[name: string, body: () => string | FakeResponseBody, want: string]>([
  ['a short body', () => 'abc', 'abc'],
  ['a long body', () => 'x'.repeat(1_000_000), 'x'.repeat(1_000_000)],
  ['a stream', () => new FakeResponseBody('y'.repeat(300_000)), 'y'.repeat(300_000)],
])('compresses %s', (_name, body, want) =>
  adapted('compress: gzip', answer(body(), ['content-length', '99']), (client) => {
    expect(client.header('content-encoding')).toBe('gzip')
    expect(client.header('content-length')).toBeNull()
    expect(gunzipSync(bytesOf(client)).toString()).toBe(want)
  }),
)

it('a stream that breaks off breaks off compressed', () => {
  const source = new FakeResponseBody(null)
  const direct = `
filters:
- {name: make, kind: Mock, rules: [{code: 200, body: x}]}
`
  return withPipeline(
    `flow: [{filter: make, jumpIf: {mocked: it}}, {filter: it}]${direct}- {name: it, kind: ResponseAdaptor, compress: gzip}`,
    async (harness) => {
      const client = harness.start({}, ({ ex }) => {
        // The answer of the first filter gets a stream in its place.
        const { response } = ex
        Object.defineProperty(response, 'body', {
          configurable: true,
          get: () => null,
          set: () => {
            Reflect.deleteProperty(response, 'body')
            response.source = source
          },
        })
      })
      source.push('some')
      source.fail('reset')
      await until('an end', () => client.ending !== 'open')
      expect([client.ending, client.reason]).toEqual(['broken', 'reset'])
    },
    'v2',
  )
})

it('compresses neither what is coded nor nothing', async () => {
  await adapted('compress: gzip', answer('abc', ['content-encoding', 'br']), (client) => {
    expect([client.text, client.header('content-encoding')]).toEqual(['abc', 'br'])
  })
  await adapted(
    'compress: gzip',
    (response) => {
      response.status = 204
    },
    (client) => {
      expect([client.status, client.headers]).toEqual([204, []])
    },
  )
})

it.each<[name: string, body: () => Uint8Array | FakeResponseBody]>([
  ['whole', () => gzipSync('z'.repeat(100_000))],
])('decompresses: %s', (_name, body) =>
  adapted(
    'decompress: gzip',
    answer(body(), ['content-encoding', 'gzip', 'content-length', '9']),
    (client) => {
      expect(client.text).toBe('z'.repeat(100_000))
      expect(client.headers).toEqual([])
    },
  ),
)

it.each<[name: string, bytes: Uint8Array | FakeResponseBody]>([
  ['no gzip', Buffer.from('plain')],
  ['cut off', gzipSync('text').subarray(0, 12)],
  ['a bomb', gzipSync(Buffer.alloc(20 * 1024 * 1024))],
  ['too long', new FakeResponseBody(null, 5_000_000)],
])('decompressFailed: %s', (_name, bytes) =>
  adapted('decompress: gzip', answer(bytes, ['content-encoding', 'gzip']), (client) => {
    expect(client.status).toBe(293)
  }),
)

it('responseNotFound', () =>
  adapted(
    'body: a',
    () => {},
    (client) => void expect(client.status).toBe(291),
  ))

it.each([['body: [a]'], ['header: a'], ['header: {add: {a: "b\\nc"}}'], ['{{.resp.X}}'], ['- x']])(
  'buildErr: %s',
  (template) =>
    adapted(`template: ${JSON.stringify(template)}`, answer('a'), (client) => {
      expect(client.status).toBe(294)
    }),
)

it.each<[fields: string, problem: string]>([
  ['compress: deflate', 'compress: expected one of gzip'],
  ['decompress: gzip\nbody: a', 'decompress: excludes body'],
  ['decompress: gzip\ncompress: gzip', 'decompress: excludes compress'],
  ['template: "{{$x}}"', 'undefined variable "$x"'],
])('a spec is refused: %s', (fields, problem) => {
  expect(problemsOf('ResponseAdaptor', fields, 'v2')).toContain(problem)
})
