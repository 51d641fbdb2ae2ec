import { expect, it } from 'vitest'
import { type ConfigVersion, compareVersions, isNewer, NO_CONFIG } from './version.js'

const at = (epoch: number, version: number): ConfigVersion => ({ epoch, version })

it.each<[name: string, a: ConfigVersion, b: ConfigVersion, sign: number]>([
  ['equal', at(1, 1), at(1, 1), 0],
  ['a later version', at(1, 2), at(1, 1), 1],
  ['an earlier version', at(1, 1), at(1, 2), -1],
  ['a later epoch with an earlier version', at(2, 0), at(1, 99), 1],
  ['an earlier epoch with a later version', at(1, 99), at(2, 0), -1],
  ['anything and nothing', at(1, 0), NO_CONFIG, 1],
])('%s', (_name, a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign)
  expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign)
  expect(isNewer(a, b)).toBe(sign > 0)
})
