import { expect, it } from 'vitest'
import { framesOf } from '../protocol/object-frames.js'
import type { ConfigVersion } from '../protocol/version.js'
import type { CoordinatorToWorker, Serving } from '../protocol/worker.js'
import type { Registry } from './registry.js'
import { WorkerLinks } from './worker-links.js'

const at = (version: number): ConfigVersion => ({ epoch: 1, version })
const serving = (version: number): Serving => ({
  type: 'serving',
  version: at(version),
  failed: [],
  listeners: [],
})

const sizeOf = (m: CoordinatorToWorker): number =>
  'puts' in m && m.puts instanceof Uint8Array ? [...framesOf(m.puts)].length : 0

/** Objects by their numbers, each with one byte for a frame. */
function bench(count: number) {
  const told: CoordinatorToWorker[] = []
  const registry = {
    version: at(1),
    names: () => Array.from({ length: count }, (_, i) => String(i)),
    frame: (name: string) => Uint8Array.of(Number(name) % 256),
  }
  const links = new WorkerLinks(registry as unknown as Registry)
  links.add(0, {
    name: 'worker',
    tell: (message: CoordinatorToWorker) => void told.push(message),
    ask: () => Promise.reject(new Error('nothing is asked')),
  } as never)
  const shown = (): (readonly [string, number])[] =>
    told.splice(0).map((m) => [m.type, sizeOf(m)] as const)
  return { links, registry, shown }
}

it.each<[puts: number, parts: number[]]>([
  [0, [0]],
  [1, [1]],
  [64, [64]],
  [65, [64, 1]],
  [200, [64, 64, 64, 8]],
])('%i objects that changed go in parts of %j', (count, parts) => {
  const { links, registry, shown } = bench(count)
  links.onServing(0, serving(1))
  expect(shown()).toEqual([])
  registry.version = at(2)
  links.push({ puts: registry.names(), deletes: ['gone'] } as never)
  const types = parts.map((size, i) => [i + 1 < parts.length ? 'delta-part' : 'delta', size])
  expect(shown()).toEqual(types)
})

it('a change under way is waited for, and what comes meanwhile is joined', () => {
  const { links, registry, shown } = bench(100)
  links.onServing(0, serving(1))
  for (let version = 2; version <= 101; version++) {
    registry.version = at(version)
    links.push({ puts: [String(version - 2)], deletes: [] } as never)
  }
  expect(shown()).toEqual([['delta', 1]])
  links.onServing(0, serving(2))
  expect(shown()).toEqual([
    ['delta-part', 64],
    ['delta', 35],
  ])
})

it('a worker that starts gets all in parts as well', () => {
  const { links, shown } = bench(130)
  links.onServing(0, { ...serving(0), version: { epoch: 0, version: 0 } })
  expect(shown()).toEqual([
    ['full-begin', 0],
    ['full-part', 64],
    ['full-part', 64],
    ['full-part', 2],
    ['full-end', 0],
  ])
})
