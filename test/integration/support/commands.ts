import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EGCTL, PARENT, ROOT } from './paths.js'

/**
 * A directory with `easegress-server` and `egctl` for PATH: the one that the build fills, or, where
 * the sources were only compiled, one made in `dir`.
 */
export function commandsDir(dir: string): string {
  const built = join(ROOT, 'bin')
  if (['easegress-server', 'egctl'].every((name) => existsSync(join(built, name)))) return built
  const made = join(dir, 'bin')
  mkdirSync(made)
  for (const [name, entry] of [
    ['easegress-server', PARENT],
    ['egctl', EGCTL],
  ] as const) {
    const script = `#!/bin/sh\nexec "${process.execPath}" "${entry}" "$@"\n`
    writeFileSync(join(made, name), script, { mode: 0o755 })
  }
  return made
}
