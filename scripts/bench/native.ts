import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './tools.js'

/** The programs of native-bench/, built. */
export interface NativeBench {
  readonly loadgen: string
  readonly origin: string
}

/** What the machine lacks, said so that the reader can mend it. */
export class MissingToolError extends Error {}

/**
 * Builds what is missing or stale with make and g++ (about half a minute the first time). Without a
 * compiler, programs that were built before are taken as they are. `root`: of the repository.
 * Throws {@link MissingToolError}.
 */
export function buildNativeBench(root: string, say: (text: string) => void): NativeBench {
  const folder = join(root, 'native-bench')
  const built = {
    loadgen: join(folder, 'build', 'loadgen'),
    origin: join(folder, 'build', 'origin'),
  }
  const isThere = existsSync(built.loadgen) && existsSync(built.origin)
  const missing = ['make', process.env['CXX'] ?? 'g++'].filter((name) => findProgram(name) === null)
  if (missing.length > 0) {
    if (isThere) return built
    throw new MissingToolError(
      `the load generator has to be built, but ${missing.join(' and ')} cannot be found ` +
        '(Debian: apt-get install -y make g++ libssl-dev)',
    )
  }
  if (!existsSync(join(folder, 'Makefile'))) {
    throw new MissingToolError(`the sources of the load generator are not in ${folder}`)
  }
  if (!isThere) say('building the load generator (once) …')
  const done = spawnSync('make', ['-s', '-C', folder, 'build/loadgen', 'build/origin'], {
    encoding: 'utf8',
  })
  if (done.status !== 0) {
    throw new MissingToolError(`native-bench does not build:\n${done.stdout}${done.stderr}`)
  }
  return built
}
