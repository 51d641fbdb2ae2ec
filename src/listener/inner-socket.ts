import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** open(2): a descriptor that only names a file. */
const O_PATH = 0o10000000

/** A Unix socket for connections from within this process. */
export interface InnerSocket {
  /** To connect to. */
  readonly path: string
  close(): void
}

/**
 * Has `listen` open a socket at a path, which is gone from the file system when this returns: what
 * is left is reached through a descriptor, by this process alone. Elsewhere than on Linux it stays
 * in a folder of mode 0700. Null when `listen` says that it did not.
 */
export function openInnerSocket(listen: (path: string) => boolean): InnerSocket | null {
  const folder = mkdtempSync(join(tmpdir(), 'easegress-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  const path = join(folder, 'socket')
  try {
    if (!listen(path)) {
      remove()
      return null
    }
    if (process.platform !== 'linux') return { path, close: remove }
    const descriptor = openSync(path, O_PATH)
    remove()
    return { path: `/proc/self/fd/${descriptor}`, close: () => closeSync(descriptor) }
  } catch (thrown) {
    remove()
    throw thrown
  }
}
