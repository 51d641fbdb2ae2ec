import { cpus, release } from 'node:os'
import type { Bench } from './bench.js'

/** What the figures depend on besides the code. */
export interface Surroundings {
  readonly date: string
  readonly command: string
  readonly machine: string
  readonly cores: string
  readonly versions: readonly string[]
}

export function surroundingsOf(bench: Bench, args: readonly string[], now: Date): Surroundings {
  const cores = cpus()
  const model = cores[0]?.model.trim() ?? 'unknown'
  const { server, load } = bench.place.cores
  return {
    date: now.toISOString(),
    command: ['npm run bench', ...(args.length === 0 ? [] : ['--', ...args])].join(' '),
    machine: `${cores.length} × ${model}, ${process.platform} ${release()} ${process.arch}`,
    cores: server === null ? 'not bound' : `server on ${server}, load and back end on ${load}`,
    versions: [
      ...bench.peers.map(({ name, version }) => `${name}: ${version}`),
      ...bench.builds.map(({ name }) => `${name}: node ${process.versions.node}`),
    ],
  }
}

export const surroundingsLines = (about: Surroundings): string[] => [
  `${about.command}, ${about.date}`,
  `machine: ${about.machine}; ${about.cores}`,
  ...about.versions,
]
