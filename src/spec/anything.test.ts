import { expect, it } from 'vitest'
import { anything } from './anything.js'
import { decode } from './decode.js'
import { toJsonSchema } from './json-schema.js'
import { object } from './schema.js'

const schema = object({ any: anything({ doc: 'Of no kind.', optional: true }) })

it.each([[1], ['text'], [true], [[1, { a: 'b' }]], [{ deep: { list: [] } }]])(
  'takes %j as it is',
  (any) => {
    expect(decode(schema, { any })).toEqual({ ok: true, value: { any }, warnings: [] })
  },
)

it('may be missing', () => {
  expect(decode(schema, {})).toEqual({ ok: true, value: {}, warnings: [] })
})

it('is any JSON in a JSON Schema', () => {
  expect(toJsonSchema(schema)).toMatchObject({
    properties: { any: { description: 'Of no kind.' } },
  })
})
