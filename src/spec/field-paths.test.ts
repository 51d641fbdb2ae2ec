import { expect, it } from 'vitest'
import { fieldPaths } from './field-paths.js'
import { integer, list, map, object, string, taggedUnion } from './schema.js'

const doc = { doc: '' }
const server = object({ url: string(doc), weight: integer({ ...doc, default: 0 }) })

it('names every field from the top, in lists and maps too', () => {
  const schema = object({
    port: integer(doc),
    tags: list(string(doc)),
    main: server,
    pools: list(object({ servers: list(server) })),
    byName: map(list(server)),
    filters: list(taggedUnion('kind', { Mock: object({ code: integer(doc) }) })),
  })
  expect(fieldPaths(schema)).toEqual([
    'port',
    'tags',
    'main',
    'main.url',
    'main.weight',
    'pools',
    'pools[].servers',
    'pools[].servers[].url',
    'pools[].servers[].weight',
    'byName',
    'byName.*[].url',
    'byName.*[].weight',
    'filters',
    'filters[].name',
    'filters[].kind',
  ])
})

it.each([
  [map(server), ['*.url', '*.weight']],
  [list(server), ['[].url', '[].weight']],
  [string(doc), []],
  [object({}), []],
])('has what there is at the top', (schema, want) => {
  expect(fieldPaths(schema)).toEqual(want)
})
