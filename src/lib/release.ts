import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The release of this program, such as `0.1.0`: from the nearest package.json above this file. */
export function release(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    try {
      const { version } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
      return String(version)
    } catch (thrown) {
      if (dir === dirname(dir)) throw new Error('package.json is missing', { cause: thrown })
    }
  }
}
