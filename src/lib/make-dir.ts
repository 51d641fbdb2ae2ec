import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and those above it that are missing, for the owner alone. Returns the topmost
 * one made; undefined when it was there. Throws what the system says.
 *
 * Not with `recursive: true`: Node.js then tries for ever where the system says that something is
 * missing although the folder above is there, as below `/proc`.
 */
export function makeDir(path: string): string | undefined {
  const whole = resolve(path)
  if (isDirectory(whole)) return undefined
  const above = dirname(whole)
  const first = above === whole ? undefined : makeDir(above)
  try {
    mkdirSync(whole, { mode: 0o700 })
  } catch (thrown) {
    // Somebody else may have made it just then.
    if (!isDirectory(whole)) throw thrown
    return first
  }
  return first ?? whole
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
