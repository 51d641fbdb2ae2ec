import { expect, it } from 'vitest'
import { isLoopbackAddress } from './loopback.js'

it.each([
  ['127.0.0.1', true],
  ['127.255.3.4', true],
  ['::1', true],
  ['0:0:0:0:0:0:0:1', true],
  ['::ffff:127.0.0.1', true],
  ['::1%lo', true],
  ['0.0.0.0', false],
  ['::', false],
  ['::ffff:10.0.0.1', false],
  ['::2', false],
  ['128.0.0.1', false],
  ['10.127.0.1', false],
  ['127.0.0.1.example.org', false],
  ['localhost', false],
  ['', false],
])('isLoopbackAddress(%j) is %s', (address, want) => {
  expect(isLoopbackAddress(address)).toBe(want)
})
