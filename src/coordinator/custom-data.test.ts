import { expect, it } from 'vitest'
import type { CustomDataOp, DataItem } from '../protocol/custom-data.js'
import type { CoordinatorToWorker, DataPart } from '../protocol/worker.js'
import { withUsers } from './data.fixture.js'

it('kinds come, change and go, with what is in them', async () => {
  const bench = await withUsers()
  const kind = { name: 'users', idField: 'id', jsonSchema: null }
  expect(await bench.do({ op: 'put-kind', mode: 'create', kind })).toBe(
    'OBJECT_EXISTS: custom data kind users existed',
  )
  await bench.put('create', { name: 'ann' })
  expect(await bench.do({ op: 'put-kind', mode: 'update', kind })).toBe('users')
  expect(await bench.do({ op: 'get-kind', name: 'users' })).toEqual(kind)
  expect(await bench.do({ op: 'list-kinds' })).toEqual([{ ...kind, len: 1 }])
  expect(await bench.do({ op: 'delete-kind', name: 'users' })).toBeNull()
  expect(await bench.do({ op: 'delete-kind', name: 'users' })).toContain('OBJECT_NOT_FOUND')
  expect(bench.store.dump('/custom-data/').size).toBe(0)
  expect(bench.store.dump('/custom-data-kinds/').size).toBe(0)
  const other = { ...kind, name: 'other' }
  expect(await bench.do({ op: 'put-kind', mode: 'update', kind: other })).toContain('not found')
})

it('items are created once, updated when they are there, and deleted', async () => {
  const bench = await withUsers()
  expect(await bench.put('update', { name: 'ann' })).toBe(
    'OBJECT_NOT_FOUND: item ann of users not found',
  )
  expect(await bench.put('create', { name: 'ann', age: 1 })).toBe('ann')
  expect(await bench.put('create', { name: 'ann' })).toBe(
    'OBJECT_EXISTS: item ann of users existed',
  )
  expect(await bench.put('update', { name: 'ann', age: 2 })).toBe('ann')
  expect(await bench.do({ op: 'get-item', kind: 'users', id: 'ann' })).toEqual({
    name: 'ann',
    age: 2,
  })
  expect(await bench.do({ op: 'list-items', kind: 'users' })).toEqual([{ name: 'ann', age: 2 }])
  expect(await bench.do({ op: 'delete-item', kind: 'users', id: 'ann' })).toBeNull()
  expect(await bench.do({ op: 'delete-item', kind: 'users', id: 'ann' })).toContain('not found')
  expect(await bench.do({ op: 'get-item', kind: 'users', id: 'ann' })).toContain('not found')
})

it.each<[string, CustomDataOp]>([
  ['an item of no kind', { op: 'put-item', mode: 'create', kind: 'none', item: { name: 'a' } }],
  ['items of no kind', { op: 'list-items', kind: 'none' }],
  [
    'a change of no kind',
    { op: 'change-items', kind: 'none', rebuild: false, deletes: [], puts: [] },
  ],
])('%s is not found', async (_name, what) => {
  const bench = await withUsers()
  expect(await bench.do(what)).toBe('OBJECT_NOT_FOUND: custom data kind none not found')
})

it.each<[string, DataItem]>([
  ['no id', { id: 'ann' }],
  ['an empty id', { name: '' }],
  ['a number for an id', { name: 7 }],
  ['an endless id', { name: 'x'.repeat(1_001) }],
])('an item with %s is refused', async (_name, item) => {
  const bench = await withUsers()
  expect(await bench.put('create', item)).toContain('SPEC_INVALID: name: expected the id')
  expect(bench.store.dump('/custom-data/').size).toBe(0)
})

it('many items change in one transaction, or none', async () => {
  const bench = await withUsers()
  const change = (puts: DataItem[], deletes: string[] = [], rebuild = false): Promise<unknown> =>
    bench.do({ op: 'change-items', kind: 'users', rebuild, deletes, puts })
  const keys = (): string[] => [...bench.store.dump('/custom-data/').keys()]
  expect(await change([{ name: 'a' }, { name: 'b' }, { name: 'c' }])).toBeNull()
  expect(await change([{ name: 'd' }, { name: 'a', n: 2 }], ['b', 'b', 'd', 'nobody'])).toBeNull()
  expect(keys()).toEqual(['a', 'c', 'd'].map((id) => `/custom-data/users/${id}`))
  expect(await change([{ name: 'e' }, { name: '' }], ['a'])).toContain('SPEC_INVALID')
  expect(keys()).toHaveLength(3)
  expect(await change([{ name: 'c' }, { name: 'z' }], [], true)).toBeNull()
  expect(keys()).toEqual(['/custom-data/users/c', '/custom-data/users/z'])
  const tooMany = Array.from({ length: 1_024 }, (_, i) => ({ name: `n${i}` }))
  expect(await change(tooMany)).toContain('expected at most 1023 in one request')
  expect(await bench.do({ op: 'delete-item', kind: 'users', id: null })).toBeNull()
  expect(keys()).toEqual([])
})

