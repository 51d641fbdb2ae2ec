import { expect, it } from 'vitest'
import { toJsonSchema } from './json-schema.js'
import * as s from './schema.js'

const schema = s.object({
  port: s.integer({ doc: 'Where to listen.', min: 1, max: 65_535 }),
  timeout: s.duration({ doc: 'How long to wait.', default: '500ms' }),
  host: s.regexp({ doc: 'Which hosts.', optional: true }),
  bytesMax: s.byteSize({ doc: 'At most.', default: '64KiB', max: 1_048_576 }),
  methods: s.list(s.httpMethod({ doc: '' }), { doc: 'Which.', default: [], unique: true }),
  headers: s.map(s.string({ doc: '' }), {
    doc: 'Which.',
    default: {},
    key: s.urlName({ doc: '' }),
  }),
  policy: s.oneOf(['a', 'b'], { doc: 'Which.' }),
  filters: s.list(
    s.taggedUnion('kind', {
      Mock: s.object({ code: s.httpCode({ doc: 'Status.' }) }),
      Empty: s.object({}),
    }),
    { doc: 'In order.', min: 1 },
  ),
})

const NAME = { type: 'string', pattern: '^[\\p{L}0-9\\-_.~]{1,253}$' }

it('describes what users write, not what it decodes to', () => {
  expect(toJsonSchema(schema, { title: 'Demo', description: 'All of it.', kind: 'Demo' })).toEqual({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Demo',
    description: 'All of it.',
    type: 'object',
    additionalProperties: false,
    required: ['name', 'kind', 'port', 'policy', 'filters'],
    properties: {
      name: NAME,
      kind: { const: 'Demo' },
      port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'Where to listen.' },
      timeout: {
        type: ['string', 'integer'],
        minimum: 0,
        maximum: 0,
        pattern: expect.stringContaining('ms|s|m|h'),
        default: '500ms',
        description: 'How long to wait.',
      },
      host: { type: 'string', description: 'Which hosts.' },
      bytesMax: {
        type: ['integer', 'string'],
        minimum: 0,
        maximum: 1_048_576,
        default: '64KiB',
        description: 'At most.',
      },
      methods: {
        type: 'array',
        uniqueItems: true,
        items: {
          type: 'string',
          enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE'],
        },
        default: [],
        description: 'Which.',
      },
      headers: {
        type: 'object',
        propertyNames: NAME,
        additionalProperties: { type: 'string' },
        default: {},
        description: 'Which.',
      },
      policy: { type: 'string', enum: ['a', 'b'], description: 'Which.' },
      filters: {
        type: 'array',
        minItems: 1,
        description: 'In order.',
        items: {
          oneOf: [
            {
              type: 'object',
              additionalProperties: false,
              required: ['name', 'kind', 'code'],
              properties: {
                name: { ...NAME, description: 'Unique among its neighbours.' },
                kind: { type: 'string', const: 'Mock' },
                code: { type: 'integer', minimum: 100, maximum: 599, description: 'Status.' },
              },
            },
            {
              type: 'object',
              additionalProperties: false,
              required: ['name', 'kind'],
              properties: {
                name: { ...NAME, description: 'Unique among its neighbours.' },
                kind: { type: 'string', const: 'Empty' },
              },
            },
          ],
        },
      },
    },
  })
})

it('the pattern of durations says what the decoder says', () => {
  const { pattern } = toJsonSchema(s.duration({ doc: '' })) as { pattern: string }
  const texts = [
    '0',
    '1s',
    '1.5h30m',
    '.5us',
    '1.µs',
    '+1ns',
    '',
    '5',
    '1d',
    's',
    '.s',
    '1 s',
    '00',
  ]
  expect(texts.filter((text) => new RegExp(pattern, 'u').test(text))).toEqual(texts.slice(0, 6))
})
