import { expect, it } from 'vitest'
import { portsIn } from './origin.js'

it.each<[said: string, want: number[]]>([
  ['ready 127.0.0.1:4001\n', [4001]],
  ['building\nready 127.0.0.1:4001 127.0.0.1:4002\n', [4001, 4002]],
  ['', []],
  ['not ready 127.0.0.1:4001', []],
])('ports in %j', (said, want) => {
  expect(portsIn(said)).toEqual(want)
})
