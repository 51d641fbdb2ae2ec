import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where Debian keeps servers that are not in a user's path. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The full path of a program, or null. */
export function findProgram(name: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat(MORE_FOLDERS)
  for (const folder of folders) {
    if (folder === '') continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // in none of the folders so far
    }
  }
  return null
}

/** The first line that a program prints about itself, or ''. */
export function versionOf(program: string, flag: string): string {
  const done = spawnSync(program, [flag], { encoding: 'utf8' })
  return `${done.stdout}${done.stderr}`.split('\n', 1)[0]?.trim() ?? ''
}
