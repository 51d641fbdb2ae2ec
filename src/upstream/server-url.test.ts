import { expect, it } from 'vitest'
import { hostFieldOf, parseServerUrl } from './server-url.js'

it.each<[text: string, hostField: string, host: string, port: number, pathPrefix: string]>([
  ['http://127.0.0.1:9095', '127.0.0.1:9095', '127.0.0.1', 9095, ''],
  ['http://a.test', 'a.test', 'a.test', 80, ''],
  ['HTTP://A.test/', 'a.test', 'a.test', 80, ''],
  ['https://a.test', 'a.test', 'a.test', 443, ''],
  ['https://a.test:80/x/y/', 'a.test:80', 'a.test', 80, '/x/y'],
  ['http://a.test:80/a b', 'a.test', 'a.test', 80, '/a%20b'],
  ['http://[::1]:81', '[::1]:81', '::1', 81, ''],
])('parseServerUrl %s', (text, hostField, host, port, pathPrefix) => {
  const url = parseServerUrl(text)
  expect(url).toMatchObject({ host, port, pathPrefix })
  expect(url && hostFieldOf(url)).toBe(hostField)
})

it.each([
  '',
  '127.0.0.1:9095',
  'a.test',
  'ftp://a.test',
  'unix:///tmp/s',
  'http://',
  'http:a.test',
  'http://a.test:0',
  'http://a.test:65536',
  'http://user@a.test',
  'http://:secret@a.test',
  'http://a.test?x',
  'http://a.test/#x',
  'http://a b',
])('parseServerUrl refuses %j', (text) => {
  expect(parseServerUrl(text)).toBeNull()
})
