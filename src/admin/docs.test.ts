import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { HTTP_STATUS } from '../lib/errors.js'
import { apiListOf } from './routes.js'
import { V1 } from './routes-v1.js'
import { V2 } from './routes-v2.js'

const page = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

it('docs/errors.md has every error with its status, in the order of the code', () => {
  const rows = [...page('errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d+) \| \S.* \| \S.* \|$/gm)]
  expect(rows.map(([, code, status]) => [code, Number(status)])).toEqual(
    Object.entries(HTTP_STATUS),
  )
})

it('docs/admin-api.md has every route, in the order of the router', () => {
  const rows = [...page('admin-api.md').matchAll(/^\| ([A-Z]+) \| `(\S+)` \| /gm)]
  const routes = [V1, V2].flatMap(apiListOf).map(({ path, method }) => ({ path, method }))
  expect(rows.map(([, method, path]) => ({ path, method }))).toEqual(routes)
})
