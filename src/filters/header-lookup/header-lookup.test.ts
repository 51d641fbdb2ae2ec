import { expect, it } from 'vitest'
import type { FakeRequest } from '../../http/fake-client.fixture.js'
import { type Harness, problemsOf, withPipeline } from '../harness.fixture.js'

const pipeline = (more = ''): string => `
filters:
- name: lookup
  kind: HeaderLookup
  headerKey: X-User
  etcdPrefix: /users/
  ${more}
  headerSetters:
  - {etcdKey: plan, headerKey: X-Plan}
  - {etcdKey: city, headerKey: X-City}
- {name: answer, kind: Mock, rules: [{code: 200}]}
`

const ITEMS = {
  ann: '{"plan": "gold", "city": "Köln"}',
  bob: '{"plan": 3, "city": {"name": "Rome"}}',
  eve: '{"plan": "a\\r\\nb: c", "city": true}',
  'ann-orders': '{"plan": "orders"}',
  broken: '{',
  list: '[]',
  jürgen: '{"plan": "ü"}',
}

function fill(harness: Harness): void {
  for (const [key, json] of Object.entries(ITEMS)) harness.setData('users/', key, json)
}

const user = (name: string): [string, string][] => [
  ['x-user', Buffer.from(name).toString('latin1')],
]

it.each<[string, FakeRequest, [string | null, string | null]]>([
  ['an item', { headers: user('ann') }, ['gold', Buffer.from('Köln').toString('latin1')]],
  ['a number, and what is no scalar', { headers: user('bob') }, ['3', null]],
  ['what cannot be a field', { headers: user('eve') }, [null, 'true']],
  ['nobody', { headers: user('nobody') }, [null, null]],
  ['no field', {}, [null, null]],
  ['an empty field', { headers: user('') }, [null, null]],
  ['an item that is broken', { headers: user('broken') }, [null, null]],
  ['an item that is a list', { headers: user('list') }, [null, null]],
  ['a name of an object', { headers: user('constructor') }, [null, null]],
  ['a name beyond ASCII', { headers: user('jürgen') }, [Buffer.from('ü').toString('latin1'), null]],
])('%s', (_name, request, wanted) =>
  withPipeline(
    pipeline(),
    async (harness) => {
      fill(harness)
      const { headers } = (await harness.ask(request)).ex.request
      expect([headers.get('x-plan'), headers.get('x-city')]).toEqual(wanted)
    },
    'v2',
  ),
)

it.each([
  ['/api/orders', 'orders'],
  ['/other', 'gold'],
])('the path takes part in the key: %s', (path, plan) =>
  withPipeline(
    pipeline('pathRegExp: ^/api/([a-z]+)'),
    async (harness) => {
      fill(harness)
      const { headers } = (await harness.ask({ path, headers: user('ann') })).ex.request
      expect(headers.get('x-plan')).toBe(plan)
    },
    'v2',
  ),
)

it('sees changes', () =>
  withPipeline(
    pipeline(),
    async (harness) => {
      const plan = async (): Promise<string | null> =>
        (await harness.ask({ headers: user('ann') })).ex.request.headers.get('x-plan')
      expect(await plan()).toBeNull()
      harness.setData('users/', 'ann', '{"plan": "tin"}')
      expect(await plan()).toBe('tin')
      harness.setData('users/', 'ann', '{"plan": "gold"}')
      expect(await plan()).toBe('gold')
    },
    'v2',
  ))

const GOOD = 'headerKey: a\netcdPrefix: b/\nheaderSetters: [{etcdKey: c, headerKey: d}]'

it.each([
  ['', 'headerKey'],
  [GOOD.replace('headerKey: a', 'headerKey: "a b"'), 'expected the name of a header'],
  [GOOD.replace('headerKey: d', 'headerKey: ""'), 'expected the name of a header'],
  [GOOD.replace('{etcdKey: c, headerKey: d}', ''), 'headerSetters'],
  [GOOD.replace('etcdPrefix: b/', 'etcdPrefix: ""'), 'etcdPrefix'],
  [`${GOOD}\npathRegExp: (`, 'pathRegExp'],
])('refuses %j', (fields, problem) => {
  expect(problemsOf('HeaderLookup', fields, 'v2')).toContain(problem)
})
