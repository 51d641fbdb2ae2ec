import { expect, it } from 'vitest'
import type { ServerOrigin, UpstreamClient, UpstreamServer } from './contract.js'
import { OriginCache } from './origin-cache.js'

/** Notes what is acquired and what is released. */
function cacheOf(max: number) {
  const acquired: string[] = []
  const held = new Set<string>()
  const client = {
    acquire({ scheme, host, port }: ServerOrigin): UpstreamServer {
      const name = `${scheme} ${host} ${port}`
      acquired.push(name)
      held.add(name)
      return { release: () => held.delete(name) } as unknown as UpstreamServer
    },
  } as unknown as UpstreamClient
  return { cache: new OriginCache(client, {}, max), acquired, held }
}

it.each([
  ['http://a/x', 'http a 80'],
  ['https://a', 'https a 443'],
  ['http://a:8080', 'http a 8080'],
  ['http://[::1]:8080', 'http ::1 8080'],
  ['http://10.0.0.1', 'http 10.0.0.1 80'],
])('%s is %s', (url, name) => {
  const { cache, acquired } = cacheOf(9)
  cache.get(new URL(url))
  expect(acquired).toEqual([name])
})

it('holds those that were asked last, and lets all go in the end', () => {
  const { cache, acquired, held } = cacheOf(2)
  for (const host of ['a', 'b', 'a', 'c', 'a', 'b']) cache.get(new URL(`http://${host}`))
  expect(acquired).toEqual(['http a 80', 'http b 80', 'http c 80', 'http b 80'])
  expect([...held].sort()).toEqual(['http a 80', 'http b 80'])
  cache.close()
  expect(held.size).toBe(0)
})
