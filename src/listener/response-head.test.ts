import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HttpResponse } from '../http/message.js'
import { responseHead } from './response-head.js'

function responseOf(status: number, flat: readonly string[]): HttpResponse {
  const response = new HttpResponse()
  response.status = status
  response.headers.flat = [...flat]
  return response
}

const asText = (head: string | Uint8Array): string =>
  typeof head === 'string' ? head : Buffer.from(head).toString('latin1')

it.each<[name: string, flat: string[], close: boolean, keepLength: boolean, want: string]>([
  ['nothing', [], false, false, '200 OK'],
  ['fields in order', ['b', '1', 'a', '2'], false, false, '200 OK\r\nb: 1\r\na: 2'],
  ['what uWebSockets.js writes', ['date', 'x', 'content-length', '3'], false, false, '200 OK'],
  [
    'the length of an answer to HEAD',
    ['content-length', '3'],
    false,
    true,
    '200 OK\r\ncontent-length: 3',
  ],
  [
    'no field of a hop',
    ['connection', 'x', 'keep-alive', 'x', 'transfer-encoding', 'x'],
    false,
    false,
    '200 OK',
  ],
  ['the end of the connection', ['a', '1'], true, false, '200 OK\r\na: 1\r\nconnection: close'],
])('has %s', (_name, flat, close, keepLength, want) => {
  expect(responseHead(responseOf(200, flat), close, keepLength)).toBe(want)
})

it('is bytes as soon as one of them is beyond ASCII', () => {
  const head = responseHead(responseOf(200, ['a', '\xe9']), false, false)
  expect(head).toEqual(Buffer.from('200 OK\r\na: \xe9', 'latin1'))
})

it('names a status it does not know', () => {
  expect(responseHead(responseOf(799, []), false, false)).toBe('799 Status')
})

it('is made anew whenever anything differs from the head before', () => {
  const flats = [
    [],
    ['a', '1'],
    ['a', '2'],
    ['b', '1'],
    ['a', '1', 'b', '1'],
    ['b', '1', 'a', '1'],
    ['content-length', '3'],
    ['a', '\xe9'],
  ]
  const step = fc.record({
    status: fc.constantFrom(200, 404),
    flat: fc.constantFrom(...flats),
    close: fc.boolean(),
    keepLength: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      for (const { status, flat, close, keepLength } of steps) {
        const response = responseOf(status, flat)
        const head = asText(responseHead(response, close, keepLength))
        // What may be done to the fields afterwards must not show in a later head.
        response.headers.set('a', 'changed')
        const lines = [status === 200 ? '200 OK' : '404 Not Found']
        for (let i = 0; i < flat.length; i += 2) {
          if (flat[i] === 'content-length' && !keepLength) continue
          lines.push(`${flat[i]}: ${flat[i + 1]}`)
        }
        if (close) lines.push('connection: close')
        expect(head).toBe(lines.join('\r\n'))
      }
    }),
  )
})
