import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HttpRequest } from '../http/message.js'
import { ACCEPTED, copyHead, framing } from './request-head.js'
import type { UwsRequest } from './uws.js'

interface Head {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  /** name, value, … */
  readonly fields?: readonly string[]
}

/** As uWebSockets.js hands it over: texts that no other request has. */
function uwsRequest(head: Head): UwsRequest {
  const { method = 'GET', path = '/', query = '', fields = ['host', 'a.test'] } = head
  const fresh = (text: string): string => Buffer.from(text, 'utf8').toString('utf8')
  return {
    getUrl: () => fresh(path),
    getQuery: () => fresh(query),
    getCaseSensitiveMethod: () => fresh(method),
    getHeader: (name) => {
      const at = fields.findIndex((text, i) => i % 2 === 0 && text === name)
      return Buffer.from(fields[at + 1] ?? '', 'utf8').toString('latin1')
    },
    forEach: (callback) => {
      for (let i = 0; i < fields.length; i += 2) {
        callback(fresh(fields[i] as string), fresh(fields[i + 1] as string))
      }
    },
  }
}

function copied(head: Head): unknown {
  const request = new HttpRequest()
  const verdict = copyHead(uwsRequest(head), request)
  if (verdict !== ACCEPTED) return verdict
  const { method, rawPath, query, host, headBytes } = request
  const { bodyLength } = framing
  return { method, rawPath, query, host, headBytes, bodyLength, flat: request.headers.flat }
}

const HOST = ['host', 'a.test']

it.each<[name: string, head: Head, want: unknown]>([
  [
    'all of it',
    { method: 'Get', path: '/a%20b', query: 'c=d', fields: [...HOST, 'x-a', '1', 'x-a', '2'] },
    {
      method: 'Get',
      rawPath: '/a%20b',
      query: 'c=d',
      host: 'a.test',
      headBytes: 54,
      bodyLength: 0,
      flat: [...HOST, 'x-a', '1', 'x-a', '2'],
    },
  ],
  ['a path that is none', { path: 'a' }, 400],
  ['a path beyond ASCII', { path: '/\u00e4' }, 400],
  ['a query with a space', { query: 'a b' }, 400],
  ['a method that is no token', { method: 'G(T' }, 400],
  ['no host', { fields: [] }, 400],
  ['two hosts', { fields: [...HOST, ...HOST] }, 400],
  ['a host that is none', { fields: ['host', 'a/b'] }, 400],
  ['a control character', { fields: [...HOST, 'x-a', 'a\u0001'] }, 400],
  ['two lengths', { fields: [...HOST, 'content-length', '1', 'content-length', '1'] }, 400],
  ['a head beyond the bound', { fields: [...HOST, 'x-a', 'a'.repeat(40_000)] }, 431],
])('copies %s', (_name, head, want) => {
  // Twice: what was refused is refused again, what was right is right again.
  for (let again = 0; again < 2; again++) expect(copied(head)).toEqual(want)
})

it('a value beyond ASCII is what its bytes are', () => {
  const fields = [...HOST, 'x-a', '\u010d\u010a']
  for (let again = 0; again < 2; again++) {
    expect(copied({ fields })).toMatchObject({ flat: [...HOST, 'x-a', '\xc4\x8d\xc4\x8a'] })
  }
})

it('owes nothing to the requests before', () => {
  const part = fc.constantFrom(
    ...['x-a: 1', 'x-a: 2', 'x-b: 1', 'expect: 100-continue', 'x-bad: \u0001', 'x-odd: \u010a'],
    ...['host: a.test', 'host: b.test', 'content-length: 5', 'transfer-encoding: chunked'],
  )
  const head = fc.record({
    method: fc.constantFrom('GET', 'POST', 'B AD'),
    path: fc.constantFrom('/', '/a', 'a', '/\u0001'),
    query: fc.constantFrom('', 'q', 'q q'),
    lines: fc.array(part, { maxLength: 4 }),
  })
  // Has something else in every place, so that nothing that follows is known.
  const other: Head = {
    method: 'OTHER',
    path: '/other',
    fields: ['host', 'other', ...Array.from({ length: 16 }, (_, i) => String(i))],
  }
  fc.assert(
    fc.property(fc.array(head, { maxLength: 20 }), (heads) => {
      const seen = heads.map(({ lines, ...rest }) => {
        const fields = ['host', 'a.test', ...lines.flatMap((line) => line.split(': '))]
        return { ...rest, fields }
      })
      const inARow = seen.map(copied)
      const apart = seen.map((each) => {
        copied(other)
        return copied(each)
      })
      expect(inARow).toEqual(apart)
    }),
  )
})