it('a read says how old it may be', async () => {
  let stale: number | null = null
  const bench = await withUsers(null, { staleSeconds: () => stale })
  const read = async (): Promise<unknown> => {
    const answers = bench.begin({ op: 'list-items', kind: 'users' })
    await bench.settled(answers)
    return answers[0]
  }
  expect(await read()).toEqual({ value: [], staleSeconds: null })
  stale = 7
  expect(await read()).toEqual({ value: [], staleSeconds: 7 })
})

it('an id too long for the store is refused, and nothing breaks', async () => {
  const bench = await withUsers()
  const id = 'x'.repeat(5_000)
  expect(await bench.do({ op: 'get-item', kind: 'users', id })).toContain('REQUEST_INVALID')
  expect(await bench.do({ op: 'delete-item', kind: 'users', id })).toContain('REQUEST_INVALID')
  expect(await bench.put('create', { name: 'ann' })).toBe('ann')
})

it('items are held against the schema of their kind', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 } },
    required: ['age'],
  }
  const bench = await withUsers(schema)
  expect(await bench.put('create', { name: 'ann', age: 3 })).toBe('ann')
  expect(await bench.put('update', { name: 'ann', age: -1 })).toContain('SPEC_INVALID: item 1/age')
  expect(await bench.put('update', { name: 'ann' })).toContain('item 1/age')
  const puts = [
    { name: 'bob', age: 1 },
    { name: 'eve', age: 'old' },
  ]
  const change: CustomDataOp = {
    op: 'change-items',
    kind: 'users',
    rebuild: false,
    deletes: [],
    puts,
  }
  expect(await bench.do(change)).toContain('item 2/age')
  const kind = { name: 'k', idField: 'name', jsonSchema: { type: 'nonsense' } }
  expect(await bench.do({ op: 'put-kind', mode: 'create', kind })).toContain(
    'SPEC_INVALID: jsonSchema: ',
  )
})

// -- to the workers -----------------------------------------------------------------------------------

class TestWorker {
  readonly parts: DataPart[] = []
  readonly ref = {
    name: 'worker',
    tell: (message: CoordinatorToWorker) => this.parts.push(message as DataPart),
    ask: () => Promise.reject(new Error('nothing is asked')),
  } as never

  take(): DataPart[] {
    return this.parts.splice(0)
  }
}

it('workers get what is there, then every change, of the prefixes they want', async () => {
  const bench = await withUsers()
  await bench.put('create', { name: 'ann' })
  const worker = new TestWorker()
  bench.feed.want(0, worker.ref, ['users/'])
  bench.settle()
  const base = { type: 'data', prefix: 'users/', isLast: true, deletes: [] }
  expect(worker.take()).toEqual([{ ...base, part: 'first', puts: [['ann', '{"name":"ann"}']] }])
  await bench.put('create', { name: 'bob' })
  await bench.do({ op: 'delete-item', kind: 'users', id: 'ann' })
  expect(worker.take()).toEqual([
    { ...base, part: 'change', puts: [['bob', '{"name":"bob"}']] },
    { ...base, part: 'change', puts: [], deletes: ['ann'] },
  ])
  // Said again, nothing is sent twice; another life of the worker gets all of it.
  bench.feed.want(0, worker.ref, ['users/'])
  expect(worker.take()).toEqual([])
  const again = new TestWorker()
  bench.feed.want(0, again.ref, ['users/'])
  expect(again.take()).toHaveLength(1)
  bench.feed.want(0, again.ref, [])
  await bench.put('create', { name: 'eve' })
  expect([...worker.take(), ...again.take()]).toEqual([])
})

it('much comes in parts, nothing as an empty one', async () => {
  const bench = await withUsers()
  const puts = Array.from({ length: 1_001 }, (_, i) => ({ name: `n${i}` }))
  for (let at = 0; at < puts.length; at += 500) {
    const part = puts.slice(at, at + 500)
    await bench.do({ op: 'change-items', kind: 'users', rebuild: false, deletes: [], puts: part })
  }
  const worker = new TestWorker()
  bench.feed.want(1, worker.ref, ['users/', 'empty/'])
  bench.settle()
  const shown = worker
    .take()
    .map(({ prefix, part, isLast, puts: all }) => [prefix, part, isLast, all.length])
  expect(shown).toEqual([
    ['users/', 'first', false, 500],
    ['users/', 'rest', false, 500],
    ['users/', 'rest', true, 1],
    ['empty/', 'first', true, 0],
  ])
  bench.feed.workerGone(1)
  bench.feed.stop()
})
