import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** open(2), which Node.js does not name: a file that no folder ever holds. */
const O_TMPFILE = 0o20200000

/** In memory first: on a disk even a file without a name leaves its blocks behind. */
const FOLDERS: readonly string[] = ['/dev/shm', tmpdir()]

/**
 * Lets `use` read `texts` as files, for code that takes only names of files. The files have no name
 * of their own and only this process can open them (`/proc/self/fd/N`, mode 0600); they are gone
 * when this returns. Where the system has no such files (other than Linux), they are in a folder of
 * mode 0700 for as long as `use` runs.
 */
export function withSecretFiles<T>(
  texts: readonly string[],
  use: (names: readonly string[]) => T,
): T {
  const opened: number[] = []
  try {
    for (const text of texts) {
      const file = openNameless()
      if (file === null) return withNamedFiles(texts, use)
      opened.push(file)
      writeSync(file, text)
    }
    return use(opened.map((file) => `/proc/self/fd/${file}`))
  } finally {
    for (const file of opened) closeSync(file)
  }
}

function openNameless(): number | null {
  if (process.platform !== 'linux') return null
  for (const folder of FOLDERS) {
    try {
      return openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600)
    } catch {
      // No such folder, or a file system without such files: the next one.
    }
  }
  return null
}

function withNamedFiles<T>(texts: readonly string[], use: (names: readonly string[]) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'easegress-')) // mode 0700
  try {
    const names = texts.map((text, i) => {
      const name = join(folder, String(i))
      writeFileSync(name, text, { mode: 0o600 })
      return name
    })
    return use(names)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
